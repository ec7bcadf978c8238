"""Compares scores of a row's counterfactual variant with those of the row itself, pair by pair."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings

NO_PAIRS = "no pair has scores of both rows"
NOT_BY_ONE = "no reviewer scored both rows of a pair"
#: Pairs are compared within reviewers only if at least this share of them has both rows by one reviewer.
_ENOUGH = 0.5


class PairSides(NamedTuple):
    """Scores of the variants and of the originals, with the pairs as items."""

    variants: Ratings
    originals: Ratings

    @property
    def pairs(self) -> int:
        """The number of pairs with scores of both."""
        return len(set(self.variants.items) & set(self.originals.items))

    def item_differences(self) -> dict[Hashable, float]:
        """Variant minus original of each pair, over all reviewers of each."""
        originals = dict(zip(self.originals.items, self.originals.item_means().tolist(), strict=True))
        variants = zip(self.variants.items, self.variants.item_means().tolist(), strict=True)
        return {pair: mean - originals[pair] for pair, mean in variants if pair in originals}


def sides_of_pairs(
    ratings: Ratings,
    *,
    variants: Mapping[Hashable, Hashable],
    originals: Mapping[Hashable, Hashable],
    population: Population,
) -> PairSides:
    """One candidate's scores of variants and of originals. ``variants`` and ``originals``: pair by item.

    Pairs are compared within reviewers if a reviewer scored both rows in at least half of them, and always
    for reviewers like these. Otherwise the two rows went to different people: then each row has the mean of
    its reviewers, and the interval is over pairs, which is valid if rows were assigned at random.
    """
    sides = PairSides(_ratings_of_pairs(ratings, variants), _ratings_of_pairs(ratings, originals))
    if population is Population.REVIEWERS or _pairs_scored_by_one_reviewer(sides) >= _ENOUGH * sides.pairs:
        return sides
    return PairSides(*(_without_reviewers(side) for side in sides))


def _ratings_of_pairs(ratings: Ratings, pairs: Mapping[Hashable, Hashable]) -> Ratings:
    chosen = np.array([item in pairs for item in ratings.items], dtype=bool)
    some = ratings.among(chosen)
    return replace(some, items=tuple(pairs[item] for item in some.items))


def _pairs_scored_by_one_reviewer(sides: PairSides) -> int:
    """Number of pairs of which one reviewer scored both rows."""
    first, second = (
        {
            (side.items[item], side.reviewers[reviewer])
            for item, reviewer in zip(side.item.tolist(), side.reviewer.tolist(), strict=True)
        }
        for side in sides
    )
    return len({pair for pair, _ in first & second})


def _without_reviewers(ratings: Ratings) -> Ratings:
    return replace(ratings, reviewer=np.zeros_like(ratings.reviewer), reviewers=(0,) if len(ratings) else ())


class WorstDifference(NamedTuple):
    """``name``: of the difference with the lowest lower bound. ``measure``: of the smallest of all true
    differences.
    """

    name: str
    measure: Measure


def worst_difference(
    sides: Mapping[str, PairSides], bounds: Callable[[PairSides, float], Measure], *, alpha: float
) -> WorstDifference:
    """The smallest of several differences, with bounds that are each one-sided at ``alpha``.

    ``bounds`` returns the bounds of one difference at a level. The smallest lower bound holds at ``alpha`` by
    itself: it exceeds the smallest true difference only if the bound of that difference does (an
    intersection–union test, Berger 1982). The smallest upper bound may fail through any of them, so each is
    at ``alpha`` divided by their number (Bonferroni). Undefined if any difference is undefined; without
    bounds if any has none.
    """
    label = signature("worst-difference", 1, of=len(sides), sided=1, alpha=alpha)
    if not sides:
        return WorstDifference("", Measure.undefined("there are no pairs", signature=label))
    lower = {name: bounds(side, alpha) for name, side in sides.items()}
    for name, found in lower.items():
        if found.value is None:
            reason = f"{name}: {found.reason}"
            return WorstDifference(name, Measure.undefined(reason, signature=label))
    smallest = min(found.value for found in lower.values() if found.value is not None)
    for name, found in lower.items():
        if found.low is None:
            note = f"no interval: {name}, {found.note.removeprefix('no interval: ')}"
            return WorstDifference(name, Measure(value=smallest, n=found.n, note=note, signature=label))
    name = min(lower, key=lambda each: lower[each].low or 0.0)
    upper = [bounds(side, alpha / len(sides)).high for side in sides.values()]
    high = min(each for each in upper if each is not None)
    found = lower[name]
    note = "; ".join(filter(None, (f"worst: {name}", found.note)))
    measure = Measure(value=smallest, n=found.n, low=found.low, high=high, note=note, signature=label)
    return WorstDifference(name, measure)
