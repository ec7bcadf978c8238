"""Span labels: spans of the output are marked with one of the criterion's labels."""

from collections.abc import Callable, Iterator

from evalapp.rubrics.kinds.base import CriterionKind, Problem
from evalapp.rubrics.kinds.values import Level, RawValue, ValueProblemError
from evalapp.rubrics.limits import MOST_OPTIONS


class Spans(CriterionKind):
    name = "spans"
    label = "Span labels"
    new_one = "span labels"
    answered_by = "marks"
    has_options = True
    reads_values = False
    options_label = "Labels"
    not_applicable = ("Nothing to mark", "")
    allowed_not_applicable = "“Nothing to mark”"
    usual = {"allows_not_applicable": True}
    no_reasons = "Each mark has its own comment, so there are no reasons to choose from. Remove them."

    @property
    def control(self) -> str:
        return "marks"

    @property
    def not_to_depend_on(self) -> str:
        return "is marked in the text"

    def not_applicable_words(self) -> str:
        return "nothing to mark"

    @property
    def finds_errors(self) -> bool:
        return any(option.is_undesired for option in self.options)

    @property
    def in_words(self) -> str:
        return f"marks: {', '.join(option.label for option in self.options)}"

    def value_reader(self) -> Callable[[RawValue], Level]:
        return self._read_value

    def _read_value(self, raw: RawValue) -> Level:
        raise ValueProblemError(
            f"{self.criterion.name} is answered with span labels, not with a value.",
            "Give them as spans, with their text and labels.",
        )

    def problems(self) -> Iterator[Problem]:
        if not 1 <= len(self.options) <= MOST_OPTIONS:
            yield "options", f"Spans have 1 to {MOST_OPTIONS} labels; write one per line."
        yield from self._label_problems("label")
        if self.criterion.is_critical:
            yield (
                "is_critical",
                "A span label cannot fail an answer. Add a critical yes/no criterion instead.",
            )
        if self.criterion.low_threshold is not None:
            yield "low_threshold", "Spans have no levels at which to ask for reasons. Leave this empty."

    def hints(self) -> Iterator[Problem]:
        if self.criterion.is_required and not self.criterion.allows_not_applicable:
            yield (
                "allows_not_applicable",
                (
                    "A reviewer who finds nothing to mark cannot submit. Allow “nothing to mark”, or make it"
                    " optional."
                ),
            )
