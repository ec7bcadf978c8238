"""Inclusion probabilities of a week's outputs, and the strata from which further reviews help most.

Probabilities are the same for every output of a stratum, above 0 everywhere, and differ by a factor of 3 at
most: risky strata are oversampled, while all others still count in full (more unequal weights cost more than
they gain). Numbers by stratum are rounded at random, so that the probabilities are exact.
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

#: Largest ratio of two inclusion probabilities.
MOST_RATIO = 3.0
#: A probability below this counts as impossible.
IMPOSSIBLE = 1e-6
# A stratum's variance is shrunk towards that of all strata with the weight of this many outputs.
_BORROWED = 2.0


class Scheme(StrEnum):
    """``UNIFORM``: equal probability, whatever the stratum. ``PROPORTIONAL``: equal probability, with each
    stratum's share of the sample fixed. ``RISK``: higher probability in riskier strata.
    """

    UNIFORM = "uniform"
    PROPORTIONAL = "proportional"
    RISK = "risk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """``probability`` by stratum, above 0 and at most 1; ``outputs`` as given."""

    scheme: Scheme
    outputs: Mapping[Hashable, int]
    probability: Mapping[Hashable, float]

    @property
    def expected(self) -> dict[Hashable, float]:
        """Number of outputs of each stratum that are drawn on average."""
        return {stratum: self.outputs[stratum] * p for stratum, p in self.probability.items()}

    @property
    def effective(self) -> float:
        """Number of equally weighted outputs with the same precision (Kish 1965), if all are reviewed."""
        whole = sum(self.outputs.values())
        return (
            whole**2 / sum(self.outputs[each] / p for each, p in self.probability.items()) if whole else 0.0
        )

    def counts(self, *, seed: int) -> dict[Hashable, int]:
        """How many to draw of each stratum, at random within it.

        The `expected` numbers on average; if stratified, each is one of the two whole numbers around it.
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
    """Probabilities of drawing ``wanted`` of a week's ``outputs`` by stratum; 1 if there are fewer.

    ``risk``, for the scheme of that name: 0 or more by stratum, such as how often it failed; a stratum
    without a risk, or with a low one, gets the probability of the riskiest divided by ``most_ratio``. Raises
    ValueError for fewer than one wanted, a negative or infinite risk, or a ratio under 1.
    """
    if wanted < 1:
        raise ValueError(f"{wanted} outputs are not a sample; ask for at least 1")
    if not most_ratio >= 1:
        raise ValueError(f"the largest probability over the smallest is {most_ratio}; give 1 or more")
    strata = [stratum for stratum, number in outputs.items() if number > 0]
    sizes = np.array([outputs[stratum] for stratum in strata], dtype=np.float64)
    relative = np.ones(len(strata))
    if scheme is Scheme.RISK:
        relative = np.array([(risk or {}).get(stratum, 0.0) for stratum in strata], dtype=np.float64)
        if not (np.isfinite(relative).all() and (relative >= 0).all()):
            raise ValueError("a risk is 0 or more")
        top = float(relative.max(initial=0.0)) or 1.0
        relative = np.maximum(relative / top, 1 / most_ratio) if relative.any() else np.ones(len(strata))
    found = _capped_probabilities(sizes, relative, float(min(wanted, sizes.sum())))
    return Allocation(
        scheme=scheme,
        outputs={stratum: outputs[stratum] for stratum in strata},
        probability=dict(zip(strata, found.tolist(), strict=True)),
    )


def _capped_probabilities(sizes: Array, relative: Array, wanted: float) -> Array:
    """Probabilities in proportion to ``asked``, at most 1, that draw ``wanted`` outputs on average."""
    certain = np.zeros(sizes.size, dtype=bool)
    found = np.ones(sizes.size)
    for _ in range(sizes.size):
        left = wanted - sizes[certain].sum()
        found = np.where(
            certain, 1.0, relative * left / max(float((sizes * relative)[~certain].sum()), 1e-12)
        )
        over = (found >= 1) & ~certain
        if not over.any():
            break
        certain |= over
    return np.minimum(found, 1.0)


class NextReviews(NamedTuple):
    """Strata in which further ``reviews`` narrow the interval most.

    ``by_stratum``: number of reviews; ``gain``: the share of the variance that they remove; ``now`` and
    ``then``: the half-width before and after.
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
    """Allocate reviews one by one where each reduces the variance most (Neyman 1934), or say why not.

    The variance is that of the mean on a scale with these ``bounds``, or of a share if there are none. A
    stratum's variance is shrunk towards that of all. Further outputs are new ones of the stratum, drawn at
    random; no stratum gets more than 3 times the share of another that has outputs left. Fewer than requested
    if the week has no more.
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
        then=_half_width_then(found, ratings, design, narrower, is_share=bounds is None, level=level),
    )


def _half_width_then(
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
        # With the whole week reviewed there is no uncertainty left.
        return now * math.sqrt(max(narrower, 0.0))
    value = found.measure.value or 0.0
    values = weighted_values(ratings, design)
    degrees = values.variance((ratings.item_means() >= 0.5).astype(np.float64))[1]
    effective = effective_outputs(value, (found.error or 0.0) ** 2, degrees, values, level=level) / narrower
    low, high = clopper_pearson(value * effective, effective, alpha=(1 - level) / 2)
    return (high - low) / 2


@dataclass(frozen=True, slots=True)
class _Strata:
    """By stratum: share of the week, variance, outputs, number reviewed and number drawn."""

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
        # If nothing is marked, the variance is that of half a mark.
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
        """Each stratum's part of the variance; one without a review counts as having half a review."""
        left = 1 / np.maximum(reviewed, 0.5) - 1 / np.maximum(self.outputs, 0.5)
        found: Array = self.share**2 * self.spread * np.maximum(left, 0.0)
        return found

    def variance(self, reviewed: Array) -> float:
        return float(self.parts(reviewed).sum())

    def taken(self, reviews: int) -> Array:
        """How many of each stratum, allocated one by one."""
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
    """Whether draws with these inclusion probabilities (above 0) can come from a stratum with this many
    outputs.

    The draws represent Σ 1/p outputs (Horvitz and Thompson 1952), so ``outputs`` give on average ``outputs``
    × draws / Σ 1/p draws. As many draws, or as few, have a probability below `IMPOSSIBLE` (a Poisson tail; a
    draw of fixed size varies less) only if the probabilities belong to other outputs.
    """
    from scipy.stats import poisson

    draws = len(probabilities)
    expected = outputs * draws / sum(1 / each for each in probabilities)
    return bool(min(poisson.cdf(draws, expected), poisson.sf(draws - 1, expected)) >= IMPOSSIBLE)
