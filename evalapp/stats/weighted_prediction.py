"""A week's mean or rate from few reviews and a metric that is known for every output.

The metric shows how the reviewed outputs differ from all outputs of their stratum, and each score is
corrected by that, times a weight: the difference estimator (Särndal, Swensson and Wretman 1992, section 6.3),
which equals PPI++ (Angelopoulos, Duchi and Zrnic 2023) if every output has the metric. The weight of an
output is estimated from the other outputs (cross-fitting; Zrnic and Candès 2024) and shrunk towards 0 by its
chance part, so that an unrelated metric neither biases nor widens the result. This assumes one version of the
metric for the whole week that was not tuned on these reviews; it need not agree with people.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.bounds import clopper_pearson
from evalapp.stats.ratings import Codes, Ratings
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import FOR_THIS_PANEL
from evalapp.stats.weighted import (
    SampleDesign,
    WeightedEstimate,
    WeightedValues,
    effective_outputs,
    estimated_mean,
    weighted_score,
    weighted_share,
    weighted_values,
)

#: With fewer reviewed outputs the weight is too uncertain.
FEWEST_REVIEWED = 20
#: With fewer marks among equally weighted outputs, a rate's interval with a metric does not keep its level.
FEWEST_MARKS = 10
FOLDS = 10
#: Largest share of a stratum's outputs that may lack the metric, such as late ones.
MOST_MISSING = 0.001


class MetricMean(NamedTuple):
    """The metric over all outputs of a stratum: their number and mean."""

    outputs: int
    mean: float


class WeightedPrediction(NamedTuple):
    """``estimate`` with the metric, beside the ``classical`` one without it.

    ``gain``: factor by which the reviews would have to grow for the same classical interval.
    ``weight``: points of score per point of the metric.
    """

    estimate: WeightedEstimate
    classical: WeightedEstimate
    gain: Measure
    weight: Measure


def predicted_score(
    ratings: Ratings,
    design: SampleDesign,
    metric: Mapping[Hashable, float | None],
    everywhere: Mapping[Hashable, MetricMean],
    *,
    bounds: tuple[float, float],
    level: float = 0.95,
    seed: int = 0,
) -> WeightedPrediction:
    """The week's mean as in `evalapp.stats.weighted.weighted_score`, made more precise by a metric.

    ``metric``: by reviewed item; ``everywhere``: by stratum of the design, over all its outputs. Undefined
    with fewer than 20 reviewed items, if one of them has no metric, and if ``everywhere`` does not cover the
    design's outputs. With a metric that does not vary the estimate is the classical one. ``seed`` assigns the
    reviewed items to the folds. Raises ValueError for a metric that is not finite.
    """
    require_level(level)
    classical = weighted_score(ratings, design, bounds=bounds, level=level)
    name = signature("predicted-mean", method="cross-fitted", folds=FOLDS, level=level, seed=seed)
    known = _KnownMetric(metric, everywhere, seed)
    found = _corrected_by_metric(ratings, design, known, ratings.item_means() if len(ratings) else None)
    if isinstance(found, str):
        return _undefined(found, classical, name)
    estimate = estimated_mean(found.weights, found.values, bounds=bounds, level=level, name=name)
    return _prediction_with_gain(estimate, classical, found)


def predicted_share(
    ratings: Ratings,
    design: SampleDesign,
    metric: Mapping[Hashable, float | None],
    everywhere: Mapping[Hashable, MetricMean],
    *,
    level: float = 0.95,
    seed: int = 0,
) -> WeightedPrediction:
    """The week's share of marks as in `evalapp.stats.weighted.weighted_share`, made more precise by a metric.

    As `predicted_score`; also undefined if the marks or the others, at the effective number of outputs, are
    fewer than 10. The interval is Clopper and Pearson's at the number of outputs that corresponds to the
    variance.
    """
    require_level(level)
    classical = weighted_share(ratings, design, level=level)
    name = signature("predicted-share", method="cross-fitted", folds=FOLDS, level=level, seed=seed)
    marks = (ratings.item_means() >= 0.5).astype(np.float64) if len(ratings) else None
    found = _corrected_by_metric(ratings, design, _KnownMetric(metric, everywhere, seed), marks)
    share = classical.measure.value
    if not isinstance(found, str) and share is not None:
        rarer = min(share, 1 - share)
        if classical.effective * rarer < FEWEST_MARKS:
            found = f"fewer than {FEWEST_MARKS} marks at the effective number of outputs"
    if isinstance(found, str):
        return _undefined(found, classical, name)
    plain = estimated_mean(found.weights, found.values, bounds=(0, 1), level=level, name=name)
    value = plain.measure.value or 0.0
    variance, degrees = found.weights.variance(found.values)
    # With a metric an output is worth more than itself, as far as the variance shows.
    most = found.weights.effective * max((classical.error or 0.0) ** 2 / max(variance, 1e-15), 1.0)
    effective = effective_outputs(value, variance, degrees, found.weights, level=level, most=most)
    low, high = clopper_pearson(value * effective, effective, alpha=(1 - level) / 2)
    measure = replace(plain.measure, low=min(low, value), high=max(high, value), note=FOR_THIS_PANEL)
    return _prediction_with_gain(plain._replace(measure=measure), classical, found)


class _KnownMetric(NamedTuple):
    metric: Mapping[Hashable, float | None]
    everywhere: Mapping[Hashable, MetricMean]
    seed: int


class _Corrected(NamedTuple):
    """Reviewed values, less the chance deviation of the draw that the metric shows."""

    weights: WeightedValues
    values: Array
    slope: float


def _corrected_by_metric(
    ratings: Ratings, design: SampleDesign, given: _KnownMetric, values: Array | None
) -> _Corrected | str:
    if values is None or values.size < FEWEST_REVIEWED:
        return f"fewer than {FEWEST_REVIEWED} reviewed outputs"
    of_items = [given.metric.get(item) for item in ratings.items]
    known = np.array([np.nan if each is None else each for each in of_items], dtype=np.float64)
    if any(each is not None and not math.isfinite(each) for each in of_items):
        raise ValueError("the metric is not finite; use None where it is undefined")
    if np.isnan(known).any():
        return "a reviewed output has no metric"
    sizes = design.sizes()
    for stratum, size in sizes.items():
        has = given.everywhere[stratum].outputs if stratum in given.everywhere else 0
        if abs(has - size) > max(MOST_MISSING * size, 0.5):
            return "the metric is not known of every output of the week"
    weights = weighted_values(ratings, design)
    deviations = known - _means_everywhere(ratings, design, given.everywhere, weights)
    fold = _folds(weights.place, given.seed)
    slopes = np.zeros(values.size)
    for number in range(FOLDS):
        here = fold == number
        if here.any():
            slopes[here] = _slope(known, values, weights, ~here)
    return _Corrected(weights, values - slopes * deviations, float(weights.shares @ slopes))


def _means_everywhere(
    ratings: Ratings,
    design: SampleDesign,
    everywhere: Mapping[Hashable, MetricMean],
    weights: WeightedValues,
) -> Array:
    """By reviewed item, the metric's mean over all outputs of its class, which may have several strata."""
    place_of = {
        design.drawn[item].stratum: place
        for item, place in zip(ratings.items, weights.place.tolist(), strict=True)
    }
    # A stratum without a review is in the first class, that of the small strata.
    sums = np.zeros(weights.reviewed.size)
    outputs = np.zeros(weights.reviewed.size)
    for stratum, each in everywhere.items():
        place = place_of.get(stratum, 0)
        sums[place] += each.outputs * each.mean
        outputs[place] += each.outputs
    found: Array = (sums / np.maximum(outputs, 1))[weights.place]
    return found


