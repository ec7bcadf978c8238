"""Trends of a stream's weekly metrics: control chart, smoothed line, threshold."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from evalapp.monitoring.models import WeeklyMetric
from evalapp.stats.control_chart import FEWEST_REVIEWS, WEIGHT, ControlChart, Week, control_chart

NOT_ENOUGH = "not enough data"
RECOVERY_WEEKS = 3
NORMAL_QUANTILE = 1.645
"""Standard errors: the one-sided 95% quantile of the normal distribution."""


class Recovery(NamedTuple):
    """The mean of the last weeks, and the limit that it must be on the good side of. The limit is the
    stricter of the threshold and the value that chance leaves of the baseline in one of 20 such means; None
    without either.
    """

    value: float
    limit: float | None
    is_back: bool


class CriterionTrend(NamedTuple):
    """A criterion's weeks, in order.

    ``smoothed``: the exponentially weighted mean of the weeks with at least 30 reviews, unchanged in other
    weeks (None before the first); from the first week that ``chart`` tests, the average compared with its
    limit, which starts from the baseline. ``chart``: None if none can be made; ``reason`` then says why.
    """

    metrics: list[WeeklyMetric]
    smoothed: list[float | None]
    chart: ControlChart | None
    threshold: float | None
    reason: str = ""

    @property
    def last(self) -> WeeklyMetric:
        return self.metrics[-1]

    @property
    def is_rate(self) -> bool:
        return self.last.is_rate

    @property
    def is_enough(self) -> bool:
        return is_enough(self.last)

    @property
    def is_past_threshold(self) -> bool:
        """Whether the last week has enough reviews, and the smoothed value or the week's whole interval is on
        the wrong side of the threshold.
        """
        return self.is_smoothed_past or self.is_week_past

    @property
    def is_smoothed_past(self) -> bool:
        return self._is_past(self.smoothed[-1])

    @property
    def is_week_past(self) -> bool:
        """Whether the week's whole interval is past the threshold: a week this bad need not wait for the
        smoothed value, which moves only a fifth of the way.
        """
        return self._is_past(self.last.low if self.last.more_is_worse else self.last.high)

    def _is_past(self, value: float | None) -> bool:
        if not self.is_enough or value is None or self.threshold is None:
            return False
        return value > self.threshold if self.last.more_is_worse else value < self.threshold

    @property
    def is_week_back(self) -> bool:
        """Whether the last week's own value, with enough reviews, is on the good side of threshold and
        control limit; the smoothed value follows later.
        """
        point = self.chart.points[-1] if self.chart is not None else None
        limits = [each for each in (self.threshold, point.limit if point else None) if each is not None]
        value = self.last.value
        if not self.is_enough or value is None:
            return False
        return all(value < each if self.last.more_is_worse else value > each for each in limits)

    def recovery(self, *, after: int) -> "Recovery | None":
        """The state of the last `RECOVERY_WEEKS` weeks together, all after week ``after`` and with enough
        reviews; None while there are fewer.
        """
        latest = self.metrics[-RECOVERY_WEEKS:]
        values = [each.value for each in latest if is_enough(each) and each.weekly_sample.number > after]
        if len(values) < RECOVERY_WEEKS:
            return None
        value = sum(each for each in values if each is not None) / RECOVERY_WEEKS
        limits = [] if self.threshold is None else [self.threshold]
        if self.chart is not None and (usual := self.chart.baseline) is not None:
            variance = sum(usual.error(each.reviews) ** 2 for each in latest) / RECOVERY_WEEKS**2
            if usual.weeks:
                variance += usual.error(latest[-1].reviews) ** 2 / usual.weeks
            reach = NORMAL_QUANTILE * math.sqrt(variance)
            limits.append(usual.mean + (reach if self.last.more_is_worse else -reach))
        if not limits:
            return Recovery(value, None, True)
        limit = min(limits) if self.last.more_is_worse else max(limits)
        return Recovery(value, limit, value <= limit if self.last.more_is_worse else value >= limit)

    @property
    def is_drifting(self) -> bool:
        return self.is_enough and self.chart is not None and self.chart.state == "alarm"

    @property
    def state(self) -> str:
        """The state of the last week: not enough data, threshold, drift, baseline or steady; steady only if
        tested.
        """
        if not self.is_enough:
            return NOT_ENOUGH
        if self.is_past_threshold:
            return "threshold"
        if self.is_drifting:
            return "drift"
        return "steady" if self.chart is not None and self.chart.state == "steady" else "baseline"


def is_enough(metric: WeeklyMetric) -> bool:
    return metric.value is not None and metric.reviews >= FEWEST_REVIEWS


def trend_of(
    metrics: Sequence[WeeklyMetric], *, threshold: float | None, baseline_weeks: int
) -> CriterionTrend:
    """The trend of one criterion's ``metrics``, ordered by week; at least one."""
    weeks = [Week(metric.value, metric.reviews if metric.value is not None else 0) for metric in metrics]
    deviation = _deviation(metrics, baseline_weeks)
    chart, reason = None, ""
    if deviation is None:
        reason = "the baseline weeks do not vary, so no change can be tested"
    else:
        chart = control_chart(
            weeks,
            bad="high" if metrics[-1].more_is_worse else "low",
            deviation=deviation,
            baseline_weeks=baseline_weeks,
        )
        reason = chart.reason
    return CriterionTrend(list(metrics), _smoothed(metrics, chart), chart, threshold, reason)


def _smoothed(metrics: Sequence[WeeklyMetric], chart: ControlChart | None) -> list[float | None]:
    averages = [point.average for point in chart.points] if chart is not None else [None] * len(metrics)
    found: list[float | None] = []
    level: float | None = None
    for metric, average in zip(metrics, averages, strict=True):
        if average is not None:
            level = average
        elif is_enough(metric) and metric.value is not None:
            level = metric.value if level is None else level + WEIGHT * (metric.value - level)
        found.append(level)
    return found


def _deviation(metrics: Sequence[WeeklyMetric], baseline_weeks: int) -> float | None:
    """Standard deviation of one review that reproduces the weeks' own standard errors, which include the
    effects of several reviews of an output and of unequal weights. None if no week varies.

    From the baseline's weeks, and on to the first that varies: tested weeks must not widen their own limit,
    nor move that of weeks before them.
    """
    squares = [
        metric.error**2 * metric.reviews
        for metric in metrics
        if is_enough(metric) and metric.error is not None
    ]
    first = next((place for place, square in enumerate(squares) if square > 0), None)
    if first is None:
        return None
    used = squares[: max(baseline_weeks, first + 1)]
    return math.sqrt(sum(used) / len(used))
