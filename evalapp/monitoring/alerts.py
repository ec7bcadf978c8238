"""Alerts of an evaluated week: they open an incident, or join the open one."""

from collections.abc import Sequence

from django.db import transaction
from django.urls import reverse

from evalapp.core.number_format import as_percent, as_text
from evalapp.monitoring.causes import CAUSE_FIELDS, CAUSE_RETRY_WEEKS, set_cause
from evalapp.monitoring.incidents.models import Incident, IncidentState, NoticeKind
from evalapp.monitoring.incidents.recovery import end_if_recovered
from evalapp.monitoring.incidents.webhooks import emit_incident_event
from evalapp.monitoring.mail import notify
from evalapp.monitoring.models import Alert, AlertKind, Cause, WeeklySample
from evalapp.monitoring.queries import followed_criteria
from evalapp.monitoring.trends import CriterionTrend
from evalapp.webhooks.events import emit_event
from evalapp.webhooks.models import WebhookEvent


@transaction.atomic
def raise_alerts(week: WeeklySample) -> list[Alert]:
    """Store and announce the alerts of the week's metrics, once; call it in the transaction that evaluates
    the week.

    Alerts open an incident where the stream has none open. A criterion raises each kind of alert once in an
    incident; the incident ends by itself when the criterion has recovered.
    """
    stream = week.stream
    followed = followed_criteria(stream, up_to=week)
    # A person may be closing the incident at this moment: do not overwrite their reason.
    incident = stream.incidents.select_for_update().filter(state=IncidentState.OPEN).first()
    is_new = incident is None
    known = set() if incident is None else set(incident.alerts.values_list("criterion_key", "kind"))
    found = [
        alert
        for each in followed
        for alert in _found_alerts(week, each)
        if (alert.criterion_key, alert.kind) not in known
    ]
    if found:
        if incident is None:
            incident = Incident.objects.create(stream=stream, opened_in=week)
        _store(incident, found, week)
        notify(incident, NoticeKind.OPENED if is_new else NoticeKind.WORSE, week)
        if is_new:
            emit_incident_event(incident, WebhookEvent.INCIDENT_OPENED)
    if incident is not None:
        _look_again_for_causes(incident, week, found)
        end_if_recovered(incident, week, followed)
    return found


def _store(incident: Incident, alerts: Sequence[Alert], week: WeeklySample) -> None:
    for alert in alerts:
        alert.incident = incident
        set_cause(alert, week)
        alert.save()
        emit_event(
            project=week.stream.project,
            event=WebhookEvent.ALERT_RAISED,
            facts={"alert": _webhook_payload(alert)},
        )


def _look_again_for_causes(incident: Incident, week: WeeklySample, raised: Sequence[Alert]) -> None:
    """Look again for the cause of alerts that have none yet."""
    earlier = incident.alerts.filter(
        cause=Cause.CANNOT_TELL, weekly_sample__number__gt=week.number - CAUSE_RETRY_WEEKS
    ).exclude(pk__in=[each.pk for each in raised])
    for alert in earlier.select_related("stream__project", "weekly_sample").order_by("pk"):
        set_cause(alert, week)
        alert.save(update_fields=CAUSE_FIELDS)


def _found_alerts(week: WeeklySample, followed: CriterionTrend) -> list[Alert]:
    metric, smoothed = followed.last, followed.smoothed[-1]
    # The smoothed value moves only a fifth of the way when a week is back to normal; alone it is no alert.
    if metric.weekly_sample_id != week.pk or smoothed is None or followed.is_week_back:
        return []
    found = []
    if followed.is_past_threshold and followed.threshold is not None:
        value = smoothed if followed.is_smoothed_past or metric.value is None else metric.value
        found.append((AlertKind.THRESHOLD, value, followed.threshold))
    if followed.is_drifting and followed.chart is not None:
        point = followed.chart.points[-1]
        if point.average is not None and point.limit is not None:
            found.append((AlertKind.DRIFT, point.average, point.limit))
    return [
        Alert(
            stream=week.stream,
            weekly_sample=week,
            criterion_key=metric.criterion_key,
            criterion_name=metric.criterion_name,
            kind=kind,
            value=value,
            limit=limit,
            message=_message(week, followed, kind, value, limit),
        )
        for kind, value, limit in found
    ]


def _message(
    week: WeeklySample, followed: CriterionTrend, kind: AlertKind, value: float, limit: float
) -> str:
    def written(of: float) -> str:
        return as_percent(of) if followed.is_rate else as_text(of, digits=2)

    metric = followed.last
    what = "rate" if followed.is_rate else "mean"
    if kind == AlertKind.THRESHOLD and not followed.is_smoothed_past:
        what = f"week's own {what}"
        shown = f"{written(value)} ({written(metric.low or 0)} to {written(metric.high or 0)})"
    else:
        what, shown = f"smoothed {what}", written(value)
    side = "over" if metric.more_is_worse else "under"
    past = "the threshold" if kind == AlertKind.THRESHOLD else "the control limit"
    return (
        f"{week.stream}, {week}: the {what} of {metric.criterion_name} is {shown}, {side} "
        f"{past} of {written(limit)}."
    )[:400]


def _webhook_payload(alert: Alert) -> dict[str, object]:
    """The webhook payload of an alert: metrics and links, nothing about who reviewed."""
    stream = alert.stream
    return {
        "id": alert.pk,
        "stream": stream.pk,
        "name": stream.name,
        "incident": alert.incident_id,
        "week": alert.weekly_sample.number,
        "ends_at": alert.weekly_sample.ends_at.isoformat(),
        "criterion": alert.criterion_key,
        "kind": str(alert.kind),
        "cause": str(alert.cause),
        # Rounded, because the last binary digits of a sum are noise to readers.
        "value": round(alert.value, 6),
        "limit": round(alert.limit, 6),
        "message": alert.message,
        "path": reverse("incident_detail", args=[stream.project.slug, stream.pk, alert.incident_id]),
    }
