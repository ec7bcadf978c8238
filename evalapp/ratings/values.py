"""Values of criteria as files write them: what criterion they suggest, and what level each is. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from evalapp.core.names import has_visible
from evalapp.ratings.records import LONGEST_COMMENT, RawValue, ScaleEnds
from evalapp.rubrics.drafts import (
    HIGHEST_LEVEL,
    LONGEST_NAME,
    LONGEST_TAG,
    MOST_OPTIONS,
    CriterionDraft,
    OptionDraft,
)
from evalapp.rubrics.models import CriterionKind

# Beyond these a criterion's values are words of their own, not answers to choose from.
MOST_DISTINCT = 1_000
_NOT_APPLICABLE = frozenset({"na", "n/a", "n.a.", "not applicable", "none applicable"})
_YES = frozenset({"yes", "true", "y"})
_NO = frozenset({"no", "false", "n"})
_WHOLE = re.compile(r"[+-]?\d{1,9}(?:\.0{1,9})?")
_NUMBER = re.compile(r"[+-]?\d{1,9}[.,]\d{1,18}")
_NEARLY_ALL = 0.8
_RANGES = ((1, 5), (0, 5), (1, 7), (1, 10), (0, 10), (0, HIGHEST_LEVEL))


class Level(NamedTuple):
    """A value as a review keeps it: a level, N/A (no level, no words), or words."""

    value: int | None = None
    words: str | None = None

    @property
    def is_not_applicable(self) -> bool:
        return self.value is None and self.words is None


class ValueProblemError(Exception):
    """A value that the criterion cannot have."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.problem, self.mend = problem, mend


def is_not_applicable(raw: RawValue) -> bool:
    return isinstance(raw, str) and raw.strip().casefold() in _NOT_APPLICABLE


