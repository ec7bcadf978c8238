"""Paired comparison of two candidates on the same items by the same reviewers, and Holm's correction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.panel_mean import (
    NO_VARIATION,
    PanelMean,
    panel_mean,
    panel_of,
    panel_value,
    panel_weights,
)
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import candidate_score, cut, reviewers_precision, student_interval

# Above this, Student's t is the normal distribution; JSON has no infinity.
MOST_DEGREES = 1e9
NO_PAIRS = "no reviewer scored both candidates on the same item"
BY_ITEM_MEANS = "of item means, because mostly different people scored the two"
# The share of items with a reviewer who scored both candidates, from which differences are within reviewers.
ENOUGH_WITHIN_REVIEWERS = 0.5


class Reach(NamedTuple):
    """Standard error and Student's degrees of freedom of a difference, and the ``span`` of its scale."""

    error: float
    degrees: float
    span: float | None

    def interval(self, value: float, level: float) -> tuple[float | None, float | None]:
        """The interval around ``value``, limited to ±span."""
        within = None if self.span is None else (-self.span, self.span)
        return cut(student_interval(value, self.error, self.degrees, level=level), within)


class PanelReach(NamedTuple):
    """A panel's mean difference and the reach of its interval."""

    value: float
    reach: Reach

    def of(self, times: float) -> Reach:
        """The reach with ``times`` as many items, if they vary as these do."""
        return self.reach._replace(
            error=self.reach.error / math.sqrt(times), degrees=self.reach.degrees * times
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference:
    """Challenger minus champion; each pair is one reviewer's two scores for one item.

    ``difference``: the mean over new items for the requested population, with its interval.
    ``p``: two-sided, of no difference in that population.
    ``reach``: what the interval is computed from; None without an interval. ``n`` of each measure counts
    items with at least one pair.
    """

    difference: Measure
    p: Measure
    reach: Reach | None

    def at_level(self, level: float) -> Measure:
        """``difference`` with its interval at another level."""
        if self.reach is None or self.difference.value is None:
            return self.difference
        low, high = self.reach.interval(self.difference.value, level)
        return replace(self.difference, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(MeanDifference):
    """A mean difference with its other population, permutation test and win rate.

    ``other_difference`` and ``other_p``: for the other population.
    ``p_permutation``: two-sided, by flipping the signs of items: no difference for this panel.
    ``win_rate``: how often the challenger scores higher, over items; ties count half.
    """

    p_permutation: Measure
    win_rate: Measure
    other_difference: Measure
    other_p: Measure

    def mirrored(self) -> "Difference":
        """Champion minus challenger."""
        return replace(
            self,
            difference=self.difference.mirrored(),
            win_rate=self.win_rate.mirrored(0.5),
            other_difference=self.other_difference.mirrored(),
        )


def paired_difference(
    challenger: Ratings,
    champion: Ratings,
    *,
    population: Population,
    seed: int,
    permutations: int = 10_000,
    level: float = 0.95,
    span: float | None = None,
    step: float = 0.0,
) -> Difference:
    """Compare two candidates, paired by item and blocked by reviewer.

    Items and reviewers are matched by label. Several scores by one reviewer for one item are averaged first.
    Everything is undefined without pairs (`pairs_for`). ``span``: the largest difference that the scale
    allows; the interval is cut there. ``step``: the distance between levels of the
    scale. Rounding to levels gives a score the error variance step²/12 (Sheppard 1898), so the standard error
    is at least that of the mean of as many rounded pairs, even if all differences are equal.
    """
    require_level(level)
    if permutations < 1:
        raise ValueError(f"{permutations} permutations give no p value; ask for at least 1")
    pairs = pairs_for(challenger, champion, population)
    found = _tested_difference(pairs, population, level, _Scale(span, step))
    others = pairs_for(challenger, champion, population.other)
    other = _tested_difference(others, population.other, level, _Scale(span, step))
    wins = pairs.with_scores((np.sign(pairs.score) + 1) / 2)
    rate = candidate_score(wins, population=population, level=level, bounds=(0, 1))
    return Difference(
        difference=found.difference,
        p=found.p,
        reach=found.reach,
        p_permutation=_permutation_p(pairs, permutations, seed),
        win_rate=replace(
            _with_pairs_reason(rate), signature=signature("win-rate", 2, population=population, level=level)
        ),
        other_difference=other.difference,
        other_p=other.p,
    )


def mean_difference(
    challenger: Ratings,
    champion: Ratings,
    *,
    population: Population,
    level: float = 0.95,
    span: float | None = None,
    step: float = 0.0,
) -> MeanDifference:
    """As `paired_difference`, for the requested population alone, in a third of the time."""
    require_level(level)
    pairs = pairs_for(challenger, champion, population)
    return _tested_difference(pairs, population, level, _Scale(span, step))


def _with_pairs_reason(measure: Measure) -> Measure:
    return measure if measure.defined else replace(measure, reason=NO_PAIRS)


def panel_reach(pairs: Ratings, *, span: float, step: float) -> PanelReach | str:
    """Panel mean of `paired_scores` with its reach, as in `paired_difference`; or why there is none."""
    found = _mean_of(pairs, Population.PANEL, _Scale(span, step))
    if isinstance(found, str):
        return found
    return PanelReach(found.mean, Reach(found.error, min(found.degrees, MOST_DEGREES), span))


class _Scale(NamedTuple):
    span: float | None
    step: float

    def rounding_error(self, pairs: int) -> float:
        """Standard error of the mean of this many differences of two rounded scores."""
        return self.step / math.sqrt(6 * pairs)


def _tested_difference(pairs: Ratings, population: Population, level: float, scale: _Scale) -> MeanDifference:
    name = signature("paired-difference", 2, population=population, level=level)
    p_name = signature("paired-difference-p", 2, population=population)
    if not len(pairs):
        return MeanDifference(
            difference=Measure.undefined(NO_PAIRS, signature=name),
            p=Measure.undefined(NO_PAIRS, signature=p_name),
            reach=None,
        )
    note = ""
    if population is Population.PANEL:
        pairs, note = panel_of(pairs)
        note = note or note_of_pairs(pairs)
    n = len(pairs.items)
    found = _mean_of(pairs, population, scale)
    if isinstance(found, str):
        value = float(pairs.item_means().mean())
        difference = Measure(value=value, n=n, note=f"no interval: {found}", signature=name)
        p_undefined = Measure.undefined(found, n=n, signature=p_name)
        return MeanDifference(difference=difference, p=p_undefined, reach=None)
    from scipy.special import stdtr

    reach = Reach(found.error, min(found.degrees, MOST_DEGREES), scale.span)
    low, high = reach.interval(found.mean, level)
    p = float(2 * stdtr(found.degrees, -abs(found.mean) / found.error))
    difference = Measure(value=found.mean, n=n, low=low, high=high, note=note, signature=name)
    return MeanDifference(difference=difference, p=Measure(value=p, n=n, signature=p_name), reach=reach)


def _mean_of(pairs: Ratings, population: Population, scale: _Scale) -> PanelMean | str:
    least = scale.rounding_error(len(pairs))
    if pairs.is_constant and least:
        return _constant_mean(pairs, population, least)
    if population is Population.PANEL:
        found = panel_mean(pairs)
        # Items may differ although each has the same mean over reviewers.
        if found == NO_VARIATION and least:
            return _constant_mean(pairs, population, least)
        return found if isinstance(found, str) else replace(found, error=max(found.error, least))
    precision = reviewers_precision(pairs)
    if isinstance(precision, str):
        return precision
    error, value = max(precision.error, least), float(pairs.item_means().mean())
    return PanelMean(mean=value, error=error, degrees=precision.degrees)


def _constant_mean(pairs: Ratings, population: Population, error: float) -> PanelMean | str:
    """Mean of differences that do not vary between items; its only error is rounding.

    The degrees of freedom are the number of groups minus one; for other reviewers, the smaller of groups and
    reviewers minus one.
    """
    units, mean = pairs.groups, float(pairs.score[0])
    if population is Population.PANEL:
        weights = panel_weights(pairs)
        if isinstance(weights, str):
            return weights
        mean = panel_value(pairs, weights)
    elif len(pairs.reviewers) < 2:
        return "one reviewer"
    else:
        units = min(units, len(pairs.reviewers))
    if units < 2:
        return "one item" if len(pairs.items) < 2 else "one group"
    return PanelMean(mean=mean, error=error, degrees=units - 1)


def pairs_for(challenger: Ratings, champion: Ratings, population: Population) -> Ratings:
    """`paired_scores`; for these reviewers the difference of each item's means, if in fewer than half of the
    items that both have scores of one reviewer scored both candidates. This is valid if outputs were assigned
    to reviewers at random, as in published ratings by many people.
    """
    pairs = paired_scores(challenger, champion)
    with_both = set(champion.items)
    shared = [item for item in challenger.items if item in with_both]
    if population is Population.REVIEWERS or len(pairs.items) >= ENOUGH_WITHIN_REVIEWERS * len(shared):
        return pairs
    means = [
        dict(zip(side.items, side.item_means().tolist(), strict=True)) for side in (challenger, champion)
    ]
    return Ratings.from_columns(
        shared,
        [BY_ITEM_MEANS] * len(shared),
        [means[0][item] - means[1][item] for item in shared],
        groups=challenger.group_of_items(),
    )


def note_of_pairs(pairs: Ratings) -> str:
    """That `pairs_for` compared item means; "" if reviewers' scores."""
    return BY_ITEM_MEANS if pairs.reviewers == (BY_ITEM_MEANS,) else ""


def paired_scores(challenger: Ratings, champion: Ratings) -> Ratings:
    """Challenger minus champion for every item and reviewer that both have."""
    first, second = _cells(challenger), _cells(champion)
    shared = [cell for cell in first if cell in second]
    return Ratings.from_columns(
        [item for item, _ in shared],
        [reviewer for _, reviewer in shared],
        [first[cell] - second[cell] for cell in shared],
        groups=challenger.group_of_items(),
    )


def _cells(ratings: Ratings) -> dict[tuple[object, object], float]:
    cell = ratings.item * max(len(ratings.reviewers), 1) + ratings.reviewer
    cells, position = np.unique(cell, return_inverse=True)
    means = np.bincount(position, weights=ratings.score) / np.maximum(np.bincount(position), 1)
    item, reviewer = np.divmod(cells, max(len(ratings.reviewers), 1))
    return {
        (ratings.items[i], ratings.reviewers[r]): mean
        for i, r, mean in zip(item.tolist(), reviewer.tolist(), means.tolist(), strict=True)
    }


def _permutation_p(pairs: Ratings, permutations: int, seed: int) -> Measure:
    name = signature("paired-permutation", permutations=permutations, seed=seed)
    if not len(pairs):
        return Measure.undefined(NO_PAIRS, signature=name)
    means = pairs.item_means()
    if means.size < 2:
        return Measure.undefined("one item", n=int(means.size), signature=name)
    return Measure(
        value=sign_flip_p(means, permutations=permutations, seed=seed), n=int(means.size), signature=name
    )


def sign_flip_p(differences: Array, *, permutations: int, seed: int) -> float:
    """Two-sided p of the sum if the sign of each difference is arbitrary.

    All sign patterns are tried if there are at most ``permutations`` of them. Otherwise that many are drawn
    and the observed one is counted in, (1 + b) / (1 + m), so p is never 0.
    """
    sizes, counts = np.unique(np.round(np.abs(differences), 12), return_counts=True)
    observed = abs(float(np.round(differences, 12).sum())) - 1e-9 * max(1.0, float(sizes.max()))
    if differences.size <= math.log2(permutations):
        patterns = np.arange(2**differences.size)[:, None] >> np.arange(differences.size) & 1
        sums = (2 * patterns - 1) @ differences
        return float((np.abs(sums) >= observed).mean())
    generator = np.random.default_rng(seed)
    as_large = 0
    rows = max(1, 1_000_000 // sizes.size)
    for start in range(0, permutations, rows):
        # Among differences of equal size the number that turns positive is binomial, which has the same
        # distribution as flipping them one by one.
        size = (min(rows, permutations - start), sizes.size)
        positive = generator.binomial(counts, 0.5, size=size)
        as_large += int((np.abs((2 * positive - counts) @ sizes) >= observed).sum())
    return (1 + as_large) / (1 + permutations)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment: adjusted p by name, in the given order.

    Comparing each with the level keeps the chance of any false finding among all names at or below that
    level. Source: Holm (1979). Raises ValueError for a p outside [0, 1].
    """
    for name, p in p_values.items():
        if not 0 <= p <= 1:
            raise ValueError(f"{name}: a p value of {p} is outside 0 to 1")
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda entry: entry[1])):
        running = max(running, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = running
    return {name: adjusted[name] for name in p_values}
