"""Reads of streams."""

from collections import defaultdict

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from evalapp.accounts.models import Project
from evalapp.monitoring.following import Followed, follow
from evalapp.monitoring.models import Alert, Draw, DrawState, Kpi, ProductionOutput, RetrainProposal, Stream


def streams_of(project: Project) -> QuerySet[Stream]:
    """The project's streams with ``output_count``, ``last_output_at``, ``week_count`` and ``open_alerts``."""
    outputs = ProductionOutput.objects.filter(stream=OuterRef("pk")).order_by()
    counted = outputs.values("stream").annotate(n=Count("pk")).values("n")
    newest = outputs.order_by("-happened_at").values("happened_at")[:1]
    alerts = Alert.objects.filter(stream=OuterRef("pk"), acknowledged_at=None).order_by()
    return (
        Stream.objects.filter(project=project)
        .select_related("project", "rubric_version__rubric", "dataset", "candidate", "created_by")
        .annotate(
            output_count=Subquery(counted),
            last_output_at=Subquery(newest),
            week_count=Count("draws", filter=Q(draws__state=DrawState.JUDGED)),
            open_alerts=Subquery(alerts.values("stream").annotate(n=Count("pk")).values("n")),
        )
    )


def weeks_of(stream: Stream) -> QuerySet[Draw]:
    """Newest first, with the progress of each week's campaign as ``campaign``."""
    return stream.draws.select_related("campaign", "job", "stream").order_by("-number")


def alerts_of(stream: Stream) -> QuerySet[Alert]:
    """Those that wait for somebody first, then newest first."""
    return stream.alerts.select_related("draw__campaign", "acknowledged_by").order_by("-id")


def proposals_of(stream: Stream) -> QuerySet[RetrainProposal]:
    return stream.proposals.select_related(
        "alert__draw", "decided_by", "dataset_version__dataset", "stream__project"
    ).order_by("-id")


def followed_criteria(stream: Stream, *, up_to: Draw | None = None) -> list[Followed]:
    """Every criterion that the latest judged week (up to one, where it is given) has a figure of, with its series."""
    kpis = Kpi.objects.filter(draw__stream=stream, draw__state=DrawState.JUDGED).select_related("draw")
    if up_to is not None:
        kpis = kpis.filter(draw__number__lte=up_to.number)
    series: dict[str, list[Kpi]] = defaultdict(list)
    for kpi in kpis.order_by("draw__number", "pk"):
        series[kpi.criterion_key].append(kpi)
    last = max((found[-1].draw.number for found in series.values()), default=0)
    return [
        follow(found, threshold=stream.thresholds.get(key), baseline_weeks=stream.baseline_weeks)
        for key, found in series.items()
        if found[-1].draw.number == last
    ]
