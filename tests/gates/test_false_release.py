"""A whole gate on candidates at its very edge: how often is one released that should not be?

Five challengers on one test version, twelve weekly evaluations of each, new items and new reviewers every
time, through the gate's own conditions and the ledger's levels. The small run is part of every test run, the
long one of `make verify`.
"""

import pytest

from proofs.simulations import report_share, simulated
from tests.gates.null_worlds import (
    Crossed,
    RareDisaster,
    World,
    at_the_ceiling,
    at_the_floor,
    at_the_margin,
    false_releases,
    is_released,
    no_better,
    simulation_interval,
)

LEVEL, CHALLENGERS = 0.05, 5
MIDDLE, HIGH = Crossed(3.5), Crossed(4.7)

SMALL = {
    "floor": at_the_floor(MIDDLE, reviewers=3, weeks=6),
    "margin": at_the_margin(MIDDLE, 3.2, reviewers=3, weeks=6),
    "veto": at_the_ceiling(0.1, reviewers=3, weeks=6),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_few_test_versions_release_nearly_nothing_at_the_edge(name: str) -> None:
    found = false_releases(SMALL[name], alpha=LEVEL, challengers=CHALLENGERS, versions=20, seed=7)
    # At a rate of 5%, more than 4 of 20 come once in 400 times.
    assert found <= 4


def test_without_the_ledger_the_same_looks_release_far_more_often() -> None:
    import numpy as np

    draw = np.random.default_rng(7)
    world = SMALL["floor"]
    naive = sum(
        any(is_released(world, [LEVEL] * world.weeks, draw) for _ in range(CHALLENGERS)) for _ in range(20)
    )
    assert naive >= 5


def test_what_is_good_is_released() -> None:
    """The simulation could not tell a gate that never opens from one that keeps its level."""
    from dataclasses import replace

    world = SMALL["floor"]
    lower = replace(world.condition, threshold=(world.condition.threshold or 0) - 1.2)
    found = false_releases(
        replace(world, condition=lower, reviewers=6), alpha=LEVEL, challengers=1, versions=10, seed=7
    )
    assert found >= 8


WORLDS: dict[str, World] = {
    **{f"floor in the middle, {n} reviewers": at_the_floor(MIDDLE, reviewers=n) for n in (2, 3, 5, 8)},
    **{f"floor near the top, {n} reviewers": at_the_floor(HIGH, reviewers=n) for n in (3, 5)},
    "floor near the top, 3 of 12 reviewers an item": at_the_floor(HIGH, reviewers=12, overlap=3),
    "floor at the very top, 5 reviewers": at_the_floor(Crossed(5.1), reviewers=5),
    "floor at the very top, 3 of 12 reviewers an item": at_the_floor(Crossed(5.1), reviewers=12, overlap=3),
    "floor under rare disasters, 3 reviewers": at_the_floor(RareDisaster(0.05), reviewers=3),
    "floor, 2 of 8 reviewers an item": at_the_floor(MIDDLE, reviewers=8, overlap=2),
    **{f"margin, {n} reviewers": at_the_margin(MIDDLE, 3.2, reviewers=n) for n in (2, 3, 5)},
    **{f"margin near the top, {n} reviewers": at_the_margin(HIGH, 4.3, reviewers=n) for n in (3, 5)},
    "margin near the top, 3 of 12 reviewers an item": at_the_margin(HIGH, 4.3, reviewers=12, overlap=3),
    "superiority, 3 reviewers": no_better(MIDDLE, reviewers=3),
    **{f"veto of 5%, {n} reviewers": at_the_ceiling(0.05, reviewers=n) for n in (2, 3, 5)},
    "veto of 20%, 3 reviewers": at_the_ceiling(0.2, reviewers=3),
}


@pytest.mark.verification
@pytest.mark.parametrize("name", WORLDS)
def test_false_releases_stay_at_or_under_the_level(name: str) -> None:
    versions = simulated(400)
    found = false_releases(WORLDS[name], alpha=LEVEL, challengers=CHALLENGERS, versions=versions, seed=11)
    low, high = simulation_interval(found, versions)
    print(f"{name}: {found} of {versions} test versions, {found / versions:.1%} ({low:.1%}–{high:.1%})")
    # Half of the simulation's interval above the level is the simulation's own error.
    limit = LEVEL + found / versions - low
    assert report_share("false releases by a gate", found / versions, versions, at_most=limit)
