"""Preferences that differ on the same outputs, and their adjudication."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.api.adjudications import RANKS, REASON, STATES, DisputeView
from evalapp.adjudication.disagreements import DisputedComparison, disputed_comparisons
from evalapp.adjudication.models import ComparisonAdjudication
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.services import adjudicate_comparison
from evalapp.adjudication.side_by_side import comparison_adjudications_about, preferences_beside_each_other
from evalapp.adjudication.subjects import subject_ids_reviewed_by
from evalapp.api.fields import Body, Id, List, Paging, Text, Whole
from evalapp.api.operations import chosen, operation, route
from evalapp.campaigns.models import Comparison
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.words import LONGEST_REASON


class DisputedQuery(Paging):
    state = serializers.ChoiceField(choices=STATES, required=False, default="open")


class DisputedComparisonSerializer(serializers.Serializer[Any]):
    """``farthest`` is the distance between the two most different preferences, from 0 (the same) to 1
    (opposite).
    """

    comparison = serializers.IntegerField(source="subject_id")
    farthest = serializers.FloatField(source="differing.farthest")
    preferences = serializers.SerializerMethodField()
    is_decided = serializers.BooleanField(source="is_adjudicated")
    is_own = serializers.SerializerMethodField()

    def get_preferences(self, row: Any) -> int:
        """Number of preferences."""
        return len(row.differing.rows)

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
    """A decision; the reviews stay. ``earlier`` lists the previous revisions, latest first."""

    id = serializers.IntegerField()
    comparison = serializers.IntegerField(source="comparison_id")
    outputs = serializers.ListField(
        child=serializers.IntegerField(), help_text="Output ids, in the order that the decision uses."
    )
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
        help_text="For a pair, in the order of its outputs.",
    )
    ranks = List(
        child=Whole(min_value=1, max_value=5), max_length=5, allow_null=True, default=None, help_text=RANKS
    )
    reason = Text(max_length=LONGEST_REASON, help_text=REASON)
    revision = Whole(
        default=0, help_text="Revision of the decision that this one replaces; 0 for the first decision."
    )


@route("campaigns/<int:campaign_id>/comparisons/disputed/", "api_disputed_comparisons")
class DisputedComparisonList(DisputeView):
    own: set[int]

    @operation(
        "List disputed comparisons", query=DisputedQuery, result=DisputedComparisonSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """Comparisons on which preferences differ, most different first. Empty for a campaign in which
        answers are rated.
        """
        campaign = self.campaign(campaign_id)
        self.own = subject_ids_reviewed_by(self.person, campaign)
        return self.page(disputed_comparisons(campaign).chosen(self.query["state"]))

    def key_of(self, row: DisputedComparison) -> str:
        return str(row.subject_id)


@route("campaigns/<int:campaign_id>/comparisons/<int:comparison_id>/", "api_compared")
class ComparedDetail(DisputeView):
    @operation("Read the reviews of compared answers", result=ComparedSerializer)
    def get(self, campaign_id: int, comparison_id: int) -> object:
        """All preferences and decisions, in the order of ``outputs``."""
        comparison = self.comparison(campaign_id, comparison_id)
        campaign = comparison.item.campaign
        require_may_read(person=self.person, campaign=campaign, subject=comparison)
        return {
            "comparison": comparison,
            "preferences": preferences_beside_each_other(campaign, comparison, self.names),
            "adjudication": comparison_adjudications_about([comparison]).get(comparison.pk),
        }


@route("campaigns/<int:campaign_id>/comparison-adjudications/", "api_comparison_adjudications")
class ComparisonAdjudicationList(DisputeView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.ADJUDICATE

    @operation("List decisions on comparisons", result=ComparisonAdjudicationSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Decisions are stored beside the reviews and do not replace them. Latest first."""
        adjudications = self.campaign(campaign_id).comparison_adjudications.select_related("decided_by")
        return self.page(adjudications.prefetch_related("revisions__decided_by"))

    @operation(
        "Decide a comparison",
        body=ComparisonAdjudicationBody,
        result=ComparisonAdjudicationSerializer,
        status=201,
    )
    def post(self, campaign_id: int) -> object:
        """Creates a decision, or revises one (send its ``revision``). 403 for a comparison that you reviewed
        yourself.
        """
        campaign = self.campaign(campaign_id)
        values: dict[str, Any] = self.body()
        compared = Comparison.objects.filter(item__campaign=campaign)
        return adjudicate_comparison(
            campaign=campaign,
            comparison=chosen(compared, values["comparison"], "comparison", "comparison with id"),
            preference=PreferenceAnswers(values["choice"], values["ranks"]),
            reason=values["reason"],
            revision=values["revision"],
            by=self.person,
        )