def _folds(place: Codes, seed: int) -> Codes:
    """Assigned in turn within classes, so that each fold has its part of every class."""
    generator = np.random.default_rng(seed)
    order = np.lexsort((generator.random(place.size), place))
    found = np.empty(place.size, dtype=np.int64)
    found[order] = np.arange(place.size) % FOLDS
    return found


def _slope(metric: Array, values: Array, weights: WeightedValues, chosen: Array) -> float:
    """The weight with the smallest variance of the corrected mean among the ``chosen``, shrunk towards 0.

    The shrinkage is the expected share of chance in its square.
    """
    place = weights.place[chosen]
    count = np.bincount(place, minlength=weights.reviewed.size)
    heft = weights.shares[chosen] ** 2 * (1 - weights.reviewed[place])
    heft *= (count / np.maximum(count - 1, 1))[place] * (count[place] > 1)
    x = metric[chosen] - _class_means(metric[chosen], place, count)
    y = values[chosen] - _class_means(values[chosen], place, count)
    square = float(heft @ x**2)
    if square <= 1e-18 * max(float(np.abs(metric).max()), 1.0) ** 2:
        return 0.0
    slope = float(heft @ (x * y)) / square
    error = float((heft**2 * x**2) @ (y - slope * x) ** 2) / square**2
    return slope * max(1 - error / slope**2, 0.0) if slope else 0.0


def _class_means(values: Array, place: Codes, count: Codes) -> Array:
    means = np.bincount(place, weights=values, minlength=count.size) / np.maximum(count, 1)
    found: Array = means[place]
    return found


def _prediction_with_gain(
    estimate: WeightedEstimate, classical: WeightedEstimate, found: _Corrected
) -> WeightedPrediction:
    n, label = estimate.measure.n, signature("predicted-gain")
    gain = Measure.undefined("no interval", n=n, signature=label)
    if estimate.error and classical.error:
        gain = Measure(value=(classical.error / estimate.error) ** 2, n=n, signature=label)
    weight = Measure(value=found.slope, n=n, signature=signature("predicted-weight"))
    return WeightedPrediction(estimate, classical, gain, weight)


def _undefined(reason: str, classical: WeightedEstimate, name: str) -> WeightedPrediction:
    none = Measure.undefined(reason, n=classical.measure.n, signature=name)
    return WeightedPrediction(
        WeightedEstimate(none, None, classical.effective, classical.response), classical, none, none
    )
