"""The distance of preferences on the same outputs, and the comparisons on which they differ."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from statistics import fmean
from typing import Generic, NamedTuple, Protocol, TypeVar

from django.db.models import QuerySet

from evalapp.campaigns.models import Purpose
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.pairs import pairs_of

CHUNK = 5_000
# A tie or "both bad" against a preference: halfway between equal and opposite.
_DISTANCE_FROM_BOTH_BAD = 0.5


class HasPairs(Protocol):
    """A preference and its comparison; ``pairs`` as in `reviews.preferences.pairs`."""

    @property
    def comparison_id(self) -> int: ...

    def pairs(self) -> Iterator[tuple[int, int, float | None]]: ...


Row = TypeVar("Row", bound=HasPairs)


class DifferingPreferences(NamedTuple, Generic[Row]):
    """Preferences on the same outputs. ``farthest``: the greatest distance of any two, from 0 (same) to 1
    (opposite); ``mean``: of all pairs of preferences.
    """

    comparison_id: int
    rows: list[Row]
    farthest: float
    mean: float


def differing_preferences(rows: Iterable[Row]) -> list[DifferingPreferences[Row]]:
    """Every comparison with preferences that differ, the greatest distance first."""
    by_comparison: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_comparison[row.comparison_id].append(row)
    found = []
    for comparison, given in by_comparison.items():
        distances = [distance(one, other) for one, other in combinations(given, 2)]
        if distances and max(distances) > 0:
            found.append(DifferingPreferences(comparison, given, max(distances), fmean(distances)))
    return sorted(found, key=lambda each: (-each.farthest, -each.mean, each.comparison_id))


def distance(one: HasPairs, other: HasPairs) -> float:
    """The distance of two preferences on the same outputs: the mean over all pairs of outputs of 0 for the
    same, 1 for the opposite preference, ½ for a preference against a tie or "both bad", or a tie against
    "both bad".
    """
    points, others = _points_by_pair(one), _points_by_pair(other)
    return fmean(_point_distance(points[pair], others[pair]) for pair in points)


def _points_by_pair(row: HasPairs) -> dict[tuple[int, int], float | None]:
    """Points of the output with the lower id, by pair of ids; None for "both bad"."""
    found: dict[tuple[int, int], float | None] = {}
    for first, second, points in row.pairs():
        if first < second or points is None:
            found[min(first, second), max(first, second)] = points
        else:
            found[second, first] = 1 - points
    return found


def _point_distance(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else _DISTANCE_FROM_BOTH_BAD
    return abs(one - other)


class GivenPreference(NamedTuple):
    """The preference in a review, as given; ``own_order``: the comparison's outputs in its own order."""

    comparison_id: int
    reviewer_id: int
    outputs: list[int]
    choice: str
    ranks: list[int] | None
    own_order: list[int]

    @property
    def turned(self) -> PreferenceAnswers:
        """The preference in the comparison's own order."""
        return PreferenceAnswers(self.choice, self.ranks).turned(self.outputs, self.own_order)

    def pairs(self) -> Iterator[tuple[int, int, float | None]]:
        return pairs_of(self.outputs, self.choice, self.ranks)


def given_preferences(reviews: QuerySet[Review]) -> list[GivenPreference]:
    """The preferences of ordinary reviews, in order of submission."""
    columns = (
        "comparison",
        "reviewer",
        "preference__outputs",
        "preference__choice",
        "preference__ranks",
        "comparison__outputs",
    )
    given = reviews.filter(purpose=Purpose.REVIEW).order_by("pk")
    return [GivenPreference(*row) for row in given.values_list(*columns).iterator(CHUNK)]
