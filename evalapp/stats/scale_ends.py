"""The reach of a bound near the end of a scale.

Near the top of a scale most answers are good and a few are bad, and a severe reviewer takes more away than a
lenient one can add. A sample that happens to hold few of the bad then has a high mean and a small spread at
once, and Student's lower bound lies above the truth more often than its level says: at 1% up to nine times
too often where the mean is 4.7 of 5. What would show it, the skewness of the reviewers, cannot be seen in a
handful of them. But the end of the scale is known, and effects that it bends are the smaller, and the more
skewed, the nearer it is.

Very near the end this goes too far: where nearly every score is the best there is, and Student's reach is
longer than the way to the end, the stretched bound falls to the other end of the scale, though a single 4
among five hundred 5s says no such thing. There what is missing to the best score is a rare event, and its
bound is that of a rare event.
"""

from statistics import NormalDist

import numpy as np

from evalapp.stats.resampling import Array

_NEXT_TO_THE_END = 1 - 1e-15
RARE_REACHES = 3.0
"""How many times as far as a rare event's bound lies, a bound may lie at most; by simulation (ADR 11)."""


def reach_below(
    reach: float | Array, *, place: float | Array, smallest: float, largest: float, alpha: float
) -> Array:
    """How far below ``place`` on the scale the bound lies that Student's t puts ``reach`` below it.

    Student's bound is taken on y = d/√(1 − d²), where d is the place from −1 to 1 between the ends of the
    scale, and turned back: y stretches the ends, so that what happens near them is about as likely to either
    side (Hall 1992, removing skewness by transformation). Never nearer than Student's: below the middle it is
    Student's. The bound stays above ``smallest`` unless ``reach`` alone goes beyond. At most `RARE_REACHES`
    times `_rare_reach` at the one-sided level ``alpha``. Of one bound, or of many.
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
    """How far below ``place`` the bound lies if the share of the scale that is missing to its end is that of
    marks.

    Byar's bound of a count that is rare (Breslow and Day 1987, within 2% of the exact one), at the effective
    number of marks that Student's ``reach`` stands for (Korn and Graubard 1998), as
    `evalapp.stats.bounds.share_bounds` has it of any rate. Infinite where the reach is not longer than the
    way to the end: there three times it is never the nearer.
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
    """`reach_below` for the difference of two candidates' means on one scale, whose mean is ``centre``.

    Two candidates alike differ by as much to either side, wherever on the scale: down to a difference of 0
    the reach is Student's. The better of two is nearer the top and varies less than the other, so what is
    left of the reach is bent at the place of the worse one; near the bottom, where all is turned round, of
    the better.
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
