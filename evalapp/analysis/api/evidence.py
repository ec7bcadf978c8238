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
    """A score as if every reviewer had scored all; ``error`` is its standard error, ``raw`` the mean as
    given.
    """

    score = MeasureSerializer()
    error = serializers.FloatField(allow_null=True)
    raw = serializers.FloatField(allow_null=True)


class AdjustedCandidateSerializer(serializers.Serializer[Any]):
    """``total`` is on 1–5; ``scores`` go by criterion, each on its own scale."""

    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    total = AdjustedScoreSerializer()
    scores = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(child=AdjustedScoreSerializer()))
    def get_scores(self, row: AdjustedCandidate) -> dict[str, Any]:
        return {criterion.key: AdjustedScoreSerializer(score).data for criterion, score in row.scores}


class ReviewerSeveritySerializer(serializers.Serializer[Any]):
    """``points`` below the panel's mean reviewer on 1–5, less than 0 for the lenient; ``by_criterion`` in
    points of the criterion's own scale.
    """

    reviewer = serializers.CharField(source="name", help_text="As they are called on the pages.")
    number = serializers.IntegerField(help_text="Number of the pseudonym, by which cases are filtered.")
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

    More than one group of reviewers or of candidates: no common item links them, and what would compare
    them is undefined.
    """

    ratings = serializers.IntegerField()
    reason = serializers.CharField(help_text="Why nothing was fitted; empty where it was.")
    note = serializers.CharField()
    unscored = serializers.SerializerMethodField(help_text="Scales without scores: left out.")
    unvaried = serializers.SerializerMethodField(
        help_text="Scales on which every score is the same: undefined, and not in totals."
    )
    is_connected = serializers.BooleanField()
    reviewer_groups = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    candidate_groups = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    candidates = AdjustedCandidateSerializer(many=True)
    reviewers = ReviewerSeveritySerializer(many=True)
    freshness = FreshnessSerializer(
        allow_null=True, help_text="Null where the model was fitted for this answer."
    )
    coverage = CoverageSerializer(
        allow_null=True,
        help_text=(
            "How much of the campaign the filter keeps, once the model is fitted; null without a filter."
        ),
    )

    def get_unscored(self, found: dict[str, Any]) -> list[str]:
        return [criterion.key for criterion in found["unscored"]]

    def get_unvaried(self, found: dict[str, Any]) -> list[str]:
        return [criterion.key for criterion in found["unvaried"]]


class AgainstBestSerializer(serializers.Serializer[Any]):
    """Two-sided p that the metric follows people as well as the best one: over outputs (PERM-BOTH, after
    Holm's adjustment), and over the candidates' means (Williams' t); null where it is undefined.
    """

    outputs = serializers.FloatField(allow_null=True)
    candidates = serializers.FloatField(allow_null=True)


class MetricTrustSerializer(serializers.Serializer[Any]):
    """``correlation`` is Spearman's, turned where less of the metric is better, so above 0 is
    the right way.
    """

    metric = serializers.CharField(source="metric.name")
    verdict = serializers.ChoiceField(choices=["follows", "hint", "weak", "unsure", "against", "unknown"])
    sentence = serializers.CharField()
    correlation = MeasureSerializer()
    inside = MeasureSerializer(
        allow_null=True,
        help_text=(
            "The correlation within candidates: both sides less their candidate's mean. Null with one"
            " candidate."
        ),
    )
    against_best = AgainstBestSerializer(
        allow_null=True, help_text="Null for the best metric and where there is no other."
    )


class CriterionTrustSerializer(serializers.Serializer[Any]):
    """``ceiling``: the highest correlation to be expected of any metric; the most trusted metric first."""

    criterion = serializers.CharField(source="criterion.key")
    sentence = serializers.CharField(help_text="What to do on this criterion.")
    ceiling = MeasureSerializer()
    metrics = MetricTrustSerializer(many=True)


class PredictionPoweredMeanSerializer(serializers.Serializer[Any]):
    """``mean`` with the metric beside the ``classical`` one of the same reviews; ``gain``: how many times as
    many reviewed items the classical interval would need, at most ``most``.
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
        """Candidate scores as if every reviewer had scored all answers, and the severity of each reviewer.

        Where no model can be fitted the lists are empty and ``reason`` says why. More than 3,000 scores are
        fitted by a job; ``freshness`` has its time.
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
        """By criterion, the most trusted metric first: Spearman with people over all outputs, in words.

        For more than 500 outputs it is the last result of computations/.
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
        """Each candidate's mean on each scale from its reviews, without and with the metric of all outputs.

        In a filtered view only the view's outputs count. For a campaign with more than 20,000 scores it is
        the last result of computations/.
        """
        shown = self.metrics_result(campaign_id)
        _computed(shown.metrics if shown.is_computed else None)
        return self.page(_computed(shown.means_with(shown.metric_named(self.query["metric"]))))

    def key_of(self, row: PredictionPoweredMean) -> str:
        return f"{row.candidate.pk}.{row.criterion.key}"
