"""Simpson's reversal: a difference between two candidates that points the other way inside strata."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.differences import paired_scores
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import require_level

Key = TypeVar("Key", bound=Hashable)
Kind = Literal["stratum", "most", "all"]

LEAST_ITEMS = 10
# A difference of rounding points nowhere.
NOTHING = 1e-9


class Stratum(NamedTuple):
    """Challenger minus reference on the items of one stratum; ``items`` counts the smaller side's.

    ``p``: two-sided, for new items rated by this panel. A reviewer's own liking for one candidate is alike
    in every stratum, so it makes no reversal, and widening for it would hide those that there are.
    """

    name: str
    items: int
    difference: float
    p: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified:
    """The difference of two candidates' means overall, and in every stratum with enough items.

    ``overall`` is what a table of means shows: each candidate over its own items. ``p`` is its own p value,
    ``mix_p`` that of the hypothesis that both have the same shares of items in every stratum: 1 where both
    were rated on the same items. ``left_out`` names strata with fewer items.
    """

    overall: float
    items: int
    p: Measure
    mix_p: float
    strata: tuple[Stratum, ...]
    left_out: tuple[str, ...]

    @property
    def opposite(self) -> list[Stratum]:
        """The strata that point the other way."""
        return [
            each
            for each in self.strata
            if each.difference * self.overall < 0 and min(abs(each.difference), abs(self.overall)) > NOTHING
        ]


class Reversal(NamedTuple):
    """``kind``: a stratum points the other way significantly ("stratum"), more than half of them do although
    the whole is significant ("most"), or every one does because the mixes of items differ ("all").
    ``telling`` are the strata that say so, the surest first.
    """

    kind: Kind
    stratified: Stratified
    telling: tuple[Stratum, ...]
    adjusted_p: float | None


class Sides(NamedTuple):
    """Two candidates' scores, and where each score has its counterpart their paired differences."""

    challenger: Ratings
    reference: Ratings
    paired: Ratings | None


def sides_of(challenger: Ratings, reference: Ratings) -> Sides:
    """Set two candidates beside each other, once for any number of fields."""
    is_paired = len(challenger) == len(reference) and _cells(challenger) == _cells(reference)
    return Sides(challenger, reference, paired_scores(challenger, reference) if is_paired else None)


def stratify(
    sides: Sides, stratum_of: Mapping[Any, str], *, least_items: int = LEAST_ITEMS
) -> Stratified | None:
    """Both candidates' difference overall and by stratum; None without scores or without two strata.

    ``stratum_of`` maps items; an item that it does not know belongs to no stratum and counts overall alone.
    A stratum takes part with ``least_items`` items of each candidate. p values are of the paired difference
    where all scores are paired, else of two means.
    """
    challenger, reference, paired = sides
    if not len(challenger) or not len(reference):
        return None
    counts = (_by_stratum(challenger, stratum_of), _by_stratum(reference, stratum_of))
    names = sorted({*counts[0], *counts[1]})
    sizes = {name: min(counts[0].get(name, 0), counts[1].get(name, 0)) for name in names}
    taken = [name for name in names if sizes[name] >= max(least_items, 1)]
    if len(taken) < 2:
        return None
    strata = []
    for name in taken:
        inside = Sides(
            _of_stratum(challenger, stratum_of, name),
            _of_stratum(reference, stratum_of, name),
            _of_stratum(paired, stratum_of, name) if paired is not None else None,
        )
        strata.append(Stratum(name, sizes[name], *_difference(inside)))
    overall, p = _difference(sides)
    return Stratified(
        overall=overall,
        items=min(len(challenger.items), len(reference.items)),
        p=p,
        mix_p=1.0 if paired is not None else _same_mix(counts, taken),
        strata=tuple(strata),
        left_out=tuple(name for name in names if name not in taken),
    )


