"""Means and shares of a sample whose units were not all equally likely: weighted by one over that chance.

Hájek's ratio estimators (1971) with linearised variances, as in Särndal, Swensson and Wretman (1992),
section 5.6; the finite population is not corrected for, so that the interval speaks of what production does,
not only of the outputs of one week. With equal weights they are the plain mean and Wilson's share.
"""

import math
from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.proportions import wilson_interval
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import FOR_THIS_PANEL, student_quantile


class WeightedEstimate(NamedTuple):
    """A measure with its standard error, which is None where the measure has no interval."""

    measure: Measure
    error: float | None


def weighted_score(
    ratings: Ratings,
    weights: Mapping[Hashable, float],
    *,
    bounds: tuple[float, float],
    level: float = 0.95,
) -> WeightedEstimate:
    """Weighted mean of the item means, with Student's interval over items, for this panel.

    ``weights`` by item label, each above 0. ``n`` counts items. Undefined without scores; no interval with
    one item or no variation.
    """
    require_level(level)
    name = signature("weighted-mean", interval="items", level=level)
    if not len(ratings):
        return WeightedEstimate(Measure.undefined(_no_answers(ratings), signature=name), None)
    shares = _shares(ratings, weights)
    means = ratings.item_means()
    value = float((shares * means).sum())
    n = len(shares)
    if n < 2 or np.ptp(means) == 0:
        why = "one item" if n < 2 else "no variation"
        return WeightedEstimate(Measure(value=value, n=n, note=f"no interval: {why}", signature=name), None)
    error = math.sqrt(n / (n - 1) * float(((shares * (means - value)) ** 2).sum()))
    reach = student_quantile(level, n - 1) * error
    measure = Measure(
        value=value,
        n=n,
        low=max(bounds[0], value - reach),
        high=min(bounds[1], value + reach),
        note=FOR_THIS_PANEL,
        signature=name,
    )
    return WeightedEstimate(measure, error)


def weighted_share(
    ratings: Ratings, weights: Mapping[Hashable, float], *, level: float = 0.95, name: str = "weighted-share"
) -> WeightedEstimate:
    """Weighted share of the items at least half of whose reviewers said 1, among scores of 0 and 1.

    The interval is Wilson's at the effective number of items, (Σw)² / Σw² (Kish 1965). ``n`` counts items.
    Undefined without answers.
    """
    require_level(level)
    label = signature(name, interval="wilson", level=level)
    if not len(ratings):
        return WeightedEstimate(Measure.undefined(_no_answers(ratings), signature=label), None)
    shares = _shares(ratings, weights)
    value = min(1.0, float(shares[ratings.item_means() >= 0.5].sum()))
    effective = 1 / float((shares**2).sum())
    low, high = wilson_interval(value * effective, effective, level=level)
    measure = Measure(value=value, n=len(shares), low=low, high=high, note=FOR_THIS_PANEL, signature=label)
    return WeightedEstimate(measure, math.sqrt(value * (1 - value) / effective))


def _shares(ratings: Ratings, weights: Mapping[Hashable, float]) -> Array:
    """Each item's part of the whole weight."""
    found = np.array([weights[item] for item in ratings.items], dtype=np.float64)
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError("a weight is one over a probability, so it is finite and above 0")
    shares: Array = found / found.sum()
    return shares


def _no_answers(ratings: Ratings) -> str:
    return "every answer is N/A" if ratings.not_applicable else "no answers"
