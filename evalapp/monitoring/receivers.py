"""Shows incidents of streams in the project's to-do list, and deploys a new champion to streams that follow
it.
"""

from typing import Any

from django.db.models import Exists, OuterRef
from django.dispatch import receiver
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.decisions.inbox_entries import InboxEntry
from evalapp.decisions.models import Decision
from evalapp.decisions.signals import inbox_entries_requested
from evalapp.monitoring.deployments.models import Deployment, DeploymentOrigin
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.monitoring.incidents.models import IncidentState
from evalapp.monitoring.incidents.queries import incidents_of
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelVersion
from evalapp.registry.signals import champion_changed

INCIDENTS_SHOWN = 3


@receiver(inbox_entries_requested)
def open_incidents(sender: Any, project: Project, **kwargs: Any) -> list[InboxEntry]:
    """The newest incidents that nobody has acknowledged."""
    waiting = incidents_of(project).filter(state=IncidentState.OPEN, acknowledged_at=None).order_by("-id")
    return [
        InboxEntry(
            "incident",
            f"{incident.stream}: {', '.join(each.criterion_name for each in incident.alerted)} got worse",
            reverse("incident_detail", args=[project.slug, incident.stream_id, incident.pk]),
        )
        for incident in waiting.prefetch_related("alerts")[:INCIDENTS_SHOWN]
    ]


@receiver(champion_changed)
def deploy_champion(
    sender: Any, version: ModelVersion, by: User | None, decision: int | None, **kwargs: Any
) -> None:
    """Deploy the new champion to the streams that follow the champion."""
    streams = Stream.objects.filter(project=version.project_id, ended_at=None, follows_champion=True)
    alone = Deployment.objects.filter(stream=OuterRef("pk"), version=version, ended_at=None, share=1)
    for stream in streams.exclude(Exists(alone)).order_by("pk"):
        record_deployment(
            stream=stream,
            version=version,
            origin=DeploymentOrigin.PROMOTION,
            decision=Decision.objects.filter(pk=decision).first() if decision else None,
            by=by,
        )
