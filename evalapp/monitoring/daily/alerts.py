"""Alerts of daily metrics past their thresholds: sent once each, until a day is back within them."""

import datetime as dt

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from evalapp.core.number_format import as_text
from evalapp.monitoring.daily.charts import limit_in_words, written
from evalapp.monitoring.daily.counting import take_counting_lock
from evalapp.monitoring.daily.models import DailyAlert
from evalapp.monitoring.daily.series import FEWEST_VALUES, Day, Series, series_of
from evalapp.monitoring.daily.thresholds import Threshold, thresholds_of
from evalapp.monitoring.mail import notify_daily
from evalapp.monitoring.models import Stream
from evalapp.webhooks.events import emit_event
from evalapp.webhooks.models import WebhookEvent

DAYS_LOOKED_BACK = 7
"""Older days neither raise nor end an alert."""


def raise_daily_alerts(now: dt.datetime | None = None) -> int:
    """Compare the last complete day (UTC) with the thresholds; returns the number of new alerts.

    Looks at each metric that has a threshold and at least `FEWEST_VALUES` values that day. Run it after each
    counting, so that late events are included.
    """
    today = (now or timezone.now()).date()
    open_alerts = DailyAlert.objects.filter(ended_on=None).values("stream")
    streams = Stream.objects.exclude(daily_thresholds={}) | Stream.objects.filter(pk__in=open_alerts)
    return sum(
        _raise_alerts_of_stream(stream, today) for stream in streams.select_related("project").order_by("pk")
    )


@transaction.atomic
def _raise_alerts_of_stream(stream: Stream, today: dt.date) -> int:
    if not take_counting_lock(stream):
        return 0
    thresholds = {} if stream.ended_at else thresholds_of(stream)
    yesterday = today - dt.timedelta(days=1)
    since = yesterday - dt.timedelta(days=DAYS_LOOKED_BACK - 1)
    found = series_of(stream, since=since, until=yesterday, metrics=thresholds.keys())
    going = {each.metric: each for each in stream.daily_alerts.filter(ended_on=None)}
    for metric, alert in going.items():
        if metric not in thresholds:
            _end(alert, today)
    new = []
    for series in found:
        day = next((each for each in reversed(series.days) if each.sums.n >= FEWEST_VALUES), None)
        if day is not None:
            new += _new_alerts(stream, series, day, thresholds[series.metric], going.get(series.metric))
    if new:
        notice = notify_daily(stream)
        for alert in new:
            alert.notice = notice
            alert.save()
            _emit_alert_event(alert, WebhookEvent.DAILY_ALERT_RAISED, alert.message)
    return len(new)


def _new_alerts(
    stream: Stream, series: Series, day: Day, threshold: Threshold, going: DailyAlert | None
) -> list[DailyAlert]:
    """The new alert, not stored, or None; an alert that goes on or ends is stored."""
    value = day.sums.mean or 0.0
    limit = threshold.passed_by(value)
    if limit is None:
        if going is not None:
            _end(going, day.day)
        return []
    message = _message(series, day, value, limit)
    if going is not None:
        if going.message != message and day.day >= going.day:
            going.last_day, going.value, going.limit, going.message = day.day, value, limit, message
            going.save(update_fields=["last_day", "value", "limit", "message"])
        return []
    # Late events may move a day's mean back and forth across the threshold: send one alert only.
    if stream.daily_alerts.filter(metric=series.metric, ended_on__gte=day.day).exists():
        return []
    return [
        DailyAlert(
            stream=stream,
            metric=series.metric,
            label=series.label,
            day=day.day,
            last_day=day.day,
            value=value,
            limit=limit,
            message=message,
        )
    ]


def _end(alert: DailyAlert, day: dt.date) -> None:
    alert.ended_on = day
    alert.save(update_fields=["ended_on"])
    _emit_alert_event(alert, WebhookEvent.DAILY_ALERT_ENDED, f"{alert.label} is back within its threshold.")


def _message(series: Series, day: Day, value: float, limit: float) -> str:
    of = "of" if series.is_share else "on average of"
    side = "under" if value < limit else "over"
    return (
        f"{series.label}: {written(series, value)} {of} {as_text(day.sums.n)} outputs on"
        f" {day.day.day} {day.day:%B}, {side} the threshold of {limit_in_words(series, limit)}."
    )


def _emit_alert_event(alert: DailyAlert, event: WebhookEvent, message: str) -> None:
    stream = alert.stream
    path = reverse("daily_metrics", args=[stream.project.slug, stream.pk])
    emit_event(
        project=stream.project,
        event=event,
        facts={
            "daily_alert": {
                "id": alert.pk,
                "stream": stream.pk,
                "name": stream.name,
                "metric": alert.metric,
                "day": alert.last_day.isoformat(),
                "value": round(alert.value, 6),
                "limit": round(alert.limit, 6),
                "message": message,
                "path": f"{path}?{urlencode({'metric': alert.metric})}",
            }
        },
    )
