from typing import Any

from rest_framework import serializers

from evalapp.adjudication.models import ComparisonAdjudication
from evalapp.api.fields import Body, Id, List, Paging, Text, Whole
from evalapp.api.serializers.adjudication import RANKS, REASON, STATES
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.words import LONGEST_REASON


class DisputedQuery(Paging):
    state = serializers.ChoiceField(choices=STATES, required=False, default="open")


class DisputedComparisonSerializer(serializers.Serializer[Any]):
    """``farthest``: of the two most different preferences, from 0 (the same) to 1 (the opposite preference)."""

    comparison = serializers.IntegerField(source="subject_id")
    farthest = serializers.FloatField(source="apart.farthest")
    preferences = serializers.SerializerMethodField()
    is_decided = serializers.BooleanField(source="is_adjudicated")
    is_own = serializers.SerializerMethodField()

    def get_preferences(self, row: Any) -> int:
        """How many there are."""
        return len(row.apart.rows)

    def get_is_own(self, row: Any) -> bool:
        """You reviewed it, so somebody else has to decide."""
        return row.subject_id in self.context["view"].own


class StatedSerializer(serializers.Serializer[Any]):
    choice = serializers.ChoiceField(choices=Choice.choices, allow_blank=True)
    ranks = serializers.ListField(child=serializers.IntegerField(), allow_null=True, help_text=RANKS)


class ComparisonAdjudicationRevisionSerializer(StatedSerializer):
    revision = serializers.IntegerField()
    reason = serializers.CharField()
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()


class ComparisonAdjudicationSerializer(ComparisonAdjudicationRevisionSerializer):
    """What was decided beside the reviews. ``earlier``: what it said before, the latest first."""

    id = serializers.IntegerField()
    comparison = serializers.IntegerField(source="comparison_id")
    outputs = serializers.ListField(child=serializers.IntegerField(), help_text="In the decision's order.")
    earlier = serializers.SerializerMethodField()

    def get_earlier(self, adjudication: ComparisonAdjudication) -> list[dict[str, Any]]:
        revisions = sorted(adjudication.revisions.all(), key=lambda each: -each.revision)
        return [dict(ComparisonAdjudicationRevisionSerializer(each).data) for each in revisions]


class StatedPreferenceSerializer(StatedSerializer):
    """One reviewer's preference, in the order of the comparison's ``outputs``."""

    reviewer = serializers.CharField(source="name")
    choice = serializers.CharField(source="preference.choice", allow_blank=True)
    ranks = serializers.ListField(
        source="preference.ranks", child=serializers.IntegerField(), allow_null=True, help_text=RANKS
    )
    comment = serializers.CharField(source="review.comment", allow_blank=True)


class ComparedSerializer(serializers.Serializer[Any]):
    comparison = serializers.IntegerField(source="comparison.pk")
    item = serializers.IntegerField(source="comparison.item_id")
    outputs = serializers.ListField(source="comparison.outputs", child=serializers.IntegerField())
    preferences = StatedPreferenceSerializer(many=True)
    adjudication = ComparisonAdjudicationSerializer(allow_null=True)


class ComparisonAdjudicationBody(Body):
    comparison = Id()
    choice = serializers.ChoiceField(
        choices=Choice.choices,
        allow_blank=True,
        default="",
        help_text="Of a pair, in the order of its outputs.",
    )
    ranks = List(
        child=Whole(min_value=1, max_value=5), max_length=5, allow_null=True, default=None, help_text=RANKS
    )
    reason = Text(max_length=LONGEST_REASON, help_text=REASON)
    revision = Whole(default=0, help_text="Of the decision that it replaces; 0: the first.")
