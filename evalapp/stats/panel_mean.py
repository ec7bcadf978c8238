"""The panel mean: what these reviewers, equally weighted, would score new items on average.

The average of the reviewers' own means, which is least squares with a column per reviewer. A mean over
reviews is a different quantity if some reviewers did more of them. Errors are clustered (by item, or by the
document, client or conversation that items come from), and corrected for few clusters: CR2 by Bell and
McCaffrey (2002), with the degrees of freedom of their approximation, as in Pustejovsky and Tipton (2018).
Valid if items were assigned to reviewers at random or in rotation, with one or several scores per item.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evalapp.stats.bounded_mean import mean_lower_bound, mean_upper_bound
from evalapp.stats.ratings import Codes, Ratings
from evalapp.stats.resampling import Array, Interval

#: With fewer items, a reviewer's own mean is too uncertain.
FEWEST_ITEMS = 5
#: If equal weights enlarge the standard error by more than this factor, the reviews are too unequal.
MOST_LOSS = 1.5
#: Largest share of the scores that may come from reviewers with few items, for the panel to be the other
#: reviewers. With more it is a different panel: with 18 items by eight reviewers, the interval of those left
#: contained the mean of all eight in 84%.
MOST_LEFT_OUT = 0.1
NO_VARIATION = "no variation"


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelMean:
    """``mean`` with its standard ``error`` and the ``degrees`` of freedom of its Student's t, over new items
    (or new groups) by the same reviewers.
    """

    mean: float
    error: float
    degrees: float


class Panel(NamedTuple):
    """``ratings`` by the reviewers whom a claim is about; ``note`` says how many were left out, if any."""

    ratings: Ratings
    note: str


def panel_of(ratings: Ratings) -> Panel:
    """The ratings without reviewers with fewer than `FEWEST_ITEMS` items, if these have only just begun:
    together they gave at most `MOST_LEFT_OUT` of the scores.
    """
    enough = _items_by_reviewer(ratings) >= FEWEST_ITEMS
    few = int((~enough).sum())
    left = float(ratings.per_reviewer[~enough].sum())
    if not few or left > MOST_LEFT_OUT * len(ratings):
        return Panel(ratings, "")
    left_out = f"{few} reviewer{'s' * (few > 1)}"
    return Panel(ratings.by(enough), f"without {left_out} who scored fewer than {FEWEST_ITEMS} items")


def panel_mean(ratings: Ratings) -> PanelMean | str:
    """The panel mean, or why there is none.

    There is none if one of several reviewers scored fewer than `FEWEST_ITEMS` items (see `panel_of`), if the
    reviewers' shares are so unequal that equal weights enlarge the error by more than `MOST_LOSS`, and for
    one item or group.
    """
    weights = panel_weights(ratings)
    return weights if isinstance(weights, str) else _cluster_robust_mean(ratings, weights)


def panel_weights(ratings: Ratings) -> Array | str:
    """Weight of each reviewer's own mean, 1/R, or why there are no weights."""
    reviewers = len(ratings.reviewers)
    if reviewers > 1 and (_items_by_reviewer(ratings) < FEWEST_ITEMS).any():
        return f"reviewers with fewer than {FEWEST_ITEMS} items"
    weights = np.full(reviewers, 1 / max(reviewers, 1))
    # Variance of the equally weighted mean relative to that of the plain mean of as many scores.
    loss = float((weights**2 / ratings.per_reviewer).sum() * ratings.per_reviewer.sum())
    if loss > MOST_LOSS**2:
        return "reviewers with very unequal numbers of reviews"
    return weights


def panel_value(ratings: Ratings, weights: Array) -> float:
    """Mean of the reviewers' own means with these `panel_weights`."""
    own = np.bincount(ratings.reviewer, weights=ratings.score) / ratings.per_reviewer
    return float(weights @ own)


def panel_bounds(
    ratings: Ratings, weights: Array, *, alpha: float, ends: tuple[float, float], times: float = 1.0
) -> Interval:
    """Both bounds of the mean with these `panel_weights`, for scores on a scale with ``ends``.

    The bounds of `evalapp.stats.bounded_mean`, each one-sided at ``alpha``, for the means of independent
    units (items, or their groups), with ``times`` as many of them.
    """
    if ratings.groups < 2:
        return Interval(None, None, f"no interval: {_why_single(ratings)}")
    pull = (weights / ratings.per_reviewer)[ratings.reviewer]
    shares = np.bincount(ratings.cluster, weights=pull).astype(np.float64)
    means = np.bincount(ratings.cluster, weights=pull * ratings.score) / np.where(shares > 0, shares, 1)
    # Rounding may put a mean just outside the scale.
    means = np.clip(means, *ends)
    low, high = (
        bound(means, weights=shares, alpha=alpha, smallest=ends[0], largest=ends[1], times=times)
        for bound in (mean_lower_bound, mean_upper_bound)
    )
    return Interval(low, high)


def _why_single(ratings: Ratings) -> str:
    return "one item" if len(ratings.items) < 2 else "one group"


def _items_by_reviewer(ratings: Ratings) -> Codes:
    cells = np.unique(ratings.item * max(len(ratings.reviewers), 1) + ratings.reviewer)
    return np.bincount(cells % max(len(ratings.reviewers), 1), minlength=len(ratings.reviewers))


def _cluster_robust_mean(ratings: Ratings, weights: Array) -> PanelMean | str:
    """The weighted mean of reviewers' means, with CR2 errors by cluster.

    With a column per reviewer the hat matrix is 1/n_r between scores of one reviewer, so the correction of a
    cluster is a factor for each of its reviewers: (1 − m/n)^-½, where m of the reviewer's n scores are in the
    cluster.
    """
    cluster, clusters, reviewers = ratings.cluster, ratings.groups, len(ratings.reviewers)
    if clusters < 2:
        return _why_single(ratings)
    if ratings.is_constant:
        return NO_VARIATION
    count = ratings.per_reviewer.astype(np.float64)
    means = np.bincount(ratings.reviewer, weights=ratings.score, minlength=reviewers) / count
    rest = ratings.score - means[ratings.reviewer]
    cells, place = np.unique(cluster * reviewers + ratings.reviewer, return_inverse=True)
    of_cluster, of_reviewer = np.divmod(cells, reviewers)
    within = np.bincount(place).astype(np.float64)
    left = 1 - within / count[of_reviewer]
    # A reviewer's scores in a single cluster say nothing about the spread between clusters.
    factor = np.where(left > 1e-12, 1 / np.sqrt(np.maximum(left, 1e-12)), 0.0)
    pull = weights[of_reviewer] / count[of_reviewer] * factor
    sums = np.bincount(of_cluster, weights=pull * np.bincount(place, weights=rest), minlength=clusters)
    variance = float((sums**2).sum())
    if variance <= 0:
        return NO_VARIATION
    # G'G is diag(squares) − U (X'X)⁻¹ U', with one row of U per cluster.
    squares = np.bincount(of_cluster, weights=pull**2 * within, minlength=clusters)
    crossed = np.zeros((clusters, reviewers))
    crossed[of_cluster, of_reviewer] = pull * within
    scaled = crossed / count
    inner = scaled.T @ crossed
    by_cluster = (scaled * crossed).sum(axis=1)
    trace = float(squares.sum() - by_cluster.sum())
    square = float((squares**2).sum() - 2 * (squares * by_cluster).sum() + (inner * inner.T).sum())
    return PanelMean(mean=float(weights @ means), error=math.sqrt(variance), degrees=trace**2 / square)
