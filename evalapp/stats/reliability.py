"""Intraclass correlation: the share of the variance of scores that is due to the items.

``n`` counts items. A full table (every reviewer scored every item) gets the exact F intervals. Otherwise the
variance components are estimated from the scores that exist, and the interval is a percentile bootstrap over
items, for this panel. Negative values are shown.
"""

from typing import Literal, NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.agreement import NO_OVERLAP, NO_VARIATION, ONE_REVIEWER
from evalapp.stats.ratings import Ratings, why_no_scores
from evalapp.stats.resampling import (
    DEFAULT_REPLICATES,
    Array,
    Interval,
    WeightedStatistic,
    bootstrap,
    column_sums,
    item_weights,
    require_level,
    too_few_items,
)
from evalapp.stats.scores import FOR_THIS_PANEL

IccForm = Literal["1", "2,1", "2,k"]
OPPOSED = "the reviewers contradict each other too far for their mean to have a reliability"
# With an F of 0 the interval would have no width or not exist, as if the value were certain.
SAME_MEANS = "no interval: all items have the same mean"
FORMS: tuple[IccForm, ...] = ("1", "2,1", "2,k")


def icc(
    ratings: Ratings,
    *,
    form: IccForm = "2,1",
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Intraclass correlation of absolute agreement.

    "1": one score, each item by any reviewers. "2,1": one score, by a sample of reviewers who score across
    items. "2,k": the mean over an item's reviewers (k is their harmonic mean number). Undefined for one item,
    one reviewer, no item with two scores, or no variation. Sources: Shrout and Fleiss (1979); McGraw and Wong
    (1996) for the intervals; Henderson's method I for missing scores.
    """
    require_level(level)
    if form not in FORMS:
        raise ValueError(f'the form is one of {"; ".join(FORMS)}, not "{form}"')
    if ratings.has_repeats():
        raise ValueError("a reviewer scored the same item twice: give one score each")
    # The exact intervals assume independent items.
    full = ratings.group is None and len(ratings) == len(ratings.items) * len(ratings.reviewers)
    name = (
        signature("icc", form=form, interval="F", level=level)
        if full
        else signature("icc", form=form, interval="bootstrap", replicates=replicates, seed=seed, level=level)
    )
    n = len(ratings.items)
    if reason := _cannot_tell(ratings):
        return Measure.undefined(reason, n=n, signature=name)
    if full:
        value, found = _full_table(ratings, form, level)
    else:
        statistic = _one_way(ratings) if form == "1" else _two_way(ratings, averaged=form == "2,k")
        with np.errstate(invalid="ignore", divide="ignore"):
            value = float(statistic(np.ones((1, n)))[0])
        found = Interval(None, None, too_few_items(n))
        if np.isfinite(value) and not found.note:
            weights = item_weights(n, ratings.group, replicates=replicates, seed=seed)
            found = bootstrap(statistic, weights, level=level)
        found = Interval(found.low, found.high, found.note or f"over items, {FOR_THIS_PANEL}")
    if not np.isfinite(value):
        return Measure.undefined(OPPOSED if form == "2,k" else NO_VARIATION, n=n, signature=name)
    return Measure(value=value, n=n, low=found.low, high=found.high, note=found.note, signature=name)


def _cannot_tell(ratings: Ratings) -> str:
    if not len(ratings):
        return why_no_scores(ratings.not_applicable)
    if len(ratings.reviewers) < 2:
        return ONE_REVIEWER
    if len(ratings.items) < 2:
        return "one item"
    if np.max(ratings.per_item) < 2:
        return NO_OVERLAP
    return NO_VARIATION if np.ptp(ratings.score) == 0 else ""


class _MeanSquares(NamedTuple):
    """Analysis of variance of a full table of ``n`` items by ``k`` reviewers."""

    n: int
    k: int
    items: float
    reviewers: float
    within: float
    rest: float


def _mean_squares(ratings: Ratings) -> _MeanSquares:
    n, k = len(ratings.items), len(ratings.reviewers)
    table = np.empty((n, k))
    table[ratings.item, ratings.reviewer] = ratings.score - ratings.score.mean()
    items = k * float((table.mean(axis=1) ** 2).sum())
    reviewers = n * float((table.mean(axis=0) ** 2).sum())
    total = float((table**2).sum())
    rest = total - items - reviewers
    if rest < 1e-12 * total:
        # Rounding leaves a trace if scores differ only by item or only by reviewer.
        rest = 0.0
    if items < 1e-12 * total:
        items = 0.0
    return _MeanSquares(
        n=n,
        k=k,
        items=items / (n - 1),
        reviewers=reviewers / (k - 1),
        within=max(total - items, 0.0) / (n * (k - 1)),
        rest=rest / ((n - 1) * (k - 1)),
    )


def _full_table(ratings: Ratings, form: IccForm, level: float) -> tuple[float, Interval]:
    squares = _mean_squares(ratings)
    if form == "1":
        return _one_way_full(squares, level)
    single, found = _two_way_full(squares, level)
    if form == "2,1" or not np.isfinite(single):
        return single, found
    value = _stepped_up(single, squares.k)
    if found.low is None or found.high is None or not np.isfinite(value):
        return value, found
    low, high = _stepped_up(found.low, squares.k), _stepped_up(found.high, squares.k)
    if not np.isfinite(low):
        return value, Interval(None, None, f"no interval: at its lower end {OPPOSED}")
    return value, Interval(low, high, found.note)


def _one_way_full(squares: _MeanSquares, level: float) -> tuple[float, Interval]:
    n, k = squares.n, squares.k
    value = (squares.items - squares.within) / (squares.items + (k - 1) * squares.within)
    if squares.within <= 1e-12 * squares.items:
        return value, Interval(None, None, "no interval: the reviewers agree on every item")
    ratio = squares.items / squares.within
    if squares.items == 0:
        return value, Interval(None, None, SAME_MEANS)
    low = ratio / _f_quantile(level, n - 1, n * (k - 1))
    high = ratio * _f_quantile(level, n * (k - 1), n - 1)
    return value, Interval((low - 1) / (low + k - 1), (high - 1) / (high + k - 1))


def _two_way_full(squares: _MeanSquares, level: float) -> tuple[float, Interval]:
    n, k, rest = squares.n, squares.k, squares.rest
    spread = squares.items + (k - 1) * rest + k * (squares.reviewers - rest) / n
    if spread <= 0:
        return float("nan"), Interval(None, None)
    value = (squares.items - rest) / spread
    if rest == 0:
        return value, Interval(None, None, "no interval: the reviewers differ by a constant or not at all")
    if squares.items == 0:
        return value, Interval(None, None, SAME_MEANS)
    return value, _mcgraw_wong(squares, value, level)


def _mcgraw_wong(squares: _MeanSquares, value: float, level: float) -> Interval:
    """Interval of ICC(2,1) for a full table: McGraw and Wong (1996), table 7, case A,1."""
    n, k, items, rest = squares.n, squares.k, squares.items, squares.rest
    of_reviewers = k * value / (n * (1 - value)) * squares.reviewers
    of_rest = (1 + k * value * (n - 1) / (n * (1 - value))) * rest
    degrees = (of_reviewers + of_rest) ** 2 / (of_reviewers**2 / (k - 1) + of_rest**2 / ((n - 1) * (k - 1)))
    lower_f = _f_quantile(level, n - 1, degrees)
    upper_f = _f_quantile(level, degrees, n - 1)
    noise = k * squares.reviewers + (k * n - k - n) * rest
    low = n * (items - lower_f * rest) / (lower_f * noise + n * items)
    high = n * (upper_f * items - rest) / (noise + n * upper_f * items)
    # If reviewers contradict each other throughout, both ends are equal up to rounding.
    return Interval(min(low, high), max(low, high))


def _f_quantile(level: float, above: float, below: float) -> float:
    from scipy.special import fdtri

    return float(fdtri(above, below, 0.5 + level / 2))


def _stepped_up(single: float, k: float) -> float:
    """Reliability of a mean of k scores from that of one (Spearman and Brown).

    NaN if reviewers contradict each other so much that their mean has no reliability.
    """
    divisor = 1 + (k - 1) * single
    return k * single / divisor if divisor > 1e-9 else float("nan")


def _one_way(ratings: Ratings) -> WeightedStatistic:
    scores = ratings.score - ratings.score.mean()
    sums = np.bincount(ratings.item, weights=scores)
    counts = ratings.per_item.astype(float)
    squares = np.bincount(ratings.item, weights=scores**2)
    columns = np.column_stack([np.ones_like(sums), counts, counts**2, sums, squares, sums**2 / counts])

    def one_way(weights: Array) -> Array:
        items, total, count_squares, sum_, square, between = (weights @ columns).T
        inside = (square - between) / (total - items)
        typical = (total - count_squares / total) / (items - 1)
        of_items = ((between - sum_**2 / total) / (items - 1) - inside) / typical
        result: Array = of_items / (of_items + inside)
        return result

    return one_way


def _two_way(ratings: Ratings, *, averaged: bool) -> WeightedStatistic:
    """ICC(2,·) from Henderson's method I; an item drawn twice counts as two items."""
    scores = ratings.score - ratings.score.mean()
    counts = ratings.per_item.astype(np.float64)
    sums, squares = (np.bincount(ratings.item, weights=each) for each in (scores, scores**2))
    columns = np.column_stack(
        [np.ones_like(counts), counts, counts**2, 1 / counts, sums, squares, sums**2 / counts]
    )

    def by_reviewer(weights: Array, values: Array | float) -> Array:
        return column_sums(weights, ratings.item, ratings.reviewer, values, len(ratings.reviewers))

    def two_way(weights: Array) -> Array:
        items, total, count_squares, inverse, sum_, square, item_sum = (weights @ columns).T
        per_reviewer = by_reviewer(weights, 1.0)
        present = per_reviewer > 0
        divisor = np.where(present, per_reviewer, 1)
        reviewer_sum = (by_reviewer(weights, scores) ** 2 / divisor).sum(axis=1)
        reviewers = present.sum(axis=1)
        reviewer_squares = (per_reviewer**2).sum(axis=1)
        mean = sum_**2 / total
        item_left, reviewer_left = total - count_squares / total, total - reviewer_squares / total
        expected = np.stack(
            [
                np.stack([item_left, items - reviewer_squares / total, items - 1], axis=1),
                np.stack([reviewers - count_squares / total, reviewer_left, reviewers - 1.0], axis=1),
                np.stack([item_left, reviewer_left, total - 1], axis=1),
            ],
            axis=1,
        )
        found = np.stack([item_sum - mean, reviewer_sum - mean, square - mean], axis=1)
        parts = _solve_each(expected, found)
        k = items / inverse if averaged else 1.0
        of_items, others = parts[:, 0], parts[:, 1] + parts[:, 2]
        spread = of_items + others / k
        spread[spread <= 1e-12] = np.nan
        result: Array = of_items / spread
        return result

    return two_way


def _solve_each(expected: Array, found: Array) -> Array:
    """Solve one 3 × 3 system per replicate; NaN if it has no unique solution."""
    scale = np.abs(expected).max(axis=(1, 2))
    solvable = np.abs(np.linalg.det(expected / scale[:, None, None])) > 1e-12
    parts = np.full(found.shape, np.nan)
    parts[solvable] = np.linalg.solve(expected[solvable], found[solvable][..., None])[..., 0]
    return parts
