"""Hints from gold items and hidden repeats: only what is surely worse than the others, or than before."""

from typing import Any

from evalapp.analysis.hints import Quality, at_odds, drifting, off_gold
from evalapp.campaigns.models import CampaignReviewer
from evalapp.reviews.checks import ReviewerChecks


def checks(person: int, golds: list[bool], *, close: int = 0, compared: int = 0) -> ReviewerChecks:
    return ReviewerChecks(
        seat=CampaignReviewer(user_id=person),
        golds=golds,
        misses=[],
        compared=compared,
        equal=0,
        close=close,
        differences=[],
    )


def quality(*found: ReviewerChecks) -> Quality:
    nothing: Any = None
    return Quality(nothing, nothing, {}, found)


def golds(hits: int, misses: int) -> list[bool]:
    return [True] * hits + [False] * misses


def test_who_misses_known_answers_is_told_with_the_figures() -> None:
    (hint,) = off_gold(quality(checks(1, golds(4, 16)), checks(2, golds(19, 1)), checks(3, golds(18, 2))))

    assert (hint.reviewer_id, hint.is_of_checks) == (1, True)
    assert hint.evidence.startswith(
        "Within the tolerance of the known answer in 20% of 20 (at most 49%, 99%)"
    )
    assert hint.evidence.endswith("the others in 92% of 40.")


def test_a_handful_of_gold_or_a_small_gap_is_no_hint() -> None:
    few = quality(checks(1, golds(0, 9)), checks(2, golds(40, 0)))
    near = quality(checks(1, golds(14, 6)), checks(2, golds(17, 3)))
    alone = quality(checks(1, golds(0, 30)))

    assert [list(off_gold(each)) for each in (few, near, alone, quality())] == [[], [], [], []]


def test_drift_is_told_against_ones_own_beginning() -> None:
    steady = checks(1, golds(1, 1) * 15)
    drifted = checks(2, golds(15, 0) + golds(3, 12))
    better = checks(3, golds(3, 0) + golds(0, 12) + golds(15, 0))

    (hint,) = drifting(quality(steady, drifted, better))

    assert hint.reviewer_id == 2
    assert "Of the first 15 gold answers 100% were right, of the latest 15 20%" in hint.evidence
    assert not list(drifting(quality(checks(2, golds(9, 0) + golds(0, 9)))))


def test_who_answers_otherwise_the_second_time_is_told() -> None:
    (hint,) = at_odds(
        quality(checks(1, [], close=8, compared=24), checks(2, [], close=23, compared=24), checks(3, []))
    )

    assert (hint.kind, hint.reviewer_id) == ("at_odds", 1)
    assert hint.evidence.startswith("The same again, or one level off, in 33% of 24")
