"""Swaps men and women: pronouns, words, titles and first names. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalapp.datasets.counterfactuals.first_names import FEMALE, MALE, FirstNames
from evalapp.datasets.counterfactuals.perturbation import (
    LeftOut,
    Perturbation,
    Rewritten,
    Value,
    changed_texts,
)
from evalapp.datasets.counterfactuals.wording import in_case_of, normal_form, replaced, words_pattern

Pairs = Sequence[tuple[str, str]]

_PRONOUNS = {
    MALE: ("he", "him", "his", "himself", "he's", "he'd", "he'll"),
    FEMALE: ("she", "her", "hers", "herself", "she's", "she'd", "she'll"),
}
_PLAIN = {
    MALE: {
        "she": "he", "hers": "his", "herself": "himself", "she's": "he's", "she'd": "he'd", "she'll": "he'll",
    },
    FEMALE: {
        "he": "she", "him": "her", "himself": "herself", "he's": "she's", "he'd": "she'd", "he'll": "she'll",
    },
}  # fmt: skip
_NEXT_WORD = re.compile(r"\s+([\w'’]+)")
_BEFORE_A_NAME = r"\.?(?=\s+[A-Z])"


@dataclass(frozen=True)
class GenderPerturbation(Perturbation):
    """Perturbs only rows that speak of one gender, so that each variant goes one way. ``pairs`` and
    ``titles``: male word, female word. ``after_object``: words before which “her” becomes “him”, not “his”.
    """

    labels: Mapping[str, str]
    pairs: Pairs
    titles: Pairs
    after_object: frozenset[str]
    fixed: Sequence[str]
    excluded: Sequence[str]
    names: FirstNames | None

    key = "gender"
    label = "Gender"
    rule = (
        "Changes pronouns, words such as “husband”, titles and first names to the other gender, in rows"
        " that mention only one gender."
    )

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(Value(key, self.labels[key]) for key in (FEMALE, MALE))

    @cached_property
    def _words(self) -> dict[str, dict[str, str]]:
        """Replacements by resulting gender: word → the other gender's word, lower case; the first of
        several.
        """
        found: dict[str, dict[str, str]] = {MALE: dict(_PLAIN[MALE]), FEMALE: dict(_PLAIN[FEMALE])}
        for male, female in self.pairs:
            found[FEMALE].setdefault(normal_form(male), female)
            found[MALE].setdefault(normal_form(female), male)
        return found

    @cached_property
    def _titles(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {MALE: {}, FEMALE: {}}
        for male, female in self.titles:
            found[FEMALE].setdefault(male, female)
            found[MALE].setdefault(female, male)
        return found

    @cached_property
    def _patterns(self) -> dict[str, str]:
        """Patterns by resulting gender: every word of the other gender, outside the fixed phrases."""
        return {
            to: words_pattern([*words, *_PRONOUNS[FEMALE if to == MALE else MALE]])
            for to, words in self._words.items()
        }

    @cached_property
    def _fixed(self) -> re.Pattern[str]:
        return re.compile(words_pattern(self.fixed) if self.fixed else r"(?!)", re.IGNORECASE)

    @cached_property
    def _excluded(self) -> re.Pattern[str]:
        return re.compile(words_pattern(self.excluded) if self.excluded else r"(?!)", re.IGNORECASE)

    def rewritten(self, texts: Mapping[str, str], value: str) -> Rewritten:
        if any(self._excluded.search(text) for text in texts.values()):
            return LeftOut.EXCLUDED
        named = self.names.found_in(texts.values()) if self.names else {}
        other = FEMALE if value == MALE else MALE
        genders = {each.gender for each in named.values()}
        is_of = {to: to in genders or self._speaks_of(texts, to) for to in (MALE, FEMALE)}
        if not is_of[other]:
            return LeftOut.UNTOUCHED
        if is_of[value]:
            return LeftOut.BOTH
        instead = (
            self.names.choose_replacements(named.values(), group=None, gender=value, named=named)
            if self.names
            else {}
        )

        def changed(text: str) -> str:
            parts = [
                part if is_fixed else self._with_gender(part, value)
                for part, is_fixed in _split_phrases(text, self._fixed)
            ]
            text = "".join(parts)
            return self.names.with_replacements(text, instead) if self.names else text

        return changed_texts(texts, changed)

    def _speaks_of(self, texts: Mapping[str, str], gender: str) -> bool:
        words = re.compile(self._patterns[FEMALE if gender == MALE else MALE], re.IGNORECASE)
        titles = re.compile(self._title_pattern(FEMALE if gender == MALE else MALE))
        return any(
            words.search(part) or titles.search(part)
            for text in texts.values()
            for part, is_fixed in _split_phrases(text, self._fixed)
            if not is_fixed
        )

    def _title_pattern(self, to: str) -> str:
        titles = sorted(self._titles[to], key=lambda title: -len(title))
        return rf"\b(?P<title>{'|'.join(map(re.escape, titles))})(?P<dot>{_BEFORE_A_NAME})"

    def _with_gender(self, text: str, to: str) -> str:
        def other(match: re.Match[str]) -> str:
            word, old = normal_form(match["words"]), match["words"]
            rest = text[match.end() :]
            if word in ("her", "his"):
                return in_case_of(old, self._possessive(word, rest))
            return in_case_of(old, self._words[to][word])

        turned = replaced(text, self._patterns[to], other)
        titles = self._titles[to]
        if not titles:
            return turned
        return re.sub(self._title_pattern(to), lambda match: titles[match["title"]] + match["dot"], turned)

    def _possessive(self, word: str, rest: str) -> str:
        """“Her” before a noun is “his”, else “him”; “his” before a noun is “her”, else “hers”."""
        following = _NEXT_WORD.match(rest)
        is_object = following is None or normal_form(following[1]) in self.after_object
        if word == "her":
            return "him" if is_object else "his"
        return "hers" if is_object else "her"

    def lists(self, value: str) -> list[tuple[str, str]]:
        of_her = (
            "her → his before a noun, else him" if value == MALE else "his → her before a noun, else hers"
        )
        words = [of_her, *(f"{old} → {new}" for old, new in self._words[value].items())]
        return [
            ("Words", "; ".join(words)),
            ("Titles", "; ".join(f"{old} → {new}" for old, new in self._titles[value].items())),
            ("Left as they are", ", ".join(self.fixed)),
            ("Rows with these are left out", ", ".join(self.excluded)),
        ]


def _split_phrases(text: str, fixed: re.Pattern[str]) -> Iterator[tuple[str, bool]]:
    """Pieces of the text, each with whether it is a fixed phrase."""
    end = 0
    for match in fixed.finditer(text):
        yield text[end : match.start()], False
        yield match[0], True
        end = match.end()
    yield text[end:], False
