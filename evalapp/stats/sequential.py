"""Alpha spending: the levels of interim analyses and of repeated use of a test version.

Over the evaluations of one challenger the level is spent by the function of Lan and DeMets (1983) that
behaves like O'Brien and Fleming's: almost nothing early, almost all at the end, whenever the evaluations take
place. Over the challengers on one test version the level is split, so that the chance of any false release
stays below it however many are tried.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.resampling import Array

#: An evaluation that adds less than this share of the planned reviews is too soon: it gets no level, and what
#: it would have spent is left for the next.
LEAST_STEP = 0.002
#: Smaller chances count as 0; no p value of reviews is this small.
NEXT_TO_NOTHING = 1e-9
POINTS = 1201
LARGEST_Z = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """``level``: one-sided chance of any false release on a test version, such as 0.025.

    ``challengers``: the declared largest number of challengers; each gets an equal part, and a further one
    none. If None, the k-th gets 6/(π²k²) of the level: 61, 15, 7, 4, 2%, so there is always a little left.
    """

    level: float
    challengers: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.level < 0.5:
            raise ValueError(f"the level is {self.level}; give a one-sided chance such as 0.025")
        if self.challengers is not None and self.challengers < 1:
            raise ValueError(f"{self.challengers} challengers; declare at least 1")

    def for_challenger(self, number: int) -> float:
        """The part of the level for the ``number``-th challenger (from 1) on this test version."""
        if number < 1:
            raise ValueError(f"challengers are counted from 1, not from {number}")
        if self.challengers is None:
            return self.level * 6 / (math.pi * number) ** 2
        return self.level / self.challengers if number <= self.challengers else 0.0


def interim_level(spending: Spending, *, challenger: int, shares: Sequence[float]) -> Measure:
    """The level to use now: release if the one-sided p value is at most this.

    ``challenger``: its number on this test version, from 1. ``shares``: for every evaluation including this
    one, in order, the reviews available as a share of those planned; more than planned counts as 1, and after
    an evaluation at 1 nothing is left. ``n`` counts evaluations. Undefined, with the reason, if this
    evaluation has no level.
    """
    part = spending.for_challenger(challenger)
    name = signature(
        "interim-level",
        spending="obrien-fleming",
        level=spending.level,
        challenger=challenger,
        challengers=spending.challengers,
    )
    n = len(shares)
    if part == 0:
        reason = (
            f"the test version was declared for {spending.challengers} challengers and this is the "
            f"{challenger}th: it is spent"
        )
        return Measure.undefined(reason, n=n, signature=name)
    if not shares:
        raise ValueError("give the share of the planned reviews at this evaluation")
    levels = interim_levels(part, shares)
    if levels[-1] > 0:
        return Measure(value=levels[-1], n=n, signature=name)
    if n > 1 and shares[-2] >= 1:
        reason = "the budget was spent at the planned end"
    elif n > 1 and min(shares[-1], 1.0) - max(0.0, *shares[:-1]) < LEAST_STEP:
        reason = "too soon after the last evaluation"
    else:
        reason = "too early: almost no budget can be spent yet"
    return Measure.undefined(reason, n=n, signature=name)


def spent(level: float, share: float) -> float:
    """How much of a one-sided ``level`` may be spent at this share of the plan: 2 - 2Φ(z(level/2) /
    √share).
    """
    if share <= 0:
        return 0.0
    normal = NormalDist()
    reach = normal.inv_cdf(1 - level / 2) / math.sqrt(min(share, 1.0))
    # erfc keeps its precision in the far tail, where 1 - Φ loses all digits.
    return math.erfc(reach / math.sqrt(2))


def interim_levels(level: float, shares: Sequence[float]) -> list[float]:
    """The one-sided nominal level of each evaluation; 0 for an evaluation without one.

    The chance of p at or below it at any evaluation is ``level`` by the end of the plan if the score's
    increments between evaluations are independent (Armitage, McPherson and Rowe 1969), and less if
    evaluations share more, such as the same few reviewers. Raises ValueError for decreasing shares.
    """
    _require_rising(shares)
    levels: list[float] = []
    density = _Density()
    used, last = 0.0, 0.0
    for share in (min(share, 1.0) for share in shares):
        allowed = spent(level, share) - used
        if share - last < LEAST_STEP or allowed < NEXT_TO_NOTHING:
            levels.append(0.0)
            continue
        bound = density.bound(share, allowed)
        density.stop(share, bound)
        levels.append(1 - NormalDist().cdf(bound))
        used, last = used + allowed, share
    return levels


def _require_rising(shares: Sequence[float]) -> None:
    for place, share in enumerate(shares):
        if not math.isfinite(share) or share < 0:
            raise ValueError(f"evaluation {place + 1}: the share of the plan is {share}, not 0 or more")
        if place and share < shares[place - 1]:
            raise ValueError(
                f"evaluation {place + 1}: the share of the plan falls from {shares[place - 1]} to {share}"
            )


class _Density:
    """Density of the score (a Brownian motion over the share of the plan) if no evaluation has stopped it
    yet.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self.at = np.zeros(1)
        self.mass = np.ones(1)

    def bound(self, share: float, allowed: float) -> float:
        """The z value beyond which the probability is ``allowed``."""
        from scipy.optimize import brentq

        return float(brentq(lambda z: self.beyond(share, z) - allowed, -LARGEST_Z, LARGEST_Z + 2, xtol=1e-10))

    def beyond(self, share: float, z: float) -> float:
        """Probability of not having stopped and being beyond ``z`` at this share of the plan."""
        from scipy.special import ndtr

        step = math.sqrt(share - self.share)
        return float(self.mass @ ndtr((self.at - z * math.sqrt(share)) / step))

    def stop(self, share: float, z: float) -> None:
        """Advance to ``share`` and remove what is beyond ``z``."""
        edge = z * math.sqrt(share)
        step = math.sqrt(share - self.share)
        points = np.linspace(-LARGEST_Z * math.sqrt(share), edge, POINTS)
        weight = _simpson(points)
        kernel = np.exp(-0.5 * ((points[:, None] - self.at[None, :]) / step) ** 2) / (
            step * math.sqrt(2 * math.pi)
        )
        self.at, self.mass, self.share = points, weight * (kernel @ self.mass), share


def _simpson(points: Array) -> Array:
    weight = np.full(points.size, 2.0)
    weight[1::2] = 4.0
    weight[[0, -1]] = 1.0
    result: Array = weight * (points[1] - points[0]) / 3
    return result
