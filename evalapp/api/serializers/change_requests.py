from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Id, Text
from evalapp.reviews.words import LONGEST_REASON

STATES = ("changes_requested", "resubmitted", "withdrawn")


class _BaseChangeRequestSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    revision = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resubmitted_revision = serializers.IntegerField(allow_null=True)


class ChangeRequestSerializer(_BaseChangeRequestSerializer):
    """A change request to a review. ``state``: changes_requested, resubmitted or withdrawn; it counts all the time."""

    review = serializers.IntegerField(source="review_id")


class JudgementChangeRequestSerializer(_BaseChangeRequestSerializer):
    """A change request to a judgement. ``state``: changes_requested, resubmitted or withdrawn; it counts all the time."""

    judgement = serializers.IntegerField(source="judgement_id")


class _ChangeRequestBody(Body):
    reason = Text(max_length=LONGEST_REASON, help_text="The reviewer reads it.")


class ChangeRequestBody(_ChangeRequestBody):
    review = Id()


class JudgementChangeRequestBody(_ChangeRequestBody):
    judgement = Id()


class OwnChangeRequestSerializer(serializers.Serializer[Any]):
    """What I submitted and am asked to look at again: amend it at its assignment and slot."""

    campaign = serializers.UUIDField(source="given.campaign.key")
    assignment = serializers.UUIDField(source="given.assignment.key")
    slot = serializers.IntegerField(source="given.slot")
    revision = serializers.IntegerField(source="given.revision")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
