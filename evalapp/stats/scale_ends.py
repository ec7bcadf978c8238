"""How far a bound reaches near the end of a scale.

Near the top of a scale most answers are good and a few are bad, and a severe reviewer takes away more than a
lenient one can add. A sample that happens to have few bad answers then has both a high mean and a small
spread, and Student's lower bound is above the truth more often than its level says: at 1%, up to nine times
too often with a mean of 4.7 of 5. The skewness of the reviewers would show it, but cannot be estimated from a
handful of them. The end of the scale is known, however: the nearer it is, the smaller and the more skewed
effects become.

Very near the end this correction goes too far: if nearly every score is the best one, and Student's reach is
longer than the distance to the end, the stretched bound falls to the other end of the scale, which a single 4
among five hundred 5s does not justify. There, what is missing to the best score is a rare event, and the
bound is that of a rare event.
"""

from statistics import NormalDist

import numpy as np

from evalapp.stats.resampling import Array

_NEXT_TO_THE_END = 1 - 1e-15
RARE_REACHES = 3.0
"""A bound reaches at most this many times as far as that of a rare event; by simulation (ADR 11)."""


def reach_below(
    reach: float | Array, *, place: float | Array, smallest: float, largest: float, alpha: float
) -> Array:
    """How far below ``place`` on the scale the bound is, given Student's ``reach`` below it.

    Student's bound is taken on y = d/√(1 − d²), where d is the position from −1 to 1 between the ends of the
    scale, and transformed back: y stretches the ends, so that deviations near them are about symmetric (Hall
    1992, removing skewness by transformation). Never nearer than Student's bound, and equal to it below the
    middle. The bound stays above ``smallest`` unless ``reach`` alone goes beyond. At most `RARE_REACHES`
    times `_rare_reach` at the one-sided level ``alpha``. For one bound, or for arrays of them.
    """
    half = (largest - smallest) / 2
    d = (np.asarray(place, dtype=np.float64) - smallest) / half - 1
    inside = np.clip(d, 0.0, _NEXT_TO_THE_END)
    root = np.sqrt(1 - inside**2)
    y = inside / root - reach / half / root**3
    bent = np.where(d >= 1, half * (d + 1), half * (inside - y / np.hypot(1, y)))
    rare = RARE_REACHES * _rare_reach(reach, place=place, smallest=smallest, largest=largest, alpha=alpha)
    further: Array = np.where(d <= 0, reach, np.maximum(reach, np.minimum(bent, rare)))
    return further


def _rare_reach(
    reach: float | Array, *, place: float | Array, smallest: float, largest: float, alpha: float
) -> Array:
    """How far below ``place`` the bound is if the distance to the end of the scale is treated as a share of
    marks.

    Byar's bound of a rare count (Breslow and Day 1987, within 2% of the exact one), at the effective number
    of marks that Student's ``reach`` corresponds to (Korn and Graubard 1998), as
    `evalapp.stats.bounds.share_bounds` computes it for rates. Infinite if the reach is at most the distance
    to the end: there three times this bound is never the nearer one.
    """
    span = largest - smallest
    missing, reaches = np.broadcast_arrays(
        np.clip((largest - np.asarray(place, dtype=np.float64)) / span, 0.0, 1.0), np.asarray(reach) / span
    )
    found = np.full(missing.shape, np.inf)
    is_long = reaches > missing
    share, z = missing[is_long], NormalDist().inv_cdf(1 - alpha)
    marks = np.maximum(share * (1 - share) * (z / np.maximum(reaches[is_long], 1e-9)) ** 2, 1.0)
    count = share * marks + 1
    most = count * (1 - 1 / (9 * count) + z / (3 * np.sqrt(count))) ** 3 / marks
    found[is_long] = span * (np.minimum(most, 1) - share)
    return found


def difference_reach_below(
    difference: float | Array,
    reach: float | Array,
    *,
    centre: float,
    smallest: float,
    largest: float,
    alpha: float,
) -> Array:
    """`reach_below` for the difference of two candidates' means on one scale, whose midpoint is ``centre``.

    Two equal candidates differ symmetrically anywhere on the scale: down to a difference of 0 the reach is
    Student's. The better of two is nearer the top and varies less, so the rest of the reach is stretched at
    the position of the worse one; near the bottom, by symmetry, at that of the better one.
    """
    straight = np.minimum(np.maximum(difference, 0.0), reach)
    apart = -np.minimum(difference, 0.0)
    places = (centre - apart / 2, smallest + largest - (centre + apart / 2))
    worse, turned = (
        reach_below(reach - straight, place=place, smallest=smallest, largest=largest, alpha=alpha)
        for place in places
    )
    further: Array = straight + np.maximum(worse, turned)
    return further
