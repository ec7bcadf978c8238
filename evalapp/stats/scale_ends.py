"""How far a bound lies from an estimate where a scale ends.

Near the top of a scale most answers are good and a few are bad, and a severe reviewer takes more away than a
lenient one can add. A sample that happens to hold few of the bad then has a high mean and a small spread at
once, and Student's lower bound lies above the truth more often than its level says: at 1% up to nine times too
often where the mean is 4.7 of 5. What would show it, the skewness of the reviewers, cannot be seen in a handful
of them. But the end of the scale is known, and effects that it bends are the smaller, and the more skewed, the
nearer it is.
"""

import numpy as np

from evalapp.stats.resampling import Array

_NEXT_TO_THE_END = 1 - 1e-15


def reach_below(reach: float | Array, *, place: float | Array, smallest: float, largest: float) -> Array:
    """How far below ``place`` on the scale the bound lies that Student's t puts ``reach`` below it.

    Student's bound is taken on y = d/√(1 − d²), where d is the place from −1 to 1 between the ends of the scale,
    and turned back: y stretches the ends, so that what happens near them is about as likely to either side
    (Hall 1992, removing skewness by transformation). Never nearer than Student's: below the middle it is
    Student's. The bound stays above ``smallest`` unless ``reach`` alone goes beyond. Of one bound, or of many.
    """
    half = (largest - smallest) / 2
    d = (np.asarray(place, dtype=np.float64) - smallest) / half - 1
    inside = np.clip(d, 0.0, _NEXT_TO_THE_END)
    root = np.sqrt(1 - inside**2)
    y = inside / root - reach / half / root**3
    bent = np.where(d >= 1, half * (d + 1), half * (inside - y / np.hypot(1, y)))
    further: Array = np.where(d <= 0, reach, np.maximum(reach, bent))
    return further


def difference_reach_below(
    difference: float | Array, reach: float | Array, *, centre: float, smallest: float, largest: float
) -> Array:
    """`reach_below` for the difference of two candidates' means on one scale, whose mean is ``centre``.

    Two candidates alike differ by as much to either side, wherever on the scale: down to a difference of 0 the
    reach is Student's. The better of two is nearer the top and varies less than the other, so what is left of
    the reach is bent at the place of the worse one; near the bottom, where all is turned round, of the better.
    """
    straight = np.minimum(np.maximum(difference, 0.0), reach)
    apart = -np.minimum(difference, 0.0)
    places = (centre - apart / 2, smallest + largest - (centre + apart / 2))
    worse, turned = (
        reach_below(reach - straight, place=place, smallest=smallest, largest=largest) for place in places
    )
    further: Array = straight + np.maximum(worse, turned)
    return further
