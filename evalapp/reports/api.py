"""Results as a page and a PDF."""

from typing import Any

from django.http import FileResponse
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.analysis.api.shared import REVIEWER_TYPES
from evalapp.api.fields import Body, CreatedByField, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, operation, route
from evalapp.campaigns.models import Campaign
from evalapp.core.http import get_or_missing
from evalapp.decisions.saved_views import LONGEST_QUERY
from evalapp.jobs.api import JobSerializer
from evalapp.reports.models import Report
from evalapp.reports.queries import reports_of
from evalapp.reports.services import start_report
from evalapp.reports.writing import open_file


class ReportFileSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()


class ReportSerializer(ReadOnlySerializer):
    """A campaign's results at one moment, as files. ``data_digest`` is a hash of all data they are computed
    from.
    """

    campaign = serializers.IntegerField(source="campaign_id")
    job = JobSerializer(allow_null=True)
    files = ReportFileSerializer(many=True)
    created_by = CreatedByField()

    class Meta:
        model = Report
        fields = (
            "id", "campaign", "state", "reviewer_type", "view", "view_words", "files", "data_digest",
            "is_simulated", "job", "created_by",
            "created_at", "finished_at",
        )  # fmt: skip


class ReportBody(Body):
    reviewer_type = serializers.ChoiceField(
        choices=REVIEWER_TYPES,
        required=False,
        default="all",
        help_text="Which reviewers count; demonstration projects only.",
    )
    view = Text(
        max_length=LONGEST_QUERY,
        allow_blank=True,
        default="",
        help_text="The filter as in the URL of a comparison: “field.segment=retail&split=test”.",
    )


class ReportView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def campaign(self, campaign_id: int) -> Campaign:
        return get_or_missing(self.project.campaigns.select_related("project"), pk=campaign_id)

    def report(self, report_id: int) -> Report:
        return get_or_missing(reports_of(self.project), pk=report_id)


@route("campaigns/<int:campaign_id>/reports/", "api_campaign_reports")
class CampaignReports(ReportView):
    @operation("List a campaign's reports", result=ReportSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Newest first."""
        return self.page(reports_of(self.project).filter(campaign=self.campaign(campaign_id)))

    @operation("Create a report", body=ReportBody, result=ReportSerializer, status=202)
    def post(self, campaign_id: int) -> object:
        """Queues the job that writes the report; poll it until its state is “done”. Returns a report that is
        already being written.
        """
        campaign = self.campaign(campaign_id)
        report = start_report(campaign=campaign, by=self.person, **self.body())
        return self.report(report.pk)


@route("reports/<int:report_id>/", "api_report")
class ReportDetail(ReportView):
    @operation("Read a report", result=ReportSerializer)
    def get(self, report_id: int) -> object:
        return self.report(report_id)


@route("reports/<int:report_id>/files/<str:name>/", "api_report_file")
class ReportFile(ReportView):
    @operation("Download a report's file", binary=True)
    def get(self, report_id: int, name: str) -> object:
        """``report.html`` or ``report.pdf`` of a report that is done."""
        report = self.report(report_id)
        response = FileResponse(
            open_file(report, name),
            as_attachment=True,
            filename=f"report-{report.pk}{name.removeprefix('report')}",
            content_type="application/octet-stream",
        )
        response["X-Content-Type-Options"] = "nosniff"
        return response
