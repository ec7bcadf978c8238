"""A text answer, stored as it is; it has no number."""

from collections.abc import Callable, Iterator

from evalapp.core.names import has_visible
from evalapp.rubrics.kinds.base import CriterionKind, Problem
from evalapp.rubrics.kinds.values import Level, RawValue, ValueProblemError
from evalapp.rubrics.limits import LONGEST_WORDS


class Text(CriterionKind):
    name = "text"
    label = "Text"
    new_one = "a text"
    answered_by = "words"
    takes_not_applicable = False
    usual = {"is_required": False, "allows_not_applicable": False}
    no_reasons = "A text has no low level to give reasons for. Remove the reasons."

    @property
    def control(self) -> str:
        return "words"

    @property
    def not_to_depend_on(self) -> str:
        return "is answered in words"

    def value_reader(self) -> Callable[[RawValue], Level]:
        return self._read_value

    def _read_value(self, raw: RawValue) -> Level:
        text = str(raw).strip()
        if not has_visible(text) or len(text) > LONGEST_WORDS:
            fix = f"{self.criterion.name} takes 1 to {LONGEST_WORDS:,} characters."
            raise ValueProblemError("The text is empty or too long.", fix)
        return Level(words=text)

    def problems(self) -> Iterator[Problem]:
        if self.criterion.is_critical:
            yield "is_critical", "A text cannot fail an answer. Add a critical yes/no criterion instead."
        if self.criterion.allows_not_applicable:
            yield "allows_not_applicable", "For an optional text leave Required off."
        if self.criterion.low_threshold is not None:
            yield "low_threshold", "A text has no levels at which to ask for reasons. Leave this empty."
