"""Severity of reviewers, trust in metrics, and prediction-powered means."""

from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.analysis.agreement.severity import AdjustedCandidate, CampaignSeverity, ReviewerSeverity
from evalapp.analysis.api.shared import (
    METRIC_WORDS,
    AnalysisView,
    CoverageSerializer,
    FreshnessSerializer,
    ViewQuery,
    not_computed,
)
from evalapp.analysis.metrics.metric_trust import CriterionTrust
from evalapp.analysis.metrics.prediction_powered import PredictionPoweredMean
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.stored.metrics_result import MetricsResult
from evalapp.analysis.stored.severity_result import severity_result
from evalapp.api.fields import MeasureSerializer, Paging
from evalapp.api.operations import operation, route
from evalapp.metrics.registry import HEADLINE_METRIC


class AdjustedScoreSerializer(serializers.Serializer[Any]):
    """Estimated score if every reviewer had scored every answer; ``error`` is the standard error, ``raw`` the
    plain mean.
    """

    score = MeasureSerializer()
    error = serializers.FloatField(allow_null=True)
    raw = serializers.FloatField(allow_null=True)


class AdjustedCandidateSerializer(serializers.Serializer[Any]):
    """``total`` is on a scale of 1–5; ``scores`` are by criterion, each on its own scale."""

    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    total = AdjustedScoreSerializer()
    scores = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(child=AdjustedScoreSerializer()))
    def get_scores(self, row: AdjustedCandidate) -> dict[str, Any]:
        return {criterion.key: AdjustedScoreSerializer(score).data for criterion, score in row.scores}


class ReviewerSeveritySerializer(serializers.Serializer[Any]):
    """``points`` below the average reviewer of the panel on a scale of 1–5, negative for lenient reviewers;
    ``by_criterion`` uses each criterion's own scale.
    """

    reviewer = serializers.CharField(source="name", help_text="Reviewer's name as on the pages.")
    number = serializers.IntegerField(help_text="Number of the pseudonym, for filtering cases.")
    points = MeasureSerializer(source="severity.points")
    error = serializers.FloatField(source="severity.error", allow_null=True, help_text="Standard error.")
    infit = serializers.FloatField(source="severity.infit", allow_null=True)
    by_criterion = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(child=MeasureSerializer()))
    def get_by_criterion(self, row: ReviewerSeverity) -> dict[str, Any]:
        keys = self.context["view"].criterion_keys
        return {
            keys[pk]: MeasureSerializer(measure).data for pk, measure in row.severity.by_criterion.items()
        }


class SeveritySerializer(serializers.Serializer[Any]):
    """Scores on scale criteria, fitted together by a many-facet ordinal model.

    If there is more than one group of reviewers or candidates, no common item links the groups, and
    comparisons between groups are undefined.
    """

    ratings = serializers.IntegerField()
    reason = serializers.CharField(help_text="Why no model was fitted; empty if one was.")
    note = serializers.CharField()
    unscored = serializers.SerializerMethodField(help_text="Scales without scores; they are left out.")
    unvaried = serializers.SerializerMethodField(
        help_text="Scales on which all scores are the same: they have no estimate and are not in the totals."
    )
    is_connected = serializers.BooleanField()
    reviewer_groups = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    candidate_groups = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    candidates = AdjustedCandidateSerializer(many=True)
    reviewers = ReviewerSeveritySerializer(many=True)
    freshness = FreshnessSerializer(
        allow_null=True, help_text="Null if the model was fitted for this request."
    )
    coverage = CoverageSerializer(
        allow_null=True,
        help_text=(
            "Items and reviews that the filter keeps, once the model is fitted; null without a filter."
        ),
    )

    def get_unscored(self, found: dict[str, Any]) -> list[str]:
        return [criterion.key for criterion in found["unscored"]]

    def get_unvaried(self, found: dict[str, Any]) -> list[str]:
        return [criterion.key for criterion in found["unvaried"]]


class AgainstBestSerializer(serializers.Serializer[Any]):
    """Two-sided p-values for this metric against the best one: over outputs (PERM-BOTH, Holm-adjusted) and
    over the candidates' means (Williams' t); null if undefined.
    """

    outputs = serializers.FloatField(allow_null=True)
    candidates = serializers.FloatField(allow_null=True)


class MetricTrustSerializer(serializers.Serializer[Any]):
    """``correlation`` is Spearman's; its sign is reversed for metrics where lower is better, so positive
    always means agreement with people.
    """

    metric = serializers.CharField(source="metric.name")
    verdict = serializers.ChoiceField(choices=["follows", "hint", "weak", "unsure", "against", "unknown"])
    sentence = serializers.CharField()
    correlation = MeasureSerializer()
    inside = MeasureSerializer(
        allow_null=True,
        help_text=(
            "Correlation within candidates: each side minus its candidate's mean. Null with one candidate."
        ),
    )
    against_best = AgainstBestSerializer(
        allow_null=True, help_text="Null for the best metric, and if it is the only one."
    )


