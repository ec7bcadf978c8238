"""What values suggest and what they are read as."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from evalapp.ratings.values import Census, reader_of, suggest_criterion
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.kinds.values import Level, RawValue, ValueProblemError


def draft(values: Sequence[RawValue], *, is_ranked: bool = False, records: int = 0) -> CriterionDraft:
    census = Census()
    for value in values:
        census.add(value)
    return suggest_criterion("Tone", census, records=records or len(values), is_ranked=is_ranked)


@pytest.mark.parametrize(
    ("values", "kind", "minimum", "maximum"),
    [
        ([1, 2, 5], "scale", 1, 5),
        (["1", "2", "5.0"], "scale", 1, 5),
        ([0, 5], "scale", 0, 5),
        ([1, 7], "scale", 1, 7),
        ([1, 10], "scale", 1, 10),
        ([0, 9], "scale", 0, 10),
        ([0, 55, 100], "scale", 0, 100),
        ([0, 1, 1], "yes_no", 0, 1),
        (["Yes", "no"], "yes_no", 0, 1),
        ([True, False], "yes_no", 0, 1),
        ([1, 2, 3, 4, 5, 4, 3, 2, 1, 999], "scale", 1, 5),
        ([1, 2, 3, 4, "seven"], "scale", 1, 5),
        (["4", "5", "999", "-7"], "scale", 1, 5),
        ([3.5, 4.0, 2.25], "scale", 4, 20),
        (["good", "bad", "good", "bad"], "category", 1, 2),
        (["one", "two", "three"], "text", 0, 1),
    ],
)
def test_values_suggest_a_criterion(values: list[RawValue], kind: str, minimum: int, maximum: int) -> None:
    found = draft(values)
    assert (found.kind, found.minimum, found.maximum) == (kind, minimum, maximum)


def test_not_applicable_and_missing_values_are_seen() -> None:
    assert draft([1, 5, "N/A"]).allows_not_applicable
    assert not draft([1, 5]).allows_not_applicable
    assert draft([1, 5]).is_required
    assert not draft([1, 5], records=3).is_required


def test_ranks_count_nothing_in_a_total() -> None:
    found = draft([1, 2, 3], is_ranked=True)
    assert (found.minimum, found.maximum, found.weight) == (1, 3, Decimal(0))


@pytest.mark.parametrize(
    ("raw", "level"),
    [(4, 4), ("4", 4), (" 4.0 ", 4), (4.0, 4), ("n/a", None), ("Not applicable", None)],
)
def test_a_scale_reads_whole_numbers(raw: RawValue, level: int | None) -> None:
    assert reader_of(CriterionDraft("Tone", allows_not_applicable=True))(raw) == Level(level)


@pytest.mark.parametrize(
    "raw", [0, 6, "seven", 3.5, "3,5", "", "1e3", "٣", True, "n/a", float("inf"), 10**12]
)
def test_a_scale_refuses_what_is_no_level(raw: RawValue) -> None:
    with pytest.raises(ValueProblemError):
        reader_of(CriterionDraft("Tone"))(raw)


def test_yes_and_one_are_not_confused_with_true() -> None:
    scale = reader_of(CriterionDraft("Tone"))
    assert scale(1) == Level(1)
    with pytest.raises(ValueProblemError):
        scale(True)
    question = reader_of(CriterionDraft("Safe", kind="yes_no", minimum=0, maximum=1, low_threshold=None))
    assert [question(raw).value for raw in (1, True, "TRUE", "y", "0", False, "No")] == [1, 1, 1, 1, 0, 0, 0]


def test_a_category_reads_its_options_in_any_case() -> None:
    options = (Option("Off topic"), Option("Fine"))
    category = reader_of(CriterionDraft("Kind", kind="category", maximum=2, options=options))
    assert category("fine ") == Level(2)
    with pytest.raises(ValueProblemError, match="not an option"):
        category("other")


def test_a_text_keeps_its_words() -> None:
    text = reader_of(CriterionDraft("Why", kind="text"))
    assert text("n/a") == Level(words="n/a")
    with pytest.raises(ValueProblemError):
        text("  ")


def test_a_census_of_any_size_stays_small() -> None:
    census = Census()
    for number in range(5_000):
        census.add(f"words {number}")
    assert (census.count, len(census.values), census.has_more) == (5_000, 1_000, True)
    assert suggest_criterion("Why", census, records=5_000).kind == "text"
