"""Simpson's paradox: a difference between two candidates that is reversed within strata."""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.differences import paired_scores
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array, require_level

Key = TypeVar("Key", bound=Hashable)
Kind = Literal["subgroup", "most", "all"]

LEAST_ITEMS = 10
# A difference that is only rounding has no direction.
NOTHING = 1e-9


class Stratum(NamedTuple):
    """Challenger minus reference on the items of one stratum; ``items`` is the smaller number of the two.

    ``p``: two-sided, for new items rated by this panel. A reviewer's preference for one candidate is the same
    in every stratum, so it reverses no difference, and a wider interval for it would hide changes of
    direction that exist.
    """

    name: str
    items: int
    difference: float
    p: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class StratifiedDifference:
    """The difference of two candidates' means overall, and in every stratum with enough items.

    ``overall`` is what a table of means shows: each candidate over its own items. ``p`` is its p value;
    ``mix_p`` that of both having the same shares of items in every stratum, 1 if both were rated on the same
    items. ``left_out`` names strata with too few items.
    """

    overall: float
    items: int
    p: Measure
    mix_p: float
    strata: tuple[Stratum, ...]
    left_out: tuple[str, ...]

    @property
    def opposite(self) -> list[Stratum]:
        """Strata with a difference in the other direction."""
        return [
            each
            for each in self.strata
            if each.difference * self.overall < 0 and min(abs(each.difference), abs(self.overall)) > NOTHING
        ]


class Paradox(NamedTuple):
    """A contradiction between strata and the overall difference.

    ``kind``: "subgroup" if a stratum is significantly reversed, "most" if more than half are reversed
    although the overall difference is significant, "all" if every one is, because the mixes of items differ;
    that is the paradox in its strict sense. ``telling``: the strata concerned, smallest p first.
    """

    kind: Kind
    stratified: StratifiedDifference
    telling: tuple[Stratum, ...]
    adjusted_p: float | None


class _Means(NamedTuple):
    """Items and the mean of each."""

    items: tuple[Hashable, ...]
    means: Array


class Sides(NamedTuple):
    """Item means of two candidates, and those of their differences if each score has its counterpart."""

    challenger: _Means
    reference: _Means
    paired: _Means | None


def sides_of(challenger: Ratings, reference: Ratings) -> Sides:
    """Item means of two candidates, computed once for any number of fields."""
    is_paired = len(challenger) == len(reference) and _cells(challenger) == _cells(reference)
    paired = _means_of(paired_scores(challenger, reference)) if is_paired and len(challenger) else None
    return Sides(_means_of(challenger), _means_of(reference), paired)


def stratify(
    sides: Sides, stratum_of: Mapping[Any, str], *, least_items: int = LEAST_ITEMS
) -> StratifiedDifference | None:
    """Difference of the candidates overall and by stratum; None without scores or with fewer than two strata.

    ``stratum_of`` maps items; an item that is missing or mapped to "" belongs to no stratum and counts only
    overall. A stratum is used if both candidates have ``least_items`` items in it. p values are of the paired
    difference if all scores are paired, else of two means.
    """
    if not sides.challenger.items or not sides.reference.items:
        return None
    kinds = [_kinds(sides.challenger, stratum_of), _kinds(sides.reference, stratum_of)]
    counts = [Counter(name for name in each.tolist() if name) for each in kinds]
    names = sorted({*counts[0], *counts[1]})
    sizes = {name: min(count[name] for count in counts) for name in names}
    taken = [name for name in names if sizes[name] >= max(least_items, 1)]
    if len(taken) < 2:
        return None
    wholes = [sides.challenger.means, sides.reference.means]
    if sides.paired is not None:
        kinds, wholes = [_kinds(sides.paired, stratum_of)], [sides.paired.means]
    strata = []
    for name in taken:
        inside = [means[kind == name] for means, kind in zip(wholes, kinds, strict=True)]
        strata.append(Stratum(name, sizes[name], *_difference(inside)))
    overall, p = _difference(wholes)
    return StratifiedDifference(
        overall=overall,
        items=min(len(sides.challenger.items), len(sides.reference.items)),
        p=p,
        mix_p=1.0 if sides.paired is not None else same_mix_p(counts, taken),
        strata=tuple(strata),
        left_out=tuple(name for name in names if name not in taken),
    )


