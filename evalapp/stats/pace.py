"""The pace of reviews, a forecast of the end, and the longest usual pause."""

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

# A silence says nothing before there is a rhythm that it could break.
LEAST_FOR_RHYTHM = 5
DEFAULT_SILENCE = timedelta(days=2)
SHORTEST_SILENCE = timedelta(hours=12)
LONGEST_SILENCE = timedelta(days=7)


def days_counted(age: timedelta) -> int:
    """How many whole days to count back of something this old: at most 14, and whole weeks from the first
    week on, because most people rest on some days of it.
    """
    whole = min(age // timedelta(days=1), MOST_DAYS)
    return whole - whole % WEEK if whole >= WEEK else max(0, whole)


def daily_pace(counts: Sequence[int], *, level: float = 0.95) -> Measure:
    """Mean per day of what whole days brought, days of rest included, with Student's interval over days.

    ``n`` counts days. Days that are alike by chance do not make the interval narrower than independent
    arrivals (Poisson) would. Undefined with fewer than 3 days; no interval where nothing came.
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
    """Mean and standard deviation of a day; the latter at least that of independent arrivals."""
    values = np.asarray(counts, dtype=np.float64)
    mean = float(values.mean())
    return mean, math.sqrt(max(float(values.var(ddof=1)), mean))


class Forecast(NamedTuple):
    """``days`` until the last is in. ``soonest`` and ``latest`` are the ends of its prediction interval; no
    ``latest`` where the pace is so uncertain that there is none (``days`` then has no interval).
    """

    pace: Measure
    days: Measure
    soonest: float | None
    latest: float | None


def forecast(counts: Sequence[int], left: int, *, level: float = 0.95) -> Forecast:
    """When ``left`` more will be in, if the coming days are like the counted ones.

    The interval allows for both the uncertain mean and the days to come: the sum of T further days lies
    within t·s·√(T + T²/d) of T means, d days counted; its ends are the T at which that band meets ``left``.
    Undefined with fewer than 3 days and where nothing came.
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
    """How long a silence is usual: twice the longest pause so far, within 12 hours and a week; two days
    with fewer than 5 events to judge by.
    """
    if longest_pause is None or events < LEAST_FOR_RHYTHM:
        return DEFAULT_SILENCE
    return min(max(2 * longest_pause, SHORTEST_SILENCE), LONGEST_SILENCE)
