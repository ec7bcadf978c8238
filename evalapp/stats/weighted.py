"""Means and shares of a week's outputs, from a stratified sample of which not everything was reviewed.

Hájek's ratio estimators (1971) with linearised variances (Särndal, Swensson and Wretman 1992, sections 5.6
and 15.6): within a stratum the reviewed outputs represent the drawn ones, as if nonresponse were random, and
their weights add up to the outputs of the stratum. The target is the week's own outputs, so there is a finite
population correction. Intervals of a mean are Student's with Satterthwaite's degrees of freedom; those of a
share are Korn and Graubard's (1998): Clopper and Pearson's at the effective number of outputs.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.bounds import clopper_pearson
from evalapp.stats.ratings import Codes, Ratings
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import FOR_THIS_PANEL, student_quantile

#: Fewest reviewed outputs from which a stratum's variance is estimated; strata with fewer are merged.
FEWEST_IN_STRATUM = 2


class Drawn(NamedTuple):
    """A drawn output: its stratum, and its inclusion probability."""

    stratum: Hashable
    probability: float


@dataclass(frozen=True, slots=True)
class SampleDesign:
    """Every drawn output by item label, reviewed or not, and the week's number of ``outputs`` by stratum, if
    known.

    A stratum that is missing in ``outputs`` has as many as its draws represent. Anchors are not included.
    Raises ValueError for a probability that is not above 0 and at most 1.
    """

    drawn: Mapping[Hashable, Drawn]
    outputs: Mapping[Hashable, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for item, each in self.drawn.items():
            if not 0 < each.probability <= 1:
                raise ValueError(f"{item}: a probability of {each.probability} is not above 0 and at most 1")

    def sizes(self) -> dict[Hashable, float]:
        """The week's number of outputs by stratum: known, or what the draws represent."""
        found: dict[Hashable, float] = defaultdict(float)
        for each in self.drawn.values():
            found[each.stratum] += 1 / each.probability
        return {**found, **self.outputs}


class WeightedEstimate(NamedTuple):
    """A measure with its standard error, which is None if the measure has no interval.

    ``effective``: number of equally weighted outputs with the same precision, (Σw)² / Σw² (Kish 1965).
    ``response``: share of the week's outputs that the reviewed part of the draw represents, before
    nonresponse is compensated; if those not reviewed score d lower, the mean is (1 − response) · d too high.
    """

    measure: Measure
    error: float | None
    effective: float = 0.0
    response: float = 1.0


class WeightedValues(NamedTuple):
    """Reviewed outputs: their shares of the total weight, and their class (a stratum, or several small ones).

    ``reviewed``: by class, the share of its outputs that was reviewed. ``response`` as in `WeightedEstimate`.
    """

    shares: Array
    place: Codes
    reviewed: Array
    response: float

    @property
    def effective(self) -> float:
        return 1 / float((self.shares**2).sum())

    @property
    def whole(self) -> float:
        """Share of the week's outputs that was reviewed."""
        return float(len(self.shares) / (np.bincount(self.place) / self.reviewed).sum())

    def variance(self, values: Array) -> tuple[float, float]:
        """Linearised variance of the weighted mean of ``values``, with its degrees of freedom."""
        count = np.bincount(self.place).astype(np.float64)
        weight = np.bincount(self.place, weights=self.shares)
        means = np.bincount(self.place, weights=self.shares * values) / weight
        squares = np.bincount(self.place, weights=(self.shares * (values - means[self.place])) ** 2)
        parts = (1 - self.reviewed) * count / (count - 1) * squares
        variance = float(parts.sum())
        wobble = float((parts**2 / (count - 1)).sum())
        most = float(count.sum() - count.size)
        return variance, min(variance**2 / wobble, most) if wobble > 0 else most


def weighted_values(ratings: Ratings, design: SampleDesign) -> WeightedValues:
    """Weights of the reviewed outputs. Raises ValueError for a reviewed item that was not drawn."""
    missing = [item for item in ratings.items if item not in design.drawn]
    if missing:
        raise ValueError(f"{missing[0]} was reviewed and not drawn")
    drawn = [design.drawn[item] for item in ratings.items]
    sizes = design.sizes()
    class_of = _classes(drawn, sizes)
    place = np.array([class_of[each.stratum] for each in drawn], dtype=np.int64)
    weight = np.array([1 / each.probability for each in drawn])
    outputs = np.bincount([class_of[stratum] for stratum in sizes], weights=list(sizes.values()))
    estimated_outputs = np.bincount(place, weights=weight)
    calibrated = weight * (outputs / estimated_outputs)[place]
    all_drawn = sum(1 / each.probability for each in design.drawn.values())
    return WeightedValues(
        shares=calibrated / calibrated.sum(),
        place=place,
        reviewed=np.minimum(np.bincount(place) / outputs, 1.0),
        response=min(float(weight.sum()) / all_drawn, 1.0),
    )


