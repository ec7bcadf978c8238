from django.http import FileResponse

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.reports import ReportBody, ReportSerializer
from evalapp.campaigns.models import Campaign
from evalapp.core.http import get_or_missing
from evalapp.reports.models import Report
from evalapp.reports.queries import reports_of
from evalapp.reports.services import start_report
from evalapp.reports.writing import open_file


class ReportView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def campaign(self, campaign_id: int) -> Campaign:
        return get_or_missing(self.project.campaigns.select_related("project"), pk=campaign_id)

    def report(self, report_id: int) -> Report:
        return get_or_missing(reports_of(self.project), pk=report_id)


class CampaignReports(ReportView):
    @operation("List a campaign's reports", result=ReportSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Newest first."""
        return self.page(reports_of(self.project).filter(campaign=self.campaign(campaign_id)))

    @operation("Make a report", body=ReportBody, result=ReportSerializer, status=202)
    def post(self, campaign_id: int) -> object:
        """Queues the job that writes it; ask for the report again until its state is “done”. One that is being
        written already is the answer to another request for it.
        """
        campaign = self.campaign(campaign_id)
        report = start_report(campaign=campaign, by=self.person, **self.body())
        return self.report(report.pk)


class ReportDetail(ReportView):
    @operation("Read a report", result=ReportSerializer)
    def get(self, report_id: int) -> object:
        return self.report(report_id)


class ReportFile(ReportView):
    @operation("Download a report's file", binary=True)
    def get(self, report_id: int, name: str) -> object:
        """``report.html`` or ``report.pdf`` of a finished report."""
        report = self.report(report_id)
        response = FileResponse(
            open_file(report, name),
            as_attachment=True,
            filename=f"report-{report.pk}{name.removeprefix('report')}",
            content_type="application/octet-stream",
        )
        response["X-Content-Type-Options"] = "nosniff"
        return response
