"""Reads of incidents, and of the progress of their steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.campaigns.models import Campaign
from evalapp.decisions.models import Decision
from evalapp.monitoring.causes import CAUSES_FIXED_BY_TRAINING
from evalapp.monitoring.deployments.models import Deployment
from evalapp.monitoring.incidents.models import Incident
from evalapp.monitoring.models import Alert, Cause
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run, RunKind


def incidents_of(project: Project) -> QuerySet[Incident]:
    """The project's incidents, newest first."""
    return Incident.objects.filter(stream__project=project).order_by("-id").select_related(
        "stream__project", "opened_in", "acknowledged_by", "closed_by", "training_data__dataset",
        "second_review__dataset",
    )  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """The steps of an incident, in order. ``cause``: the cause found for its alerts, else *cannot tell*.
    ``trainings`` on the accepted data; ``candidates`` that answered the second review, ``campaigns`` in which
    people review it, and the decisions there; ``deployments`` of the stream recorded since it opened.
    """

    alerts: Sequence[Alert]
    trainings: Sequence[Run]
    generations: Sequence[Run]
    campaigns: Sequence[Campaign]
    decisions: Sequence[Decision]
    deployments: Sequence[Deployment]

    @property
    def cause(self) -> Cause:
        known_causes = (Cause(alert.cause) for alert in self.alerts if alert.cause != Cause.CANNOT_TELL)
        return next(known_causes, Cause.CANNOT_TELL)

    @property
    def is_mended_by_training(self) -> bool:
        return self.cause in CAUSES_FIXED_BY_TRAINING

    @property
    def is_of_reviewers(self) -> bool:
        return self.cause in (Cause.ONE_REVIEWER, Cause.ALL_REVIEWERS)

    @property
    def is_perhaps_of_reviewers(self) -> bool:
        """Whether reviewers moved apart and it cannot be told which of them changed."""
        named = (each for alert in self.alerts for each in alert.evidence if "reviewer" in each)
        return self.cause == Cause.CANNOT_TELL and next(named, None) is not None

    @property
    def trained(self) -> list[ModelVersion]:
        return [each.produced for each in self.trainings if each.produced is not None]


def progress_of(incident: Incident) -> Progress:
    alerts = list(incident.alerts.select_related("weekly_sample__campaign", "cause_reviewer").order_by("pk"))
    trainings: list[Run] = []
    if incident.training_data_id is not None:
        trainings = list(
            Run.objects.filter(
                kind=RunKind.TRAINING,
                dataset_version=incident.training_data_id,
                created_at__gte=incident.created_at,
            )
            .select_related("job", "produced", "created_by")
            .order_by("pk")
        )
    generations: list[Run] = []
    campaigns: list[Campaign] = []
    if incident.second_review_id is not None:
        of_rows = {"dataset_version": incident.second_review_id}
        generations = list(Run.objects.filter(**of_rows).select_related("job", "created_by").order_by("pk"))
        campaigns = list(Campaign.objects.filter(**of_rows).select_related("created_by").order_by("pk"))
    decisions = Decision.objects.filter(campaign__in=campaigns).select_related("candidate", "decided_by")
    deployments = incident.stream.deployments.filter(
        created_at__gte=incident.created_at, started_at__gte=incident.opened_in.ends_at
    )
    if incident.closed_at is not None:
        deployments = deployments.filter(started_at__lte=incident.closed_at)
    return Progress(
        alerts,
        trainings,
        generations,
        campaigns,
        list(decisions.order_by("pk")),
        list(deployments.select_related("version", "created_by").order_by("started_at", "pk")),
    )
