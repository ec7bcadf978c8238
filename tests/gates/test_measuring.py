"""Each condition on small data of which the outcome is known, and the verdict that they add up to."""

from typing import Any

import pytest

from evalapp.analysis.scores.campaign_scores import Answer, CampaignScores
from evalapp.campaigns.models import CampaignCandidate
from evalapp.gates.conditions import TOTAL, Condition, ConditionKind
from evalapp.gates.lineage import CleanCheck
from evalapp.gates.measuring import Inputs, Outcome, Result, measure
from evalapp.rubrics.models import Criterion
from evalapp.stats.bounds import mean_bounds
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings

TONE = Criterion(pk=1, key="tone", name="Tone", kind="scale", minimum=1, maximum=5, low_threshold=2, weight=1)
ERROR = Criterion(pk=2, key="error", name="Error", kind="yes_no", minimum=0, maximum=1, undesired=1)
ASIDE = Criterion(pk=3, key="aside", name="Aside", kind="yes_no", minimum=0, maximum=1, undesired=None)
CHAMPION, CHALLENGER = CampaignCandidate(pk=1, position=0), CampaignCandidate(pk=2, position=1)
CLEAN = CleanCheck(True, "None of the 3 tested prompts is in the 9 training rows.")
LEVEL = 0.05

Table = list[list[int]]


def scores(**tables: Table) -> CampaignScores:
    """``tone`` is the challenger's, ``before`` the champion's, ``error`` the challenger's; rows are items."""
    about = {"tone": (CHALLENGER, TONE), "before": (CHAMPION, TONE), "error": (CHALLENGER, ERROR)}
    answers = [
        Answer(
            item, item * 10 + about[name][0].pk, about[name][0].pk, reviewer, about[name][1].pk, value, False
        )
        for name, table in tables.items()
        for item, row in enumerate(table)
        for reviewer, value in enumerate(row)
    ]
    nothing: Any = None
    return CampaignScores(
        campaign=nothing,
        candidates=[CHAMPION, CHALLENGER],
        criteria=[TONE, ERROR, ASIDE],
        rules=[],
        answers=answers,
        tags=[],
        outputs=[],
        corpus={},
        assignments={},
        names=nothing,
    )


def asked(
    *conditions: Condition, clean: CleanCheck = CLEAN, is_last: bool = False, **tables: Table
) -> Outcome:
    inputs = Inputs(
        scores(**tables), CHALLENGER, CHAMPION, LEVEL, clean, is_last, LEVEL, Population.REVIEWERS
    )
    return measure(list(conditions), inputs)


def state_of(condition: Condition, **tables: Any) -> str:
    return asked(condition, **tables).results[0].state


def floor(threshold: float, criterion: str = "tone") -> Condition:
    return Condition(ConditionKind.FLOOR, criterion, criterion.title(), threshold)


FIVES = [[5, 5]] * 60
ALIKE = [
    [5, 4, 4],
    [4, 4, 5],
    [5, 5, 4],
    [3, 4, 4],
    [4, 5, 4],
    [5, 4, 5],
    [4, 3, 4],
    [4, 5, 5],
    [4, 4, 3],
    [5, 4, 5],
]
MIXED = [[5, 4], [4, 4], [5, 5], [4, 3], [5, 4], [5, 5], [4, 4], [5, 5], [3, 4], [5, 4]]


def test_a_floor_is_held_by_the_lower_bound_failed_by_the_upper_and_open_between() -> None:
    # All fives: the bound is 5 - 4 × 4.87%.
    assert state_of(floor(4.80), tone=FIVES) == "met"
    assert state_of(floor(4.81), tone=FIVES) == "undecided"
    assert state_of(floor(4.0), tone=[[2, 2], [3, 3]] * 10) == "not_met"
    assert state_of(floor(4.3), tone=MIXED) == "undecided"


