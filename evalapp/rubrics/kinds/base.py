"""The base class of criterion kinds.

A kind is bound to a criterion or its draft (``criterion.rules``); class attributes apply to all criteria of
the kind. An answer is stored as a level (a whole number between the criterion's ``minimum`` and ``maximum``),
as text, or as spans of the output.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Any, ClassVar, Literal, Protocol

from evalapp.rubrics.kinds.values import Level, RawValue
from evalapp.rubrics.limits import LONGEST_TAG

Problem = tuple[str, str]
"""A field of a criterion, and its problem or a hint."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a category criterion, or a label of spans. Like a low score, an undesired answer asks for
    reasons.
    """

    label: str
    is_undesired: bool = False


class CriterionDefinition(Protocol):
    """The parts of a criterion or draft that a kind reads; ``options``: `Option`s, or their stored fields."""

    @property
    def name(self) -> str: ...
    @property
    def minimum(self) -> int: ...
    @property
    def maximum(self) -> int: ...
    @property
    def steps_per_point(self) -> int: ...
    @property
    def options(self) -> Sequence[Any]: ...
    @property
    def help_text(self) -> str: ...
    @property
    def low_threshold(self) -> int | None: ...
    @property
    def undesired(self) -> int | None: ...
    @property
    def lower_is_better(self) -> bool: ...
    @property
    def is_required(self) -> bool: ...
    @property
    def is_critical(self) -> bool: ...
    @property
    def allows_not_applicable(self) -> bool: ...
    @property
    def level_descriptions(self) -> Mapping[str, str]: ...
    @property
    def examples(self) -> Mapping[str, str]: ...


class PostedCriterion(Protocol):
    """A criterion as posted by the rubric editor."""

    @property
    def options(self) -> tuple[Option, ...]: ...
    def text(self, name: str) -> str: ...
    def number(self, name: str, otherwise: int) -> int: ...


class CriterionKind:
    """The rules of one kind of criterion; each kind is a subclass."""

    name: ClassVar[str]
    label: ClassVar[str]
    new_one: ClassVar[str]
    """The name of a new criterion of this kind on the button that adds it."""
    answered_by: ClassVar[Literal["level", "words", "marks"]] = "level"
    """Where answers are stored: as scores, text answers or span answers."""
    has_mean: ClassVar[bool] = False
    """Whether its number is the mean of its levels, which has a weight in the total; else the share of
    `counted_levels`.
    """
    has_order: ClassVar[bool] = True
    """Whether levels are ordered, so that two answers can be more or less far apart."""
    has_options: ClassVar[bool] = False
    """Whether people define its options or labels."""
    reads_values: ClassVar[bool] = True
    """Whether values in a ratings file can answer it."""
    options_label: ClassVar[str] = "Options"
    not_applicable: ClassVar[tuple[str, str]] = ("N/A", "Does not apply here")
    """Label and meaning of the answer "not applicable"."""
    takes_not_applicable: ClassVar[bool] = True
    """Whether a rubric can allow that answer."""
    allowed_not_applicable: ClassVar[str] = "N/A"
    """The name of that answer in the setting that allows it."""
    usual: ClassVar[Mapping[str, Any]] = {}
    """Fields of a new criterion of this kind that differ from a scale's."""
    editor_fields: ClassVar[str] = ""
    """The template of fields in the rubric editor that only this kind has."""
    cell_template: ClassVar[str] = ""
    """The template shown below its number in the candidate comparison."""
    no_reasons: ClassVar[str] = ""
    """The message why this kind has no reasons to choose; empty if it has."""

    def __init__(self, criterion: CriterionDefinition) -> None:
        self.criterion = criterion

    @classmethod
    def fixed(cls, _options: Sequence[Option]) -> dict[str, int | None]:
        """Fields with values fixed by this kind."""
        return {"minimum": 0, "maximum": 1, "low_threshold": None}

    @classmethod
    def read_fields(cls, posted: PostedCriterion) -> dict[str, Any]:
        """The fields of a criterion that only some kinds have, from the rubric editor."""
        options = posted.options if cls.has_options else ()
        return {**cls.fixed(options), "options": options}

    @property
    def options(self) -> list[Option]:
        return [each if isinstance(each, Option) else Option(**each) for each in self.criterion.options]

    @property
    def has_levels(self) -> bool:
        return self.answered_by == "level"

    @property
    def not_to_depend_on(self) -> str:
        """Why no other criterion can depend on its answer; empty if one can."""
        return ""

    # Levels

    @property
    def levels(self) -> list[int]:
        """All levels, from the lowest; empty if answers are not levels."""
        if not self.has_levels:
            return []
        return list(range(self.criterion.minimum, self.criterion.maximum + 1))

    @property
    def offered_levels(self) -> list[int]:
        """The levels in the order of a form."""
        return self.levels

    @property
    def described_levels(self) -> list[int]:
        """The levels that can have a description."""
        return self.offered_levels

    @property
    def is_typed(self) -> bool:
        """Whether it has so many levels that the answer is entered as a number."""
        return False

    @property
    def step(self) -> str:
        """The difference of neighbouring numbers in an entered answer, as an HTML attribute."""
        return "1"

    @property
    def number_called(self) -> str:
        return "whole number"

    @property
    def control(self) -> str:
        """The form control: the name of a template in ``rubrics/controls`` and of a module in
        ``js/controls``.
        """
        return "number" if self.is_typed else "choice"

    @property
    def shows_keys(self) -> bool:
        """Whether answers show their keys, because their words do not."""
        return True

    def level_key(self, level: int) -> str:
        """The name of a level in ``level_descriptions`` and ``examples``."""
        return str(level)

    def level_from_key(self, key: str) -> float | str:
        """A level's name as written in a YAML file."""
        return int(key)

    def level_label(self, level: int) -> str:
        """The label of a level."""
        return self.level_key(level).capitalize()

    def words(self, level: int) -> str:
        """An answer in a sentence."""
        return str(self.number(level))

    def number(self, level: float) -> float:
        """The number of a level, or of a mean of levels."""
        return level

    def level_of(self, answer: object) -> int | None:
        """The level for an answer given as a number; None between two levels."""
        return answer if isinstance(answer, int) and not isinstance(answer, bool) else None

    def not_applicable_words(self) -> str:
        """The answer "not applicable" in words."""
        return "N/A"

    def exported(self, level: int) -> float | str:
        """An answer in a file that is read without the rubric."""
        return self.number(level)

    def is_low(self, level: int) -> bool:
        """Whether this answer asks for reasons."""
        return False

    @property
    def low_threshold(self) -> int | None:
        """The highest level that counts as low; None if none does."""
        return None

    @property
    def poor_level(self) -> int:
        """The last level that counts as poor."""
        return self.criterion.minimum

    @property
    def poor_number(self) -> float:
        return self.number(self.poor_level)

    @property
    def counted_levels(self) -> frozenset[int]:
        """The answers whose share represents a criterion without a mean."""
        return frozenset()

    @property
    def failing_levels(self) -> frozenset[int]:
        """The answers that fail an output on a critical criterion."""
        return frozenset()

    @property
    def finds_errors(self) -> bool:
        """Whether some answer reports a material error."""
        return bool(self.failing_levels)

    # Numbers

    @property
    def is_less_better(self) -> bool:
        """Whether lower numbers are better."""
        return bool(self.counted_levels & self.failing_levels)

    @property
    def shows_high_first(self) -> bool:
        """Whether lists of outputs start with the highest numbers."""
        return True

    @property
    def axis_label(self) -> str:
        """The axis label for numbers of this criterion: its range, or the answers whose share it is."""
        return "share of undesired answers"

    @property
    def range(self) -> tuple[float, float]:
        """The range of its number."""
        return (0, 1)

    @property
    def drawn_range(self) -> tuple[float, float]:
        """The ends of the drawn axis: better values are at the right, or above."""
        return self.range

    @property
    def span(self) -> int:
        """The greatest difference of two answers in levels; 1 if they can only differ."""
        return 1

    def apart(self, difference: int) -> float:
        """The difference of two answers as a share of the greatest possible one."""
        return 1.0

    @property
    def agreement_scale(self) -> Literal["ordinal", "nominal"]:
        """The weighting of differing answers in Krippendorff's alpha."""
        return "ordinal" if self.has_mean else "nominal"

    @property
    def column(self) -> Literal["number", "share"]:
        """The kind of its column in tables."""
        return "number" if self.has_mean else "share"

    def mean_or_share(self, values: Sequence[int]) -> float | None:
        """The mean of these answers, or the share of counted ones; None if undefined."""
        return self.mean_or_share_of_counts(Counter(values))

    def mean_or_share_of_counts(self, counts: Mapping[int, int]) -> float | None:
        """`mean_or_share` of answers counted by level."""
        counted, total = self.counted_levels, sum(counts.values())
        if not total or not (self.has_mean or counted):
            return None
        if self.has_mean:
            return self.number(sum(level * times for level, times in counts.items()) / total)
        return sum(times for level, times in counts.items() if level in counted) / total

    def spread(self, values: Sequence[int]) -> float:
        """The spread of at least two answers: their standard deviation; without an order, the share of
        answers other than the most frequent one.
        """
        if self.has_order:
            return stdev(values)
        return 1 - Counter(values).most_common(1)[0][1] / len(values)

    # Words

    @property
    def title(self) -> str:
        """The kind's name in the rubric editor."""
        return self.label.lower()

    @property
    def in_words(self) -> str:
        """The kind with its range or options."""
        return self.title

    @property
    def label_with_range(self) -> str:
        """The kind's label, with the range of its number unless that is a share."""
        return self.label

    def answer_between(self, low: int, high: int) -> str:
        """Two differing answers in words."""
        return f"{self.words(low)} and {self.words(high)}"

    @property
    def allowed(self) -> str:
        """The allowed answers, for a message."""
        return f"{self.words(self.criterion.minimum)} to {self.words(self.criterion.maximum)}"

    @property
    def levels_in_words(self) -> str:
        """The levels that can have a description, for a message."""
        names = sorted(map(self.level_key, self.levels)) if self._is_ranged else []
        return f"levels {', '.join(names) or 'of none'}"

    @property
    def low_in_words(self) -> str:
        """The answers at which reasons are asked: "1, 2", "yes"; empty if there are none."""
        return ", ".join(self.level_in_words(level) for level in self.offered_levels if self.is_low(level))

    def level_in_words(self, level: int) -> str:
        """A level within a sentence about the rubric."""
        return self.level_label(level).lower()

    # Reading

    def level_said(self, given: Any) -> int | None:
        """The level in a model's answer, by number or word; None without one."""
        if not isinstance(given, str):
            level = self.level_of(given)
            return level if level in self.levels else None
        by_word = {str(self.number(level)): level for level in self.levels}
        by_word |= {self.words(level).casefold(): level for level in self.levels}
        return by_word.get(given.strip().casefold())

    def value_reader(self) -> Callable[[RawValue], Level]:
        """A function that turns a value of a ratings file into an answer; it raises ValueProblemError."""
        raise NotImplementedError

    # Checks of the rubric editor

    def problems(self) -> Iterator[Problem]:
        """Problems specific to the kind that keep the criterion from being saved."""
        yield from ()

    def hints(self) -> Iterator[Problem]:
        """Hints about settings that can be saved but make ratings worse."""
        yield from ()

    @property
    def level_hint(self) -> str:
        """The placeholder for a level's description in the editor."""
        return "What this level means"

    @property
    def _is_ranged(self) -> bool:
        return self.criterion.minimum < self.criterion.maximum

    def _label_problems(self, what: str) -> Iterator[Problem]:
        if any(not option.label.strip() or len(option.label) > LONGEST_TAG for option in self.options):
            yield "options", f"Each {what} has 1 to {LONGEST_TAG} characters."
        labels = Counter(option.label.strip().casefold() for option in self.options)
        if repeated := [label for label, count in labels.items() if count > 1]:
            yield "options", f"The {what} “{repeated[0]}” is given twice. Remove one."
