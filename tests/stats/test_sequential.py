"""Alpha spending: published bounds, exact totals, and false releases counted in simulation."""

from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalapp.stats.bounds import mean_bounds
from evalapp.stats.ratings import Ratings
from evalapp.stats.sequential import Spending, interim_level, interim_levels, spent
from proofs.simulations import report_share, simulated

WEEKS, CHALLENGERS = 12, 5


def bounds(levels: list[float]) -> list[float]:
    return [NormalDist().inv_cdf(1 - level) for level in levels]


def test_bounds_equal_the_published_ones() -> None:
    """Lan and DeMets' O'Brien–Fleming-like function, one-sided 2.5%, as in gsDesign."""
    assert bounds(interim_levels(0.025, [0.5, 1])) == pytest.approx([2.9626, 1.9686], abs=1e-4)
    found = bounds(interim_levels(0.025, [0.2, 0.4, 0.6, 0.8, 1]))
    assert found == pytest.approx([4.8769, 3.3570, 2.6803, 2.2898, 2.0310], abs=1e-4)


def test_a_single_look_at_the_end_has_the_whole_level() -> None:
    assert interim_levels(0.025, [1.0]) == pytest.approx([0.025])
    assert interim_levels(0.025, [1.7]) == pytest.approx([0.025])
    assert spent(0.025, 1.0) == pytest.approx(0.025)
    assert spent(0.025, 0.0) == 0.0


def test_levels_of_weekly_looks_rise_and_leave_most_to_the_end() -> None:
    levels = interim_levels(0.025, [week / WEEKS for week in range(1, WEEKS + 1)])
    assert levels[0] == 0.0
    assert all(earlier < later for earlier, later in pairwise(levels))
    assert 0.018 < levels[-1] < 0.025
    # Far above the last increment of the spending, which is all that Bonferroni would leave.
    assert levels[-1] > 2 * (0.025 - spent(0.025, 11 / 12))


def test_a_later_look_does_not_change_an_earlier_level() -> None:
    shares = [0.3, 0.45, 0.7, 1.0]
    whole = interim_levels(0.025, shares)
    for evaluations in range(1, 5):
        assert interim_levels(0.025, shares[:evaluations]) == pytest.approx(whole[:evaluations])


def test_a_look_too_soon_gets_nothing_and_costs_nothing() -> None:
    assert interim_levels(0.025, [0.5, 0.5005, 1.0]) == pytest.approx(
        [interim_levels(0.025, [0.5])[0], 0.0, interim_levels(0.025, [0.5, 1.0])[1]]
    )


@settings(max_examples=15)
@given(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=6), st.floats(0.005, 0.1))
def test_chance_of_any_false_finding_is_what_was_spent(shares: list[float], level: float) -> None:
    """Brownian paths against the bounds, within the error of the simulation."""
    shares = sorted(shares)
    levels = interim_levels(level, shares)
    steps = np.sqrt(np.diff([0.0, *shares]))
    paths = np.cumsum(np.random.default_rng(1).normal(size=(40_000, len(shares))) * steps, axis=1)
    critical = [NormalDist().inv_cdf(1 - each) if each else np.inf for each in levels]
    found = (paths / np.sqrt(shares) > critical).any(axis=1).mean()
    assert found == pytest.approx(spent(level, shares[-1]), abs=0.006)


def test_challengers_share_the_level() -> None:
    open_ended = Spending(level=0.05)
    parts = [open_ended.for_challenger(number) for number in range(1, 2001)]
    assert parts[:3] == pytest.approx([0.05 * 0.6079, 0.05 * 0.1520, 0.05 * 0.0675], abs=1e-5)
    assert 0.0499 < sum(parts) < 0.05
    declared = Spending(level=0.05, challengers=5)
    assert [declared.for_challenger(number) for number in range(1, 7)] == pytest.approx([0.01] * 5 + [0.0])


def test_the_level_now_says_why_there_is_none() -> None:
    spending = Spending(level=0.025, challengers=2)
    found = interim_level(spending, challenger=2, shares=[0.5, 1.0])
    assert (found.value, found.n) == (pytest.approx(interim_levels(0.0125, [0.5, 1.0])[-1]), 2)
    assert "it is spent" in interim_level(spending, challenger=3, shares=[1.0]).reason
    early = interim_level(spending, challenger=1, shares=[0.05])
    assert early.reason == "too early: almost no budget can be spent yet"
    soon = interim_level(spending, challenger=1, shares=[0.5, 0.501])
    assert soon.reason == "too soon after the last evaluation"
    over = interim_level(spending, challenger=1, shares=[0.5, 1.0, 1.0])
    assert over.reason == "the budget was spent at the planned end"


def test_bad_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="one-sided chance"):
        Spending(level=5)
    with pytest.raises(ValueError, match="declare at least 1"):
        Spending(level=0.05, challengers=0)
    with pytest.raises(ValueError, match="counted from 1"):
        Spending(level=0.05).for_challenger(0)
    with pytest.raises(ValueError, match=r"evaluation 2: the share of the plan falls from 0\.6 to 0\.5"):
        interim_levels(0.05, [0.6, 0.5])
    with pytest.raises(ValueError, match="evaluation 1: the share of the plan is nan"):
        interim_levels(0.05, [float("nan")])


def released(generator: np.random.Generator, levels: list[float], *, reviewers: int) -> bool:
    """Whether a challenger that is no better is released at one of the weekly evaluations.

    Five further items a week, all reviewers on each; reviewers and items differ about the difference, whose
    mean is 0.
    """
    items = 5 * len(levels)
    score = (
        generator.normal(0, 0.5, (items, 1))
        + generator.normal(0, 0.25, (1, reviewers))
        + generator.normal(0, 0.8, (items, reviewers))
    )
    for week, level in enumerate(levels, start=1):
        if not level:
            continue
        ratings = Ratings.from_table(score[: 5 * week].tolist())
        low = mean_bounds(ratings, alpha=level, smallest=-99, largest=99).low
        if low is not None and low >= 0:
            return True
    return False


@pytest.mark.verification
@pytest.mark.parametrize("reviewers", [3, 6])
@pytest.mark.parametrize("challengers", [None, CHALLENGERS])
def test_false_releases_stay_under_the_level_with_weekly_looks_and_five_challengers(
    challengers: int | None, reviewers: int
) -> None:
    level, campaigns = 0.05, simulated(1500)
    spending = Spending(level=level, challengers=challengers)
    shares = [week / WEEKS for week in range(1, WEEKS + 1)]
    plan = [interim_levels(spending.for_challenger(k), shares) for k in range(1, CHALLENGERS + 1)]
    generator = np.random.default_rng(2)
    false = sum(
        any(released(generator, levels, reviewers=reviewers) for levels in plan) for _ in range(campaigns)
    )
    # Two standard errors of the simulation at the level.
    limit = level + 2 * np.sqrt(level * (1 - level) / campaigns)
    assert report_share("false releases with weekly looks", false / campaigns, campaigns, at_most=limit)
    # The same evaluations at 5% each release far more often.
    naive = sum(
        any(released(generator, [level] * WEEKS, reviewers=reviewers) for _ in range(CHALLENGERS))
        for _ in range(200)
    )
    assert naive / 200 > 3 * level
