"""The base class of criterion kinds.

A kind is bound to a criterion or to its draft (``criterion.rules``); what holds for all criteria of the kind
is said by the class. An answer is stored as a level (a whole number between the criterion's ``minimum`` and
``maximum``), as words, or as marks in the output.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Any, ClassVar, Literal, Protocol

from evalapp.rubrics.kinds.values import Level, RawValue
from evalapp.rubrics.limits import LONGEST_TAG

Problem = tuple[str, str]
"""A field of a criterion, and what is wrong with it or could be better."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a category criterion, or a label of spans. An undesired answer asks for reasons, as a
    low score does.
    """

    label: str
    is_undesired: bool = False


class CriterionDefinition(Protocol):
    """What of a criterion or its draft a kind reads; ``options`` are `Option`s, or stored as their fields."""

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
    """A criterion of the rubric's editor as it was posted."""

    @property
    def options(self) -> tuple[Option, ...]: ...
    def text(self, name: str) -> str: ...
    def number(self, name: str, otherwise: int) -> int: ...


class CriterionKind:
    """The rules of one kind of criterion; a class each."""

    name: ClassVar[str]
    label: ClassVar[str]
    new_one: ClassVar[str]
    """What a criterion of this kind is called where one is added."""
    answered_by: ClassVar[Literal["level", "words", "marks"]] = "level"
    """Where its answers are stored: as scores, text answers or span answers."""
    has_mean: ClassVar[bool] = False
    """Whether its number is the mean of its levels, which has a weight in the total; else the share of
    `counted_levels`.
    """
    has_order: ClassVar[bool] = True
    """Whether a level lies between others, so that two answers can be more or less far apart."""
    has_options: ClassVar[bool] = False
    """Whether people write its options or labels."""
    reads_values: ClassVar[bool] = True
    """Whether a file of ratings can answer it by a value."""
    options_label: ClassVar[str] = "Options"
    not_applicable: ClassVar[tuple[str, str]] = ("N/A", "Does not apply here")
    """What stands on the answer that is none, and what it means."""
    takes_not_applicable: ClassVar[bool] = True
    """Whether a rubric can allow that answer."""
    allowed_not_applicable: ClassVar[str] = "N/A"
    """The same where it is allowed."""
    usual: ClassVar[Mapping[str, Any]] = {}
    """The fields of a new criterion of this kind that differ from a scale's."""
    editor_fields: ClassVar[str] = ""
    """The template of the fields that only this kind has in the rubric's editor."""
    cell_template: ClassVar[str] = ""
    """The template of what stands under its number in the comparison of candidates."""
    no_reasons: ClassVar[str] = ""
    """Why there are no reasons to pick from; empty where there are."""

    def __init__(self, criterion: CriterionDefinition) -> None:
        self.criterion = criterion

    @classmethod
    def fixed(cls, _options: Sequence[Option]) -> dict[str, int | None]:
        """The fields in which the kind leaves no choice."""
        return {"minimum": 0, "maximum": 1, "low_threshold": None}

    @classmethod
    def read_fields(cls, posted: PostedCriterion) -> dict[str, Any]:
        """The fields of a criterion that only some kinds have, from the rubric's editor."""
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
        """Why no other criterion can be asked by its answer; empty where one can."""
        return ""

    # Levels

    @property
    def levels(self) -> list[int]:
        """From the lowest; none where it is answered otherwise."""
        if not self.has_levels:
            return []
        return list(range(self.criterion.minimum, self.criterion.maximum + 1))

    @property
    def offered_levels(self) -> list[int]:
        """In the order in which a form offers them."""
        return self.levels

    @property
    def described_levels(self) -> list[int]:
        """The levels that a text can be written for."""
        return self.offered_levels

    @property
    def is_typed(self) -> bool:
        """Whether its levels are so many that the answer is a number typed in."""
        return False

    @property
    def step(self) -> str:
        """By how much neighbouring numbers differ, where the answer is typed, as HTML writes it."""
        return "1"

    @property
    def number_called(self) -> str:
        return "whole number"

    @property
    def control(self) -> str:
        """How a person answers: names the template in ``rubrics/controls`` and the module in
        ``js/controls``.
        """
        return "number" if self.is_typed else "choice"

    @property
    def shows_keys(self) -> bool:
        """Whether a key is drawn on the answers, because their words do not say it."""
        return True

    def level_key(self, level: int) -> str:
        """The name of a level in ``level_descriptions`` and ``examples``."""
        return str(level)

    def level_from_key(self, key: str) -> float | str:
        """A level's name as a YAML file writes it."""
        return int(key)

    def level_label(self, level: int) -> str:
        """What stands on a level."""
        return self.level_key(level).capitalize()

    def words(self, level: int) -> str:
        """An answer as people read it in a sentence."""
        return str(self.number(level))

    def number(self, level: float) -> float:
        """The number that a level stands for, or the one that a mean of levels stands for."""
        return level

    def level_of(self, answer: object) -> int | None:
        """The level that an answer given as a number stands for; None for one between two levels."""
        return answer if isinstance(answer, int) and not isinstance(answer, bool) else None

    def not_applicable_words(self) -> str:
        """The answer that is none, as people read it."""
        return "N/A"

    def exported(self, level: int) -> float | str:
        """An answer in a file that is read outside the rubric."""
        return self.number(level)

    def is_low(self, level: int) -> bool:
        """Whether this answer asks for reasons."""
        return False

    @property
    def low_threshold(self) -> int | None:
        """The level at and under which a score is low; None where that is not asked."""
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
        """The answers whose share stands for a criterion that has no mean."""
        return frozenset()

    @property
    def failing_levels(self) -> frozenset[int]:
        """The answers that fail an output on a critical criterion."""
        return frozenset()

    @property
    def finds_errors(self) -> bool:
        """Whether some answer says that an output has a material error."""
        return bool(self.failing_levels)

    # Numbers

    @property
    def is_less_better(self) -> bool:
        """Whether the lower number is the better one."""
        return bool(self.counted_levels & self.failing_levels)

    @property
    def shows_high_first(self) -> bool:
        """Whether the outputs to be looked at are those with a high number."""
        return True

    @property
    def axis_label(self) -> str:
        """What a number of this criterion is: its range, or whose share."""
        return "share of undesired answers"

    @property
    def range(self) -> tuple[float, float]:
        """Between which numbers its own lies."""
        return (0, 1)

    @property
    def drawn_range(self) -> tuple[float, float]:
        """The ends of the number as it is drawn: what is better stands at the right, or above."""
        return self.range

    @property
    def span(self) -> int:
        """How far apart two answers can lie; 1 where they can only differ."""
        return 1

    def apart(self, difference: int) -> float:
        """Two answers' difference as a share of the largest that there can be."""
        return 1.0

    @property
    def agreement_scale(self) -> Literal["ordinal", "nominal"]:
        """How Krippendorff's alpha weighs two answers that differ."""
        return "ordinal" if self.has_mean else "nominal"

    @property
    def column(self) -> Literal["number", "share"]:
        """What a table's column of its number holds."""
        return "number" if self.has_mean else "share"

    def mean_or_share(self, values: Sequence[int]) -> float | None:
        """The mean of these answers, or the share that counts; None where there is neither."""
        return self.mean_or_share_of_counts(Counter(values))

    def mean_or_share_of_counts(self, counts: Mapping[int, int]) -> float | None:
        """`mean_or_share` of answers that are counted by level."""
        counted, total = self.counted_levels, sum(counts.values())
        if not total or not (self.has_mean or counted):
            return None
        if self.has_mean:
            return self.number(sum(level * times for level, times in counts.items()) / total)
        return sum(times for level, times in counts.items() if level in counted) / total

    def spread(self, values: Sequence[int]) -> float:
        """How far apart these answers are, of which there are two at least: their standard deviation, without
        an order the share that is not the most frequent answer.
        """
        if self.has_order:
            return stdev(values)
        return 1 - Counter(values).most_common(1)[0][1] / len(values)

    # Words

    @property
    def title(self) -> str:
        """The kind in the rubric's editor."""
        return self.label.lower()

    @property
    def in_words(self) -> str:
        """The kind with its range or options."""
        return self.title

    @property
    def label_with_range(self) -> str:
        """The kind's label, with the range of its number where that is not a share."""
        return self.label

    def answer_between(self, low: int, high: int) -> str:
        """Two answers that differ, in words."""
        return f"{self.words(low)} and {self.words(high)}"

    @property
    def allowed(self) -> str:
        """What an answer may be, in a message."""
        return f"{self.words(self.criterion.minimum)} to {self.words(self.criterion.maximum)}"

    @property
    def levels_in_words(self) -> str:
        """The levels that can have a text, in a message."""
        names = sorted(map(self.level_key, self.levels)) if self._is_ranged else []
        return f"levels {', '.join(names) or 'of none'}"

    @property
    def low_in_words(self) -> str:
        """The answers that reasons are asked at: "1, 2", "yes"; empty where there is none."""
        return ", ".join(self.level_in_words(level) for level in self.offered_levels if self.is_low(level))

    def level_in_words(self, level: int) -> str:
        """A level within a sentence about the rubric."""
        return self.level_label(level).lower()

    # Reading

    def level_said(self, given: Any) -> int | None:
        """The level that a model's answer names, by its number or its word; None where it names none."""
        if not isinstance(given, str):
            level = self.level_of(given)
            return level if level in self.levels else None
        by_word = {str(self.number(level)): level for level in self.levels}
        by_word |= {self.words(level).casefold(): level for level in self.levels}
        return by_word.get(given.strip().casefold())

    def value_reader(self) -> Callable[[RawValue], Level]:
        """What a value of a ratings file is as an answer; the function raises ValueProblemError."""
        raise NotImplementedError

    # Checks of the rubric's editor

    def problems(self) -> Iterator[Problem]:
        """What keeps the criterion from being saved, of what its kind decides."""
        yield from ()

    def hints(self) -> Iterator[Problem]:
        """What can be saved and yet makes ratings worse."""
        yield from ()

    @property
    def level_hint(self) -> str:
        """What the text of a level says."""
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