def test_an_open_floor_says_how_many_more_reviews_would_show_it() -> None:
    (result,) = asked(floor(3.9), tone=ALIKE).results
    assert (result.state, result.more_reviews is not None) == ("undecided", True)
    more = result.more_reviews or 0
    found = mean_bounds(Ratings.from_table(ALIKE), alpha=LEVEL, smallest=1, largest=5, times=1 + more / 30)
    assert found.low == pytest.approx(3.9, abs=0.02)
    hopeless = asked(floor(4.6), tone=ALIKE).results[0]
    assert hopeless.more_reviews is None
    assert "not expected" in hopeless.reason


def test_where_reviewers_differ_no_number_of_their_reviews_is_promised() -> None:
    severe = [[5, 5, 2], [4, 5, 2], [5, 4, 3], [5, 5, 3]] * 20
    (result,) = asked(floor(3.8), tone=severe).results
    assert (result.state, result.more_reviews) == ("undecided", None)
    assert "the variance between reviewers remains; more reviewers may" in result.reason


def test_an_early_look_tells_what_the_planned_end_needs_and_not_its_own_small_level() -> None:
    def at_a_look(conditions: list[Condition], remaining: int, **tables: Table) -> list[Result]:
        inputs = Inputs(
            scores(**tables), CHALLENGER, CHAMPION, 1e-6, CLEAN, False, LEVEL, Population.REVIEWERS, remaining
        )
        return measure(conditions, inputs).results

    veto = Condition(ConditionKind.VETO, "error", "Error", 0.05)
    # Enough for the level that is left for the end: what remains of the plan will do, and no less is
    # promised.
    found = at_a_look([floor(4.8), veto], 96, tone=FIVES, error=[[0, 0]] * 60)
    assert [each.more_reviews for each in found] == [96, 96]
    (at_end,) = asked(floor(3.9), tone=ALIKE).results
    assert at_end.more_reviews is not None
    (enough,) = at_a_look([floor(3.9)], at_end.more_reviews + 50, tone=ALIKE)
    assert enough.more_reviews == at_end.more_reviews + 50
    # After the plan nothing of the level is left, so no number beyond it is promised.
    (few,) = at_a_look([floor(3.9)], 3, tone=ALIKE)
    assert few.more_reviews is None
    assert (
        "The 3 planned reviews that are left are not expected to be enough (about"
        f" {at_end.more_reviews:,}" in (few.reason)
    )


def test_the_total_is_asked_as_a_criterion_is() -> None:
    assert state_of(floor(4.8, TOTAL), tone=FIVES) == "met"


def test_low_scores_are_held_under_a_ceiling_by_the_upper_bound() -> None:
    def low(ceiling: float) -> Condition:
        return Condition(ConditionKind.LOW_SHARE, "tone", "Tone", ceiling, 2)

    assert state_of(low(0.05), tone=FIVES) == "met"
    assert state_of(low(0.04), tone=FIVES) == "undecided"
    assert state_of(low(0.2), tone=[[1, 2]] * 20) == "not_met"


def test_a_veto_is_on_the_upper_bound_of_the_failing_rate() -> None:
    veto = Condition(ConditionKind.VETO, "error", "Error", 0.05)
    assert state_of(veto, error=[[0, 0]] * 60) == "met"
    (few,) = asked(veto, error=[[0, 0]] * 30).results
    assert few.state == "undecided"
    # 59 items without one hold 5%; each has two reviews.
    assert few.more_reviews == 2 * (59 - 30)
    assert state_of(veto, error=[[1, 1], [0, 0]] * 10) == "not_met"


def test_against_the_champion_by_margin_or_better() -> None:
    not_worse = Condition(ConditionKind.NON_INFERIORITY, "tone", "Tone", 0.5)
    better = Condition(ConditionKind.SUPERIORITY, "tone", "Tone", 0.0)
    fours, threes = [[4, 4]] * 60, [[3, 3]] * 60
    assert state_of(not_worse, tone=fours, before=fours) == "met"
    assert state_of(better, tone=fours, before=fours) == "undecided"
    assert state_of(better, tone=FIVES, before=threes) == "met"
    assert state_of(better, tone=threes, before=FIVES) == "not_met"
    assert state_of(not_worse, tone=threes, before=FIVES) == "not_met"