def whole_number(raw: RawValue) -> int | None:
    """The whole number that a value is, however it is written (4, "4", 4.0), or None."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() and abs(raw) < 10**9 else None
    text = raw.strip()
    return int(float(text)) if text.isascii() and _WHOLE.fullmatch(text) else None


def yes_or_no(raw: RawValue) -> int | None:
    if isinstance(raw, bool):
        return int(raw)
    if isinstance(raw, str):
        word = raw.strip().casefold()
        return 1 if word in _YES else 0 if word in _NO else None
    return None


def is_decimal(raw: RawValue) -> bool:
    if isinstance(raw, float):
        return not raw.is_integer()
    return isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()) is not None and whole_number(raw) is None


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


def suggested(
    name: str,
    census: Census,
    *,
    records: int,
    is_ranked: bool = False,
    scale: ScaleEnds | None = None,
) -> CriterionDraft:
    """The criterion that the values look like: yes/no, a scale, a category or words.

    ``records``: in how many it could have been answered; one answered everywhere is required.
    ``is_ranked``: its values are places in an order, so 1 is the best and they count nothing in a total. ``scale``: its levels
    and direction, where the file says so.
    """
    given = [raw for raw in census.values if not is_not_applicable(raw)]
    common: dict[str, Any] = {
        "name": " ".join(name.split())[:LONGEST_NAME],
        "allows_not_applicable": len(given) < len(census.values),
        "is_required": census.count >= records,
        "weight": Decimal(0 if is_ranked else 1),
    }
    if scale is not None:
        draft = CriterionDraft(minimum=scale.minimum, maximum=scale.maximum, **common)
        return directed(draft, lower_is_better=is_ranked or scale.lower_is_better)
    if census.values and not given:
        # Asked of everybody and never answerable: it is kept, and says so, on the usual scale.
        return CriterionDraft(minimum=1, maximum=5, **common)
    if given and not census.has_more:
        if all(whole_number(raw) in (0, 1) or yes_or_no(raw) is not None for raw in given):
            return CriterionDraft(
                kind=CriterionKind.YES_NO, minimum=0, maximum=1, low_threshold=None, **common
            )
        if low_high := _range_of({raw: census.values[raw] for raw in given}, is_ranked=is_ranked):
            low, high = low_high
            return directed(CriterionDraft(minimum=low, maximum=high, **common), lower_is_better=is_ranked)
        if options := _options_of(given, census.count):
            return CriterionDraft(
                kind=CriterionKind.CATEGORY,
                minimum=1,
                maximum=len(options),
                low_threshold=None,
                options=options,
                **common,
            )
    common |= {"allows_not_applicable": False, "is_required": False}
    return CriterionDraft(kind=CriterionKind.TEXT, minimum=0, maximum=1, low_threshold=None, **common)


def directed(draft: CriterionDraft, *, lower_is_better: bool) -> CriterionDraft:
    """The scale with its best level at that end. Where lower is better it weighs nothing and no level is a low one."""
    if lower_is_better:
        return replace(draft, lower_is_better=True, weight=Decimal(0), low_threshold=None)
    threshold = 2 if (draft.minimum, draft.maximum) in ((1, 5), (0, 5)) else None
    return replace(draft, lower_is_better=False, weight=Decimal(1), low_threshold=threshold)


def _range_of(counts: Mapping[RawValue, int], *, is_ranked: bool) -> tuple[int, int] | None:
    """The scale that the values are on, where nearly all are numbers: the smallest usual one that holds all
    whole ones, else the smallest that holds nearly all. What is outside is reported when it is read.
    """
    numbers: Counter[int] = Counter()
    for raw, count in counts.items():
        number = round(float(str(raw).strip().replace(",", "."))) if is_decimal(raw) else whole_number(raw)
        if number is not None:
            numbers[number] += count
    enough = _NEARLY_ALL * sum(counts.values())
    if not numbers or numbers.total() < enough:
        return None
    low, high = min(numbers), max(numbers)
    if is_ranked and low >= 1 and 1 < high <= HIGHEST_LEVEL:
        return 1, high
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


def _options_of(given: Sequence[RawValue], count: int) -> tuple[OptionDraft, ...]:
    labels = {str(raw).strip() for raw in given}
    folded = {label.casefold() for label in labels}
    if not 2 <= len(folded) <= MOST_OPTIONS or len(folded) < len(labels) or count < 2 * len(labels):
        return ()
    if any(is_decimal(raw) or whole_number(raw) is not None for raw in given):
        return ()
    if any(not label or len(label) > LONGEST_TAG for label in labels):
        return ()
    return tuple(OptionDraft(label) for label in sorted(labels, key=str.casefold))


def reader_of(draft: CriterionDraft) -> Callable[[RawValue], Level]:
    """What a value is as an answer to this criterion; raises ValueProblemError. Remembers what it has read."""
    read = {
        CriterionKind.YES_NO: _read_yes_no,
        CriterionKind.CATEGORY: _category_reader(draft),
        CriterionKind.TEXT: _read_text,
        CriterionKind.SPANS: _read_spans,
    }.get(CriterionKind(draft.kind), _read_scale)
    known: dict[RawValue, Level] = {}

    def level_of(raw: RawValue) -> Level:
        if draft.is_text:
            return read(draft, raw)
        key: RawValue = ("yes" if raw else "no") if isinstance(raw, bool) else raw
        found = known.get(key)
        if found is None:
            if is_not_applicable(raw):
                if not draft.allows_not_applicable:
                    raise ValueProblemError(
                        f"{draft.name} cannot be N/A.", "Let it allow N/A, or leave it out."
                    )
                found = Level()
            else:
                found = read(draft, raw)
            if len(known) < MOST_DISTINCT:
                known[key] = found
        return found

    return level_of


def _read_yes_no(draft: CriterionDraft, raw: RawValue) -> Level:
    word, number = yes_or_no(raw), whole_number(raw)
    if word is not None or number in (0, 1):
        return Level(number if word is None else word)
    raise ValueProblemError(f"“{_shown(raw)}” is neither yes nor no.", "Write yes or no, or 1 or 0.")


def _read_scale(draft: CriterionDraft, raw: RawValue) -> Level:
    number = whole_number(raw)
    scale = f"{draft.minimum} to {draft.maximum}"
    if number is None:
        mend = f"{draft.name} takes whole numbers from {scale}."
        if is_decimal(raw):
            mend += " Decimals cannot be kept: multiply them to whole numbers, as 0–100 for percent."
        raise ValueProblemError(f"“{_shown(raw)}” is no whole number.", mend)
    if not draft.minimum <= number <= draft.maximum:
        raise ValueProblemError(
            f"{number} is outside the scale of {draft.name}, {scale}.",
            "Correct the value, or widen the scale.",
        )
    return Level(number)


def _category_reader(draft: CriterionDraft) -> Callable[[CriterionDraft, RawValue], Level]:
    levels: Mapping[str, int] = {
        option.label.strip().casefold(): level for level, option in enumerate(draft.options, start=1)
    }

    def read(draft: CriterionDraft, raw: RawValue) -> Level:
        text = ("yes" if raw else "no") if isinstance(raw, bool) else str(raw).strip()
        level = levels.get(text.casefold())
        if level is None:
            shown = ", ".join(option.label for option in draft.options)
            raise ValueProblemError(f"“{_shown(raw)}” is no option of {draft.name}.", f"Use one of {shown}.")
        return Level(level)

    return read


def _read_text(draft: CriterionDraft, raw: RawValue) -> Level:
    text = str(raw).strip()
    if not has_visible(text) or len(text) > LONGEST_COMMENT:
        mend = f"{draft.name} takes 1 to {LONGEST_COMMENT:,} characters."
        raise ValueProblemError("The text is empty or too long.", mend)
    return Level(words=text)


def _read_spans(draft: CriterionDraft, raw: RawValue) -> Level:
    mend = "Give its marks as spans, with their words and labels."
    raise ValueProblemError(f"{draft.name} is answered by marks in the answer, not by a value.", mend)


def _shown(raw: RawValue) -> str:
    text = str(raw)
    return text if len(text) <= 40 else f"{text[:39]}…"
