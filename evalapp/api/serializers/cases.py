"""A case: all that was said about one item."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.analysis.case import CaseReview
from evalapp.analysis.compared_case import CaseComparison
from evalapp.api.serializers.comparison_adjudications import StatedSerializer
from evalapp.api.serializers.preferences import GivenPreferenceSerializer
from evalapp.datasets.api import MessageSerializer


class CaseMarkSerializer(serializers.Serializer[Any]):
    """A stretch of the output that was marked, in code points of its text."""

    criterion = serializers.CharField(source="criterion.key")
    label = serializers.CharField()
    start = serializers.IntegerField(source="span.start")
    end = serializers.IntegerField(source="span.end")
    text = serializers.CharField(source="quote")
    comment = serializers.CharField(source="span.comment", allow_blank=True)


class CaseReviewSerializer(serializers.Serializer[Any]):
    review = serializers.IntegerField(source="review.pk")
    reviewer = serializers.CharField(source="name", help_text="A pseudonym, or “You”.")
    is_simulated = serializers.BooleanField(source="review.is_simulated")
    has_change_request = serializers.SerializerMethodField()
    answers = serializers.SerializerMethodField()
    tags = serializers.ListField(child=serializers.CharField())
    comment = serializers.CharField(source="review.comment", allow_blank=True)
    correction = serializers.SerializerMethodField()
    marks = CaseMarkSerializer(many=True)

    def get_has_change_request(self, given: CaseReview) -> bool:
        """It waits for its reviewer, who was asked to look at it again."""
        return given.change_request is not None

    def get_answers(self, given: CaseReview) -> dict[str, str]:
        """By criterion."""
        return {criterion.key: answer for criterion, answer in given.answers}

    def get_correction(self, given: CaseReview) -> str | None:
        correction = getattr(given.review, "correction", None)
        return correction.text if correction else None


class CaseMetricSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    spans = serializers.ListField(child=serializers.CharField())
    is_rule = serializers.BooleanField()


class CaseDecisionSerializer(serializers.Serializer[Any]):
    """What was decided where reviewers differ; it stands beside their reviews. ``value`` null is N/A."""

    criterion = serializers.CharField(source="criterion.key")
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()


class CaseOutputSerializer(serializers.Serializer[Any]):
    item_output = serializers.IntegerField(
        source="entry.pk", help_text="What decisions and discussions name."
    )
    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    text = serializers.CharField(source="entry.output.text", allow_blank=True)
    reviews = CaseReviewSerializer(many=True)
    metrics = CaseMetricSerializer(many=True)
    decisions = CaseDecisionSerializer(many=True)


class CaseComparisonAdjudicationSerializer(StatedSerializer):
    """What was decided where preferences differ, in the order of the comparison's ``outputs``; it stands beside them."""

    reason = serializers.CharField(source="adjudication.reason")


class CaseComparisonSerializer(serializers.Serializer[Any]):
    """Answers that were compared. ``adjudication`` is null where nothing was decided."""

    comparison = serializers.IntegerField(
        source="comparison.pk", help_text="What decisions and discussions name."
    )
    outputs = serializers.ListField(source="comparison.outputs", child=serializers.IntegerField())
    reviews = GivenPreferenceSerializer(source="lines", many=True)
    adjudication = serializers.SerializerMethodField()

    @extend_schema_field(CaseComparisonAdjudicationSerializer(allow_null=True))
    def get_adjudication(self, compared: CaseComparison) -> Any:
        if compared.adjudication is None or compared.adjudicated is None:
            return None
        shown = {
            "choice": compared.adjudicated.choice,
            "ranks": compared.adjudicated.ranks,
            "adjudication": compared.adjudication,
        }
        return CaseComparisonAdjudicationSerializer(shown).data


class CaseSerializer(serializers.Serializer[Any]):
    """All that was said about one item."""

    item = serializers.IntegerField(source="case.item.pk")
    row_number = serializers.IntegerField(source="case.item.example.row_number")
    messages = MessageSerializer(many=True, source="case.item.example.messages")
    context = serializers.CharField(source="case.item.example.context", allow_blank=True)
    outputs = CaseOutputSerializer(source="case.outputs", many=True)
    comparisons = CaseComparisonSerializer(
        many=True, help_text="Where answers are compared: those of this item that somebody judged."
    )
    is_reviewing = serializers.BooleanField(
        help_text="You still review this campaign blind; what stands here shows what you should not know."
    )
