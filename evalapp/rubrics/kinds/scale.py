"""A scale: ordered levels, with a mean."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from evalapp.rubrics.kinds.base import CriterionDefinition, CriterionKind, Option, PostedCriterion, Problem
from evalapp.rubrics.kinds.values import (
    Level,
    RawValue,
    ValueProblemError,
    any_number,
    is_decimal,
    shown,
    step_of,
    whole_number,
)
from evalapp.rubrics.limits import HIGHEST_LEVEL, LOWEST_LEVEL, MOST_BUTTONS, MOST_LEVELS, MOST_STEPS

_TEXTS_OF_WIDE_SCALE = 10
_ENDS = {"minimum": 1, "maximum": 5, "low_threshold": 2}


def in_levels(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a criterion with its ends converted to levels, from the points that people, files and the
    API use; missing ends get defaults.
    """
    steps = _possible(fields.get("steps_per_point", 1))
    if steps == 1:
        return dict(fields)
    ends = {name: fields.get(name, usual) for name, usual in _ENDS.items()}
    return {**fields, **{name: end if end is None else end * steps for name, end in ends.items()}}


def ends_in_points(criterion: CriterionDefinition) -> dict[str, int | None]:
    """``minimum``, ``maximum`` and ``low_threshold`` of a criterion in whole points, with
    ``steps_per_point``: the inverse of `in_levels`.
    """
    ends, steps = {name: getattr(criterion, name) for name in _ENDS}, _possible(criterion.steps_per_point)
    in_points = {name: end if end is None else end // steps for name, end in ends.items()}
    return {**in_points, "steps_per_point": criterion.steps_per_point}


def _possible(steps: int) -> int:
    """The steps of a point; 1 for an invalid number, which saving refuses."""
    return steps if 1 <= steps <= MOST_STEPS else 1


class Scale(CriterionKind):
    name = "scale"
    label = "Scale"
    new_one = "a scale"
    has_mean = True
    cell_template = "analysis/kinds/scale.html"
    editor_fields = "rubrics/kinds/scale.html"

    @classmethod
    def fixed(cls, _options: Sequence[Option]) -> dict[str, int | None]:
        return {}

    @classmethod
    def read_fields(cls, posted: PostedCriterion) -> dict[str, Any]:
        has_low = bool(posted.text("low_threshold").strip())
        has_steps = bool(posted.text("steps_per_point").strip())
        return in_levels(
            {
                "steps_per_point": posted.number("steps_per_point", 1) if has_steps else 1,
                "minimum": posted.number("minimum", 1),
                "maximum": posted.number("maximum", 5),
                "low_threshold": posted.number("low_threshold", 1) if has_low else None,
                "lower_is_better": bool(posted.text("lower_is_better")),
            }
        )

    @property
    def shows_keys(self) -> bool:
        """False: the levels are the keys."""
        return False

    @property
    def is_typed(self) -> bool:
        return self._steps > 1 or self.criterion.maximum - self.criterion.minimum >= MOST_BUTTONS

    @property
    def _steps(self) -> int:
        return _possible(self.criterion.steps_per_point)

    @property
    def _step_in_words(self) -> str:
        return f"{1 / self._steps:g}" if 100 % self._steps == 0 else f"1/{self._steps}"

    @property
    def step(self) -> str:
        return f"{1 / self._steps:g}" if 100 % self._steps == 0 else "any"

    @property
    def number_called(self) -> str:
        return "whole number" if self._steps == 1 else f"number in steps of {self._step_in_words}"

    def number(self, level: float) -> float:
        whole, rest = divmod(level, self._steps)
        return level / self._steps if rest else whole

    def words(self, level: int) -> str:
        return f"{round(self.number(level), 2):g}"

    def level_key(self, level: int) -> str:
        return self.words(level)

    def level_from_key(self, key: str) -> float | str:
        number = float(key)
        return int(number) if number.is_integer() else number

    def level_of(self, answer: object) -> int | None:
        if not isinstance(answer, int | float) or isinstance(answer, bool):
            return None
        if isinstance(answer, int):
            return answer * self._steps
        return step_of(answer, self._steps) if self._steps > 1 else None

    @property
    def not_to_depend_on(self) -> str:
        return "is answered by typing a number" if self.is_typed else ""

    @property
    def described_levels(self) -> list[int]:
        """All levels; of a wide scale every tenth part, and levels that have a text."""
        if not self.is_typed:
            return self.levels
        lowest, width = self.criterion.minimum, self.criterion.maximum - self.criterion.minimum
        parts = range(_TEXTS_OF_WIDE_SCALE + 1)
        steps = {lowest + round(part * width / _TEXTS_OF_WIDE_SCALE) for part in parts}
        described, examples = self.criterion.level_descriptions, self.criterion.examples
        written = {key for texts in (described, examples) for key, text in texts.items() if text}
        return [level for level in self.levels if level in steps or self.level_key(level) in written]

    @property
    def low_threshold(self) -> int | None:
        return self.criterion.low_threshold

    @property
    def poor_level(self) -> int:
        """The highest low level, or the lowest level without a threshold; if lower is better, the highest
        level.
        """
        if self.criterion.lower_is_better:
            return self.criterion.maximum
        return self.criterion.minimum if self.low_threshold is None else self.low_threshold

    def is_low(self, level: int) -> bool:
        return self.low_threshold is not None and level <= self.low_threshold

    @property
    def failing_levels(self) -> frozenset[int]:
        """The low levels; without a threshold, the lowest level."""
        lowest = self.criterion.minimum
        threshold = lowest if self.low_threshold is None else self.low_threshold
        return frozenset(range(lowest, threshold + 1))

    @property
    def finds_errors(self) -> bool:
        """False: a low score is not an error."""
        return False

    @property
    def is_less_better(self) -> bool:
        return self.criterion.lower_is_better

    @property
    def shows_high_first(self) -> bool:
        return False

    @property
    def axis_label(self) -> str:
        """The range, with the direction if lower is better."""
        direction = ", lower is better" if self.criterion.lower_is_better else ""
        return f"{self.words(self.criterion.minimum)}–{self.words(self.criterion.maximum)}{direction}"

    @property
    def range(self) -> tuple[float, float]:
        return (self.number(self.criterion.minimum), self.number(self.criterion.maximum))

    @property
    def drawn_range(self) -> tuple[float, float]:
        low, high = self.range
        return (high, low) if self.criterion.lower_is_better else (low, high)

    @property
    def span(self) -> int:
        return self.criterion.maximum - self.criterion.minimum

    def apart(self, difference: int) -> float:
        return difference / self.span

    @property
    def in_words(self) -> str:
        direction = ", lower is better" if self.criterion.lower_is_better else ""
        return f"{self.title} {self.allowed}{direction}"

    @property
    def label_with_range(self) -> str:
        return f"{self.label}, {self.axis_label}"

    def answer_between(self, low: int, high: int) -> str:
        return f"{self.words(low)} to {self.words(high)}"

    @property
    def levels_in_words(self) -> str:
        return f"levels {self.allowed}" if self.is_typed else super().levels_in_words

    @property
    def low_in_words(self) -> str:
        if not self.is_typed:
            return super().low_in_words
        return "" if self.low_threshold is None else f"{self.words(self.low_threshold)} and under"

    def value_reader(self) -> Callable[[RawValue], Level]:
        return self._read_value

    def _read_value(self, raw: RawValue) -> Level:
        if self._steps > 1:
            return self._read_step(raw)
        number = whole_number(raw)
        if number is None:
            fix = f"{self.criterion.name} takes whole numbers from {self.allowed}."
            if is_decimal(raw):
                fix += f" A scale with steps per point, up to {MOST_STEPS}, takes decimals."
            raise ValueProblemError(f"“{shown(raw)}” is not a whole number.", fix)
        if not self.criterion.minimum <= number <= self.criterion.maximum:
            raise ValueProblemError(
                f"{number} is outside the scale of {self.criterion.name}, {self.allowed}.",
                "Correct the value, or widen the scale.",
            )
        return Level(number)

    def _read_step(self, raw: RawValue) -> Level:
        number = any_number(raw)
        if number is None:
            fix = f"{self.criterion.name} takes numbers from {self.allowed}."
            raise ValueProblemError(f"“{shown(raw)}” is not a number.", fix)
        level = self.level_of(number)
        if level is None:
            fix = f"Round it, or give the scale other steps per point (up to {MOST_STEPS})."
            raise ValueProblemError(
                f"{shown(raw)} is between two steps of {self._step_in_words} of {self.criterion.name}.", fix
            )
        if not self.criterion.minimum <= level <= self.criterion.maximum:
            raise ValueProblemError(
                f"{shown(raw)} is outside the scale of {self.criterion.name}, {self.allowed}.",
                "Correct the value, or widen the scale.",
            )
        return Level(level)

    def problems(self) -> Iterator[Problem]:
        if self._steps != self.criterion.steps_per_point:
            yield "steps_per_point", f"A point has 1 to {MOST_STEPS} steps; 2 allows half points."
            return
        lowest, highest = self.criterion.minimum, self.criterion.maximum
        if not self._is_ranged:
            yield "maximum", "The highest level must be above the lowest."
            return
        if self.number(lowest) < LOWEST_LEVEL or self.number(highest) > HIGHEST_LEVEL:
            yield "maximum", f"Levels must be between {LOWEST_LEVEL} and {HIGHEST_LEVEL}."
        if highest - lowest + 1 > MOST_LEVELS:
            yield "maximum", f"A scale has at most {MOST_LEVELS} levels; use fewer or wider steps."
            return
        if self.low_threshold is not None and not lowest <= self.low_threshold < highest:
            last = self.words(highest - self._steps)
            message = (
                f"Reasons can be asked at {self.words(lowest)} to {last} and under; leave it empty for never."
            )
            yield "low_threshold", message

    def hints(self) -> Iterator[Problem]:
        ends = [self.criterion.minimum, self.criterion.maximum]
        named = ends if self.is_typed else self.levels
        texts = self.criterion.level_descriptions
        missing = [level for level in named if not texts.get(self.level_key(level), "").strip()]
        if missing:
            lacks = "Level {} has no text" if len(missing) == 1 else "Levels {} have no text"
            lacking = lacks.format(", ".join(map(self.words, missing)))
            message = f"{lacking}: reviewers agree more when each level has a description."
            yield "level_descriptions", message
        if self.is_typed:
            if len(self.levels) > MOST_BUTTONS:
                typed = f"{len(self.levels)} levels are typed as a number"
                yield (
                    "maximum",
                    f"{typed}; few people can distinguish so many. Agreement is best with 5 to 7.",
                )
        elif len(self.levels) % 2 == 0 and not self.criterion.help_text.strip():
            yield (
                "maximum",
                (
                    "An even number of levels has no middle, so reviewers must take a side. Explain why in"
                    " the help."
                ),
            )
