"""Proportions with intervals that are valid for few cases and for no successes."""

import math
from statistics import NormalDist

from evalapp.measure import Measure, signature
from evalapp.stats.resampling import require_level


def wilson(successes: int, n: int, *, level: float = 0.95, name: str = "share") -> Measure:
    """Share of successes among ``n`` independent cases, with Wilson's score interval.

    Source: Wilson (1927), without continuity correction. ``name`` goes into the signature. Undefined for n =
    0. Raises ValueError unless 0 ≤ successes ≤ n.
    """
    require_level(level)
    _require_count(successes, n)
    label = signature(name, interval="wilson", level=level)
    if n == 0:
        return Measure.undefined("no cases", signature=label)
    low, high = wilson_interval(successes, n, level=level)
    return Measure(value=successes / n, n=n, low=low, high=high, signature=label)


def wilson_interval(successes: float, n: float, *, level: float) -> tuple[float, float]:
    """Both ends of Wilson's interval; ``n`` may be an effective number, fractional and above 0."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes <= 0 else max(0.0, centre - reach)
    high = 1.0 if successes >= n else min(1.0, centre + reach)
    return low, high


def _require_count(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a share")
