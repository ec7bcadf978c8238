from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.core.errors import ConflictError
from evalapp.jobs.services import create_job
from evalapp.reports.models import Report
from evalapp.reports.queries import unfinished_report

TASK = "evalapp.reports.tasks.write_report"


@transaction.atomic
def start_report(*, campaign: Campaign, by: User, people: str = "all") -> Report:
    """Queue a report on what has been said by the time that it is written. ``people`` as in `load_scores`.

    One that is still being written for the same people stands in for another. Raises ConflictError for a
    campaign that has not been opened.
    """
    if campaign.state == CampaignState.DRAFT:
        raise ConflictError(f"{campaign} has not been opened, so there is nothing to report.")
    if not campaign.project.is_demonstration:
        people = "all"
    # Two clicks at once are one report.
    Campaign.objects.select_for_update(no_key=True).only("pk").get(pk=campaign.pk)
    standing = unfinished_report(campaign, people)
    if standing is not None:
        return standing
    report = Report.objects.create(project=campaign.project, campaign=campaign, people=people, created_by=by)
    report.job = create_job(
        project=campaign.project,
        task=TASK,
        title=f"Report on {campaign.name}",
        by=by,
        params={"report": report.pk},
    )
    report.save(update_fields=["job"])
    record("report.started", by=by, obj=report, project=campaign.project, data={"job": report.job.pk})
    return report
