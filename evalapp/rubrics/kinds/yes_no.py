"""A question answered by yes (1) or no (0)."""

from collections.abc import Callable, Iterator
from typing import Any

from evalapp.rubrics.kinds.base import CriterionKind, PostedCriterion, Problem
from evalapp.rubrics.kinds.values import Level, RawValue, ValueProblemError, shown, whole_number, yes_or_no

YES, NO = 1, 0


class YesNo(CriterionKind):
    name = "yes_no"
    label = "Yes / no"
    new_one = "a yes/no question"
    usual = {"undesired": YES}
    cell_template = "analysis/kinds/yes_no.html"
    editor_fields = "rubrics/kinds/yes_no.html"

    @classmethod
    def read_fields(cls, posted: PostedCriterion) -> dict[str, Any]:
        undesired = {"yes": YES, "no": NO}.get(posted.text("undesired"))
        return {**super().read_fields(posted), "undesired": undesired}

    @property
    def offered_levels(self) -> list[int]:
        return [YES, NO]

    def level_key(self, level: int) -> str:
        return "yes" if level == YES else "no"

    def level_from_key(self, key: str) -> int | str:
        return key

    def words(self, level: int) -> str:
        return self.level_key(level)

    def is_low(self, level: int) -> bool:
        return level == self.criterion.undesired

    @property
    def counted_levels(self) -> frozenset[int]:
        return frozenset({YES})

    @property
    def failing_levels(self) -> frozenset[int]:
        """The undesired answer, if there is one."""
        undesired = self.criterion.undesired
        return frozenset() if undesired is None else frozenset({undesired})

    @property
    def shows_high_first(self) -> bool:
        return self.criterion.undesired != NO

    @property
    def axis_label(self) -> str:
        return "share yes"

    @property
    def title(self) -> str:
        return "yes/no"

    @property
    def allowed(self) -> str:
        return "yes (1) or no (0)"

    @property
    def levels_in_words(self) -> str:
        return "yes and no only"

    def level_said(self, given: Any) -> int | None:
        return int(given) if isinstance(given, bool) else super().level_said(given)

    def value_reader(self) -> Callable[[RawValue], Level]:
        return _read_value

    def problems(self) -> Iterator[Problem]:
        if (self.criterion.minimum, self.criterion.maximum) != (NO, YES):
            yield "maximum", "A yes/no question has the levels 0 and 1."
        if self.criterion.undesired not in (None, YES, NO):
            yield "undesired", "The undesired answer is yes, no, or neither."
        if self.criterion.is_critical and self.criterion.undesired is None:
            yield "undesired", "A critical question needs an undesired answer."


def _read_value(raw: RawValue) -> Level:
    word, number = yes_or_no(raw), whole_number(raw)
    if word is not None or number in (NO, YES):
        return Level(number if word is None else word)
    raise ValueProblemError(f"“{shown(raw)}” is neither yes nor no.", "Write yes or no, or 1 or 0.")
