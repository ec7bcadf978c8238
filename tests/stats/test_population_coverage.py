"""How often intervals for either population hold what they are about, over designs that small teams use."""

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest

from evalapp.stats.differences import paired_difference
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from proofs.simulations import report_share, simulated

TRUE, ITEM_SD, REST_SD = 1.0, 0.5, 0.7


class World(NamedTuple):
    """``overlap`` of the reviewers score each item, in rotation; ``lost``: the share of scores missing."""

    items: int
    reviewers: int
    overlap: int
    reviewer_sd: float
    lost: float


WORLDS = [
    World(items, *panel, reviewer_sd, lost)
    for items, panel, (reviewer_sd, lost) in product(
        (12, 18, 40, 100),
        ((3, 2), (3, 3), (4, 2), (5, 3), (8, 2)),
        ((0.05, 0.15), (0.2, 0.0), (0.5, 0.15)),
    )
]


class Coverage(NamedTuple):
    """``reviewers``: how often the interval for reviewers like these held the true difference; ``panel``: how
    often that for these reviewers held what these would on average say, of the draws in which it is defined.
    """

    reviewers: float
    panel: float
    panel_defined: float


def coverage(world: World, *, draws: int, seed: int) -> Coverage:
    generator = np.random.default_rng(seed)
    item = np.repeat(np.arange(world.items), world.overlap)
    reviewer = (item + np.tile(np.arange(world.overlap), world.items)) % world.reviewers
    held = of_panel = defined = 0
    for _ in range(draws):
        severity = generator.normal(0, world.reviewer_sd, world.reviewers)
        level = TRUE + generator.normal(0, ITEM_SD, world.items)
        difference = level[item] + severity[reviewer] + generator.normal(0, REST_SD, item.size)
        kept = generator.random(item.size) >= world.lost
        columns = (item[kept].tolist(), reviewer[kept].tolist())
        zero = Ratings.from_columns(*columns, [0.0] * int(kept.sum()))
        found = paired_difference(
            zero.with_scores(difference[kept]), zero, population=Population.PANEL, seed=1, permutations=1
        )
        others, panel = found.other_difference, found.difference
        held += others.low is not None and others.low <= TRUE <= others.high
        if panel.low is not None:
            defined += 1
            of_panel += panel.low <= TRUE + severity.mean() <= panel.high
    return Coverage(held / draws, of_panel / max(defined, 1), defined / draws)


def test_both_hold_what_they_are_about_in_a_design_of_a_small_team() -> None:
    found = coverage(World(18, 3, 2, 0.2, 0.0), draws=300, seed=1)
    assert found.reviewers >= 0.92
    assert 0.91 <= found.panel <= 0.985
    assert found.panel_defined == 1


def test_of_eight_reviewers_of_four_items_each_nothing_is_said_by_leaving_most_of_them_out() -> None:
    """The interval of those who are left held what the eight would say in 84% of draws."""
    assert coverage(World(18, 8, 2, 0.5, 0.15), draws=40, seed=5).panel_defined == 0


@pytest.mark.verification
def test_both_hold_what_they_are_about_in_sixty_designs() -> None:
    draws = simulated(2000)
    found = {world: coverage(world, draws=draws, seed=number) for number, world in enumerate(WORLDS)}
    for world, each in found.items():
        print(f"{world}: reviewers {each.reviewers:.1%}, panel {each.panel:.1%} of {each.panel_defined:.0%}")
    of_reviewers = [each.reviewers for each in found.values()]
    assert report_share("least coverage, reviewers", min(of_reviewers), draws, at_least=0.925 - 0.012)
    assert 0.94 <= np.mean(of_reviewers) <= 0.985
    # Where a reviewer has too few items there is no interval for this panel.
    of_panel = [each.panel for each in found.values() if each.panel_defined > 0.5]
    assert report_share("least coverage, this panel", min(of_panel), draws, at_least=0.925)
    assert report_share("greatest coverage, this panel", max(of_panel), draws, at_most=0.98)
