"""How often a lower bound lies above the true mean: at most as often as its level says, wherever on the
scale.
"""

import numpy as np
import pytest

from evalapp.stats.bounds import difference_bounds, mean_bounds
from evalapp.stats.ratings import Ratings
from proofs.simulations import report_share, simulated
from tests.gates.null_worlds import Crossed

LEVELS = (0.05, 0.01)
FAR = {"smallest": -99.0, "largest": 99.0}


def of_table(score: np.ndarray, is_given: np.ndarray) -> Ratings:
    item, reviewer = np.nonzero(is_given)
    return Ratings.from_columns(item.tolist(), reviewer.tolist(), score[item, reviewer].tolist())


def given(draw: np.random.Generator, items: int, reviewers: int, overlap: int | None) -> np.ndarray:
    return np.argsort(draw.random((items, reviewers)), axis=1) < (overlap or reviewers)


def passed_falsely(lows: list[list[float | None]], truth: float) -> np.ndarray:
    """The share of draws whose bound is above the truth, by level."""
    found = np.array(lows, dtype=float)
    share: np.ndarray = (found > truth).mean(axis=0)
    return share


def mean_above(
    world: Crossed, *, items: int, reviewers: int, overlap: int | None, draws: int, seed: int = 5
) -> np.ndarray:
    draw = np.random.default_rng(seed)
    lows = []
    for _ in range(draws):
        score = world.table(draw, draw.normal(size=items), draw.normal(size=reviewers))
        ratings = of_table(score, given(draw, items, reviewers, overlap))
        lows.append([mean_bounds(ratings, alpha=each, smallest=1, largest=5).low for each in LEVELS])
    return passed_falsely(lows, world.mean)


def at_mean(mean: float, **parts: float) -> Crossed:
    """The world whose new answers by new reviewers have this mean."""
    from scipy.optimize import brentq

    return Crossed(brentq(lambda centre: Crossed(centre, **parts).mean - mean, -5, 15), **parts)


def test_a_bound_near_the_top_is_above_the_truth_no_more_often_than_its_level() -> None:
    found = mean_above(at_mean(4.7), items=60, reviewers=5, overlap=None, draws=500)
    # Student's bound is in 10 and 4 of 100; four standard errors are 4 and 2.
    assert found[0] <= 0.07
    assert found[1] <= 0.02


def margin_above(champion: float, challenger: float, *, items: int, reviewers: int, draws: int) -> np.ndarray:
    """As `mean_above`, of a difference; new items and reviewers rate both."""
    worlds = [at_mean(challenger), at_mean(champion)]
    draw = np.random.default_rng(6)
    lows = []
    for _ in range(draws):
        effects = draw.normal(size=items), draw.normal(size=reviewers)
        is_given = given(draw, items, reviewers, None)
        both = [of_table(world.table(draw, *effects), is_given) for world in worlds]
        lows.append([difference_bounds(*both, alpha=each, smallest=1, largest=5).low for each in LEVELS])
    return passed_falsely(lows, challenger - champion)


# Standard deviations of items, of severity, of a reviewer's liking for the candidate, of the rest.
SHARES = {
    "usual": {},
    "items differ": {"item": 0.8, "severity": 0.5, "noise": 0.5},
    "reviewers differ": {"item": 0.3, "severity": 0.6, "noise": 0.6},
    "little noise": {"item": 0.2, "severity": 0.35, "noise": 0.3},
}
DESIGNS = [(60, 3, None), (60, 5, None), (100, 12, 3), (60, 20, 1)]


@pytest.mark.verification
@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize(("items", "reviewers", "overlap"), DESIGNS)
@pytest.mark.parametrize("mean", [3.5, 4.2, 4.7, 4.8, 4.93])
def test_the_level_is_held_all_over_the_scale(
    mean: float, items: int, reviewers: int, overlap: int | None, shares: str
) -> None:
    draws = simulated(2500)
    world = at_mean(mean, **SHARES[shares])
    found = mean_above(world, items=items, reviewers=reviewers, overlap=overlap, draws=draws)
    told = ", ".join(f"{share:.1%} at {level:.1%}" for share, level in zip(found, LEVELS, strict=True))
    print(f"mean {mean}, {items} items, {reviewers} reviewers, overlap {overlap}, {shares}: {told}")
    # Three standard errors; 5% may be 6.5% where severity alone is nearly half of what varies, at a mean of
    # 4.8.
    for share, level, most in zip(found, LEVELS, (0.065, 0.01), strict=True):
        limit = most + 3 * np.sqrt(level * (1 - level) / draws)
        assert report_share(f"mean falsely above, {level:.1%} allowed", share, draws, at_most=limit)


@pytest.mark.verification
@pytest.mark.parametrize(("champion", "challenger"), [(4.7, 4.3), (4.8, 4.5), (4.5, 4.5), (3.5, 3.2)])
@pytest.mark.parametrize("reviewers", [3, 5, 12])
def test_the_level_of_a_difference_is_held_all_over_the_scale(
    champion: float, challenger: float, reviewers: int
) -> None:
    draws = simulated(2500)
    found = margin_above(champion, challenger, items=60, reviewers=reviewers, draws=draws)
    told = ", ".join(f"{share:.1%} at {level:.1%}" for share, level in zip(found, LEVELS, strict=True))
    print(f"{challenger} against {champion}, {reviewers} reviewers: {told}")
    for share, level in zip(found, LEVELS, strict=True):
        limit = level + 3 * np.sqrt(level * (1 - level) / draws)
        assert report_share(f"falsely above, {level:.1%} allowed", share, draws, at_most=limit)


@pytest.mark.verification
@pytest.mark.parametrize("reviewer_sd", [0.1, 0.25, 0.5])
@pytest.mark.parametrize(("reviewers", "overlap"), [(2, None), (3, None), (4, 2), (6, None), (8, 3)])
def test_the_level_is_held_for_few_reviewers_far_from_the_ends(
    reviewers: int, overlap: int | None, reviewer_sd: float
) -> None:
    draws = simulated(8000)
    draw = np.random.default_rng(1)
    lows = []
    for _ in range(draws):
        score = (
            draw.normal(0, 0.5, (40, 1))
            + draw.normal(0, reviewer_sd, (1, reviewers))
            + draw.normal(0, 0.8, (40, reviewers))
        )
        ratings = of_table(score, given(draw, 40, reviewers, overlap))
        lows.append([mean_bounds(ratings, alpha=each, **FAR).low for each in (0.05, 0.025, 0.005)])
    for share, level in zip(passed_falsely(lows, 0.0), (0.05, 0.025, 0.005), strict=True):
        assert share <= level + 2.5 * np.sqrt(level / draws)
