"""Which feedback becomes training data: each row in, or out with its reason."""

import pytest

from evalapp.core.errors import InvalidError
from evalapp.exports.models import RowKind
from evalapp.exports.selection import (
    SIMULATED_OUT,
    GivenCorrection,
    ReviewedOutput,
    SelectedRow,
    SelectionRules,
    select_rows,
)


def output(
    output_id: int,
    mean: float | None,
    *,
    example: int = 1,
    text: str = "",
    failed_on: str = "",
    simulated: bool = False,
) -> ReviewedOutput:
    return ReviewedOutput(output_id, example, text or f"Text {output_id}.", mean, 2, failed_on, simulated)


def correction(
    text: str, *, review: int = 1, corrected: str = "Old.", simulated: bool = False
) -> GivenCorrection:
    return GivenCorrection(review, 10, 1, text, corrected, simulated)


def rows(
    outputs: list[ReviewedOutput], corrections: list[GivenCorrection], *, kind: RowKind, admits: bool = False
) -> list[SelectedRow]:
    found = select_rows(outputs, corrections, SelectionRules(), admits_simulated=admits)
    return [row for row in found if row.kind == kind]


@pytest.mark.parametrize(
    ("given", "is_included", "reason"),
    [
        (correction("New."), True, "Correction by a reviewer"),
        (correction("  "), False, "The correction is empty"),
        (correction(" Old. "), False, "The correction equals the output"),
        (correction("New.", simulated=True), False, SIMULATED_OUT),
    ],
)
def test_a_correction(given: GivenCorrection, is_included: bool, reason: str) -> None:
    [row] = rows([], [given], kind=RowKind.ANSWER)
    assert (row.is_included, row.reason, row.review_id) == (is_included, reason, 1)
    [pair] = rows([], [given], kind=RowKind.PREFERENCE)
    assert (pair.is_included, pair.rejected_output_id, pair.review_id) == (is_included, 10, 1)


def test_the_same_text_by_two_reviewers_is_taken_once() -> None:
    found = rows([], [correction("New  text."), correction("New text.", review=2)], kind=RowKind.ANSWER)
    assert [(row.review_id, row.is_included) for row in found] == [(1, True), (2, False)]
    assert found[1].reason == "Another reviewer wrote the same text"


@pytest.mark.parametrize(
    ("rated", "is_included", "reason"),
    [
        (output(1, None), False, "Not rated"),
        (output(1, 4.49), False, "Mean 4.5 is under 4.5"),
        (output(1, 4.0), False, "Mean 4.0 is under 4.5"),
        (output(1, 4.5), True, "Mean 4.5 of 2 reviews"),
        (output(1, 5.0, failed_on="Facts"), False, "A reviewer failed it on “Facts”, which is critical"),
        (output(1, 5.0, simulated=True), False, SIMULATED_OUT),
    ],
)
def test_a_rated_output(rated: ReviewedOutput, is_included: bool, reason: str) -> None:
    [row] = rows([rated], [], kind=RowKind.ANSWER)
    assert (row.is_included, row.reason, row.chosen_output_id) == (is_included, reason, 1)


@pytest.mark.parametrize(
    ("rated", "good", "reason"),
    [
        (output(1, 4.0), True, "Good: mean 4.0 of 2 reviews"),
        (output(1, 3.9), None, "Mean 3.9 is neither good (from 4) nor bad (to 2.5)"),
        (output(1, 2.6), None, "Mean 2.6 is neither good (from 4) nor bad (to 2.5)"),
        (output(1, 2.5), False, "Bad: mean 2.5 of 2 reviews"),
        (output(1, None), None, "Not rated"),
        (output(1, 5.0, failed_on="Facts"), None, "A reviewer failed it on “Facts”, which is critical"),
        (output(1, 2.0, failed_on="Facts"), False, "Bad: mean 2.0 of 2 reviews"),
        (output(1, 5.0, simulated=True), None, SIMULATED_OUT),
        (output(1, 5.0, text=" "), None, "The answer is empty"),
    ],
)
def test_an_answer_is_good_or_bad_at_the_ends_of_the_scale_alone(
    rated: ReviewedOutput, good: bool | None, reason: str
) -> None:
    [row] = rows([rated], [], kind=RowKind.RATED)
    assert (row.is_good, row.is_included, row.reason) == (good, good is not None, reason)
    assert (row.chosen_text, row.chosen_output_id) == (rated.text, 1)


def test_a_correction_goes_before_a_well_rated_output() -> None:
    found = rows([output(1, 5.0)], [correction("New.")], kind=RowKind.ANSWER)
    assert [(row.is_included, row.reason) for row in found] == [
        (True, "Correction by a reviewer"),
        (False, "The prompt has a correction, which goes first"),
    ]


@pytest.mark.parametrize(
    ("outputs", "is_included", "reason"),
    [
        ([output(1, 5.0), output(2, 3.0), output(3, 4.5)], True, "Means 5.0 and 3.0"),
        ([output(1, 4.5), output(2, 4.0)], False, "The means differ by 0.5, under 1"),
        ([output(1, 3.9), output(2, 1.0)], False, "The better mean 3.9 is under 4"),
        (
            [output(1, 5.0, failed_on="Facts"), output(2, 1.0)],
            False,
            "A reviewer failed the better output on “Facts”",
        ),
        (
            [output(1, 5.0, text="Same."), output(2, 1.0, text="Same.")],
            False,
            "Both outputs are the same text",
        ),
    ],
)
def test_a_pair(outputs: list[ReviewedOutput], is_included: bool, reason: str) -> None:
    [row] = rows(outputs, [], kind=RowKind.PREFERENCE)
    assert (row.is_included, row.reason) == (is_included, reason)
    assert (row.chosen_output_id, row.rejected_output_id) == (1, 2)


def test_a_pair_needs_two_rated_outputs_of_one_prompt() -> None:
    assert rows([output(1, 5.0), output(2, 1.0, example=2)], [], kind=RowKind.PREFERENCE) == []
    assert rows([output(1, 5.0), output(2, None)], [], kind=RowKind.PREFERENCE) == []
    assert rows([output(1, 5.0), output(2, 1.0, simulated=True)], [], kind=RowKind.PREFERENCE) == []


def test_a_correction_that_repeats_the_better_answer_is_one_pair() -> None:
    pairs = rows(
        [output(10, 1.0), output(11, 5.0, text="The better one.")],
        [correction("The better one.", corrected="Text 10.")],
        kind=RowKind.PREFERENCE,
    )
    assert [(row.is_included, row.reason) for row in pairs] == [
        (True, "Correction preferred to its output"),
        (False, "The same pair as a correction's"),
    ]


def test_a_demonstration_admits_simulated_feedback() -> None:
    found = rows(
        [output(1, 5.0, simulated=True)],
        [correction("New.", simulated=True)],
        kind=RowKind.ANSWER,
        admits=True,
    )
    assert [row.is_included for row in found] == [True, False]


@pytest.mark.parametrize(
    "rules", [{"answer_floor": 0.5}, {"pair_floor": 6}, {"pair_gap": 0}, {"pair_gap": 4.5}]
)
def test_rules_outside_the_scale_are_refused(rules: dict[str, float]) -> None:
    with pytest.raises(InvalidError) as refused:
        SelectionRules(**rules)
    assert list(refused.value.fields) == list(rules)
