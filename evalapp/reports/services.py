from django.db import transaction
from django.http import QueryDict

from evalapp.accounts.models import User
from evalapp.analysis.scores.filters import ComparisonFilter, is_filter
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.decisions.saved_views import LONGEST_QUERY
from evalapp.jobs.services import create_job
from evalapp.reports.models import Report
from evalapp.reports.queries import unfinished_report, view_of

TASK = "evalapp.reports.tasks.write_report"


@transaction.atomic
def start_report(*, campaign: Campaign, by: User, reviewer_type: str = "all", view: str = "") -> Report:
    """Queue a report on the reviews that exist when it is written. ``reviewer_type`` as in `load_scores`;
    ``view``: the filtering parameters of a comparison's URL.

    An unfinished report for the same reviewers and view is returned instead. Raises ConflictError for a
    campaign that has not been opened, InvalidError for an unknown view.
    """
    if campaign.state == CampaignState.DRAFT:
        raise ConflictError(f"{campaign} has not been opened, so there is nothing to report.")
    if not campaign.project.is_demonstration:
        reviewer_type = "all"
    wanted = _checked_view(campaign, view)
    view = wanted.query if wanted.is_filtered else ""
    # Two simultaneous clicks make one report.
    Campaign.objects.select_for_update(no_key=True).only("pk").get(pk=campaign.pk)
    standing = unfinished_report(campaign, reviewer_type, view)
    if standing is not None:
        return standing
    report = Report.objects.create(
        project=campaign.project,
        campaign=campaign,
        reviewer_type=reviewer_type,
        view=view,
        view_words=wanted.describe() if view else "",
        created_by=by,
    )
    report.job = create_job(
        project=campaign.project,
        task=TASK,
        title=f"Report on {campaign.name}",
        by=by,
        params={"report": report.pk},
    )
    report.save(update_fields=["job"])
    data = {"job": report.job.pk, **({"view": report.view} if report.view else {})}
    record("report.started", by=by, obj=report, project=campaign.project, data=data)
    return report


def _checked_view(campaign: Campaign, view: str) -> ComparisonFilter:
    if len(view) > LONGEST_QUERY:
        raise InvalidError(
            f"A view is at most {LONGEST_QUERY:,} characters long. Choose fewer filters.", field="view"
        )
    wanted = view_of(campaign, view)
    # How a page or a list is read filters no report: left out in silence, the report would be of everything.
    if other := next((name for name in QueryDict(view) if not is_filter(name)), None):
        raise InvalidError(f"“{other[:80]}” is not a filter of a report. Leave it out.", field="view")
    if wanted.is_filtered and campaign.compares:
        raise InvalidError(
            f"{campaign} compares answers, and preferences cannot be filtered. Leave the view out.",
            field="view",
        )
    return wanted