class CriterionTrustSerializer(serializers.Serializer[Any]):
    """``ceiling`` is the highest correlation that any metric can be expected to reach. Most trusted metric
    first.
    """

    criterion = serializers.CharField(source="criterion.key")
    sentence = serializers.CharField(help_text="Recommendation for this criterion.")
    ceiling = MeasureSerializer()
    metrics = MetricTrustSerializer(many=True)


class PredictionPoweredMeanSerializer(serializers.Serializer[Any]):
    """``mean`` uses the metric, ``classical`` only the reviews. ``gain`` is how many times as many reviewed
    items the classical interval would need; it is at most ``most``.
    """

    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    criterion = serializers.CharField(source="criterion.key")
    classical = MeasureSerializer(source="found.classical")
    mean = MeasureSerializer(source="found.mean")
    weight = MeasureSerializer(source="found.weight")
    correlation = MeasureSerializer(source="found.correlation")
    gain = MeasureSerializer(source="found.gain")
    most = MeasureSerializer(source="found.most")
    reviewed = serializers.IntegerField(
        source="found.reviewed", help_text="Items with both reviews and the metric."
    )
    unreviewed = serializers.IntegerField(source="found.unreviewed", help_text="Items with the metric only.")
    sentence = serializers.CharField()
    assumption = serializers.CharField(source="found.assumption")


class MetricTrustQuery(Paging, ViewQuery):
    pass


class PredictionPoweredQuery(Paging, ViewQuery):
    metric = serializers.CharField(
        max_length=40, required=False, default=HEADLINE_METRIC, help_text=METRIC_WORDS
    )


Row = TypeVar("Row")


@route("campaigns/<int:campaign_id>/analysis/severity/", "api_severity")
class SeverityDetail(AnalysisView):
    criterion_keys: dict[int, str]

    @operation("Read scores adjusted for severity", query=ViewQuery, result=SeveritySerializer)
    def get(self, campaign_id: int) -> object:
        """Candidate scores as if every reviewer had scored all answers, and each reviewer's severity. If no
        model can be fitted, the lists are empty and ``reason`` says why. With more than 3,000 scores a job
        fits the model; ``freshness`` has its time.
        """
        view = self.view(campaign_id)
        self.criterion_keys = dict(view.campaign.rubric_version.criteria.values_list("pk", "key"))
        found = severity_result(view, reviewer_type=self.reviewer_type(), reader_id=self.person.pk)
        shown = {name: getattr(found.severity, name) for name in (*CampaignSeverity._fields, "is_connected")}
        return {**shown, "freshness": found.freshness, "coverage": found.coverage}


class MetricsView(AnalysisView):
    def metrics_result(self, campaign_id: int) -> MetricsResult:
        return MetricsResult(
            self.view(campaign_id), reviewer_type=self.reviewer_type(), reader_id=self.person.pk
        )


def _computed(rows: list[Row] | None) -> list[Row]:
    if rows is None:
        raise not_computed(AnalysisKind.METRICS)
    return rows


@route("campaigns/<int:campaign_id>/analysis/metric-trust/", "api_metric_trust")
class MetricTrustList(MetricsView):
    @operation(
        "Read which metric to trust", query=MetricTrustQuery, result=CriterionTrustSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """By criterion, most trusted metric first, with the Spearman correlation over all outputs and a
        sentence. For more than 500 outputs it is the last result of computations/.
        """
        return self.page(_computed(self.metrics_result(campaign_id).trust))

    def key_of(self, row: CriterionTrust) -> str:
        return row.criterion.key


@route("campaigns/<int:campaign_id>/analysis/prediction-powered/", "api_prediction_powered")
class PredictionPoweredList(MetricsView):
    @operation(
        "Read prediction-powered human means",
        query=PredictionPoweredQuery,
        result=PredictionPoweredMeanSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Each candidate's mean on each scale, from its reviews alone and with the metric of all outputs. A
        filtered view uses only its own outputs. For a campaign with more than 20,000 scores it is the last
        result of computations/.
        """
        shown = self.metrics_result(campaign_id)
        _computed(shown.metrics if shown.is_computed else None)
        return self.page(_computed(shown.means_with(shown.metric_named(self.query["metric"]))))

    def key_of(self, row: PredictionPoweredMean) -> str:
        return f"{row.candidate.pk}.{row.criterion.key}"
