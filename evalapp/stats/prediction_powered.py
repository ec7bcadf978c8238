"""Prediction-powered inference: a candidate's human mean from few reviews and many metric scores.

The metric shows how the reviewed items differ from all items. The mean of the reviews is corrected by that,
times the weight that minimises the variance (PPI++, Angelopoulos, Duchi and Zrnic 2023). A metric that is
unrelated to people's scores gets a weight near 0, the nearer the more items are reviewed.
"""

import math
from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.mixed_model import fit_mixed_model
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array, Interval, require_level
from evalapp.stats.scores import candidate_score, student_interval

#: With fewer reviewed items the weight is too uncertain.
FEWEST_REVIEWED = 10
#: With fewer, an unrelated metric seems worth a quarter more reviewed items in at least 1 of 100 samples.
FEWEST_FOR_GAIN = 30
#: Gain in reviewed items, as a share; less is shown as 0%.
LEAST_WORTH = 0.005
NO_NARROWER = (
    "No narrower: most of the width comes from the small number of reviewers, which a metric cannot reduce."
)

UNCERTAIN = (
    f"The gain is uncertain: with fewer than {FEWEST_FOR_GAIN} reviewed items even an unrelated metric can"
    " seem to help."
)

ASSUMPTION = (
    "It assumes that the reviewed items are a random sample of all items, and that the metric was computed"
    " in the same way for all of them. The metric need not agree with people."
)


class PredictionPowered(NamedTuple):
    """``mean`` beside the ``classical`` mean of the same reviews; both count reviewed items.

    ``weight``: points of score per point of the metric. ``correlation``: of metric and human means over
    reviewed items. ``gain``: factor by which the reviewed items would have to grow for the classical interval
    to get the same variance from new items. ``most``: 1/(1 - r²), the limit of ``gain`` with any number of
    further items. ``reviewed`` and ``unreviewed`` count items with the metric; ``assumption`` states in words
    what is assumed.
    """

    mean: Measure
    classical: Measure
    weight: Measure
    correlation: Measure
    gain: Measure
    most: Measure
    reviewed: int
    unreviewed: int
    assumption: str = ASSUMPTION

    @property
    def is_uncertain(self) -> bool:
        """Whether the gain is shown for so few reviewed items that it may be chance."""
        return self.reviewed < FEWEST_FOR_GAIN and (self.gain.value or 1.0) - 1 >= LEAST_WORTH

    @property
    def is_no_narrower(self) -> bool:
        """Whether there is a gain, but the interval is as wide as before or wider."""
        with_metric, alone = self.mean.half_width, self.classical.half_width
        if with_metric is None or alone is None or (self.gain.value or 1.0) - 1 < LEAST_WORTH:
            return False
        return with_metric > alone or math.isclose(with_metric, alone)


