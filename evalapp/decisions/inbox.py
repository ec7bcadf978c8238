"""What waits for somebody: decisions, trays, campaigns that stall, runs that failed, work under way."""

from datetime import timedelta
from typing import NamedTuple

from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.campaigns.models import CampaignState
from evalapp.exports.models import ExportState, RowDecision
from evalapp.jobs.models import FINAL_STATES, Job, JobState

STALLED_AFTER = timedelta(days=2)
RECENT = timedelta(days=7)
SHOWN = 8


class InboxEntry(NamedTuple):
    kind: str
    text: str
    href: str


def inbox_of(project: Project) -> list[InboxEntry]:
    """What a manager or engineer should look at next, most pressing first, at most 8."""
    entries = [*_failed_jobs(project), *_undecided(project), *_trays(project), *_stalled(project)]
    return entries[:SHOWN]


def active_jobs(project: Project) -> list[Job]:
    return list(
        project.jobs.exclude(state__in=FINAL_STATES)
        .select_related("created_by", "project")
        .order_by("-id")[:SHOWN]
    )


def _failed_jobs(project: Project) -> list[InboxEntry]:
    failed = project.jobs.filter(
        state__in=[JobState.FAILED, JobState.DEAD], finished_at__gte=timezone.now() - RECENT
    ).order_by("-id")[:3]
    return [
        InboxEntry(
            "failed", f"{job.title} failed: {job.error}", reverse("job_detail", args=[project.slug, job.pk])
        )
        for job in failed
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
        project.campaigns.filter(state=CampaignState.OPEN, opened_at__lt=since, invites_visitors=False)
        .annotate(latest=Max("reviews__submitted_at"))
        .filter(Q(latest__lt=since) | Q(latest=None))
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
