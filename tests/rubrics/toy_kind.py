"""A criterion kind as somebody adds it: decimals from 0 to 10 in steps of a half, each stored as its number
of steps.
"""

from collections.abc import Sequence
from typing import Any

from evalapp.rubrics.kinds import KINDS
from evalapp.rubrics.kinds.base import CriterionKind, Option, PostedCriterion
from evalapp.rubrics.kinds.scale import Scale
from evalapp.rubrics.kinds.values import Level, RawValue, ValueProblemError, shown

STEP = 0.5


class Decimal(Scale):
    name = "decimal"
    label = "Decimal"
    new_one = "a decimal"
    editor_fields = ""

    @property
    def step(self) -> str:
        return str(STEP)

    @property
    def number_called(self) -> str:
        return "number in steps of 0.5"

    @classmethod
    def fixed(cls, _options: Sequence[Option]) -> dict[str, int | None]:
        return {"minimum": 0, "maximum": 20, "low_threshold": None}

    @classmethod
    def read_fields(cls, posted: PostedCriterion) -> dict[str, Any]:
        return dict(cls.fixed(()))

    def number(self, level: float) -> float:
        return level * STEP

    def level_of(self, answer: object) -> int | None:
        if not isinstance(answer, int | float) or isinstance(answer, bool):
            return None
        steps = answer / STEP
        return int(steps) if steps.is_integer() else None

    def level_key(self, level: int) -> str:
        return self.words(level)

    def _read_value(self, raw: RawValue) -> Level:
        try:
            level = self.level_of(float(raw))
        except ValueError:
            level = None
        if level not in self.levels:
            raise ValueProblemError(
                f"“{shown(raw)}” is no step.", f"{self.criterion.name} is {self.allowed}."
            )
        return Level(level)


WITH_IT: tuple[type[CriterionKind], ...] = (*KINDS, Decimal)
