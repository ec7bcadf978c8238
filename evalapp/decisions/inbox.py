"""What waits for somebody: decisions, trays, campaigns that stall, runs that failed, work under way."""

from datetime import timedelta
from typing import NamedTuple

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.datasets.services import IMPORT_TASK
from evalapp.exports.models import ExportState, RowDecision
from evalapp.jobs.models import FINAL_STATES, Job, JobState
from evalapp.reviews.flags import open_flags_of
from evalapp.reviews.models import Review

STALLED_AFTER = timedelta(days=2)
RECENT = timedelta(days=7)
SHOWN = 8
_LATEST_REVIEW = Subquery(
    Review.objects.filter(campaign=OuterRef("pk")).order_by("-id").values("submitted_at")[:1]
)


class InboxEntry(NamedTuple):
    kind: str
    text: str
    href: str


def inbox_of(project: Project) -> list[InboxEntry]:
    """What a manager or engineer should look at next, most pressing first, at most 8."""
    entries = [
        *_failed_jobs(project),
        *_flagged(project),
        *_undecided(project),
        *_complete(project),
        *_trays(project),
        *_stalled(project),
    ]
    return entries[:SHOWN]


def active_jobs(project: Project) -> list[Job]:
    return list(
        project.jobs.exclude(state__in=FINAL_STATES)
        .select_related("created_by", "project")
        .order_by("-id")[:SHOWN]
    )


def _failed_jobs(project: Project) -> list[InboxEntry]:
    failed = (
        project.jobs.filter(
            state__in=[JobState.FAILED, JobState.DEAD], finished_at__gte=timezone.now() - RECENT
        )
        # An import that was started again, or given up, has left this job behind.
        .exclude(task=IMPORT_TASK, dataset_import=None)
        .order_by("-id")[:3]
    )
    return [
        InboxEntry(
            "failed", f"{job.title} failed: {job.error}", reverse("job_detail", args=[project.slug, job.pk])
        )
        for job in failed
    ]


def _flagged(project: Project) -> list[InboxEntry]:
    return [
        InboxEntry(
            "flagged",
            f"{campaign.name}: {count} flag{'s' if count > 1 else ''} of reviewers to resolve",
            reverse("campaign_flags", args=[project.slug, campaign.pk]),
        )
        for campaign, count in open_flags_of(project, most=3)
    ]


def _undecided(project: Project) -> list[InboxEntry]:
    closed = project.campaigns.filter(state=CampaignState.CLOSED, decisions__isnull=True).order_by("-id")[:3]
    return [
        InboxEntry(
            "decision",
            f"{campaign.name} is closed and waits for a decision",
            reverse("decision_new", args=[project.slug, campaign.pk]),
        )
        for campaign in closed
    ]


def _complete(project: Project) -> list[InboxEntry]:
    complete = (
        _running(project)
        .annotate(done=Sum("reviewers__reviews_done"))
        .filter(done__gte=F("reviews_total"))
        .order_by("-id")[:3]
    )
    return [
        InboxEntry(
            "complete",
            f"{campaign.name} has every review and can be closed",
            reverse("campaign_detail", args=[project.slug, campaign.pk]),
        )
        for campaign in complete
    ]


def _running(project: Project) -> QuerySet[Campaign]:
    return project.campaigns.filter(
        state__in=[CampaignState.OPEN, CampaignState.PAUSED], invites_visitors=False
    )


def _trays(project: Project) -> list[InboxEntry]:
    waiting = Q(rows__is_included=True, rows__decision=RowDecision.PENDING)
    trays = (
        project.exports.filter(state=ExportState.TRAY)
        .annotate(waiting=Count("rows", filter=waiting))
        .order_by("-id")
    )
    return [
        InboxEntry(
            "tray",
            f"{tray.name}: {tray.waiting} rows to accept or reject",
            reverse("export_detail", args=[project.slug, tray.pk]),
        )
        for tray in trays
        if tray.waiting
    ][:3]


def _stalled(project: Project) -> list[InboxEntry]:
    since = timezone.now() - STALLED_AFTER
    stalled = (
        _running(project)
        .filter(state=CampaignState.OPEN, opened_at__lt=since)
        .annotate(done=Sum("reviewers__reviews_done"), latest=_LATEST_REVIEW)
        .filter(Q(latest__lt=since) | Q(latest=None), done__lt=F("reviews_total"))
        .order_by("-id")[:3]
    )
    return [
        InboxEntry(
            "stalled",
            f"{campaign.name} has had no review for two days",
            reverse("campaign_detail", args=[project.slug, campaign.pk]),
        )
        for campaign in stalled
    ]
