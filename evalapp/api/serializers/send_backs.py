from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Id, Text
from evalapp.reviews.words import LONGEST_REASON

STATES = ("sent_back", "resubmitted", "withdrawn")


class _SentBackSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    revision = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resubmitted_revision = serializers.IntegerField(allow_null=True)


class SendBackSerializer(_SentBackSerializer):
    """A review sent back. ``state``: sent_back, resubmitted or withdrawn; it counts all the time."""

    review = serializers.IntegerField(source="review_id")


class JudgementSendBackSerializer(_SentBackSerializer):
    """A judgement sent back. ``state``: sent_back, resubmitted or withdrawn; it counts all the time."""

    judgement = serializers.IntegerField(source="judgement_id")


class _SendBackBody(Body):
    reason = Text(max_length=LONGEST_REASON, help_text="The reviewer reads it.")


class SendBackBody(_SendBackBody):
    review = Id()


class JudgementSendBackBody(_SendBackBody):
    judgement = Id()


class OwnSendBackSerializer(serializers.Serializer[Any]):
    """What I submitted and am asked to look at again: amend it at its assignment and slot."""

    campaign = serializers.UUIDField(source="given.campaign.key")
    assignment = serializers.UUIDField(source="given.assignment.key")
    slot = serializers.IntegerField(source="given.slot")
    revision = serializers.IntegerField(source="given.revision")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
