"""Values of criteria in files: the criterion that they suggest, and the level of each. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from evalapp.ratings.records import ScaleEnds
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.kinds.base import CriterionKind, Option
from evalapp.rubrics.kinds.category import Category
from evalapp.rubrics.kinds.scale import ends_in_points, in_levels
from evalapp.rubrics.kinds.text import Text
from evalapp.rubrics.kinds.values import (
    Level,
    RawValue,
    ValueProblemError,
    any_number,
    is_decimal,
    is_not_applicable,
    step_of,
    whole_number,
    yes_or_no,
)
from evalapp.rubrics.kinds.yes_no import YesNo
from evalapp.rubrics.limits import (
    HIGHEST_LEVEL,
    LONGEST_NAME,
    LONGEST_TAG,
    MOST_LEVELS,
    MOST_OPTIONS,
    MOST_STEPS,
)

# Beyond these a criterion's values are words of their own, not answers to choose from.
MOST_DISTINCT = 1_000
_NEARLY_ALL = 0.8
_RANGES = ((1, 5), (0, 5), (1, 7), (1, 10), (0, 10), (0, HIGHEST_LEVEL))


class Census:
    """The values of one criterion, counted. Memory stays bounded whatever the file holds."""

    def __init__(self) -> None:
        self.count = 0
        self.has_more = False
        self.values: Counter[RawValue] = Counter()

    def add(self, raw: RawValue) -> None:
        self.count += 1
        # True and 1 are one key of a dictionary, and two answers.
        key: RawValue = ("yes" if raw else "no") if isinstance(raw, bool) else raw
        if key in self.values or len(self.values) < MOST_DISTINCT:
            self.values[key] += 1
        else:
            self.has_more = True


def suggest_criterion(
    name: str,
    census: Census,
    *,
    records: int,
    is_ranked: bool = False,
    scale: ScaleEnds | None = None,
) -> CriterionDraft:
    """The criterion that the values look like: yes/no, a scale, a category or words.

    ``records``: in how many it could have been answered; one answered everywhere is required.
    ``is_ranked``: its values are places in an order, so 1 is the best and they count nothing in a total.
    ``scale``: its levels and direction, where the file says so.
    """
    given = [raw for raw in census.values if not is_not_applicable(raw)]
    common: dict[str, Any] = {
        "name": " ".join(name.split())[:LONGEST_NAME],
        "allows_not_applicable": len(given) < len(census.values),
        "is_required": census.count >= records,
        "weight": Decimal(0 if is_ranked else 1),
    }
    if scale is not None:
        draft = _scale(scale.minimum, scale.maximum, scale.steps_per_point, **common)
        return with_direction(draft, lower_is_better=is_ranked or scale.lower_is_better)
    if census.values and not given:
        # Asked of everybody and never answerable: it is kept, and says so, on the usual scale.
        return CriterionDraft(minimum=1, maximum=5, **common)
    if given and not census.has_more:
        if all(whole_number(raw) in (0, 1) or yes_or_no(raw) is not None for raw in given):
            return _draft_of(YesNo, **common)
        if low_high := _range_of({raw: census.values[raw] for raw in given}, is_ranked=is_ranked):
            draft = _scale(*low_high, _steps_of(given, *low_high), **common)
            return with_direction(draft, lower_is_better=is_ranked)
        if options := _options_of(given, census.count):
            return _draft_of(Category, options=options, **common)
    common |= {"allows_not_applicable": False, "is_required": False}
    return _draft_of(Text, **common)


def _scale(minimum: int, maximum: int, steps: int, **common: Any) -> CriterionDraft:
    ends = {"minimum": minimum, "maximum": maximum, "steps_per_point": steps, "low_threshold": None}
    return CriterionDraft(**common, **in_levels(ends))


def _draft_of(kind: type[CriterionKind], *, options: Sequence[Option] = (), **fields: Any) -> CriterionDraft:
    return CriterionDraft(kind=kind.name, options=options, **kind.fixed(options), **fields)  # type: ignore[arg-type]  # a kind fixes fields of one type


def with_direction(draft: CriterionDraft, *, lower_is_better: bool) -> CriterionDraft:
    """The scale with its best level at that end. Where lower is better it weighs nothing and no level is a
    low one.
    """
    if lower_is_better:
        return replace(draft, lower_is_better=True, weight=Decimal(0), low_threshold=None)
    ends = ends_in_points(draft)
    is_usual = (ends["minimum"], ends["maximum"]) in ((1, 5), (0, 5))
    threshold = 2 * draft.steps_per_point if is_usual else None
    return replace(draft, lower_is_better=False, weight=Decimal(1), low_threshold=threshold)


def _range_of(counts: Mapping[RawValue, int], *, is_ranked: bool) -> tuple[int, int] | None:
    """The scale that the values are on, where nearly all are numbers: the smallest usual one that holds all
    whole ones, else the smallest that holds nearly all. What is outside is reported when it is read.
    """
    numbers: Counter[float] = Counter()
    for raw, count in counts.items():
        if (number := any_number(raw)) is not None:
            numbers[number] += count
    enough = _NEARLY_ALL * sum(counts.values())
    if not numbers or numbers.total() < enough:
        return None
    low, high = min(numbers), max(numbers)
    if is_ranked and low >= 1 and 1 < high <= HIGHEST_LEVEL:
        return 1, math.ceil(high)
    for lowest, highest in _RANGES:
        if lowest <= low and high <= highest:
            return lowest, highest
    held = {
        (lowest, highest): sum(count for number, count in numbers.items() if lowest <= number <= highest)
        for lowest, highest in _RANGES
    }
    # Where none holds nearly all, the one that holds most: then the rows of those outside can be told.
    nearly = next((bounds for bounds in _RANGES if held[bounds] >= enough), None)
    best = nearly or max(_RANGES, key=held.__getitem__)
    return best if held[best] else None


def _steps_of(given: Sequence[RawValue], lowest: int, highest: int) -> int:
    """Into how many steps these values divide a point: the fewest that hold all of them, or the most of them;
    halves for half points, thirds for averages of three people.
    """
    within = [number for raw in given if (number := any_number(raw)) is not None]
    decimals = [number for number in within if lowest <= number <= highest and number % 1]
    most = min(MOST_STEPS, (MOST_LEVELS - 1) // (highest - lowest))
    held = {
        steps: sum(step_of(number, steps) is not None for number in decimals) for steps in range(1, most + 1)
    }
    return max(held, key=held.__getitem__)


def _options_of(given: Sequence[RawValue], count: int) -> tuple[Option, ...]:
    labels = {str(raw).strip() for raw in given}
    folded = {label.casefold() for label in labels}
    if not 2 <= len(folded) <= MOST_OPTIONS or len(folded) < len(labels) or count < 2 * len(labels):
        return ()
    if any(is_decimal(raw) or whole_number(raw) is not None for raw in given):
        return ()
    if any(not label or len(label) > LONGEST_TAG for label in labels):
        return ()
    return tuple(Option(label) for label in sorted(labels, key=str.casefold))


def reader_of(draft: CriterionDraft) -> Callable[[RawValue], Level]:
    """What a value is as an answer to this criterion; raises ValueProblemError. Remembers
    what it has read.
    """
    read = draft.rules.value_reader()
    if draft.rules.answered_by == "words":
        return read
    known: dict[RawValue, Level] = {}

    def level_of(raw: RawValue) -> Level:
        key: RawValue = ("yes" if raw else "no") if isinstance(raw, bool) else raw
        found = known.get(key)
        if found is None:
            if is_not_applicable(raw):
                if not draft.allows_not_applicable:
                    raise ValueProblemError(
                        f"{draft.name} cannot be N/A.", "Allow N/A for the criterion, or leave the value out."
                    )
                found = Level()
            else:
                found = read(raw)
            if len(known) < MOST_DISTINCT:
                known[key] = found
        return found

    return level_of
