"""Webhook deliveries about incidents."""

from django.urls import reverse

from evalapp.monitoring.incidents.models import Incident
from evalapp.webhooks.events import emit_event
from evalapp.webhooks.models import WebhookEvent


def emit_incident_event(incident: Incident, event: WebhookEvent) -> None:
    """Write the deliveries within the caller's transaction; they say nothing about who reviewed."""
    stream = incident.stream
    causes = incident.alerts.order_by("pk").values_list("cause", flat=True)
    emit_event(
        project=stream.project,
        event=event,
        facts={
            "incident": {
                "id": incident.pk,
                "stream": stream.pk,
                "name": stream.name,
                "state": str(incident.state),
                "week": incident.opened_in.number,
                "causes": sorted(set(causes)),
                "path": reverse("incident_detail", args=[stream.project.slug, stream.pk, incident.pk]),
            }
        },
    )
