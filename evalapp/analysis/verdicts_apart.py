"""Compared answers of which the verdicts differ, those farthest apart first."""

from collections import defaultdict
from itertools import combinations
from statistics import fmean
from typing import NamedTuple

from evalapp.analysis.pair_lists import JudgementLine, as_lines
from evalapp.analysis.pairs import Judged, Judgements

# A tie, or both bad, beside a preference: between the same and the opposite.
_HALF = 0.5


class Apart(NamedTuple):
    """Verdicts on the same answers. ``farthest``: of the two most different, from 0 (the same) to 1 (the
    opposite); ``mean``: of all two.
    """

    comparison_id: int
    rows: list[Judged]
    farthest: float
    mean: float


class ApartLines(NamedTuple):
    """The same with what a list shows of it."""

    apart: Apart
    lines: list[JudgementLine]


def verdicts_apart(judgements: Judgements) -> list[Apart]:
    """Every comparison with two verdicts that differ, the most different first."""
    by_comparison: dict[int, list[Judged]] = defaultdict(list)
    for row in judgements.rows:
        by_comparison[row.comparison_id].append(row)
    found = []
    for comparison, rows in by_comparison.items():
        distances = [distance(one, other) for one, other in combinations(rows, 2)]
        if distances and max(distances) > 0:
            found.append(Apart(comparison, rows, max(distances), fmean(distances)))
    return sorted(found, key=lambda each: (-each.farthest, -each.mean, each.comparison_id))


def distance(one: Judged, other: Judged) -> float:
    """How far two verdicts on the same answers lie apart: the mean over every two of the answers of 0 for the
    same, 1 for the opposite preference, ½ for a preference beside a tie or "both bad", or those beside each other.
    """
    points, others = _points(one), _points(other)
    return fmean(_between(points[pair], others[pair]) for pair in points)


def _points(row: Judged) -> dict[tuple[int, int], float | None]:
    """By two candidates, the lower id first: what that one got; None is "both bad"."""
    found: dict[tuple[int, int], float | None] = {}
    for first, second, points in row.duels():
        if first < second or points is None:
            found[min(first, second), max(first, second)] = points
        else:
            found[second, first] = 1 - points
    return found


def _between(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else _HALF
    return abs(one - other)


def with_lines(judgements: Judgements, chosen: list[Apart]) -> list[ApartLines]:
    """Read for these alone."""
    lines = iter(as_lines(judgements, [row for each in chosen for row in each.rows]))
    return [ApartLines(each, [next(lines) for _ in each.rows]) for each in chosen]
