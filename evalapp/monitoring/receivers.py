"""Alerts and proposals of streams in the project's inbox."""

from typing import Any

from django.dispatch import receiver
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.decisions.inbox_entries import InboxEntry
from evalapp.decisions.models import Decision
from evalapp.decisions.signals import inbox_asked
from evalapp.monitoring.deployments.models import DeploymentOrigin
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.monitoring.models import Alert, ProposalState, RetrainProposal, Stream
from evalapp.registry.models import ModelVersion
from evalapp.registry.signals import champion_changed

SHOWN_OF_A_KIND = 3


@receiver(inbox_asked)
def alerts_and_proposals(sender: Any, project: Project, **kwargs: Any) -> list[InboxEntry]:
    """The newest alerts that nobody acknowledged, and the retrains to decide on."""
    alerts = Alert.objects.filter(stream__project=project, acknowledged_at=None).order_by("-id")
    proposals = RetrainProposal.objects.filter(
        stream__project=project, state=ProposalState.PROPOSED
    ).select_related("stream")
    return [
        *(
            InboxEntry("alert", alert.message, _page(project, alert.stream_id) + "#alerts")
            for alert in alerts[:SHOWN_OF_A_KIND]
        ),
        *(
            InboxEntry(
                "retrain",
                f"{proposal.stream}: decide whether to retrain",
                _page(project, proposal.stream_id) + "#retrain",
            )
            for proposal in proposals.order_by("-id")[:SHOWN_OF_A_KIND]
        ),
    ]


@receiver(champion_changed)
def promoted(
    sender: Any, version: ModelVersion, by: User | None, decision: int | None, **kwargs: Any
) -> None:
    """The streams that follow the champion are served by it from now on."""
    streams = Stream.objects.filter(project=version.project_id, ended_at=None, follows_champion=True)
    for stream in streams.exclude(
        deployments__version=version, deployments__ended_at=None, deployments__share=1
    ).order_by("pk"):
        record_deployment(
            stream=stream,
            version=version,
            origin=DeploymentOrigin.PROMOTION,
            decision=Decision.objects.filter(pk=decision).first() if decision else None,
            by=by,
        )


def _page(project: Project, stream_id: int) -> str:
    return reverse("stream_detail", args=[project.slug, stream_id])
