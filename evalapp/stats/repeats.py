"""Kendall's tau of two rankings without ties, and its mean over repeats."""

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean, stdev

from evalapp.measure import Measure, signature
from evalapp.stats.resampling import require_level
from evalapp.stats.scores import student_quantile


def order_tau(first: Sequence[int], second: Sequence[int]) -> float:
    """Kendall's tau of two rankings without ties: 1 for the same order, -1 for the reverse.

    Source: Kendall (1938). Raises ValueError for fewer than two ranks, or different numbers of them.
    """
    if len(first) < 2 or len(first) != len(second):
        raise ValueError("tau takes two rankings of the same two or more things")
    pairs = list(combinations(range(len(first)), 2))
    same = sum((first[one] < first[other]) == (second[one] < second[other]) for one, other in pairs)
    return 2 * same / len(pairs) - 1


def mean_tau(taus: Sequence[float], *, level: float = 0.95) -> Measure:
    """Mean tau of independent repeats, with Student's interval, cut at -1 and 1.

    ``n`` counts repeats. Undefined without repeats; no interval with one, or without variation.
    """
    require_level(level)
    name = signature("repeat-tau", interval="student", level=level)
    if not taus:
        return Measure.undefined("no repeats", signature=name)
    value = fmean(taus)
    spread = stdev(taus) if len(taus) > 1 else 0.0
    if not spread:
        note = "no variation" if len(taus) > 1 else "one repeat"
        return Measure(value=value, n=len(taus), note=note, signature=name)
    reach = student_quantile(level, len(taus) - 1) * spread / math.sqrt(len(taus))
    return Measure(
        value=value, n=len(taus), low=max(-1.0, value - reach), high=min(1.0, value + reach), signature=name
    )
