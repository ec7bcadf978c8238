"""Pace of reviews, forecast of when they are done, and the longest usual pause."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.resampling import require_level
from evalapp.stats.scores import student_quantile

LEAST_DAYS = 3
MOST_DAYS = 14
WEEK = 7

# With fewer events there is no rhythm yet for a pause to break.
LEAST_FOR_RHYTHM = 5
DEFAULT_SILENCE = timedelta(days=2)
SHORTEST_SILENCE = timedelta(hours=12)
LONGEST_SILENCE = timedelta(days=7)


def days_counted(age: timedelta) -> int:
    """Number of whole days to count for something of this age: at most 14.

    From the first week on it is whole weeks, because most people do not work on every day of the week.
    """
    whole = min(age // timedelta(days=1), MOST_DAYS)
    return whole - whole % WEEK if whole >= WEEK else max(0, whole)


def daily_pace(counts: Sequence[int], *, level: float = 0.95) -> Measure:
    """Mean number per day over whole days, days off included, with Student's interval over days.

    ``n`` counts days. The interval is at least as wide as for independent arrivals (Poisson), even if the
    days are alike by chance. Undefined with fewer than 3 days; no interval if all counts are 0.
    """
    require_level(level)
    name = signature("daily-pace", interval="days", level=level)
    days = len(counts)
    if days < LEAST_DAYS:
        return Measure.undefined(f"fewer than {LEAST_DAYS} days", n=days, signature=name)
    pace, deviation = _spread(counts)
    if not pace:
        return Measure(value=0.0, n=days, note=f"nothing in {days} days", signature=name)
    reach = student_quantile(level, days - 1) * deviation / math.sqrt(days)
    return Measure(value=pace, n=days, low=max(0.0, pace - reach), high=pace + reach, signature=name)


def _spread(counts: Sequence[int]) -> tuple[float, float]:
    """Mean and standard deviation of a day; the latter is at least that of independent arrivals."""
    values = np.asarray(counts, dtype=np.float64)
    mean = float(values.mean())
    return mean, math.sqrt(max(float(values.var(ddof=1)), mean))


class Forecast(NamedTuple):
    """``days`` until the last is in, with the ends of the prediction interval, ``soonest`` and ``latest``.

    ``latest`` is None, and ``days`` has no interval, if the pace is too uncertain for a latest day.
    """

    pace: Measure
    days: Measure
    soonest: float | None
    latest: float | None


def forecast(counts: Sequence[int], left: int, *, level: float = 0.95) -> Forecast:
    """When ``left`` more will be in, if the coming days are like the counted ones.

    The interval includes both the uncertainty of the mean and the variation of the days to come: the sum of T
    further days lies within t·s·√(T + T²/d) of T means, where d is the number of days counted; its ends are
    the T at which that band meets ``left``. Undefined with fewer than 3 days and if all counts are 0.
    """
    pace = daily_pace(counts, level=level)
    name = signature("days-left", interval="prediction", level=level)
    if not pace.value:
        reason = pace.reason or pace.note
        return Forecast(pace, Measure.undefined(reason, n=pace.n, signature=name), None, None)
    _, deviation = _spread(counts)
    reach = (student_quantile(level, pace.n - 1) * deviation) ** 2
    linear = 2 * pace.value * left + reach
    square = pace.value**2 - reach / pace.n
    root = math.sqrt(linear**2 - 4 * square * left**2)
    soonest = 2 * left**2 / (linear + root)
    value = left / pace.value
    if square <= 0:
        note = "no latest day: the pace is too uncertain"
        return Forecast(pace, Measure(value=value, n=pace.n, note=note, signature=name), soonest, None)
    latest = (linear + root) / (2 * square)
    days = Measure(value=value, n=pace.n, low=soonest, high=latest, signature=name)
    return Forecast(pace, days, soonest, latest)


def silence_allowed(longest_pause: timedelta | None, events: int) -> timedelta:
    """Longest usual pause: twice the longest so far, between 12 hours and a week; two days with fewer than 5
    events.
    """
    if longest_pause is None or events < LEAST_FOR_RHYTHM:
        return DEFAULT_SILENCE
    return min(max(2 * longest_pause, SHORTEST_SILENCE), LONGEST_SILENCE)
