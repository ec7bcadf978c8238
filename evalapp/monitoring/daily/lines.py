"""The table of a stream's daily metrics: the last week against the four weeks before."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from django.utils import timezone

from evalapp.monitoring.daily.charts import written
from evalapp.monitoring.daily.models import DailyAlert
from evalapp.monitoring.daily.series import BASELINE_DAYS, DayState, Series, series_of_streams
from evalapp.monitoring.models import Stream

WEEK = 7


class MetricLine(NamedTuple):
    """A metric's row of the table: the last week against the four before. ``alert``: it is past its
    threshold.
    """

    series: Series
    last_week: str
    before: str
    n: int
    alert: DailyAlert | None

    @property
    def state(self) -> DayState | None:
        """The state of the metric's last day; None without one, as for a count."""
        last = self.series.last
        if last is None or self.series.is_count:
            return None
        return DayState.PAST if self.alert is not None else self.series.state_of(last)

    @property
    def is_outside(self) -> bool:
        last = self.series.last
        return last is not None and last.is_outside

    @property
    def is_tested(self) -> bool:
        last = self.series.last
        return last is not None and last.limits is not None


def metric_lines(stream: Stream) -> list[MetricLine]:
    """Every metric of the last five weeks; empty if nothing has arrived."""
    return metric_lines_of_streams([stream])[stream.pk]


def metric_lines_of_streams(
    streams: Sequence[Stream], metrics: Collection[str] | None = None
) -> dict[int, list[MetricLine]]:
    """As `metric_lines`, by stream id; all metrics, or the named ones."""
    today = timezone.now().date()
    alerts: dict[int, dict[str, DailyAlert]] = {stream.pk: {} for stream in streams}
    for alert in DailyAlert.objects.filter(stream__in=streams, ended_on=None):
        alerts[alert.stream_id][alert.metric] = alert
    since = today - dt.timedelta(days=WEEK + BASELINE_DAYS)
    found = series_of_streams(streams, since=since, until=today, metrics=metrics)
    return {stream: _lines(series, alerts[stream], today) for stream, series in found.items()}


def _lines(found: Iterable[Series], alerts: Mapping[str, DailyAlert], today: dt.date) -> list[MetricLine]:
    lines = []
    for each in found:
        week = each.over(WEEK, until=today)
        before = each.over(BASELINE_DAYS, until=today - dt.timedelta(days=WEEK))
        last_week, earlier = (
            written(each, each.value_of(sums)) if sums.n else "–" for sums in (week, before)
        )
        lines.append(MetricLine(each, last_week, earlier, week.n, alerts.get(each.metric)))
    return lines
