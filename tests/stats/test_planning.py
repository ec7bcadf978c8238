"""Plans against known values, and against the analysis that is planned for, in simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nct

from evalapp.stats.bounds import mean_bounds
from evalapp.stats.components import VarianceComponents
from evalapp.stats.planning import (
    Design,
    Requirement,
    Spread,
    _noncentral_above,
    decisive_pairs_for_win_rate,
    items_for_difference,
    items_for_joint_power,
    joint_power,
    most_allowed,
    power_of,
    power_of_difference,
    power_of_rate_ceiling,
    power_of_win_rate,
    precision,
    smallest_difference,
)
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import candidate_score, crossed_spread

PLAIN = Spread(item=0, reviewer=0, rest=1)
USUAL = Spread(item=0.5, reviewer=0.2, rest=0.8)


@pytest.mark.parametrize(("difference", "items"), [(0.2, 199), (0.3, 90), (0.5, 34)])
def test_known_values_of_the_paired_test(difference: float, items: int) -> None:
    found = items_for_difference(difference, PLAIN)
    assert (found.value, found.n, found.note) == (items, items, "for this panel")


@pytest.mark.parametrize(("rate", "pairs"), [(0.6, 194), (0.7, 47), (0.4, 194)])
def test_known_values_of_win_rates(rate: float, pairs: int) -> None:
    assert decisive_pairs_for_win_rate(rate).value == pairs
    assert power_of_win_rate(rate, pairs).value >= 0.8 > power_of_win_rate(rate, pairs - 1).value


def test_a_win_rate_of_half_is_no_difference() -> None:
    assert decisive_pairs_for_win_rate(0.5).reason == "a win rate of 50% is no difference"


def test_nobody_in_sixty_shows_under_five_percent() -> None:
    assert most_allowed(0.049, 60, level=0.05) == 0
    assert most_allowed(0.048, 60, level=0.05) is None
    found = power_of_rate_ceiling(0.01, 0.05, 60)
    assert found.value == pytest.approx(0.99**60)
    none = power_of_rate_ceiling(0.0, 0.05, 50)
    assert (none.value, none.note) == (0.0, "even 0 of 50 does not show that it is at most 5%")


def test_ceiling_power_equals_a_sum_of_binomial_chances() -> None:
    allowed = most_allowed(0.1, 150, level=0.05)
    expected = sum(math.comb(150, k) * 0.04**k * 0.96 ** (150 - k) for k in range(allowed + 1))
    assert power_of_rate_ceiling(0.04, 0.1, 150).value == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(
    st.floats(0, 1), st.floats(0, 0.5), st.floats(0.1, 1), st.integers(10, 300), st.integers(2, 12),
    st.sampled_from([1, 2]),
)  # fmt: skip
def test_the_smallest_difference_is_found_with_the_power_asked_for(
    item: float, reviewer: float, rest: float, items: int, reviewers: int, sides: int
) -> None:
    spread, design = Spread(item=item, reviewer=reviewer, rest=rest), Design(items=items, reviewers=reviewers)
    smallest = smallest_difference(spread, design, power=0.8, sides=sides).value
    found = power_of_difference(smallest, spread, design, sides=sides)
    assert found.value == pytest.approx(0.8, abs=1e-6)


def test_power_without_a_difference_is_the_level() -> None:
    design = Design(items=50, reviewers=4)
    assert power_of_difference(0.0, USUAL, design, level=0.05).value == pytest.approx(0.05)
    assert power_of_difference(0.0, USUAL, design, level=0.05, sides=1).value == pytest.approx(0.05)
    assert power_of_difference(1e3, USUAL, design).value == pytest.approx(1.0)


def test_more_reviewers_help_where_more_items_do_not() -> None:
    few = items_for_difference(0.3, USUAL, reviewers=3)
    assert few.reason == "not even 100,000 items are enough; more reviewers or a larger difference are"
    many = items_for_difference(0.3, USUAL, reviewers=8)
    assert 40 < many.value < 100


@pytest.mark.parametrize(("degrees", "shift", "critical"), [(1, 5, 12.7), (4, 3, 2.77), (198, 2.82, 1.97)])
def test_power_where_the_library_has_none_equals_it_elsewhere(
    degrees: float, shift: float, critical: float
) -> None:
    expected = nct.sf(critical, degrees, shift)
    assert _noncentral_above(shift, critical, degrees) == pytest.approx(expected, abs=1e-4)


def test_a_margin_is_one_sided_and_counts_as_distance() -> None:
    design = Design(items=80, reviewers=5)
    with_margin = power_of_difference(0.0, USUAL, design, margin=0.3, sides=1)
    assert with_margin.value == power_of_difference(0.3, USUAL, design, sides=1).value
    with pytest.raises(ValueError, match="one-sided"):
        power_of_difference(0.0, USUAL, design, margin=0.3)


def test_joint_power_of_independent_criteria_is_the_product() -> None:
    design = Design(items=100, reviewers=8)
    one, other = Requirement(distance=0.3, spread=USUAL), Requirement(distance=0.25, spread=USUAL)
    careful = precision(USUAL, design, careful=True)
    single = [power_of(each.distance, careful, level=0.05, sides=1) for each in (one, other)]
    found = joint_power({"tone": one, "clarity": other}, design)
    assert found.value == pytest.approx(single[0] * single[1], abs=0.01)
    assert found.low < found.value < found.high
    alone = joint_power({"tone": one}, design)
    assert alone.value == pytest.approx(single[0], abs=0.01)


def test_criteria_that_rise_and_fall_together_pass_together_more_often() -> None:
    design = Design(items=100, reviewers=5)
    requirements = {name: Requirement(distance=0.28, spread=USUAL) for name in "abcd"}
    powers = [joint_power(requirements, design, correlation=each).value for each in (0.0, 0.5, 1.0)]
    assert powers[0] < powers[1] < powers[2]


def test_items_for_joint_power_are_the_first_that_do() -> None:
    requirements = {name: Requirement(distance=0.3, spread=USUAL) for name in "abc"}
    items = items_for_joint_power(requirements, reviewers=8, power=0.8).value
    assert joint_power(requirements, Design(items=items, reviewers=8)).value >= 0.8
    assert joint_power(requirements, Design(items=items - 1, reviewers=8)).value < 0.8


def test_precision_is_that_of_the_analysis_for_the_same_components() -> None:
    """The full table's own components, put into the plan, give the interval that the analysis gives."""
    generator = np.random.default_rng(1)
    score = (
        generator.normal(0, 0.5, (40, 1))
        + generator.normal(0, 0.4, (1, 5))
        + generator.normal(0, 0.7, (40, 5))
    )
    ratings = Ratings.from_table(score.tolist())
    n, k = score.shape
    grand = score.mean()
    rows, columns = score.mean(axis=1), score.mean(axis=0)
    rest = ((score - rows[:, None] - columns + grand) ** 2).sum() / ((n - 1) * (k - 1))
    parts = VarianceComponents(
        item=(k * ((rows - grand) ** 2).sum() / (n - 1) - rest) / k,
        reviewer=(n * ((columns - grand) ** 2).sum() / (k - 1) - rest) / n,
        rest=rest,
    )
    planned = precision(Spread.of(parts), Design(items=40, reviewers=5))
    done = crossed_spread(ratings)
    assert planned.error == pytest.approx(done.error)
    assert planned.degrees == pytest.approx(done.degrees)


