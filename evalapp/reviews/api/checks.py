"""Reviewers' check results, and the known preferences of gold items."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Flag, List, ReadOnlySerializer, Text, Whole
from evalapp.api.operations import named, operation, route
from evalapp.campaigns.api.campaigns import CampaignView
from evalapp.campaigns.api.gold import StoredSerializer
from evalapp.campaigns.gold import remove_known
from evalapp.core.http import get_or_missing
from evalapp.reviews.named_results import with_reviewer_names
from evalapp.reviews.preferences.checks import checks_of
from evalapp.reviews.preferences.gold import OUTCOMES, GoldPreferenceRow, set_gold_preferences
from evalapp.reviews.preferences.models import GoldPreference


class NamedSerializer(serializers.Serializer[Any]):
    """A result for one reviewer. ``reviewer`` is the number for filtering cases; null before the first
    review. Unless the project shows names, ``person`` is null and ``name`` reads "Reviewer 2".
    """

    reviewer = serializers.IntegerField(source="number", allow_null=True)
    person = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()

    def to_representation(self, pair: Any) -> dict[str, Any]:
        reviewer, found = pair
        names = {"reviewer": reviewer.number, "person": reviewer.person, "name": reviewer.name}
        own = {name: field for name, field in self.fields.items() if name not in names}
        values = {name: field.get_attribute(found) for name, field in own.items()}
        results = {
            name: None if value is None else own[name].to_representation(value)
            for name, value in values.items()
        }
        return names | results


class ReviewerChecksSerializer(NamedSerializer):
    """``gold_right`` of the ``gold_answered`` gold answers are right. ``repeats_equal`` and ``repeats_close``
    count the ``repeats_compared`` answers to repeats that are the same or close.

    If answers are compared, ``sides_kept`` of ``sides_compared`` repeats chose the same position on the
    screen instead of the same answer. ``mean_tau`` measures how similar a reviewer's two rankings of the same
    answers are.
    """

    gold_right = serializers.IntegerField(source="hits")
    gold_answered = serializers.IntegerField(source="answered")
    repeats_compared = serializers.IntegerField(source="compared")
    repeats_equal = serializers.IntegerField(source="equal")
    repeats_close = serializers.IntegerField(source="close")
    sides_kept = serializers.IntegerField(default=None, allow_null=True)
    sides_compared = serializers.IntegerField(default=None, allow_null=True)
    mean_tau = serializers.FloatField(source="tau.value", default=None, allow_null=True)


class ChecksSerializer(serializers.Serializer[Any]):
    people = ReviewerChecksSerializer(many=True)


class GoldPreferenceBody(Body):
    """A known preference. For a ranking, give only ``row`` and ``candidate``, the best answer."""

    row = Whole(min_value=1, help_text="The row's number in the dataset version.")
    candidate = Text(max_length=200, help_text="A candidate's label.")
    against = Text(
        max_length=200,
        allow_blank=True,
        default="",
        help_text="Label of the other candidate; empty for a ranking.",
    )
    outcome = serializers.ChoiceField(
        choices=OUTCOMES,
        allow_blank=True,
        default="",
        help_text="Outcome for `candidate` against `against`.",
    )
    tie_counts = Flag(default=False, help_text="If one is better: whether a tie counts as right, too.")


class GoldPreferencesBody(Body):
    preferences = List(child=GoldPreferenceBody(), min_length=1, max_length=1_000)


class GoldPreferenceSerializer(ReadOnlySerializer):
    """``against`` is empty for a ranking; only its best candidate is known."""

    row = serializers.IntegerField(source="example.row_number")
    candidate = serializers.CharField(source="candidate.label")
    against = serializers.CharField(source="against.label", default="")
    tie_counts = serializers.BooleanField(source="admits_tie")

    class Meta:
        model = GoldPreference
        fields = ("id", "row", "candidate", "against", "outcome", "tie_counts")


@route("campaigns/<int:campaign_id>/checks/", "api_campaign_checks")
class CampaignChecks(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Read the reviewers' check results", result=ChecksSerializer)
    def get(self, campaign_id: int) -> object:
        """Gold accuracy and agreement on repeats for each reviewer."""
        campaign = self.campaign(campaign_id)
        return {"people": with_reviewer_names(campaign, checks_of(campaign))}


@route("campaigns/<int:campaign_id>/gold-preferences/", "api_campaign_gold_preferences")
class CampaignGoldPreferences(CampaignView):
    # Who sees them could not be checked by them.
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("List known preferences", result=GoldPreferenceSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """For a campaign that compares answers: the known preferences for its gold items."""
        preferences = self.campaign(campaign_id).gold_preferences
        return self.page(preferences.select_related("example", "candidate", "against"))

    @operation("Store known preferences", body=GoldPreferencesBody, result=StoredSerializer)
    def post(self, campaign_id: int) -> object:
        """Stores all or none; existing known answers are replaced. An open campaign takes no new examples.
        409 for a campaign in which answers are rated.
        """
        campaign = self.campaign(campaign_id)
        rows = [
            GoldPreferenceRow(
                f"preferences[{number}]",
                str(given["row"]),
                given["candidate"],
                given["against"],
                given["outcome"],
                "yes" if given["tie_counts"] else "",
            )
            for number, given in enumerate(self.body()["preferences"])
        ]
        with named(rows="preferences"):
            return {"stored": set_gold_preferences(campaign=campaign, rows=rows, by=self.person)}


@route("campaigns/<int:campaign_id>/gold-preferences/<int:preference>/", "api_campaign_gold_preference")
class CampaignGoldPreference(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Remove a known preference", status=204)
    def delete(self, campaign_id: int, preference: int) -> object:
        """In an open campaign the example stays a gold item. 409 if the campaign is closed."""
        preferences = self.campaign(campaign_id).gold_preferences.select_related("campaign__project")
        remove_known(known=get_or_missing(preferences, pk=preference), by=self.person)
        return Response(status=204)