def reversals(found: Mapping[Key, Stratified], *, level: float = 0.95) -> dict[Key, Reversal]:
    """Those of a family of comparisons in which the strata contradict the whole.

    One of three has to hold, so that noise does not cry: a stratum that points the other way has a p under
    1 - ``level`` after Holm's adjustment over all strata of the family; or more than half of the strata point
    the other way while the whole has such a p, adjusted over the family's wholes; or all do, and the two
    candidates' mixes of strata differ significantly (Holm over the family), which is the paradox itself.
    """
    require_level(level)
    alpha = 1 - level
    keys = list(found)
    inside = _adjusted(
        {(key, each.name): each.p.value for key in keys for each in found[key].strata},
    )
    wholes = _adjusted({key: found[key].p.value for key in keys})
    mixes = _adjusted({key: found[key].mix_p for key in keys})
    result: dict[Key, Reversal] = {}
    for key in keys:
        stratified = found[key]
        opposite = sorted(stratified.opposite, key=lambda each: inside[key, each.name])
        if not opposite:
            continue
        significant = tuple(each for each in opposite if inside[key, each.name] < alpha)
        if significant:
            result[key] = Reversal("stratum", stratified, significant, inside[key, significant[0].name])
        elif len(opposite) == len(stratified.strata) and mixes[key] < alpha:
            result[key] = Reversal("all", stratified, tuple(opposite), None)
        elif 2 * len(opposite) > len(stratified.strata) and wholes[key] < alpha:
            result[key] = Reversal("most", stratified, tuple(opposite), wholes[key])
    return result


def _adjusted(p_values: Mapping[Key, float | None]) -> dict[Key, float]:
    """Holm's adjustment over the whole family; an undefined p counts as one that says nothing."""
    ordered = sorted(p_values.items(), key=lambda each: 1.0 if each[1] is None else each[1])
    adjusted: dict[Key, float] = {}
    running = 0.0
    for rank, (key, p) in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - rank) * (1.0 if p is None else p)))
        adjusted[key] = running
    return adjusted


def _by_stratum(ratings: Ratings, stratum_of: Mapping[Any, str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in ratings.items:
        name = stratum_of.get(item)
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _of_stratum(ratings: Ratings, stratum_of: Mapping[Any, str], name: str) -> Ratings:
    inside = np.array([stratum_of.get(item) == name for item in ratings.items], dtype=bool)
    kept = inside[ratings.item]
    items, item = np.unique(ratings.item[kept], return_inverse=True)
    reviewers, reviewer = np.unique(ratings.reviewer[kept], return_inverse=True)
    return Ratings(
        item=item,
        reviewer=reviewer,
        score=ratings.score[kept],
        items=tuple(ratings.items[code] for code in items.tolist()),
        reviewers=tuple(ratings.reviewers[code] for code in reviewers.tolist()),
    )


def _difference(sides: Sides) -> tuple[float, Measure]:
    challenger, reference, paired = sides
    n = min(len(challenger.items), len(reference.items))
    if paired is not None:
        value = _mean(paired)
        return value, _two_sided(value, [paired], n, "paired-difference-p")
    value = _mean(challenger) - _mean(reference)
    return value, _two_sided(value, [challenger, reference], n, "mean-difference-p")


def _mean(ratings: Ratings) -> float:
    return float(ratings.item_means().mean())


def _cells(ratings: Ratings) -> set[tuple[Hashable, Hashable]]:
    return {
        (ratings.items[item], ratings.reviewers[reviewer])
        for item, reviewer in zip(ratings.item.tolist(), ratings.reviewer.tolist(), strict=True)
    }


def _two_sided(value: float, parts: Sequence[Ratings], n: int, name: str) -> Measure:
    """Two-sided p of ``value`` over items: Student's t of one part's item means, Welch's of two parts'."""
    label = signature(name, unit="items")
    variance = wobble = 0.0
    for part in parts:
        means = part.item_means()
        if means.size < 2:
            return Measure.undefined("one item", n=n, signature=label)
        error = float(means.var(ddof=1)) / means.size
        variance += error
        wobble += error**2 / (means.size - 1)
    if variance <= NOTHING**2:
        # Every item differs by the same: as sure as so many heads in a row.
        p = 2.0 ** (1 - n) if abs(value) > NOTHING else 1.0
        return Measure(value=p, n=n, signature=signature(name, unit="items", test="signs"))
    from scipy.special import stdtr

    t = abs(value) / math.sqrt(variance)
    return Measure(value=float(2 * stdtr(variance**2 / wobble, -t)), n=n, signature=label)


def _same_mix(sides: Sequence[Mapping[str, int]], names: Sequence[str]) -> float:
    """Pearson's chi-square over the items of both candidates in the strata that take part."""
    from scipy.special import chdtrc

    table = np.array([[side.get(name, 0) for name in names] for side in sides], dtype=np.float64)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(chdtrc(len(names) - 1, statistic))
