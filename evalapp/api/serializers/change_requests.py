from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Id, Text
from evalapp.reviews.words import LONGEST_REASON

STATES = ("changes_requested", "resubmitted", "withdrawn")


class ChangeRequestSerializer(serializers.Serializer[Any]):
    """A change request to a review. ``state``: changes_requested, resubmitted or withdrawn; it counts all the time."""

    id = serializers.IntegerField()
    review = serializers.IntegerField(source="review_id")
    revision = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resubmitted_revision = serializers.IntegerField(allow_null=True)


class ChangeRequestBody(Body):
    review = Id()
    reason = Text(max_length=LONGEST_REASON, help_text="The reviewer reads it.")


class OwnChangeRequestSerializer(serializers.Serializer[Any]):
    """What I submitted and am asked to look at again: amend it at its assignment and slot."""

    campaign = serializers.UUIDField(source="review.campaign.key")
    assignment = serializers.UUIDField(source="review.assignment.key")
    slot = serializers.IntegerField(source="review.slot")
    revision = serializers.IntegerField(source="review.revision")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
