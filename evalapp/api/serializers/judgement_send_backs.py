from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Id, Text
from evalapp.api.serializers.adjudication import SEND_BACK_STATES
from evalapp.judgements.models import JudgementSendBack
from evalapp.judgements.queries import slot_of
from evalapp.reviews.words import LONGEST_REASON


class JudgementSendBackSerializer(serializers.Serializer[Any]):
    """A judgement sent back. ``state``: sent_back, resubmitted or withdrawn; it counts all the time."""

    id = serializers.IntegerField()
    judgement = serializers.IntegerField(source="judgement_id")
    revision = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=SEND_BACK_STATES)
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resubmitted_revision = serializers.IntegerField(allow_null=True)


class JudgementSendBackBody(Body):
    judgement = Id()
    reason = Text(max_length=LONGEST_REASON, help_text="The reviewer reads it.")


class OwnJudgementSendBackSerializer(serializers.Serializer[Any]):
    """A judgement of mine that I am asked to look at again: amend it at its place and slot."""

    campaign = serializers.UUIDField(source="judgement.campaign.key")
    place = serializers.UUIDField(source="judgement.place.key")
    slot = serializers.SerializerMethodField()
    revision = serializers.IntegerField(source="judgement.revision")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()

    def get_slot(self, sent: JudgementSendBack) -> int:
        return slot_of(sent.judgement)
