"""Hints from gold items and hidden repeats: only what is surely worse than the others, or than before."""

from typing import Any

from evalapp.analysis.quality.hints import (
    Checks,
    Quality,
    gold_drift_hints,
    gold_hints,
    repeat_hints,
    repeat_side_hints,
)
from evalapp.campaigns.models import CampaignReviewer
from evalapp.reviews.checks import ReviewerChecks
from evalapp.reviews.preferences.checks import ComparisonChecks, Repeat


def checks(person: int, golds: list[bool], *, close: int = 0, compared: int = 0) -> ReviewerChecks:
    return ReviewerChecks(
        campaign_reviewer=CampaignReviewer(user_id=person),
        golds=golds,
        misses=[],
        compared=compared,
        equal=0,
        close=close,
        differences=[],
    )


def compared(person: int, same: int, sided: int, *, is_ranking: bool = False) -> ComparisonChecks:
    """So many repeats with the same answer again, and so many with the same position instead."""
    repeats = [Repeat(1, 1, "", "", is_same, is_same, not is_same, None) for is_same in _mixed(same, sided)]
    return ComparisonChecks(CampaignReviewer(user_id=person), (), (), repeats, is_ranking)


def _mixed(same: int, sided: int) -> list[bool]:
    return [True] * same + [False] * sided


def quality(*found: Checks) -> Quality:
    nothing: Any = None
    return Quality(nothing, nothing, {}, found)


def golds(hits: int, misses: int) -> list[bool]:
    return [True] * hits + [False] * misses


def test_who_misses_known_answers_is_told_with_the_figures() -> None:
    (hint,) = gold_hints(quality(checks(1, golds(4, 16)), checks(2, golds(19, 1)), checks(3, golds(18, 2))))

    assert (hint.reviewer_id, hint.is_of_checks) == (1, True)
    assert hint.evidence.startswith(
        "Within the tolerance of the known answer in 20% of 20 (at most 49%, 99%)"
    )
    assert hint.evidence.endswith("the others in 92% of 40.")


def test_a_handful_of_gold_or_a_small_gap_is_no_hint() -> None:
    few = quality(checks(1, golds(0, 9)), checks(2, golds(40, 0)))
    near = quality(checks(1, golds(14, 6)), checks(2, golds(17, 3)))
    alone = quality(checks(1, golds(0, 30)))

    assert [list(gold_hints(each)) for each in (few, near, alone, quality())] == [[], [], [], []]


def test_drift_is_told_against_ones_own_beginning() -> None:
    steady = checks(1, golds(1, 1) * 15)
    drifted = checks(2, golds(15, 0) + golds(3, 12))
    better = checks(3, golds(3, 0) + golds(0, 12) + golds(15, 0))

    (hint,) = gold_drift_hints(quality(steady, drifted, better))

    assert hint.reviewer_id == 2
    assert "Of the first 15 gold answers 100% were right, of the latest 15 20%" in hint.evidence
    assert not list(gold_drift_hints(quality(checks(2, golds(9, 0) + golds(0, 9)))))


def test_who_answers_otherwise_the_second_time_is_told() -> None:
    (hint,) = repeat_hints(
        quality(checks(1, [], close=8, compared=24), checks(2, [], close=23, compared=24), checks(3, []))
    )

    assert (hint.kind, hint.reviewer_id) == ("at_odds", 1)
    assert hint.evidence.startswith("The same score or one level off, in 33% of 24")


def test_who_keeps_to_a_side_is_told_and_who_keeps_to_answers_is_not() -> None:
    found = quality(compared(1, 2, 18), compared(2, 18, 2), compared(3, 9, 11), compared(4, 0, 9))

    (hint,) = repeat_side_hints(found)

    assert (hint.kind, hint.reviewer_id, hint.is_of_checks) == ("keeps_side", 1, True)
    assert hint.evidence.startswith("The same side again in 90% of 20 repeats")
    assert "(at least 6" in hint.evidence
    (ranked,) = repeat_side_hints(quality(compared(1, 2, 18, is_ranking=True), checks(2, golds(0, 30))))
    assert ranked.evidence.startswith("The same ranks for the same positions again in 90%")


def test_another_preference_the_second_time_is_told_in_its_own_words() -> None:
    (hint,) = repeat_hints(quality(compared(1, 6, 18), compared(2, 23, 1)))
    assert hint.evidence.startswith("The same preference in 25% of 24")
    (ranked,) = repeat_hints(
        quality(compared(1, 6, 18, is_ranking=True), compared(2, 23, 1, is_ranking=True))
    )
    assert ranked.evidence.startswith("The same order, or one pair swapped, in 25% of 24")
