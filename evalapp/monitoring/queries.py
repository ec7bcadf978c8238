"""Reads of streams."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from evalapp.accounts.models import Project
from evalapp.monitoring.daily.counting import EVENTS
from evalapp.monitoring.daily.models import ALL, DailyAlert, DailyMetric
from evalapp.monitoring.events.models import EventKey
from evalapp.monitoring.incidents.models import Incident, IncidentState
from evalapp.monitoring.models import (
    Alert,
    Stream,
    WeeklyMetric,
    WeeklySample,
    WeeklySampleState,
)
from evalapp.monitoring.trends import CriterionTrend, trend_of


def streams_of(project: Project) -> QuerySet[Stream]:
    """The project's streams, with ``event_count``, ``last_event_at``, ``has_incident`` and
    ``has_daily_alert``.
    """
    events = EventKey.objects.filter(stream=OuterRef("pk")).order_by()
    days = DailyMetric.objects.filter(stream=OuterRef("pk"), metric=EVENTS, stratum=ALL).order_by()
    counted = days.values("stream").annotate(n=Sum("n")).values("n")
    # Events that the daily metrics do not count yet: about a minute's.
    following = events.filter(pk__gt=OuterRef("counted_events")).values("stream")
    uncounted = following.annotate(n=Count("pk")).values("n")
    newest = events.order_by("-happened_at").values("happened_at")[:1]
    incidents = Incident.objects.filter(stream=OuterRef("pk"), state=IncidentState.OPEN)
    return (
        Stream.objects.filter(project=project)
        .select_related("project", "rubric_version__rubric", "dataset", "candidate", "created_by")
        .prefetch_related("project__rule_checks")
        .annotate(
            event_count=Coalesce(Subquery(counted), 0) + Coalesce(Subquery(uncounted), 0),
            last_event_at=Subquery(newest),
            has_incident=Exists(incidents),
            has_daily_alert=Exists(DailyAlert.objects.filter(stream=OuterRef("pk"), ended_on=None)),
        )
    )


def alerting_streams(project: Project) -> list[Stream]:
    """Streams with an open incident or a daily alert that has not ended."""
    incidents = Incident.objects.filter(stream=OuterRef("pk"), state=IncidentState.OPEN)
    alerts = DailyAlert.objects.filter(stream=OuterRef("pk"), ended_on=None)
    return list(project.streams.filter(Exists(incidents) | Exists(alerts)).order_by("name"))


def weeks_of(stream: Stream) -> QuerySet[WeeklySample]:
    """The stream's weeks, newest first, with the progress of each week's campaign as ``campaign``."""
    return stream.weekly_samples.select_related("campaign", "job", "stream").order_by("-number")


def alerts_of(stream: Stream) -> QuerySet[Alert]:
    """The stream's alerts, newest first."""
    return stream.alerts.select_related("weekly_sample__campaign", "cause_reviewer").order_by("-id")


def followed_criteria(stream: Stream, *, up_to: WeeklySample | None = None) -> list[CriterionTrend]:
    """The series of every criterion that has a metric in the latest evaluated week (up to ``up_to``, if
    given).
    """
    metrics = _evaluated([stream])
    if up_to is not None:
        metrics = metrics.filter(weekly_sample__number__lte=up_to.number)
    return _followed(stream, metrics)


def followed_criteria_of_streams(streams: Sequence[Stream]) -> dict[int, list[CriterionTrend]]:
    """As `followed_criteria`, by stream id."""
    metrics: dict[int, list[WeeklyMetric]] = {stream.pk: [] for stream in streams}
    for metric in _evaluated(streams):
        metrics[metric.weekly_sample.stream_id].append(metric)
    return {stream.pk: _followed(stream, metrics[stream.pk]) for stream in streams}


def _evaluated(streams: Sequence[Stream]) -> QuerySet[WeeklyMetric]:
    return (
        WeeklyMetric.objects.filter(
            weekly_sample__stream__in=streams, weekly_sample__state=WeeklySampleState.EVALUATED
        )
        .select_related("weekly_sample")
        .order_by("weekly_sample__number", "pk")
    )


def _followed(stream: Stream, metrics: Iterable[WeeklyMetric]) -> list[CriterionTrend]:
    series: dict[str, list[WeeklyMetric]] = defaultdict(list)
    for metric in metrics:
        series[metric.criterion_key].append(metric)
    last = max((found[-1].weekly_sample.number for found in series.values()), default=0)
    return [
        trend_of(found, threshold=stream.thresholds.get(key), baseline_weeks=stream.baseline_weeks)
        for key, found in series.items()
        if found[-1].weekly_sample.number == last
    ]