def prediction_powered_mean(
    ratings: Ratings,
    metric: Mapping[Hashable, float | None],
    *,
    population: Population,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> PredictionPowered:
    """The candidate's mean over all items of ``metric``, reviewed or not.

    ``metric``: the candidate's metric by item, including the reviewed ones; None if undefined. Reviewed items
    without a metric are left out of both means. ``population`` and ``bounds`` as in
    :func:`~evalapp.stats.scores.candidate_score`; for reviewers like these, the metric only reduces the
    variance from items. Undefined with fewer than 10 reviewed items, if every item is reviewed, and if metric
    or scores do not vary. Raises ValueError for a metric that is not finite.
    """
    require_level(level)
    known = _finite(metric)
    ratings = _with_metric(ratings, known)
    predicted = np.array([known[item] for item in ratings.items], dtype=np.float64)
    reviewed = set(ratings.items)
    others = np.array([value for item, value in known.items() if item not in reviewed], dtype=np.float64)
    classical = candidate_score(ratings, population=population, level=level, bounds=bounds)
    human = ratings.item_means() if len(ratings) else np.empty(0)
    reason = _cannot_tell(human, predicted, others)
    if reason:
        return _undefined(reason, classical, human.size, others.size, level)
    found = _estimate(human, predicted, others)
    spread = _interval(ratings, found, population=population, level=level)
    low, high = spread.low, spread.high
    value = found.value
    if bounds is not None:
        # The corrected mean may leave the scale.
        value = min(max(value, bounds[0]), bounds[1])
        low, high = (None if end is None else min(max(end, bounds[0]), bounds[1]) for end in (low, high))
    n = int(human.size)
    name = signature("prediction-powered-mean", 2, method="ppi++", population=population, level=level)
    most = 1 / (1 - found.correlation**2) if abs(found.correlation) < 1 else None
    return PredictionPowered(
        mean=Measure(value=value, n=n, low=low, high=high, note=spread.note, signature=name),
        classical=classical,
        weight=Measure(value=found.weight, n=n, signature=signature("prediction-powered-weight")),
        correlation=Measure(value=found.correlation, n=n, signature=signature("pearson-reviewed-items")),
        gain=_ratio(found.classical_variance, found.variance, n, "prediction-powered-gain"),
        most=(
            Measure.undefined("the metric gives the scores exactly", n=n, signature=_most_name())
            if most is None
            else Measure(value=most, n=n, signature=_most_name())
        ),
        reviewed=n,
        unreviewed=int(others.size),
    )


def in_words(found: PredictionPowered) -> str:
    """One sentence with the gain, or why there is none; more if it is uncertain, or if the interval is not
    narrower.
    """
    if not found.mean.defined:
        return f"The metric cannot tighten the interval: {found.mean.reason}."
    gain, correlation = found.gain.value, found.correlation.value
    if gain is None or correlation is None:
        return f"The metric predicts the human scores exactly: {found.gain.reason}."
    more = round(100 * (gain - 1))
    start = f"With r {correlation:.2f} between the metric and people over {found.reviewed} reviewed items, "
    if more < 1:
        return start + f"the metric of {found.unreviewed} more adds nothing to the reviews."
    return (
        start + f"the metric of {found.unreviewed} more is worth {more}% more reviewed items; "
        f"a metric with this r can give {100 * ((found.most.value or 1) - 1):.0f}% at most."
        f"{f' {UNCERTAIN}' if found.is_uncertain else ''}"
        f"{f' {NO_NARROWER}' if found.is_no_narrower else ''}"
    )


class _Estimate(NamedTuple):
    """``variance`` of ``value`` over new items, beside that of the plain mean of the reviews."""

    value: float
    weight: float
    correlation: float
    variance: float
    classical_variance: float


def _finite(metric: Mapping[Hashable, float | None]) -> dict[Hashable, float]:
    known = {item: float(value) for item, value in metric.items() if value is not None}
    for item, value in known.items():
        if not math.isfinite(value):
            raise ValueError(f"the metric of {item} is {value}; use None for a missing one")
    return known


def _with_metric(ratings: Ratings, known: Mapping[Hashable, float]) -> Ratings:
    if all(item in known for item in ratings.items):
        return ratings
    rows = [
        (ratings.items[i], ratings.reviewers[r], score)
        for i, r, score in zip(
            ratings.item.tolist(), ratings.reviewer.tolist(), ratings.score.tolist(), strict=True
        )
        if ratings.items[i] in known
    ]
    return Ratings.from_columns(
        [item for item, _, _ in rows], [reviewer for _, reviewer, _ in rows], [score for _, _, score in rows]
    )


def _cannot_tell(human: Array, predicted: Array, others: Array) -> str:
    if human.size < FEWEST_REVIEWED:
        return f"fewer than {FEWEST_REVIEWED} reviewed items with the metric"
    if not others.size:
        return "every item with the metric has been reviewed"
    if np.ptp(human) == 0:
        return "no variation in the human scores"
    return "no variation in the metric" if np.ptp(predicted) == 0 else ""


def _estimate(human: Array, predicted: Array, others: Array) -> _Estimate:
    """PPI++ for a mean: the weight with the smallest variance, and both variances.

    The slope comes from the reviewed items; the variance of the metric from all items. The residuals lose one
    more degree of freedom to the slope, so that few reviews do not look better than they are.
    """
    n, further = human.size, others.size
    centred = predicted - predicted.mean()
    slope = float(centred @ (human - human.mean()) / (centred @ centred))
    weight = slope * further / (n + further)
    everywhere = np.concatenate([predicted, others])
    residual = human - human.mean() - slope * centred
    own = float(residual @ residual) / (n - 2)
    # human - weight · metric = residual + (slope - weight) · metric; the two terms are uncorrelated.
    spread = float(everywhere.var(ddof=1))
    variance = (own + (slope - weight) ** 2 * spread) / n + weight**2 * spread / further
    return _Estimate(
        value=float(human.mean() + weight * (others.mean() - predicted.mean())),
        weight=weight,
        correlation=float(np.clip(np.corrcoef(human, predicted)[0, 1], -1, 1)),
        variance=variance,
        classical_variance=float(human.var(ddof=1)) / n,
    )


def _interval(ratings: Ratings, found: _Estimate, *, population: Population, level: float) -> Interval:
    """Student's t with the variance from items and, for reviewers like these, that from reviewers, which no
    metric can reduce.
    """
    items = len(ratings.items)
    variance, wobble = found.variance, found.variance**2 / (items - 2)
    if population is Population.REVIEWERS:
        if len(ratings.reviewers) < 2:
            return Interval(None, None, "no interval: one reviewer")
        model = fit_mixed_model(ratings)
        if isinstance(model, str):
            return Interval(None, None, f"no interval: {model}")
        weights = 1 / (items * ratings.per_item[ratings.item])
        of_reviewers, uncertain = model.part_of("reviewer", weights)
        variance += of_reviewers
        wobble += uncertain / 2
    if variance <= 0:
        return Interval(None, None, "no interval: the metric gives the scores exactly")
    degrees = max(variance**2 / wobble, 1.0)
    return student_interval(found.value, math.sqrt(variance), degrees, level=level)


def _ratio(above: float, below: float, n: int, name: str) -> Measure:
    if below <= 1e-12 * above:
        return Measure.undefined("the metric gives the scores exactly", n=n, signature=signature(name))
    return Measure(value=above / below, n=n, signature=signature(name))


def _most_name() -> str:
    return signature("prediction-powered-most")


def _undefined(
    reason: str, classical: Measure, reviewed: int, unreviewed: int, level: float
) -> PredictionPowered:
    name = signature("prediction-powered-mean", method="ppi++", level=level)
    none = Measure.undefined(reason, n=reviewed, signature=name)
    return PredictionPowered(
        mean=none, classical=classical, weight=none, correlation=none, gain=none, most=none,
        reviewed=reviewed, unreviewed=unreviewed,
    )  # fmt: skip
