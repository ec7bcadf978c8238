from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Flag, Id, Shown, Text, Whole
from evalapp.campaigns.design import LEASE_MINUTES, LONGEST_INSTRUCTIONS, MOST_CANDIDATES, MOST_OVERLAP
from evalapp.campaigns.models import Campaign, CampaignCandidate
from evalapp.datasets.models import Split


class CampaignCandidateSerializer(Shown):
    """``id`` names the candidate in this campaign's comparison and cases."""

    model_version = serializers.IntegerField(source="model_version_id")
    label = serializers.CharField(source="model_version.label")

    class Meta:
        model = CampaignCandidate
        fields = ("id", "model_version", "label", "position")


class CampaignSerializer(Shown):
    """``key`` is the campaign's name in the addresses of its reviewers."""

    rubric_version = serializers.IntegerField(source="rubric_version_id")
    dataset_version = serializers.IntegerField(source="dataset_version_id")
    candidates = serializers.SerializerMethodField()
    reviews_done = serializers.IntegerField()
    people = serializers.IntegerField()

    class Meta:
        model = Campaign
        fields = (
            "id", "key", "name", "state", "rubric_version", "dataset_version", "split", "candidates", "overlap",
            "instructions", "lease_minutes", "shows_reference", "allows_corrections", "is_blind",
            "leaves_out_incomplete", "seed", "deadline", "items_total", "reviews_total", "reviews_done", "people",
            "is_simulated", "is_recorded", "created_at", "opened_at", "closed_at",
        )  # fmt: skip

    @extend_schema_field(CampaignCandidateSerializer(many=True))
    def get_candidates(self, campaign: Campaign) -> Any:
        return CampaignCandidateSerializer(campaign.candidates.all(), many=True).data


class CampaignBody(Body):
    name = Text(max_length=120)
    rubric_version = Id()
    dataset_version = Id()
    split = serializers.ChoiceField(choices=Split.choices)
    candidates = serializers.ListField(
        child=Id(),
        min_length=1,
        max_length=MOST_CANDIDATES,
        help_text="Ids of model versions, in their order.",
        error_messages={"min_length": "Choose at least one candidate."},
    )
    reviewers = serializers.ListField(
        child=Id(),
        min_length=1,
        max_length=1_000,
        help_text="Members' `person` ids.",
        error_messages={"min_length": "Choose at least one reviewer."},
    )
    overlap = Whole(min_value=1, max_value=MOST_OVERLAP, help_text="Reviewers of each item.")
    instructions = Text(max_length=LONGEST_INSTRUCTIONS, allow_blank=True, default="")
    lease_minutes = Whole(min_value=LEASE_MINUTES.start, max_value=LEASE_MINUTES.stop - 1, default=30)
    shows_reference = Flag(default=False)
    allows_corrections = Flag(default=True)
    is_blind = Flag(default=True)
    leaves_out_incomplete = Flag(default=False)
    seed = Whole(required=False, allow_null=True, default=None)
    deadline = serializers.DateTimeField(required=False, allow_null=True, default=None)


class ReviewersBody(Body):
    reviewers = serializers.ListField(child=Id(), min_length=1, max_length=1_000)


class AddedSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()


class PlaceCountsSerializer(serializers.Serializer[Any]):
    free = serializers.IntegerField()
    held = serializers.IntegerField()
    complete = serializers.IntegerField()


class PersonProgressSerializer(serializers.Serializer[Any]):
    person = serializers.IntegerField(source="seat.user_id")
    name = serializers.CharField(source="seat.user")
    is_simulated = serializers.BooleanField(source="seat.user.is_simulated")
    has_left = serializers.SerializerMethodField()
    reviews = serializers.IntegerField()
    held = serializers.IntegerField()
    mean_seconds = serializers.FloatField(allow_null=True)
    median_seconds = serializers.FloatField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)

    def get_has_left(self, person: Any) -> bool:
        return person.seat.left_at is not None


class ProgressSerializer(serializers.Serializer[Any]):
    reviews_done = serializers.IntegerField()
    reviews_total = serializers.IntegerField()
    items_total = serializers.IntegerField()
    places = PlaceCountsSerializer()
    people = PersonProgressSerializer(many=True)
