"""To do: decisions, proposed rows, stalled campaigns, failed runs and running jobs."""

from datetime import timedelta
from typing import cast

from django.db.models import Count, F, Q, QuerySet, Sum
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.audit.queries import events_of
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.campaigns.queries import waiting_for_admission
from evalapp.datasets.services import IMPORT_TASK
from evalapp.decisions.inbox_campaigns import campaign_entries
from evalapp.decisions.inbox_entries import InboxEntry
from evalapp.decisions.signals import inbox_entries_requested
from evalapp.exports.models import ExportState, RowDecision
from evalapp.jobs.models import FINAL_STATES, Job, JobState
from evalapp.ratings.services import IMPORT_TASK as RATINGS_IMPORT_TASK
from evalapp.reviews.counts import COUNTS_FIXED
from evalapp.reviews.flags import open_flags_of
from evalapp.webhooks.queries import switched_off

RECENT = timedelta(days=7)
SHOWN = 8


def inbox_of(project: Project) -> list[InboxEntry]:
    """The next tasks of a manager or engineer, most pressing first, at most 8."""
    entries = [
        *_failed_jobs(project),
        *_entries_of_other_packages(project),
        *_campaigns_with_corrected_counts(project),
        *_silent_webhooks(project),
        *_flagged_campaigns(project),
        *_campaigns_with_open_appeals(project),
        *_waiting_for_admission(project),
        *_undecided_campaigns(project),
        *_complete_campaigns(project),
        *campaign_entries(project),
        *_proposed_rows(project),
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
        # An import that was restarted or given up has left this job behind.
        .exclude(task=IMPORT_TASK, datasetimport=None)
        .exclude(task=RATINGS_IMPORT_TASK, ratingsimport=None)
        .order_by("-id")[:3]
    )
    return [
        InboxEntry(
            "failed", f"{job.title} failed: {job.error}", reverse("job_detail", args=[project.slug, job.pk])
        )
        for job in failed
    ]


def _entries_of_other_packages(project: Project) -> list[InboxEntry]:
    answers = cast(
        "list[tuple[object, list[InboxEntry]]]", inbox_entries_requested.send(Project, project=project)
    )
    return [entry for _, entries in answers for entry in entries]


def _campaigns_with_corrected_counts(project: Project) -> list[InboxEntry]:
    """Campaigns whose stored counts were recently corrected by a recount: something wrote past the database's
    rules.
    """
    recent = events_of(project.pk, object_type="campaign", action=COUNTS_FIXED)
    names = dict(
        recent.filter(at__gte=timezone.now() - RECENT).order_by("id").values_list("object_id", "object_label")
    )
    return [
        InboxEntry(
            "counts",
            f"{name}: its counts differed from a recount and were corrected; tell your administrator",
            reverse("result_detail", args=[project.slug, campaign_id]),
        )
        for campaign_id, name in list(names.items())[-3:]
    ]


def _silent_webhooks(project: Project) -> list[InboxEntry]:
    return [
        InboxEntry(
            "webhook",
            f"The webhook to {endpoint} was switched off: {endpoint.disabled_because}",
            reverse("webhook_detail", args=[project.slug, endpoint.pk]),
        )
        for endpoint in switched_off(project)[:3]
    ]


def _flagged_campaigns(project: Project) -> list[InboxEntry]:
    return [
        InboxEntry(
            "flagged",
            f"{campaign.name}: {count} flag{'s' if count > 1 else ''} of reviewers to resolve",
            reverse("campaign_flags", args=[project.slug, campaign.pk]),
        )
        for campaign, count in open_flags_of(project, most=3)
    ]


def _campaigns_with_open_appeals(project: Project) -> list[InboxEntry]:
    appealed = (
        project.campaigns.annotate(waiting=Count("appeals", filter=Q(appeals__answered_at=None)))
        .filter(waiting__gt=0)
        .order_by("-id")[:3]
    )
    return [
        InboxEntry(
            "appeal",
            f"{campaign.name}: {campaign.waiting} appeal{'' if campaign.waiting == 1 else 's'} to answer",
            reverse("appeal_list", args=[project.slug, campaign.pk]),
        )
        for campaign in appealed
    ]


def _waiting_for_admission(project: Project) -> list[InboxEntry]:
    """Reviewers who have finished a calibration, and can do nothing until somebody admits them."""
    return [
        InboxEntry(
            "admission",
            f"{name}: {people} reviewer{' is' if people == 1 else 's are'} done with the calibration and "
            f"wait{'s' if people == 1 else ''} to be admitted",
            reverse("campaign_calibration", args=[project.slug, campaign_id]),
        )
        for campaign_id, name, people in waiting_for_admission(project)[:3]
    ]


def _undecided_campaigns(project: Project) -> list[InboxEntry]:
    # Campaigns over picked items and weeks of streams need no decision.
    closed = project.campaigns.filter(
        state=CampaignState.CLOSED, decisions__isnull=True, picked_because="", weekly_sample=None
    ).order_by("-id")[:3]
    return [
        InboxEntry(
            "decision",
            f"{campaign.name} is closed and waits for a decision",
            reverse("decision_new", args=[project.slug, campaign.pk]),
        )
        for campaign in closed
    ]


def _complete_campaigns(project: Project) -> list[InboxEntry]:
    complete = (
        _running_campaigns(project)
        .annotate(done=Sum("reviewers__reviews_done"))
        .filter(done__gte=F("reviews_total"))
        .order_by("-id")[:3]
    )
    return [
        InboxEntry(
            "complete",
            f"{campaign.name} has all its reviews and can be closed",
            reverse("campaign_detail", args=[project.slug, campaign.pk]),
        )
        for campaign in complete
    ]


def _running_campaigns(project: Project) -> QuerySet[Campaign]:
    return project.campaigns.filter(
        state__in=[CampaignState.OPEN, CampaignState.PAUSED], invites_visitors=False
    )


def _proposed_rows(project: Project) -> list[InboxEntry]:
    waiting = Q(rows__is_included=True, rows__decision=RowDecision.PENDING)
    exports = (
        project.exports.filter(state=ExportState.OPEN)
        .annotate(waiting=Count("rows", filter=waiting))
        .order_by("-id")
    )
    return [
        InboxEntry(
            "proposed_rows",
            f"{export.name}: {export.waiting} rows to accept or reject",
            reverse("export_detail", args=[project.slug, export.pk]),
        )
        for export in exports
        if export.waiting
    ][:3]
