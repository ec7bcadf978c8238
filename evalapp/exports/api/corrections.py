"""The correction report."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.analysis.api.shared import AnalysisView
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.api.fields import MeasureSerializer, Query
from evalapp.api.operations import operation, route
from evalapp.core.errors import InvalidError
from evalapp.exports.correction_report import correction_report
from evalapp.exports.correction_scoring import start_measuring
from evalapp.jobs.api import JobSerializer


class CandidateEditsSerializer(serializers.Serializer[Any]):
    """``rate`` is the number of changed words per 100 words of the accepted correction, over the corrected
    outputs.
    """

    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    corrected = MeasureSerializer(help_text="Share of the reviewed outputs with an accepted correction.")
    rate = MeasureSerializer()


class MetricConclusionSerializer(serializers.Serializer[Any]):
    """Spearman correlation of people's scores with the metric: against the references, against the
    corrections, and against the corrections of ``others`` than the output itself.
    """

    metric = serializers.CharField(source="metric.name")
    references = MeasureSerializer()
    corrections = MeasureSerializer()
    others = MeasureSerializer()
    gain = MeasureSerializer()
    conclusion = serializers.ChoiceField(choices=["follows", "stale", "blind", "open"])
    sentence = serializers.CharField()


class CorrectionReportSerializer(serializers.Serializer[Any]):
    """``unmeasured`` counts outputs that wait for a POST. ``conclusions`` are empty without a scale, or with
    too many outputs.
    """

    accepted = serializers.SerializerMethodField()
    waiting = serializers.IntegerField(
        source="corrections.waiting", help_text="Corrections that nobody has decided on yet."
    )
    rejected = serializers.IntegerField(source="corrections.rejected")
    unmeasured = serializers.IntegerField()
    criterion = serializers.CharField(source="criterion.key", allow_null=True, default=None)
    ceiling = MeasureSerializer(allow_null=True)
    candidates = CandidateEditsSerializer(many=True)
    conclusions = MetricConclusionSerializer(many=True)
    caution = serializers.CharField(
        help_text=(
            "Why the conclusions “blind” and “stale” are uncertain: few corrections, or corrections of "
            "picked items; otherwise empty."
        )
    )

    def get_accepted(self, report: Any) -> int:
        return len(report.corrections.accepted)


class CorrectionQuery(Query):
    criterion = serializers.CharField(
        max_length=40, required=False, help_text="Key of a scale; default: the first scale."
    )


@route("campaigns/<int:campaign_id>/analysis/corrections/", "api_corrections")
class CorrectionDetail(AnalysisView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.START_RUNS

    @operation("Read the correction report", query=CorrectionQuery, result=CorrectionReportSerializer)
    def get(self, campaign_id: int) -> object:
        """Edit rates, and each metric's agreement with the corrections: is the metric blind, or is a
        reference stale?
        """
        scores = load_scores(self.campaign(campaign_id))
        wanted = self.query.get("criterion")
        scales = {criterion.key: criterion for criterion in scores.scales}
        if wanted is not None and wanted not in scales:
            raise InvalidError(
                f"There is no scale “{wanted}”. Known: {', '.join(scales) or 'none'}.", field="criterion"
            )
        return correction_report(scores, scales[wanted] if wanted else next(iter(scales.values()), None))

    @operation("Measure corrections", result=JobSerializer, status=202)
    def post(self, campaign_id: int) -> object:
        """Measures new corrections. 400 if no correction has been accepted."""
        campaign = self.campaign(campaign_id)
        self.body()
        return start_measuring(campaign=campaign, by=self.person)
