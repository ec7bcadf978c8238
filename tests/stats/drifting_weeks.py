"""Weeks of reviewed outputs in which something changes: the model, a reviewer, all of them, or the inputs."""

from typing import NamedTuple

import numpy as np

from evalapp.stats.weekly_scores import WeeklyScores


class World(NamedTuple):
    """``outputs`` a week, ``anchors`` of them from earlier weeks, chosen without regard to their score and
    by a reviewer who has not seen them for four weeks; the rest are dealt to ``reviewers`` at random.

    From ``onset`` on ``changed`` ("model", "one", "all" or "mix") lowers scores by ``size``, or the mean of
    the strata's levels by the same.
    """

    changed: str = ""
    size: float = 0.8
    weeks: int = 12
    outputs: int = 60
    anchors: int = 9
    reviewers: int = 3
    overlap: int = 1
    item_sd: float = 0.6
    rest_sd: float = 0.6
    severity_sd: float = 0.4
    week_sd: float = 0.1
    mood_sd: float = 0.0
    onset: int = 9
    is_rounded: bool = False


STRATA = np.array([-0.6, 0.0, 0.6])
MOVED = 1
"""The reviewer who changes, in a world where one does."""


class _Item(NamedTuple):
    level: float
    stratum: int
    seen: dict[int, int]


def drawn_weeks(generator: np.random.Generator, world: World) -> WeeklyScores:
    """All weeks of one run."""
    severity = generator.normal(0, world.severity_sd, world.reviewers)
    items: list[_Item] = []
    rows: list[tuple[int, int, int, bool, int, float]] = []
    for week in range(1, world.weeks + 1):
        is_late = week >= world.onset
        shift = np.zeros(world.reviewers) + generator.normal(0, world.mood_sd)
        if is_late and world.changed == "one":
            shift[MOVED] -= world.size
        if is_late and world.changed == "all":
            shift -= world.size

        def score(number: int, who: int, *, anchor: bool, moved: np.ndarray = shift, now: int = week) -> None:
            item = items[number]
            found = item.level + severity[who] + moved[who] + generator.normal(0, world.rest_sd)
            value = float(np.clip(np.round(found), 1, 5)) if world.is_rounded else float(found)
            rows.append((now, who, number, anchor, item.stratum, value))
            item.seen[who] = now

        anchors = _anchors(generator, items, week, world)
        for number, who in anchors:
            score(number, who, anchor=True)
        level = 3.5 + generator.normal(0, world.week_sd)
        level -= world.size if is_late and world.changed == "model" else 0.0
        moved = world.size / (STRATA[-1] - STRATA[0]) if is_late and world.changed == "mix" else 0.0
        shares = np.array([1 / 3 + moved, 1 / 3, 1 / 3 - moved])
        first = generator.permutation(world.outputs - len(anchors)) % world.reviewers
        for who in first.tolist():
            stratum = int(generator.choice(3, p=shares))
            quality = level + STRATA[stratum] + generator.normal(0, world.item_sd)
            items.append(_Item(float(quality), stratum, {}))
            for further in range(world.overlap):
                score(len(items) - 1, (who + further) % world.reviewers, anchor=False)
    week, reviewer, item, anchor, strata, scores = zip(*rows, strict=True)
    return WeeklyScores.from_columns(
        weeks=week, reviewers=reviewer, items=item, anchors=anchor, strata=strata, scores=scores
    )


def _anchors(
    generator: np.random.Generator, items: list[_Item], week: int, world: World
) -> list[tuple[int, int]]:
    """Which earlier outputs are scored again, and by whom."""
    found: list[tuple[int, int]] = []
    for number in generator.permutation(len(items)).tolist():
        if len(found) == world.anchors:
            break
        free = [who for who in range(world.reviewers) if items[number].seen.get(who, -9) <= week - 4]
        if free:
            found.append((number, int(generator.choice(free))))
    return found


def until(scores: WeeklyScores, week: int) -> WeeklyScores:
    """What is known at the end of a week."""
    return scores.only(scores.week <= week)
