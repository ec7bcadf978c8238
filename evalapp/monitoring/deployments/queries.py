"""Reads of deployments."""

import datetime as dt

from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.monitoring.deployments.models import Deployment
from evalapp.monitoring.models import Stream


def deployments_of(project: Project) -> QuerySet[Deployment]:
    """The deployments of all the project's streams."""
    return Deployment.objects.filter(stream__project=project).select_related(
        "stream", "version__model", "decision__campaign", "created_by"
    )


def serving(stream: Stream) -> QuerySet[Deployment]:
    """The deployments that serve the stream now, largest share first."""
    return stream.deployments.filter(ended_at=None).select_related("version__model").order_by("-share", "-pk")


def starts_of(stream: Stream, *, since: dt.date) -> list[tuple[dt.date, str]]:
    """The days (UTC) on which versions began to serve, with their labels; for charts."""
    found = stream.deployments.filter(started_at__date__gte=since).order_by("started_at")
    return [(each.started_at.date(), each.version.label) for each in found.select_related("version")]
