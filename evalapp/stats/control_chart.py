"""The control chart of a weekly mean: a one-sided exponentially weighted moving average.

The chart is Roberts' (1959) with λ = 0.2: each week moves the average by a fifth towards the week's distance
from the baseline, in standard errors. It alarms on the bad side at 2.5 of the average's own standard
deviations, which are small at first. A baseline estimated from few weeks is itself uncertain, so its limit is
widened until a false alarm within a year is as likely as with a known one.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.resampling import Array

WEIGHT = 0.2
LIMIT = 2.5
WEEKS_A_YEAR = 52
FEWEST_REVIEWS = 30
FEWEST_BASELINE_WEEKS = 8
PATHS = 20_000
SEED = 1959

Side = Literal["low", "high"]
State = Literal["not enough data", "baseline", "steady", "alarm"]


class Week(NamedTuple):
    """The mean of ``reviews`` reviews; None without any."""

    mean: float | None
    reviews: int


class Baseline(NamedTuple):
    """The usual mean, and the standard deviation of weekly means beyond sampling error.

    ``deviation``: of one review. ``between``: of weeks with unlimited reviews. ``weeks``: the number that it
    was estimated from; None if it is known.
    """

    mean: float
    deviation: float
    between: float = 0.0
    weeks: int | None = None

    def error(self, reviews: int) -> float:
        """Standard error of the mean of a week with this number of reviews."""
        return math.sqrt(self.deviation**2 / reviews + self.between**2)


class Point(NamedTuple):
    """A week on the chart. ``average`` and ``limit`` are in units of the mean, None if the week has too few
    reviews; the average then stays unchanged.
    """

    state: State
    average: float | None
    limit: float | None


class ControlChart(NamedTuple):
    """``points``: one for each week, in order. ``width``: the limit in standard deviations of the average,
    2.5 or wider. ``state``: the last week's; "steady" only for a week with enough reviews.
    """

    points: list[Point]
    width: Measure
    baseline: Baseline | None
    reason: str = ""

    @property
    def state(self) -> State:
        return self.points[-1].state if self.points else "not enough data"


def control_chart(
    weeks: Sequence[Week],
    *,
    bad: Side,
    deviation: float,
    baseline: Baseline | None = None,
    baseline_weeks: int = 12,
) -> ControlChart:
    """Follow a weekly mean; ``bad`` is the side that alarms: "low" for scores, "high" for an error rate.

    ``deviation``: standard deviation of one review. Without a known ``baseline`` it is estimated from the
    first ``baseline_weeks`` weeks with at least 30 reviews, which are not judged themselves; until there are
    that many (at least 8), no week is judged. A week with fewer than 30 reviews is "not enough data" and does
    not move the average. The average continues after an alarm; people decide about restarting it. Raises
    ValueError for a mean or deviation that is not finite.
    """
    if bad not in ("low", "high"):
        raise ValueError(f'the bad side is "low" or "high", not "{bad}"')
    if baseline_weeks < FEWEST_BASELINE_WEEKS:
        raise ValueError(
            f"{baseline_weeks} weeks are too few for a baseline; take {FEWEST_BASELINE_WEEKS} or more"
        )
    _require_finite(weeks, deviation)
    usable = [place for place, week in enumerate(weeks) if _is_enough(week)]
    used: set[int] = set()
    if baseline is None:
        first = usable[:baseline_weeks]
        if len(first) < baseline_weeks:
            reason = (
                f"the baseline takes {baseline_weeks} weeks with at least {FEWEST_REVIEWS} reviews; "
                f"there are {len(first)}"
            )
            points = [
                Point("baseline" if place in first else "not enough data", None, None)
                for place in range(len(weeks))
            ]
            return ControlChart(points, Measure.undefined(reason, signature=_name(None)), None, reason)
        used = set(first)
        baseline = estimated_baseline([weeks[place] for place in first], deviation=deviation)
    width = limit_width(baseline.weeks)
    points = _points(weeks, baseline, bad=bad, width=width.value or LIMIT, used=used)
    return ControlChart(points, width, baseline)


def estimated_baseline(weeks: Sequence[Week], *, deviation: float) -> Baseline:
    """Mean over weeks, and the variation of weekly means beyond sampling error (at least 0)."""
    means = np.array([week.mean for week in weeks], dtype=np.float64)
    explained = float(np.mean([deviation**2 / week.reviews for week in weeks]))
    beyond = max(float(means.var(ddof=1)) - explained, 0.0)
    return Baseline(float(means.mean()), deviation, math.sqrt(beyond), len(weeks))


def limit_width(weeks: int | None) -> Measure:
    """The limit in standard deviations of the average: 2.5 with a known baseline, else wider.

    So wide that a false alarm within 52 weeks is as likely as with a known baseline, by seeded simulation of
    20,000 charts; ``n`` counts the baseline's weeks, 0 if it is known.
    """
    if weeks is None:
        return Measure(value=LIMIT, n=0, signature=_name(None))
    if weeks < FEWEST_BASELINE_WEEKS:
        raise ValueError(f"{weeks} weeks are too few for a baseline; take {FEWEST_BASELINE_WEEKS} or more")
    return Measure(
        value=_widened(weeks),
        n=weeks,
        signature=_name(weeks),
        note=f"wider than {LIMIT} because the baseline comes from {weeks} weeks",
    )


def _name(weeks: int | None) -> str:
    return signature(
        "ewma-limit", weight=WEIGHT, limit=LIMIT, baseline=weeks, seed=None if weeks is None else SEED
    )


@lru_cache(maxsize=64)
def _widened(weeks: int) -> float:
    allowed = float((_highest(None) > LIMIT).mean())
    return max(LIMIT, round(float(np.quantile(_highest(weeks), 1 - allowed)), 2))


def _highest(weeks: int | None) -> Array:
    """The highest average of a year without change, in its standard deviations, for each simulated chart.

    With a baseline of ``weeks`` its mean and standard deviation are drawn anew each time.
    """
    generator = np.random.default_rng(SEED)
    shift, scale = np.zeros(PATHS), np.ones(PATHS)
    if weeks is not None:
        shift = generator.normal(size=PATHS) / math.sqrt(weeks)
        scale = np.sqrt(generator.chisquare(weeks - 1, size=PATHS) / (weeks - 1))
    average, highest = np.zeros(PATHS), np.full(PATHS, -np.inf)
    for week in range(1, WEEKS_A_YEAR + 1):
        average += WEIGHT * ((generator.normal(size=PATHS) - shift) / scale - average)
        highest = np.maximum(highest, average / average_deviation(week))
    return highest


def average_deviation(week: int) -> float:
    """Standard deviation of the average at its ``week``-th week, in standard errors of a weekly mean."""
    return math.sqrt(WEIGHT / (2 - WEIGHT) * (1 - (1 - WEIGHT) ** (2 * week)))


def _is_enough(week: Week) -> bool:
    return week.mean is not None and week.reviews >= FEWEST_REVIEWS


def _require_finite(weeks: Sequence[Week], deviation: float) -> None:
    if not math.isfinite(deviation) or deviation <= 0:
        raise ValueError(f"the standard deviation of a review is {deviation}; give one above 0")
    for place, week in enumerate(weeks):
        if week.mean is not None and not math.isfinite(week.mean):
            raise ValueError(f"week {place + 1}: the mean is {week.mean}; use None without reviews")


def _points(
    weeks: Sequence[Week], baseline: Baseline, *, bad: Side, width: float, used: set[int]
) -> list[Point]:
    sign = 1.0 if bad == "high" else -1.0
    average, judged = 0.0, 0
    points = []
    for place, week in enumerate(weeks):
        if not _is_enough(week) or week.mean is None:
            points.append(Point("not enough data", None, None))
            continue
        if place in used:
            points.append(Point("baseline", None, None))
            continue
        judged += 1
        reach = width * average_deviation(judged)
        error = baseline.error(week.reviews)
        average += WEIGHT * (sign * (week.mean - baseline.mean) / error - average)
        state: State = "alarm" if average > reach else "steady"
        points.append(
            Point(state, baseline.mean + sign * average * error, baseline.mean + sign * reach * error)
        )
    return points
