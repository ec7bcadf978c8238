"""What a campaign's numbers are worth: severity of reviewers, trust in metrics, and what metrics add."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.analysis.severity import AdjustedCandidate, ReviewerSeverity
from evalapp.api.fields import Paging
from evalapp.api.serializers.analysis import METRIC_WORDS, CoverageSerializer, StandingSerializer, ViewQuery
from evalapp.api.serializers.common import MeasureSerializer
from evalapp.metrics.registry import HEADLINE_METRIC


class AdjustedSerializer(serializers.Serializer[Any]):
    """A score as if every reviewer had scored all; ``error`` is its standard error, ``raw`` the mean as given."""

    score = MeasureSerializer()
    error = serializers.FloatField(allow_null=True)
    raw = serializers.FloatField(allow_null=True)


class AdjustedCandidateSerializer(serializers.Serializer[Any]):
    """``total`` is on 1–5; ``scores`` go by criterion, each on its own scale."""

    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    total = AdjustedSerializer()
    scores = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(child=AdjustedSerializer()))
    def get_scores(self, row: AdjustedCandidate) -> dict[str, Any]:
        return {criterion.key: AdjustedSerializer(score).data for criterion, score in row.scores}


class ReviewerSeveritySerializer(serializers.Serializer[Any]):
    """``points`` below the panel's mean reviewer on 1–5, less than 0 for the lenient; ``by_criterion`` in
    points of the criterion's own scale.
    """

    reviewer = serializers.CharField(source="name", help_text="As they are called on the pages.")
    number = serializers.IntegerField(help_text="The pseudonym's, by which cases are filtered.")
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
    unscored = serializers.SerializerMethodField(help_text="Scales that nobody gave a score on: left out.")
    unvaried = serializers.SerializerMethodField(
        help_text="Scales on which every score is the same: undefined, and no part of totals."
    )
    is_connected = serializers.BooleanField()
    reviewer_groups = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    candidate_groups = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    candidates = AdjustedCandidateSerializer(many=True)
    reviewers = ReviewerSeveritySerializer(many=True)
    standing = StandingSerializer(
        allow_null=True, help_text="Null where the model was fitted for this answer."
    )
    coverage = CoverageSerializer(
        allow_null=True, help_text="How much a filtered view leaves, once it is fitted; null for the whole."
    )

    def get_unscored(self, found: dict[str, Any]) -> list[str]:
        return [criterion.key for criterion in found["unscored"]]

    def get_unvaried(self, found: dict[str, Any]) -> list[str]:
        return [criterion.key for criterion in found["unvaried"]]


class MetricTrustSerializer(serializers.Serializer[Any]):
    """``correlation`` is Spearman's, turned where less of the metric is better, so above 0 is the right way."""

    metric = serializers.CharField(source="metric.name")
    verdict = serializers.ChoiceField(choices=["follows", "hint", "weak", "unsure", "against", "unknown"])
    sentence = serializers.CharField()
    correlation = MeasureSerializer()
    inside = MeasureSerializer(
        allow_null=True,
        help_text="The same among one candidate's outputs: both sides less their candidate's mean. Null of a single candidate.",
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
    reviewed = serializers.IntegerField(source="found.reviewed", help_text="Items with reviews and metric.")
    unreviewed = serializers.IntegerField(source="found.unreviewed", help_text="Items with the metric alone.")
    sentence = serializers.CharField()
    assumption = serializers.CharField(source="found.assumption")


class MetricTrustQuery(Paging, ViewQuery):
    pass


class PredictionPoweredQuery(Paging, ViewQuery):
    metric = serializers.CharField(
        max_length=40, required=False, default=HEADLINE_METRIC, help_text=METRIC_WORDS
    )
