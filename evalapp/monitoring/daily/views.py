"""Pages of a stream's daily metrics, and of the events of a day."""

import datetime as dt
from itertools import repeat
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import MissingError
from evalapp.core.http import RefusalsOn, get_or_missing, status_of
from evalapp.core.paging import keyset_page
from evalapp.monitoring.daily.charts import daily_chart, written
from evalapp.monitoring.daily.counting import ASSESSED, EVENTS, values_of
from evalapp.monitoring.daily.forms import ThresholdForm
from evalapp.monitoring.daily.models import ALL
from evalapp.monitoring.daily.series import DAYS, labels_of, series_of
from evalapp.monitoring.daily.thresholds import set_daily_threshold
from evalapp.monitoring.deployments.queries import starts_of
from evalapp.monitoring.events.models import Assessment
from evalapp.monitoring.queries import streams_of

EVENTS_ON_PAGE = 20
DAYS_IN_TABLE = 14


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.EDIT_CAMPAIGNS)
def daily_metrics(request: MemberRequest, stream_id: int) -> HttpResponse:
    """One metric by day: the one in the URL, else the number of events. A POST sets its threshold."""
    stream = get_or_missing(streams_of(request.project), pk=stream_id)
    names = list(stream.daily_metrics.filter(stratum=ALL).values_list("metric", flat=True).distinct())
    metric = request.GET.get("metric") or (EVENTS if EVENTS in names else "")
    strata = stream.daily_metrics.filter(metric=EVENTS).exclude(stratum=ALL).order_by("stratum")
    stratum = request.GET.get("stratum", ALL)
    known_strata = list(strata.values_list("stratum", flat=True).distinct())
    if (metric and metric not in names) or (stratum and stratum not in known_strata):
        raise MissingError("This stream has no such metric or stratum.")
    today = timezone.now().date()
    since = today - dt.timedelta(days=DAYS)
    found = series_of(stream, since=since, until=today, metrics=[metric], stratum=stratum) if metric else []
    series = found[0] if found else None
    labels = labels_of(stream, names)
    form = None
    if series and not series.is_count and not stream.ended_at:
        form = ThresholdForm(request.POST or None, series=series)
        if form.is_valid():
            with RefusalsOn(form):
                set_daily_threshold(stream=stream, metric=metric, threshold=form.threshold(), by=request.user)
                messages.success(request, f"The threshold of {series.label} is saved.")
                return redirect(f"{request.path}?{urlencode({'metric': metric})}")
    context: dict[str, Any] = {
        "stream": stream,
        "metric": metric,
        "stratum": stratum,
        "metrics": [(name, labels[name]) for name in sorted(names, key=lambda name: labels[name])],
        "strata": known_strata,
        "series": series,
        "today": today,
        "form": form,
        "alert": stream.daily_alerts.filter(metric=metric, ended_on=None).select_related("notice").first(),
        "chart": daily_chart(series.of_whole_days(today), starts_of(stream, since=since)) if series else None,
        "days": [
            (
                each,
                written(series, series.value_of(each.sums)),
                written(series, each.sums.quantile(0.95)),
                series.state_of(each),
            )
            for each in list(reversed(series.days))[:DAYS_IN_TABLE]
        ]
        if series
        else [],
        "waiting": stream.event_keys.filter(pk__gt=stream.counted_events).exists(),
    }
    return render(request, "monitoring/daily.html", context, status=status_of(form) if form else 200)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def stream_events(request: MemberRequest, stream_id: int) -> HttpResponse:
    """The stream's events, newest first. With a day in the URL only that day's events; with a metric, its
    values.
    """
    stream = get_or_missing(streams_of(request.project), pk=stream_id)
    events = stream.events.select_related("key")
    day = _day(request.GET.get("day", ""))
    if day is not None:
        begin = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
        events = events.filter(happened_at__gte=begin, happened_at__lt=begin + dt.timedelta(days=1))
    page = keyset_page(events, request, order=("-happened_at", "-key_id"), size=EVENTS_ON_PAGE)
    assessed: dict[int, list[Assessment]] = {}
    for each in Assessment.objects.filter(key__in=[event.key_id for event in page.rows]).order_by("pk"):
        assessed.setdefault(each.key_id, []).append(each)
    metric = request.GET.get("metric", "")
    # Assessments are shown with each event in any case.
    values = values_of(stream, page.rows) if metric and not metric.startswith(ASSESSED) else repeat({})
    context = {
        "stream": stream,
        "day": day,
        "label": labels_of(stream, [metric])[metric],
        "page": page,
        "events": [
            (event, assessed.get(event.key_id, []), found.get(metric))
            for event, found in zip(page.rows, values, strict=False)
        ],
    }
    return render(request, "monitoring/events.html", context)


def _day(text: str) -> dt.date | None:
    """The day in the URL; None without one. Raises MissingError for text that is not a date."""
    try:
        day = parse_date(text) if text else None
    except ValueError:
        day = None
    if text and (day is None or day.year < 1970):
        raise MissingError(f"“{text[:20]}” is not a day. Write 2026-01-31.")
    return day
