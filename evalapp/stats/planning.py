"""Sample size and statistical power.

A *design* is items × reviewers × reviews per item. Scores (or paired differences, planned in the same way)
vary between items, between reviewers and by the rest; the mean of a design has the variance

    group / groups + item / items + reviewer / reviewers + rest / (items · overlap)

if items come from groups (documents, clients, conversations); independent items have no group part. So more
items help until only the reviewers' part is left; for a claim about these reviewers alone, that part is no
error. ``level`` is the chance of a false finding, such as 0.05. Power is simulated with the standard errors
and degrees of freedom of the later analysis (:func:`~evalapp.stats.scores.crossed_spread`; for these
reviewers Student's t over items).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.bounded_mean import mean_lower_bound
from evalapp.stats.bounds import best_bound
from evalapp.stats.components import VarianceComponents
from evalapp.stats.mixed_model import MixedModel, Precision
from evalapp.stats.populations import Population
from evalapp.stats.resampling import Array
from evalapp.stats.scale_ends import difference_reach_below, reach_below
from evalapp.stats.scores import FOR_THIS_PANEL, careful_degrees

Sides = Literal[1, 2]

#: The variance components of `Spread`.
PARTS = ("item", "reviewer", "rest", "group")
MOST_ITEMS = 100_000
DRAWS = 40_000
# Quantiles of the estimates at which the bound of a typical sample is computed; linear in between.
_PLACES = (0.002, 0.05, 0.2, 0.5, 0.8, 0.95, 0.998)
_POINTS = 200

#: A gate takes no bound from one reviewer, however many items they score.
ALONE = (
    "with one reviewer the variance between reviewers is not known, so no gate about reviewers like these"
    " passes: plan with two or more"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviations between items, between reviewers, of the rest, and between groups of items.

    Of scores if a floor is planned, of paired differences if a difference is planned.
    """

    item: float
    reviewer: float
    rest: float
    group: float = 0.0

    def __post_init__(self) -> None:
        parts = [getattr(self, part) for part in PARTS]
        if not all(math.isfinite(part) and part >= 0 for part in parts) or not any(parts):
            raise ValueError(f"standard deviations are 0 or more and not all 0, not {parts}")

    def times(self, share: float) -> "Spread":
        """The spread on a scale that is longer by the factor ``share``."""
        return Spread(**{part: share * getattr(self, part) for part in PARTS})

    @classmethod
    def of_model(cls, model: MixedModel) -> "Spread":
        """As `of`, from scores of items that come in groups."""
        found = {part: math.sqrt(model.variances.get(part, 0.0)) for part in PARTS}
        if "item" not in model.variances:
            found |= {"item": found["rest"], "rest": 1e-6}
        return cls(**found)

    @classmethod
    def of(cls, parts: VarianceComponents) -> "Spread":
        """The spread of this project's own scores; a variance estimated as negative counts as 0.

        With one score per item, item and rest cannot be separated: all of it counts as the item's, so that
        the plan does not promise a gain from more reviews per item. With one reviewer the reviewers' part is
        unknown and set to 0: assume one.
        """
        item, rest = max(parts.item, 0.0), max(parts.rest, 1e-12)
        if not parts.item_apart:
            item, rest = item + rest, 1e-12
        return cls(item=math.sqrt(item), reviewer=math.sqrt(max(parts.reviewer, 0.0)), rest=math.sqrt(rest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """``overlap``: reviewers per item; None if every reviewer scores each item. ``groups``: independent
    groups of items; None if every item is independent. ``population``: whose scores the results will be
    about.
    """

    items: int
    reviewers: int
    overlap: int | None = None
    population: Population = Population.REVIEWERS
    groups: int | None = None

    def __post_init__(self) -> None:
        if self.items < 2 or self.reviewers < 1:
            raise ValueError(
                f"{self.items} items by {self.reviewers} reviewers: 2 items and a reviewer at least"
            )
        if not 2 <= self.independent <= self.items:
            raise ValueError(f"{self.items} items from {self.groups} groups: 2 groups at least")
        if not 1 <= self.each <= self.reviewers:
            raise ValueError(f"{self.each} reviews for each item by {self.reviewers} reviewers")

    @property
    def each(self) -> int:
        return self.reviewers if self.overlap is None else self.overlap

    @property
    def independent(self) -> int:
        """Number of independent units: groups of items, or items."""
        return self.items if self.groups is None else self.groups

    @property
    def reviews(self) -> int:
        """Number of reviews of one candidate."""
        return self.items * self.each

    @property
    def is_of_items(self) -> bool:
        """Whether only items are sampled: the claim is about these reviewers, or there is one."""
        return self.population is Population.PANEL or self.reviewers == 1

    def with_items(self, items: int) -> "Design":
        """The same design with another number of items, in groups of the same size."""
        groups = self.groups and min(max(round(items * self.groups / self.items), 2), items)
        return replace(self, items=items, groups=groups)

    @property
    def has_no_bound(self) -> bool:
        """Whether no gate can pass: one reviewer does not show how reviewers differ."""
        return self.population is Population.REVIEWERS and self.reviewers == 1


def precision(spread: Spread, design: Design, *, careful: bool = False) -> Precision:
    """Precision of the later analysis over new items, and over new reviewers unless it is about these.

    With one reviewer the reviewers' part cannot be estimated: it is left out and the mean is about this
    panel. With one review per item, items cannot be separated from the rest, and only the reviewers' means
    are used. ``careful``: with the degrees of freedom of a gate's bound
    (:func:`~evalapp.stats.bounds.mean_bounds`).
    """
    rest = spread.rest**2 / design.reviews
    of_items = _of_items(spread, design)
    if design.is_of_items:
        return Precision(math.sqrt(of_items), design.independent - 1)
    reviewers = min(design.reviewers, design.reviews)
    of_reviewers = spread.reviewer**2 / reviewers + rest
    if design.each == 1:
        of_reviewers += of_items - rest
        variance, wobble = of_reviewers, of_reviewers**2 / (reviewers - 1)
    else:
        variance = of_items + of_reviewers - rest
        wobble = of_items**2 / (design.independent - 1) + of_reviewers**2 / (reviewers - 1)
        wobble += rest**2 / max(design.reviews - design.items - reviewers + 1, 1)
    if careful:
        degrees = careful_degrees(of_reviewers, reviewers - 1, variance=variance, wobble=wobble)
        return Precision(math.sqrt(variance), degrees)
    return Precision(math.sqrt(variance), max(variance**2 / wobble, 1.0))


def _of_items(spread: Spread, design: Design) -> float:
    """Variance of a mean over new items (new groups, if there are groups) by the same reviewers."""
    of_groups = spread.group**2 / design.independent
    return of_groups + spread.item**2 / design.items + spread.rest**2 / design.reviews


def smallest_difference(
    spread: Spread,
    design: Design,
    *,
    power: float = 0.8,
    level: float = 0.05,
    sides: Sides = 2,
    seed: int = 0,
) -> Measure:
    """Smallest true paired difference that the design finds with ``power``; ``n`` counts items.

    ``level`` is the chance of a false finding, in both directions if ``sides`` is 2. By seeded simulation of
    the analysis, which estimates its variances from the scores, and badly with few reviewers.
    """
    _require_share(level, "level")
    _require_share(power, "power")
    from scipy.special import stdtrit

    generator = np.random.default_rng(seed)
    error, degrees = _found_precision(spread, design, generator)
    critical = stdtrit(degrees, 1 - level / sides)
    shortfalls = critical * error - precision(spread, design).error * generator.normal(size=DRAWS)
    name = signature("smallest-difference", 2, power=power, level=level, sides=sides, draws=DRAWS, seed=seed)
    value = max(float(np.quantile(shortfalls, power)), 0.0)
    return Measure(value=value, n=design.items, signature=name, note=_panel(design))


def _found_precision(spread: Spread, design: Design, generator: np.random.Generator) -> tuple[Array, Array]:
    """Standard errors and degrees of freedom of `scores.crossed_spread` in `DRAWS` simulated campaigns.

    Each mean square of a full table is its expectation times a chi-square over its degrees; for a part of the
    table this is an approximation.
    """

    def drawn(expected: float, degrees: int) -> Array:
        found: Array = expected * generator.chisquare(degrees, size=DRAWS) / degrees
        return found

    rest = spread.rest**2 / design.reviews
    of_items, degrees = _of_items(spread, design), design.independent - 1
    if design.is_of_items:
        return np.sqrt(drawn(of_items, degrees)), np.full(DRAWS, float(degrees))
    reviewers = min(design.reviewers, design.reviews)
    of_reviewers = spread.reviewer**2 / reviewers + rest
    if design.each == 1:
        alone = drawn(of_reviewers + of_items - rest, reviewers - 1)
        return np.sqrt(alone), np.full(DRAWS, reviewers - 1.0)
    rest_degrees = max(design.reviews - design.items - reviewers + 1, 1)
    found_rest = drawn(rest, rest_degrees)
    items = np.maximum(drawn(of_items, degrees), found_rest)
    people = np.maximum(drawn(of_reviewers, reviewers - 1), found_rest)
    variance = items + people - found_rest
    wobble = items**2 / degrees + people**2 / (reviewers - 1) + found_rest**2 / rest_degrees
    return np.sqrt(variance), np.maximum(variance**2 / wobble, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePosition:
    """Expected position on a scale: a candidate's ``mean``, or the ``difference`` of two candidates whose
    midpoint is ``mean``.
    """

    mean: float
    smallest: float
    largest: float
    difference: float | None = None

    def __post_init__(self) -> None:
        if not self.smallest < self.largest:
            raise ValueError(f"a scale from {self.smallest:g} to {self.largest:g} has no length")

    def possible(self, spread: Spread) -> Spread:
        """The spread, reduced to what scores with this mean can have."""
        most = max((self.mean - self.smallest) * (self.largest - self.mean), 0.0)
        whole = sum(getattr(spread, part) ** 2 for part in PARTS)
        return spread.times(min(math.sqrt(most / whole), 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One criterion of a gate, whose true value is ``distance`` beyond the value that it must exceed.

    ``distance``: expected mean minus the floor, or expected difference plus the margin. ``level``: that of
    the planned evaluation. Tested as by a gate (:func:`~evalapp.stats.bounds.mean_bounds`); without a
    ``place`` the ends of the scale are assumed to be far away. ``spread``: that of scores at the place.
    """

    distance: float
    spread: Spread
    level: float = 0.05
    place: ScalePosition | None = None


def power_of_release(requirement: Requirement, design: Design, *, seed: int = 0) -> Measure:
    """Chance that the criterion passes, by seeded simulation as in :func:`joint_power`; ``n`` counts items.

    Undefined with one reviewer.
    """
    found = joint_power({"": requirement}, design, seed=seed)
    name = signature("power-of-release", level=requirement.level, draws=DRAWS, seed=seed)
    return Measure(value=found.value, n=design.items, signature=name, reason=found.reason)


def smallest_distance(
    requirement: Requirement, design: Design, *, power: float = 0.8, seed: int = 0
) -> Measure:
    """Smallest distance that passes with ``power``, in place of the requirement's own; ``n`` counts items.

    Undefined with one reviewer.
    """
    _require_share(power, "power")
    name = signature("smallest-distance", power=power, level=requirement.level, draws=DRAWS, seed=seed)
    if design.has_no_bound:
        return Measure.undefined(ALONE, n=design.items, signature=name)
    generator = np.random.default_rng(seed)
    shortfalls = _shortfalls(requirement, design, generator.normal(size=DRAWS), generator)
    return Measure(value=float(np.quantile(shortfalls, power)), n=design.items, signature=name)


def joint_power(
    requirements: Mapping[str, Requirement],
    design: Design,
    *,
    correlation: float = 0.0,
    seed: int = 0,
    draws: int = DRAWS,
) -> Measure:
    """Chance that every criterion passes, with any two estimates correlated by ``correlation``.

    If unknown, 0 is the careful choice: criteria that rise and fall together pass together more often. By
    seeded simulation, with its own interval; ``n`` counts items. Undefined with one reviewer.
    """
    if not requirements:
        raise ValueError("a gate without a criterion has no power")
    if not 0 <= correlation <= 1:
        raise ValueError(f"the correlation between criteria is {correlation}; give 0 to 1")
    name = signature("joint-power", correlation=correlation, draws=draws, seed=seed)
    if design.has_no_bound:
        return Measure.undefined(ALONE, n=design.items, signature=name)
    generator = np.random.default_rng(seed)
    common = generator.normal(size=draws)
    passed = np.ones(draws, dtype=bool)
    for requirement in requirements.values():
        own = generator.normal(size=draws)
        noise = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
        passed &= _shortfalls(requirement, design, noise, generator) <= requirement.distance
    share = float(passed.mean())
    reach = 1.96 * math.sqrt(share * (1 - share) / draws)
    return Measure(
        value=share,
        n=design.items,
        low=max(0.0, share - reach),
        high=min(1.0, share + reach),
        note="interval of the simulation",
        signature=name,
    )


def items_for_joint_power(
    requirements: Mapping[str, Requirement],
    design: Design,
    *,
    correlation: float = 0.0,
    power: float = 0.8,
    seed: int = 0,
) -> Measure:
    """Number of items with which all criteria pass together with ``power``; ``n`` is the answer too.

    Undefined if no number of items is enough: then the reviewers' part is too large and only more reviewers
    help.
    """
    _require_share(power, "power")

    def enough(items: int) -> bool:
        found = joint_power(requirements, design.with_items(items), correlation=correlation, seed=seed)
        return (found.value or 0.0) >= power

    name = signature("items-for-joint-power", correlation=correlation, power=power, draws=DRAWS, seed=seed)
    if design.has_no_bound:
        return Measure.undefined(ALONE, signature=name)
    return _items(enough, name, "")


class _Draws(NamedTuple):
    """Per campaign, ``noise`` of its estimate and Student's ``reach``, typically ``critical`` errors."""

    error: float
    critical: float
    noise: Array
    reach: Array


def _shortfalls(
    requirement: Requirement, design: Design, noise: Array, generator: np.random.Generator
) -> Array:
    """How far the gate's lower bound is below the true value, in one campaign for each of ``noise``."""
    from scipy.special import stdtrit

    _require_share(requirement.level, "level")
    place, spread = requirement.place, requirement.spread
    if place is not None and place.difference is None:
        if not place.smallest < place.mean < place.largest:
            return np.full(noise.size, place.mean - _bound_at_an_end(place, requirement, design))
        spread = place.possible(spread)
    found = precision(spread, design, careful=True)
    critical = float(stdtrit(found.degrees, 1 - requirement.level))
    reach = critical * np.sqrt(generator.chisquare(found.degrees, size=noise.size) / found.degrees)
    is_panel = design.population is Population.PANEL
    # A difference for these reviewers has Student's interval anywhere on the scale.
    if place is None or (is_panel and place.difference is not None):
        return found.error * (reach - noise)
    if place.difference is None:
        if is_panel:
            draws = _Draws(found.error, critical, noise, reach)
            low = _lows_of_panel(place, spread, design, requirement.level, draws)
        else:
            low = _lows_of_mean(place, found.error, noise, reach, alpha=requirement.level)
        return place.mean - np.minimum(low, _best(place, requirement, design))
    estimate = place.difference + found.error * noise
    further = difference_reach_below(
        estimate,
        found.error * reach,
        centre=place.mean,
        smallest=place.smallest,
        largest=place.largest,
        alpha=requirement.level,
    )
    low = np.maximum(estimate - further, place.smallest - place.largest)
    return place.difference - low


def _bound_at_an_end(place: ScalePosition, requirement: Requirement, design: Design) -> float:
    """Bound of a mean at an end of the scale, where nothing varies: it depends on how many items could
    differ.
    """
    return place.smallest if place.mean <= place.smallest else _best(place, requirement, design)


def _best(place: ScalePosition, requirement: Requirement, design: Design) -> float:
    ends = {"smallest": place.smallest, "largest": place.largest}
    return best_bound(design.independent, alpha=requirement.level, **ends)


def _lows_of_panel(
    place: ScalePosition, spread: Spread, design: Design, level: float, draws: _Draws
) -> Array:
    """Lower bounds of the mean of these reviewers: as far below an estimate as `mean_lower_bound` of a
    typical sample around it, plus as much as a sample's spread exceeds the typical one.
    """
    score, shrunk = _estimates(place, draws.error, draws.noise)
    means = np.unique(np.quantile(score, _PLACES))
    usual = [_usual_reach(mean, place, spread, design, level) for mean in means]
    student = draws.error * shrunk * (draws.reach - draws.critical)
    lows: Array = np.maximum(score - np.interp(score, means, usual) - student, place.smallest)
    return lows


def _usual_reach(mean: float, place: ScalePosition, spread: Spread, design: Design, level: float) -> float:
    """How far the bound of a typical sample is below its mean. Means of items (or groups) follow a beta
    distribution, whose spread shrinks towards the ends; unrounded, because rounding moves the mean.
    """
    from scipy.special import betaincinv

    length, units = place.largest - place.smallest, design.independent
    share, expected = ((at - place.smallest) / length for at in (mean, place.mean))
    shrunk = share * (1 - share) / (expected * (1 - expected))
    variance = units * _of_items(spread, design) / length**2 * shrunk**2
    size = max(share * (1 - share) / max(variance, 1e-12) - 1, 1e-3)
    points = max(units, _POINTS)  # enough points to include rare values
    drawn = betaincinv(share * size, (1 - share) * size, (np.arange(points) + 0.5) / points)
    bound = mean_lower_bound(drawn, alpha=level, smallest=0, largest=1, times=units / points)
    return length * (float(drawn.mean()) - bound)


def _estimates(place: ScalePosition, error: float, noise: Array) -> tuple[Array, Array]:
    """Estimates of a mean, normal on the logit scale, and how much less each one's sample varies than a
    typical one.
    """
    half = (place.largest - place.smallest) / 2
    d = (place.mean - place.smallest) / half - 1
    estimate = np.tanh(math.atanh(d) + error / half / (1 - d * d) * noise)
    return place.smallest + half * (estimate + 1), (1 - estimate**2) / (1 - d * d)


def _lows_of_mean(place: ScalePosition, error: float, noise: Array, reach: Array, *, alpha: float) -> Array:
    """Lower bounds of a mean whose spread shrinks towards the ends of its scale. Estimates are normal on the
    logit scale, so that a sample that is high by chance also has a small standard error. ``reach`` is in
    standard errors; it is longer near an end, see `scale_ends.reach_below`.
    """
    score, shrunk = _estimates(place, error, noise)
    ends = {"smallest": place.smallest, "largest": place.largest}
    further = reach_below(reach * error * shrunk, place=score, alpha=alpha, **ends)
    lows: Array = np.maximum(score - further, place.smallest)
    return lows


def _items(enough: Callable[[int], bool], name: str, note: str) -> Measure:
    """The smallest number of items found to be enough.

    In steps of a quarter, then by bisection: with few reviewers, more items can reduce power, because the
    reviewers' few degrees of freedom matter more the less the items vary.
    """
    low, high = 1, 2
    while not enough(high):
        low, high = high, high + max(1, high // 4)
        if high > MOST_ITEMS:
            reason = f"not even {MOST_ITEMS:,} items are enough; use more reviewers or a larger difference"
            return Measure.undefined(reason, signature=name)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return Measure(value=high, n=high, signature=name, note=note)


def _panel(design: Design) -> str:
    return FOR_THIS_PANEL if design.has_no_bound else ""


def _require_share(value: float, what: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"the {what} is {value}; give a share such as 0.8")
