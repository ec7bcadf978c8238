"""Ends an incident by itself when the criteria that alerted are back to normal."""

from collections.abc import Iterable
from typing import NamedTuple

from django.utils import timezone

from evalapp.audit.services import record
from evalapp.monitoring.incidents.models import Incident, IncidentState, NoticeKind
from evalapp.monitoring.incidents.webhooks import emit_incident_event
from evalapp.monitoring.mail import notify
from evalapp.monitoring.models import WeeklySample
from evalapp.monitoring.trends import CriterionTrend, Recovery
from evalapp.webhooks.models import WebhookEvent


class CriterionRecovery(NamedTuple):
    """A criterion that alerted. ``found`` is None while too few weeks have been evaluated since. ``is_gone``:
    the latest week was not reviewed by it, because the stream has another rubric.
    """

    name: str
    is_rate: bool
    found: Recovery | None
    is_gone: bool


def recovery_of(incident: Incident, followed: Iterable[CriterionTrend]) -> list[CriterionRecovery]:
    """The state of each criterion that alerted, by `CriterionTrend.recovery`: three weeks together, so that
    one good week ends nothing.

    In simulated weeks of 40 reviews (standard deviations of items and reviews 0.6, of weeks 0.1; baseline of
    8 weeks), one criterion that is back to normal counts as recovered after three weeks in 95% and after four
    in 98%, four unrelated criteria in 81% and 91%; with half of a change by 0.8 left, one counts as recovered
    after three weeks in 3%, and four in none.
    """
    trends = {each.last.criterion_key: each for each in followed}
    last: dict[str, tuple[str, int]] = {}
    for alert in incident.alerts.select_related("weekly_sample").order_by("pk"):
        last[alert.criterion_key] = (alert.criterion_name, alert.weekly_sample.number)
    return [
        CriterionRecovery(
            name,
            key in trends and trends[key].is_rate,
            trends[key].recovery(after=number) if key in trends else None,
            bool(trends) and key not in trends,
        )
        for key, (name, number) in last.items()
    ]


def end_if_recovered(incident: Incident, week: WeeklySample, followed: Iterable[CriterionTrend]) -> None:
    """Close the incident and announce it, if every criterion that alerted and is still reviewed has recovered
    with this week.
    """
    waited_for = [each for each in recovery_of(incident, followed) if not each.is_gone]
    if not waited_for or not all(each.found is not None and each.found.is_back for each in waited_for):
        return
    incident.state, incident.closed_at = IncidentState.RECOVERED, timezone.now()
    incident.save(update_fields=["state", "closed_at"])
    notify(incident, NoticeKind.ENDED)
    emit_incident_event(incident, WebhookEvent.INCIDENT_CLOSED)
    project = incident.stream.project
    record("incident.recovered", by=None, obj=incident, project=project, data={"week": week.number})
