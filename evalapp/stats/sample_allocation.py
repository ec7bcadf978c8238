"""How likely each output of a week is to be drawn, and from which strata the next reviews tell most.

Probabilities are the same for every output of a stratum, above 0 everywhere, and differ by a factor of 3 at
most: what is oversampled for its risk is not missed, and what is not still counts in full (weights that
differ more cost more than they bring). Numbers by stratum are rounded at random, so that the probabilities
are exact.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from evalapp.stats.bounds import clopper_pearson
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array
from evalapp.stats.weighted import (
    SampleDesign,
    WeightedEstimate,
    effective_outputs,
    weighted_score,
    weighted_share,
    weighted_values,
)

#: The largest inclusion probability over the smallest.
MOST_RATIO = 3.0
#: A smaller chance is no chance.
IMPOSSIBLE = 1e-6
# So many outputs of a stratum's variance come from all strata.
_BORROWED = 2.0


class Scheme(StrEnum):
    """``UNIFORM``: every output as likely, whatever its stratum. ``PROPORTIONAL``: as likely, each stratum
    with its share of the sample. ``RISK``: the likelier the riskier its stratum.
    """

    UNIFORM = "uniform"
    PROPORTIONAL = "proportional"
    RISK = "risk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """``probability`` by stratum, each above 0 and at most 1; ``outputs`` as they were given."""

    scheme: Scheme
    outputs: Mapping[Hashable, int]
    probability: Mapping[Hashable, float]

    @property
    def expected(self) -> dict[Hashable, float]:
        """How many outputs of each stratum are drawn on average."""
        return {stratum: self.outputs[stratum] * p for stratum, p in self.probability.items()}

    @property
    def effective(self) -> float:
        """As many outputs of equal weight tell as much (Kish 1965), if all are reviewed."""
        whole = sum(self.outputs.values())
        return (
            whole**2 / sum(self.outputs[each] / p for each, p in self.probability.items()) if whole else 0.0
        )

    def counts(self, *, seed: int) -> dict[Hashable, int]:
        """How many to draw of each stratum, at random within it.

        On average the `expected` ones; stratified, each is one of the two whole numbers around it.
        """
        generator = np.random.default_rng(seed)
        strata, expected = list(self.probability), np.array(list(self.expected.values()))
        if self.scheme is Scheme.UNIFORM:
            sizes = [self.outputs[each] for each in strata]
            drawn = generator.multivariate_hypergeometric(sizes, round(float(expected.sum())))
        else:
            ends = np.floor(np.round(np.append(0.0, np.cumsum(expected)), 9) + generator.random())
            drawn = np.diff(ends)
        return {stratum: int(number) for stratum, number in zip(strata, drawn.tolist(), strict=True)}


def allocate(
    outputs: Mapping[Hashable, int],
    wanted: int,
    *,
    scheme: Scheme = Scheme.PROPORTIONAL,
    risk: Mapping[Hashable, float] | None = None,
    most_ratio: float = MOST_RATIO,
) -> Allocation:
    """Probabilities with which ``wanted`` of a week's ``outputs`` by stratum are drawn; all, of fewer.

    ``risk``, for the scheme of that name: 0 or more by stratum, such as how often it went wrong; a stratum
    without one, or with little, gets what the riskiest gets over ``most_ratio``. Raises ValueError for fewer
    than one wanted, a negative or infinite risk, or a ratio under 1.
    """
    if wanted < 1:
        raise ValueError(f"{wanted} outputs are not a sample; ask for at least 1")
    if not most_ratio >= 1:
        raise ValueError(f"the largest probability over the smallest is {most_ratio}; give 1 or more")
    strata = [stratum for stratum, number in outputs.items() if number > 0]
    sizes = np.array([outputs[stratum] for stratum in strata], dtype=np.float64)
    asked = np.ones(len(strata))
    if scheme is Scheme.RISK:
        asked = np.array([(risk or {}).get(stratum, 0.0) for stratum in strata], dtype=np.float64)
        if not (np.isfinite(asked).all() and (asked >= 0).all()):
            raise ValueError("a risk is 0 or more")
        top = float(asked.max(initial=0.0)) or 1.0
        asked = np.maximum(asked / top, 1 / most_ratio) if asked.any() else np.ones(len(strata))
    found = _scaled(sizes, asked, float(min(wanted, sizes.sum())))
    return Allocation(
        scheme=scheme,
        outputs={stratum: outputs[stratum] for stratum in strata},
        probability=dict(zip(strata, found.tolist(), strict=True)),
    )


def _scaled(sizes: Array, asked: Array, wanted: float) -> Array:
    """In proportion to what is asked, at most 1, so that so many are wanted in all."""
    certain = np.zeros(sizes.size, dtype=bool)
    found = np.ones(sizes.size)
    for _ in range(sizes.size):
        left = wanted - sizes[certain].sum()
        found = np.where(certain, 1.0, asked * left / max(float((sizes * asked)[~certain].sum()), 1e-12))
        over = (found >= 1) & ~certain
        if not over.any():
            break
        certain |= over
    return np.minimum(found, 1.0)


class NextReviews(NamedTuple):
    """Where so many further ``reviews`` narrow the interval most: how many of each stratum, what part of the
    variance those take away, and the half-width ``now`` and ``then``.
    """

    reviews: int
    by_stratum: Mapping[Hashable, int]
    gain: Mapping[Hashable, float]
    now: float
    then: float


def next_reviews(
    ratings: Ratings,
    design: SampleDesign,
    reviews: int = 40,
    *,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
) -> NextReviews | str:
    """Take one review after another where it lowers the variance most (Neyman 1934), or say why not.

    Of the mean on a scale with these ``bounds``, or without any of a share. A stratum's own variance borrows
    from that of all. Further outputs are new ones of the stratum, drawn at random; no stratum gets more than
    3 times the share of another that has any left. Fewer than asked for where the week has no more.
    """
    found = (
        weighted_share(ratings, design, level=level)
        if bounds is None
        else weighted_score(ratings, design, bounds=bounds, level=level)
    )
    now = found.measure.half_width
    if now is None or found.error is None:
        return found.measure.reason or found.measure.note
    means = ratings.item_means()
    strata = _Strata.of(ratings, design, means if bounds else (means >= 0.5).astype(np.float64))
    before = strata.variance(strata.reviewed)
    if before <= 0:
        return "the whole week is reviewed"
    taken = strata.taken(reviews)
    after = strata.variance(strata.reviewed + taken)
    parts = strata.parts(strata.reviewed) - strata.parts(strata.reviewed + taken)
    narrower = after / before
    return NextReviews(
        reviews=int(taken.sum()),
        by_stratum=dict(zip(strata.names, taken.astype(int).tolist(), strict=True)),
        gain=dict(zip(strata.names, (parts / before).tolist(), strict=True)),
        now=now,
        then=_then(found, ratings, design, narrower, is_share=bounds is None, level=level),
    )


def _then(
    found: WeightedEstimate,
    ratings: Ratings,
    design: SampleDesign,
    narrower: float,
    *,
    is_share: bool,
    level: float,
) -> float:
    now = found.measure.half_width or 0.0
    if not is_share or narrower <= 0:
        # With the whole week reviewed nothing is left to be uncertain of.
        return now * math.sqrt(max(narrower, 0.0))
    value = found.measure.value or 0.0
    values = weighted_values(ratings, design)
    degrees = values.variance((ratings.item_means() >= 0.5).astype(np.float64))[1]
    effective = effective_outputs(value, (found.error or 0.0) ** 2, degrees, values, level=level) / narrower
    low, high = clopper_pearson(value * effective, effective, alpha=(1 - level) / 2)
    return (high - low) / 2


@dataclass(frozen=True, slots=True)
class _Strata:
    """By stratum: its part of the week, its own variance, its outputs, how many were reviewed and drawn."""

    names: tuple[Hashable, ...]
    share: Array
    spread: Array
    outputs: Array
    reviewed: Array
    drawn: Array

    @classmethod
    def of(cls, ratings: Ratings, design: SampleDesign, values: Array) -> "_Strata":
        sizes = design.sizes()
        names = tuple(sizes)
        position = {name: number for number, name in enumerate(names)}
        place = np.array([position[design.drawn[item].stratum] for item in ratings.items], dtype=np.int64)
        reviewed = np.bincount(place, minlength=len(names)).astype(np.float64)
        drawn = np.bincount(
            [position[each.stratum] for each in design.drawn.values()], minlength=len(names)
        ).astype(np.float64)
        sums = np.bincount(place, weights=values, minlength=len(names))
        rest = values - (sums / np.maximum(reviewed, 1))[place]
        squares = np.bincount(place, weights=rest**2, minlength=len(names))
        free = np.maximum(reviewed - 1, 0)
        # Where nothing is marked the variance is that of half a mark.
        common = float(squares.sum()) / max(float(free.sum()), 1.0) or 0.5 / (len(values) + 1)
        outputs = np.array([sizes[name] for name in names])
        return cls(
            names=names,
            share=outputs / outputs.sum(),
            spread=(squares + _BORROWED * common) / (free + _BORROWED),
            outputs=outputs,
            reviewed=reviewed,
            drawn=drawn,
        )

    def parts(self, reviewed: Array) -> Array:
        """Each stratum's part of the variance; one without a review counts as having half of one."""
        left = 1 / np.maximum(reviewed, 0.5) - 1 / np.maximum(self.outputs, 0.5)
        found: Array = self.share**2 * self.spread * np.maximum(left, 0.0)
        return found

    def variance(self, reviewed: Array) -> float:
        return float(self.parts(reviewed).sum())

    def taken(self, reviews: int) -> Array:
        """How many of each stratum, one after another."""
        taken = np.zeros(len(self.names))
        for _ in range(reviews):
            left = self.drawn + taken + 1 <= self.outputs
            if not left.any():
                break
            likely = (self.reviewed + taken) / self.outputs
            most = MOST_RATIO * max(float(likely[left].min()), 1 / float(self.outputs[left].max()))
            next_one = (self.reviewed + taken + 1) / self.outputs
            allowed = left & ((next_one <= most) | (likely <= likely[left].min()))
            gain = self.parts(self.reviewed + taken) - self.parts(self.reviewed + taken + 1)
            taken[int(np.argmax(np.where(allowed, gain, -np.inf)))] += 1
        return taken


def are_possible(probabilities: Sequence[float], outputs: int) -> bool:
    """Whether draws with these inclusion probabilities (above 0) can be of a stratum with so many outputs.

    The draws stand for Σ 1/p outputs (Horvitz and Thompson 1952), so of ``outputs`` there are on average
    ``outputs`` × draws / Σ 1/p. So many draws, or so few, have a chance under `IMPOSSIBLE` (a Poisson tail; a
    draw of fixed size spreads less) only where the probabilities are of something else.
    """
    from scipy.stats import poisson

    draws = len(probabilities)
    expected = outputs * draws / sum(1 / each for each in probabilities)
    return bool(min(poisson.cdf(draws, expected), poisson.sf(draws - 1, expected)) >= IMPOSSIBLE)
