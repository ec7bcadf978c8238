"""Dialect and paraphrase: replaces phrases in the user's messages. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalapp.datasets.counterfactuals.perturbation import Perturbation, Rewritten, Value, changed_texts
from evalapp.datasets.counterfactuals.wording import in_case_of, normal_form, replaced, words_pattern

Phrases = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class PhrasePerturbation(Perturbation):
    """Replaces every phrase of a list in one pass, the longest first; inserted text is not replaced again."""

    is_of_writing = True

    key: str
    label: str
    rule: str
    labels: Mapping[str, str]
    phrases: Mapping[str, Phrases]
    """By value."""

    @cached_property
    def _found(self) -> dict[str, tuple[str, dict[str, str]]]:
        return {
            value: (words_pattern(old for old, _ in pairs), {normal_form(old): new for old, new in pairs})
            for value, pairs in self.phrases.items()
        }

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(Value(key, label) for key, label in self.labels.items())

    def rewritten(self, texts: Mapping[str, str], value: str) -> Rewritten:
        pattern, instead = self._found[value]

        def changed(text: str) -> str:
            return replaced(
                text, pattern, lambda match: in_case_of(match["words"], instead[normal_form(match["words"])])
            )

        return changed_texts(texts, changed)

    def lists(self, value: str) -> list[tuple[str, str]]:
        return [("Phrases", "; ".join(f"{old} → {new}" for old, new in self.phrases[value]))]