def paradoxes(found: Mapping[Key, StratifiedDifference], *, level: float = 0.95) -> dict[Key, Paradox]:
    """The comparisons of a family in which the strata contradict the overall difference.

    One of three conditions must be met, so that noise is not reported: a reversed stratum has a p below 1 -
    ``level`` after Holm's adjustment over all strata of the family; or more than half of the strata are
    reversed while the overall difference has such a p, adjusted over the family; or all are, and the two
    candidates' mixes of strata differ significantly (Holm over the family), which is the paradox itself.
    """
    require_level(level)
    alpha = 1 - level
    keys = list(found)
    inside = _holm_adjusted(
        {(key, each.name): each.p.value for key in keys for each in found[key].strata},
    )
    wholes = _holm_adjusted({key: found[key].p.value for key in keys})
    mixes = _holm_adjusted({key: found[key].mix_p for key in keys})
    result: dict[Key, Paradox] = {}
    for key in keys:
        stratified = found[key]
        opposite = sorted(stratified.opposite, key=lambda each: inside[key, each.name])
        if not opposite:
            continue
        significant = tuple(each for each in opposite if inside[key, each.name] < alpha)
        if significant:
            result[key] = Paradox("subgroup", stratified, significant, inside[key, significant[0].name])
        elif len(opposite) == len(stratified.strata) and mixes[key] < alpha:
            result[key] = Paradox("all", stratified, tuple(opposite), None)
        elif 2 * len(opposite) > len(stratified.strata) and wholes[key] < alpha:
            result[key] = Paradox("most", stratified, tuple(opposite), wholes[key])
    return result


def _holm_adjusted(p_values: Mapping[Key, float | None]) -> dict[Key, float]:
    """Holm's adjustment over the whole family; an undefined p counts as 1."""
    ordered = sorted(p_values.items(), key=lambda each: 1.0 if each[1] is None else each[1])
    adjusted: dict[Key, float] = {}
    running = 0.0
    for rank, (key, p) in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - rank) * (1.0 if p is None else p)))
        adjusted[key] = running
    return adjusted


def _means_of(ratings: Ratings) -> _Means:
    return _Means(ratings.items, ratings.item_means() if len(ratings) else np.empty(0))


def _kinds(of: _Means, stratum_of: Mapping[Any, str]) -> Any:
    """Stratum of each item; "" for none."""
    return np.array([stratum_of.get(item, "") for item in of.items], dtype=object)


def _cells(ratings: Ratings) -> set[tuple[Hashable, Hashable]]:
    return {
        (ratings.items[item], ratings.reviewers[reviewer])
        for item, reviewer in zip(ratings.item.tolist(), ratings.reviewer.tolist(), strict=True)
    }


def _difference(parts: Sequence[Array]) -> tuple[float, Measure]:
    """Mean and two-sided p over items: of paired differences for one part (Student), of the difference of two
    means for two parts (Welch).
    """
    n = min(part.size for part in parts)
    name = "paired-difference-p" if len(parts) == 1 else "mean-difference-p"
    value = float(parts[0].mean()) - sum(float(part.mean()) for part in parts[1:])
    label = signature(name, unit="items")
    if n < 2:
        return value, Measure.undefined("one item", n=n, signature=label)
    errors = [float(part.var(ddof=1)) / part.size for part in parts]
    variance = sum(errors)
    if variance <= NOTHING**2:
        # Every item differs by the same amount: the p of as many equal signs in a row.
        p = 2.0 ** (1 - n) if abs(value) > NOTHING else 1.0
        return value, Measure(value=p, n=n, signature=signature(name, unit="items", test="signs"))
    from scipy.special import stdtr

    wobble = sum(error**2 / (part.size - 1) for error, part in zip(errors, parts, strict=True))
    t = abs(value) / math.sqrt(variance)
    return value, Measure(value=float(2 * stdtr(variance**2 / wobble, -t)), n=n, signature=label)


def same_mix_p(sides: Sequence[Mapping[Key, int]], names: Sequence[Key]) -> float:
    """P of Pearson's chi-square that both sides have the same shares of the strata; 1 with fewer than two
    strata, or without items on one side.
    """
    from scipy.special import chdtrc

    table = np.array([[side.get(name, 0) for name in names] for side in sides], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(chdtrc(table.shape[1] - 1, statistic))