def _classes(drawn: list[Drawn], sizes: Mapping[Hashable, float]) -> dict[Hashable, int]:
    """Class number by stratum: its own, or one for all small strata together.

    If the small strata have too few reviewed outputs even together, the smallest of the others joins them.
    """
    reviewed: dict[Hashable, int] = dict.fromkeys(sizes, 0)
    for each in drawn:
        reviewed[each.stratum] += 1
    ordered = sorted(sizes, key=lambda stratum: (reviewed[stratum], sizes[stratum], str(stratum)))
    together = [stratum for stratum in ordered if reviewed[stratum] < FEWEST_IN_STRATUM]
    rest = ordered[len(together) :]
    while rest and together and sum(reviewed[stratum] for stratum in together) < FEWEST_IN_STRATUM:
        together.append(rest.pop(0))
    groups = ([together] if together else []) + [[stratum] for stratum in rest]
    return {stratum: number for number, group in enumerate(groups) for stratum in group}


def weighted_score(
    ratings: Ratings, design: SampleDesign, *, bounds: tuple[float, float], level: float = 0.95
) -> WeightedEstimate:
    """Weighted mean of the item means, with Student's interval over outputs, for this panel.

    ``n`` counts reviewed items. Undefined without scores; no interval with one item or no variation. If every
    output of the week was reviewed there is no sampling error: both ends are the value.
    """
    require_level(level)
    name = signature("weighted-mean", 2, interval="stratified", level=level)
    if not len(ratings):
        return WeightedEstimate(Measure.undefined(_no_answers(ratings), signature=name), None)
    return estimated_mean(
        weighted_values(ratings, design), ratings.item_means(), bounds=bounds, level=level, name=name
    )


def estimated_mean(
    found: WeightedValues, means: Array, *, bounds: tuple[float, float], level: float, name: str
) -> WeightedEstimate:
    """Weighted mean of values by item."""
    n = len(means)
    # A weighted sum would add rounding errors to equal values.
    value = float(found.shares @ means) if np.ptp(means) else float(means[0])
    about = {"effective": found.effective, "response": found.response}
    if n < FEWEST_IN_STRATUM or not np.ptp(means):
        why = "one item" if n < FEWEST_IN_STRATUM else "no variation"
        measure = Measure(value=value, n=n, note=f"no interval: {why}", signature=name)
        return WeightedEstimate(measure, None, **about)
    variance, degrees = found.variance(means)
    error = math.sqrt(variance)
    reach = student_quantile(level, degrees) * error
    measure = Measure(
        value=min(max(value, bounds[0]), bounds[1]),
        n=n,
        low=min(max(bounds[0], value - reach), bounds[1]),
        high=max(min(bounds[1], value + reach), bounds[0]),
        note=FOR_THIS_PANEL,
        signature=name,
    )
    return WeightedEstimate(measure, error, **about)


def weighted_share(
    ratings: Ratings, design: SampleDesign, *, level: float = 0.95, name: str = "weighted-share"
) -> WeightedEstimate:
    """Weighted share of items for which at least half of the reviewers said 1, among scores of 0 and 1.

    The interval is Korn and Graubard's; see `share_interval`. ``n`` counts reviewed items. Undefined without
    answers.
    """
    require_level(level)
    label = signature(name, 2, interval="korn-graubard", level=level)
    if not len(ratings):
        return WeightedEstimate(Measure.undefined(_no_answers(ratings), signature=label), None)
    found = weighted_values(ratings, design)
    marks = (ratings.item_means() >= 0.5).astype(np.float64)
    value, n = min(1.0, float(found.shares @ marks)), len(marks)
    about = {"effective": found.effective, "response": found.response}
    if n < FEWEST_IN_STRATUM:
        low, high = clopper_pearson(value, 1, alpha=(1 - level) / 2)
        measure = Measure(value=value, n=n, low=low, high=high, note=FOR_THIS_PANEL, signature=label)
        return WeightedEstimate(measure, None, **about)
    variance, degrees = found.variance(marks)
    low, high = share_interval(value, variance, degrees, found, level=level)
    measure = Measure(
        value=value,
        n=n,
        low=min(low, value),
        high=max(high, value),
        note=FOR_THIS_PANEL,
        signature=label,
    )
    return WeightedEstimate(measure, math.sqrt(variance), **about)


def share_interval(
    value: float, variance: float, degrees: float, found: WeightedValues, *, level: float
) -> tuple[float, float]:
    """Clopper and Pearson's interval at the `effective_outputs`; of a whole week the share is known."""
    if found.whole >= 1:
        return value, value
    effective = effective_outputs(value, variance, degrees, found, level=level)
    return clopper_pearson(value * effective, effective, alpha=(1 - level) / 2)


def effective_outputs(
    value: float,
    variance: float,
    degrees: float,
    found: WeightedValues,
    *,
    level: float,
    most: float | None = None,
) -> float:
    """Effective number of outputs of a share: p(1 − p) over the variance, at least 1.

    Multiplied by the squared ratio of Student's quantiles for a simple sample and for this one. At ``most``
    Kish's effective number by default: few marks estimate their own variance badly, and without marks there
    is no estimate. If much of the week was reviewed the limit is larger, over 1 − f/2 for a share f, which
    keeps the level if nothing is marked.
    """
    simple = student_quantile(level, len(found.shares) - 1)
    ratio = (simple / student_quantile(level, max(degrees, 1.0))) ** 2
    own = value * (1 - value) / variance if variance > 0 else math.inf
    limit = (found.effective if most is None else most) / (1 - found.whole / 2)
    return max(min(own * ratio, limit * min(ratio, 1.0)), 1.0)


def _no_answers(ratings: Ratings) -> str:
    return "every answer is N/A" if ratings.not_applicable else "no answers"
