from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Query
from evalapp.api.serializers.common import MeasureSerializer


class CandidateEditsSerializer(serializers.Serializer[Any]):
    """``rate``: words changed per 100 words of the accepted correction, over the corrected outputs."""

    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    corrected = MeasureSerializer(help_text="Share of the reviewed outputs with an accepted correction.")
    rate = MeasureSerializer()


class MetricFindingSerializer(serializers.Serializer[Any]):
    """Spearman with people against the references, against the corrections, and against the corrections of
    ``others`` than the output itself.
    """

    metric = serializers.CharField(source="metric.name")
    references = MeasureSerializer()
    corrections = MeasureSerializer()
    others = MeasureSerializer()
    gain = MeasureSerializer()
    finding = serializers.ChoiceField(choices=["follows", "stale", "blind", "open"])
    sentence = serializers.CharField()


class CorrectionReportSerializer(serializers.Serializer[Any]):
    """``unmeasured`` outputs wait for a POST. ``findings`` are empty without a scale, and for too many outputs."""

    accepted = serializers.SerializerMethodField()
    waiting = serializers.IntegerField(source="corrections.waiting", help_text="Not decided on.")
    rejected = serializers.IntegerField(source="corrections.rejected")
    unmeasured = serializers.IntegerField()
    criterion = serializers.CharField(source="criterion.key", allow_null=True, default=None)
    ceiling = MeasureSerializer(allow_null=True)
    candidates = CandidateEditsSerializer(many=True)
    findings = MetricFindingSerializer(many=True)
    caution = serializers.CharField(
        help_text="Why “blind” and “stale” are told with reserve: few corrections, or picked ones; else empty."
    )

    def get_accepted(self, report: Any) -> int:
        return len(report.corrections.accepted)


class CorrectionQuery(Query):
    criterion = serializers.CharField(
        max_length=40, required=False, help_text="A scale's key; the first scale where it is left out."
    )
