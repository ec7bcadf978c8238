"""Reads of reports."""

from django.db.models import QuerySet
from django.http import QueryDict

from evalapp.accounts.models import Project
from evalapp.analysis.scores.filters import ComparisonFilter, read_filter
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.jobs.models import FINAL_STATES
from evalapp.reports.models import Report, ReportState
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names


def reports_of(project: Project) -> QuerySet[Report]:
    return project.reports.select_related("campaign__project", "created_by", "job__created_by").order_by(
        "-id"
    )


def view_of(campaign: Campaign, query: str) -> ComparisonFilter:
    """The filter of a report. Reviewers are given by number, because files outlive reviewers' accounts.

    Raises InvalidError for values that the campaign does not have, or no longer has.
    """
    names = ReviewerNames(shown_names(campaign).numbers) if query else None
    wanted = read_filter(campaign, QueryDict(query), names=names)
    if wanted.problems:
        texts = [problem.message for problem in wanted.problems]
        raise InvalidError(" ".join(texts), fields={"view": texts})
    return wanted


def unfinished_report(campaign: Campaign, reviewer_type: str, view: str) -> Report | None:
    """The report that is queued or being written."""
    return (
        campaign.reports.filter(
            state=ReportState.WRITING, reviewer_type=reviewer_type, view=view, job__isnull=False
        )
        .exclude(job__state__in=FINAL_STATES)
        .order_by("-id")
        .first()
    )
