"""Reads of reports."""

from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.campaigns.models import Campaign
from evalapp.jobs.models import FINAL_STATES
from evalapp.reports.models import Report, ReportState


def reports_of(project: Project) -> QuerySet[Report]:
    return project.reports.select_related("campaign__project", "created_by", "job__created_by").order_by(
        "-id"
    )


def unfinished_report(campaign: Campaign, people: str) -> Report | None:
    """The report that is being written, or waits for a worker."""
    return (
        campaign.reports.filter(state=ReportState.WRITING, people=people, job__isnull=False)
        .exclude(job__state__in=FINAL_STATES)
        .order_by("-id")
        .first()
    )
