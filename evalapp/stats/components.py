"""Variance components of scores: item, reviewer and rest, for any pattern of missing scores."""

from dataclasses import dataclass

import numpy as np

from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Variances of score = mean + item + reviewer + rest, in squared score units.

    A component may be estimated as negative by chance; code that needs a variance clips it. If each item has
    one score, the item's part is in ``rest`` (``item_apart`` is False); if each reviewer gave one score, the
    reviewer's is (``reviewer_apart`` is False).
    """

    item: float
    reviewer: float
    rest: float
    item_apart: bool = True
    reviewer_apart: bool = True


def variance_components(ratings: Ratings) -> VarianceComponents:
    """Henderson's method I for the random two-way model without interaction.

    Unbiased for unbalanced data, and equal to the analysis of variance for a full table. Needs at least two
    scores. Source: Searle, Casella, McCulloch, Variance Components (1992), 5.3.
    """
    items, reviewers, total = len(ratings.items), len(ratings.reviewers), len(ratings)
    if total < 2:
        raise ValueError("variance components need at least two scores")
    per_item, per_reviewer = ratings.per_item.astype(float), ratings.per_reviewer.astype(float)
    score = ratings.score - ratings.score.mean()
    item_sums = np.bincount(ratings.item, weights=score, minlength=items)
    reviewer_sums = np.bincount(ratings.reviewer, weights=score, minlength=reviewers)
    item_in_reviewer, reviewer_in_item = _overlap(ratings, per_item, per_reviewer)
    item_square = float((per_item**2).sum()) / total
    reviewer_square = float((per_reviewer**2).sum()) / total
    sums = np.array(
        [(item_sums**2 / per_item).sum(), (reviewer_sums**2 / per_reviewer).sum(), (score**2).sum()]
    )
    expected = np.array(
        [
            [total - item_square, reviewer_in_item - reviewer_square, items - 1],
            [item_in_reviewer - item_square, total - reviewer_square, reviewers - 1],
            [total - item_square, total - reviewer_square, total - 1],
        ]
    )
    item_apart = 1 < items < total
    reviewer_apart = 1 < reviewers < total
    return _solve(expected, sums, item_apart=item_apart, reviewer_apart=reviewer_apart)


def _overlap(ratings: Ratings, per_item: Array, per_reviewer: Array) -> tuple[float, float]:
    cell = ratings.item * len(ratings.reviewers) + ratings.reviewer
    cells, counts = np.unique(cell, return_counts=True)
    squares = counts.astype(float) ** 2
    item, reviewer = np.divmod(cells, len(ratings.reviewers))
    return float((squares / per_reviewer[reviewer]).sum()), float((squares / per_item[item]).sum())


def _solve(expected: Array, sums: Array, *, item_apart: bool, reviewer_apart: bool) -> VarianceComponents:
    keep = [position for position, apart in ((0, item_apart), (1, reviewer_apart)) if apart] + [2]
    part = expected[np.ix_(keep, keep)]
    # Two groups of reviewers that share no item, each with one item, make the equations dependent; the
    # least-norm solution keeps their sum, on which the intervals rest.
    values, *_ = np.linalg.lstsq(part, sums[keep], rcond=1e-12)
    found = dict(zip(keep, (float(value) for value in values), strict=True))
    return VarianceComponents(
        item=found.get(0, 0.0),
        reviewer=found.get(1, 0.0),
        rest=found[2],
        item_apart=item_apart,
        reviewer_apart=reviewer_apart,
    )