@pytest.mark.verification
@pytest.mark.parametrize(("reviewers", "level"), [(5, 0.05), (8, 0.01)])
def test_joint_power_is_what_releases_reach(reviewers: int, level: float) -> None:
    design = Design(items=60, reviewers=reviewers)
    requirement = Requirement(distance=0.5, spread=USUAL, level=level)
    planned = joint_power({"tone": requirement}, design).value
    generator = np.random.default_rng(3)
    passed, draws = 0, 2000
    for _ in range(draws):
        score = (
            0.5
            + generator.normal(0, USUAL.item, (60, 1))
            + generator.normal(0, USUAL.reviewer, (1, reviewers))
            + generator.normal(0, USUAL.rest, (60, reviewers))
        )
        ratings = Ratings.from_table(score.tolist())
        passed += mean_bounds(ratings, alpha=level, smallest=-99, largest=99).low > 0
    assert passed / draws == pytest.approx(planned, abs=0.06)


@pytest.mark.verification
@pytest.mark.parametrize(("items", "reviewers", "overlap"), [(40, 4, 4), (60, 8, 3), (100, 5, 2)])
def test_planned_power_is_what_the_analysis_reaches(items: int, reviewers: int, overlap: int) -> None:
    design = Design(items=items, reviewers=reviewers, overlap=overlap)
    distance = smallest_difference(USUAL, design, power=0.8, sides=2).value
    generator = np.random.default_rng(2)
    found, draws = 0, 2000
    for _ in range(draws):
        score = (
            distance
            + generator.normal(0, USUAL.item, (items, 1))
            + generator.normal(0, USUAL.reviewer, (1, reviewers))
            + generator.normal(0, USUAL.rest, (items, reviewers))
        )
        item, reviewer = np.nonzero(np.argsort(generator.random(score.shape), axis=1) < overlap)
        ratings = Ratings.from_columns(item.tolist(), reviewer.tolist(), score[item, reviewer].tolist())
        interval = candidate_score(ratings)
        found += interval.low > 0 or interval.high < 0
    assert found / draws == pytest.approx(0.8, abs=0.05)


def test_one_score_an_item_promises_nothing_of_more_reviews() -> None:
    parts = VarianceComponents(item=0.0, reviewer=0.04, rest=0.89, item_apart=False)
    spread = Spread.of(parts)
    errors = [precision(spread, Design(items=50, reviewers=6, overlap=each)).error for each in (1, 6)]
    assert errors[1] == pytest.approx(errors[0])


def test_bad_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="2 items and a reviewer at least"):
        Design(items=1, reviewers=3)
    with pytest.raises(ValueError, match="4 reviews for each item by 3 reviewers"):
        Design(items=10, reviewers=3, overlap=4)
    with pytest.raises(ValueError, match="not all 0"):
        Spread(item=0, reviewer=0, rest=0)
    with pytest.raises(ValueError, match="the level is 5"):
        power_of_difference(0.2, PLAIN, Design(items=10, reviewers=2), level=5)
    with pytest.raises(ValueError, match="correlation between criteria is 2"):
        joint_power({"a": Requirement(distance=1, spread=PLAIN)}, Design(items=5, reviewers=2), correlation=2)
