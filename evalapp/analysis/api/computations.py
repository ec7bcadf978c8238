"""Stored analyses of large campaigns, and the jobs that compute them."""

from rest_framework import serializers

from evalapp.analysis.api.shared import REVIEWER_TYPES, SCORE_SOURCES, AnalysisView, FreshnessSerializer
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.stored.stored_results import (
    AnalysisRequest,
    Freshness,
    start_analysis,
    stored_freshness,
    view_of,
)
from evalapp.api.fields import Body, Paging, Text
from evalapp.api.operations import operation, route
from evalapp.jobs.api import JobSerializer


class ComputedAnalysisSerializer(FreshnessSerializer):
    """Names a stored analysis, as in a request to computations/."""

    kind = serializers.ChoiceField(choices=AnalysisKind.choices, source="request.kind")
    reviewer_type = serializers.ChoiceField(choices=REVIEWER_TYPES, source="request.reviewer_type")
    score_source = serializers.ChoiceField(choices=SCORE_SOURCES, source="request.score_source")
    view = serializers.CharField(source="request.view", allow_blank=True)


class ComputeBody(Body):
    kind = serializers.ChoiceField(choices=AnalysisKind.choices)
    reviewer_type = serializers.ChoiceField(choices=REVIEWER_TYPES, required=False, default="all")
    score_source = serializers.ChoiceField(choices=SCORE_SOURCES, required=False, default="original")
    view = Text(
        max_length=4_000,
        required=False,
        allow_blank=True,
        default="",
        help_text="A filter as in the URL of the results, such as split=test&reviewers=2. Empty: no filter.",
    )


@route("campaigns/<int:campaign_id>/analysis/computations/", "api_analysis_compute")
class AnalysisCompute(AnalysisView):
    @operation(
        "List the stored analyses of a large campaign",
        query=Paging,
        result=ComputedAnalysisSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Every stored or running analysis, with its time and the number of changes since then."""
        return self.page(stored_freshness(self.campaign(campaign_id)))

    def key_of(self, row: Freshness) -> str:
        return ".".join(row.request)

    @operation("Compute an analysis of a large campaign", body=ComputeBody, result=JobSerializer, status=202)
    def post(self, campaign_id: int) -> object:
        """Starts a job, or returns the job that already computes the same analysis. Read the result in the
        analysis.
        """
        campaign, given = self.campaign(campaign_id), self.body()
        reviewer_type = given["reviewer_type"] if self.project.is_demonstration else "all"
        view = view_of(campaign, given["view"]).view
        wanted = AnalysisRequest(AnalysisKind(given["kind"]), reviewer_type, given["score_source"], view)
        return start_analysis(campaign=campaign, request=wanted, by=self.person)
