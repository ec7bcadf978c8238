"""Plans against known values, and against the analysis that is planned for, in simulation."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nct, t

from evalapp.stats.bounds import mean_bounds
from evalapp.stats.components import VarianceComponents
from evalapp.stats.panel_mean import panel_mean
from evalapp.stats.planning import (
    Design,
    Requirement,
    ScalePosition,
    Spread,
    items_for_joint_power,
    joint_power,
    power_of_release,
    precision,
    smallest_difference,
)
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import candidate_score, crossed_spread
from proofs.simulations import simulated

PLAIN = Spread(item=0, reviewer=0, rest=1)
USUAL = Spread(item=0.5, reviewer=0.2, rest=0.8)


@pytest.mark.parametrize(("difference", "items"), [(0.2, 199), (0.3, 90), (0.5, 34)])
def test_known_values_of_the_paired_test(difference: float, items: int) -> None:
    found = smallest_difference(PLAIN, Design(items=items, reviewers=1))
    assert found.value == pytest.approx(difference, rel=0.01)
    assert (found.n, found.note) == (items, "for this panel")


def test_few_reviewers_find_less_than_their_standard_error_says() -> None:
    """Three who do not differ about the difference cannot know it: by the standard error alone it would be
    0.32.
    """
    spread = Spread(item=0.65, reviewer=0.0, rest=1.07)
    found = smallest_difference(spread, Design(items=80, reviewers=3))
    assert found.value == pytest.approx(0.36, abs=0.01)
    assert found == smallest_difference(spread, Design(items=80, reviewers=3))
    by_reviewers = [
        smallest_difference(USUAL, Design(items=80, reviewers=each)).value for each in (2, 3, 5, 8)
    ]
    assert by_reviewers == sorted(by_reviewers, reverse=True)
    alone = Design(items=80, reviewers=8, overlap=1)
    assert smallest_difference(USUAL, alone).value > by_reviewers[-1]


def test_joint_power_of_independent_criteria_is_the_product() -> None:
    design = Design(items=100, reviewers=8)
    one, other = Requirement(distance=0.3, spread=USUAL), Requirement(distance=0.25, spread=USUAL)
    careful = precision(USUAL, design, careful=True)
    critical = t.ppf(0.95, careful.degrees)
    single = [nct.sf(critical, careful.degrees, each.distance / careful.error) for each in (one, other)]
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
    items = items_for_joint_power(requirements, Design(items=10, reviewers=8), power=0.8).value
    assert joint_power(requirements, Design(items=items, reviewers=8)).value >= 0.8
    assert joint_power(requirements, Design(items=items - 1, reviewers=8)).value < 0.8


def test_items_of_few_documents_show_less_and_the_plan_says_how_much() -> None:
    """The smallest difference that is planned for these reviewers is found in 80% of campaigns: 40 items from
    8 documents, each by three.
    """
    spread = Spread(item=0.3, reviewer=0.2, rest=0.6, group=0.4)
    apart = Design(items=40, reviewers=3, population=Population.PANEL)
    design = replace(apart, groups=8)
    planned = smallest_difference(spread, design).value
    assert planned > 1.4 * smallest_difference(spread, apart).value
    generator = np.random.default_rng(5)
    groups = np.arange(40) % 8
    found = 0
    for _ in range(400):
        item = generator.normal(0, 0.3, 40) + generator.normal(0, 0.4, 8)[groups]
        person = generator.normal(0, 0.2, 3)
        # What these three see on average is what the claim is about.
        table = planned + item[:, None] + (person - person.mean()) + generator.normal(0, 0.6, (40, 3))
        pairs = replace(Ratings.from_table(table.tolist()), group=groups)
        mean = panel_mean(pairs)
        found += abs(mean.mean) / mean.error > t.ppf(0.975, mean.degrees)
    assert 0.75 <= found / 400 <= 0.86


TWELVE_DOCUMENTS = Design(items=60, reviewers=3, groups=12, population=Population.PANEL)


def power_of_floor(mean: float, floor: float, spread: Spread) -> float:
    place = ScalePosition(mean=mean, smallest=1, largest=5)
    wanted = Requirement(distance=mean - floor, spread=spread, place=place)
    return power_of_release(wanted, TWELVE_DOCUMENTS).value or 0.0


def test_a_better_candidate_of_a_small_design_passes_more_often_up_to_the_end_of_the_scale() -> None:
    """60 items from 12 documents by three reviewers: near the end the bound hardly depends on the spread."""
    spread = Spread(item=0.52, reviewer=0.4, rest=0.6, group=0.3)
    for floor in (3.5, 4.0):
        planned = [power_of_floor(mean, floor, spread) for mean in (4.0, 4.2, 4.4, 4.6, 4.8, 4.9, 5.0)]
        assert all(later >= sooner - 0.01 for sooner, later in itertools.pairwise(planned)), planned


# The spread of scores that are that latent normal rounded and cut to 1–5, with this mean over three reviewers
# (-0.4, 0, 0.4), and the share of 300 campaigns in which the gate's own bound reached the floor.
@pytest.mark.parametrize(
    ("mean", "spread", "reached"),
    [
        (4.2, (0.41, 0.32, 0.58, 0.24), {3.4: 0.84, 3.5: 0.42}),
        (4.4, (0.36, 0.28, 0.54, 0.21), {3.5: 0.96, 3.6: 0.73, 3.7: 0.20}),
        (4.6, (0.29, 0.22, 0.48, 0.17), {3.8: 0.53}),
        (4.8, (0.20, 0.14, 0.37, 0.11), {3.95: 0.62, 4.0: 0.13}),
        (4.9, (0.12, 0.07, 0.27, 0.07), {4.0: 0.89, 4.05: 0.36}),
    ],
)
def test_the_plan_of_a_floor_for_twelve_documents_is_what_campaigns_reach(
    mean: float, spread: tuple[float, float, float, float], reached: dict[float, float]
) -> None:
    parts = dict(zip(("item", "reviewer", "rest", "group"), spread, strict=True))
    found = {floor: power_of_floor(mean, floor, Spread(**parts)) for floor in reached}
    assert found == pytest.approx(reached, abs=0.06)


def test_more_items_come_from_more_documents() -> None:
    design = Design(items=20, reviewers=3, groups=5, population=Population.PANEL)
    assert design.with_items(40) == replace(design, items=40, groups=10)
    assert design.with_items(2) == replace(design, items=2, groups=2)
    with pytest.raises(ValueError, match="20 items from 1 groups"):
        replace(design, groups=1)


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
    passed, draws = 0, simulated(2000)
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
@pytest.mark.parametrize("reviewer_sd", [0.0, 0.2])
@pytest.mark.parametrize(
    ("items", "reviewers", "overlap"), [(80, 2, 2), (80, 3, 3), (40, 4, 4), (60, 8, 3), (100, 5, 2)]
)
def test_planned_power_is_what_the_analysis_reaches(
    items: int, reviewers: int, overlap: int, reviewer_sd: float
) -> None:
    design = Design(items=items, reviewers=reviewers, overlap=overlap)
    spread = Spread(item=USUAL.item, reviewer=reviewer_sd, rest=USUAL.rest)
    distance = smallest_difference(spread, design, power=0.8, sides=2).value
    generator = np.random.default_rng(2)
    found, draws = 0, simulated(2000)
    for _ in range(draws):
        score = (
            distance
            + generator.normal(0, USUAL.item, (items, 1))
            + generator.normal(0, spread.reviewer, (1, reviewers))
            + generator.normal(0, USUAL.rest, (items, reviewers))
        )
        item, reviewer = np.nonzero(np.argsort(generator.random(score.shape), axis=1) < overlap)
        ratings = Ratings.from_columns(item.tolist(), reviewer.tolist(), score[item, reviewer].tolist())
        interval = candidate_score(ratings, population=Population.REVIEWERS)
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
        smallest_difference(PLAIN, Design(items=10, reviewers=2), level=5)
    with pytest.raises(ValueError, match="correlation between criteria is 2"):
        joint_power({"a": Requirement(distance=1, spread=PLAIN)}, Design(items=5, reviewers=2), correlation=2)