def test_against_a_champion_that_is_not_there_nothing_can_be_said() -> None:
    better = Condition(ConditionKind.SUPERIORITY, "tone", "Tone", 0.0)
    inputs = Inputs(scores(tone=FIVES), CHALLENGER, None, LEVEL, CLEAN, False, LEVEL, Population.REVIEWERS)
    (result,) = measure([better], inputs).results
    assert (result.state, "no champion" in result.reason) == ("undecided", True)
    assert state_of(better, tone=FIVES) == "undecided"  # nobody scored both


def test_counts_of_items_and_reviewers() -> None:
    def count(kind: ConditionKind, wanted: int) -> Condition:
        return Condition(kind, threshold=wanted)

    assert state_of(count(ConditionKind.ITEMS, 10), tone=MIXED) == "met"
    (more,) = asked(count(ConditionKind.ITEMS, 15), tone=MIXED).results
    assert (more.state, more.more_reviews) == ("undecided", 10)
    assert state_of(count(ConditionKind.REVIEWERS, 2), tone=MIXED) == "met"
    assert state_of(count(ConditionKind.REVIEWERS, 3), tone=MIXED) == "undecided"


@pytest.mark.parametrize(("is_clean", "state"), [(True, "met"), (False, "not_met"), (None, "undecided")])
def test_the_contamination_check_holds_only_where_it_was_found_clean(
    is_clean: bool | None, state: str
) -> None:
    found = CleanCheck(is_clean, "So it was.")
    assert state_of(Condition(ConditionKind.CONTAMINATION), tone=FIVES, clean=found) == state


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (floor(4, "gone"), "no criterion “Gone”"),
        (floor(4, "error"), "is not a scale"),
        (Condition(ConditionKind.VETO, "aside", "Aside", 0.1), "does not say which answers"),
    ],
)
def test_what_the_rubric_does_not_have_is_open_and_says_so(condition: Condition, reason: str) -> None:
    (result,) = asked(condition, tone=FIVES).results
    assert result.state == "undecided"
    assert reason in result.reason


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({}, "no scores"),
        ({"tone": [[4], [5]]}, "one reviewer"),
        ({"tone": [[4, 5]]}, "one item"),
    ],
)
def test_without_an_interval_a_floor_is_open_with_the_reason(tables: dict[str, Table], reason: str) -> None:
    (result,) = asked(floor(3), **tables).results
    assert (result.state, reason in result.reason) == ("undecided", True)


def test_all_conditions_have_to_hold() -> None:
    veto = Condition(ConditionKind.VETO, "error", "Error", 0.05)
    good, few = [[0, 0]] * 60, [[0, 0]] * 30
    assert asked(floor(4.5), veto, tone=FIVES, error=good).verdict == "release"
    assert asked(floor(4.5), veto, tone=[[2, 2]] * 60, error=good).verdict == "do_not_release"
    not_yet = asked(floor(4.5), veto, tone=FIVES, error=few)
    assert (not_yet.verdict, not_yet.more_reviews) == ("not_yet", 58)
    # What the last evaluation does not show is not shown.
    assert asked(floor(4.5), veto, tone=FIVES, error=few, is_last=True).verdict == "do_not_release"


def test_no_number_is_promised_where_one_condition_is_not_a_matter_of_reviews() -> None:
    unknown = CleanCheck(None, "It was trained elsewhere.")
    conditions = (floor(4.85), Condition(ConditionKind.CONTAMINATION))
    found = asked(*conditions, tone=FIVES, clean=unknown)
    assert (found.verdict, found.more_reviews) == ("not_yet", None)
