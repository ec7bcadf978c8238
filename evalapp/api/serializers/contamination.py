from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Shown, Text
from evalapp.api.serializers.common import CreatedByField
from evalapp.runs.contamination_decisions import LONGEST_REASON
from evalapp.runs.models import ContaminationDecision


class ContaminationPairSerializer(serializers.Serializer[Any]):
    """A training row and the evaluation row that it would teach: the hashes are of the training row's content and
    of the evaluation row's prompt.
    """

    kind = serializers.CharField(help_text="exact (the same prompt) or contained (of its 8-word sequences).")
    share = serializers.FloatField()
    training_row = serializers.IntegerField()
    training_hash = serializers.CharField()
    evaluation_row = serializers.IntegerField()
    evaluation_hash = serializers.CharField()


class ContaminationDecisionSerializer(Shown):
    """An owner's decision; it covers exactly its rows, and is never changed."""

    dataset_version = serializers.IntegerField(source="dataset_version_id")
    rows = ContaminationPairSerializer(many=True)
    decided_by = CreatedByField()

    class Meta:
        model = ContaminationDecision
        fields = ("id", "dataset_version", "reason", "rows", "rows_hash", "decided_by", "created_at")


class ContaminationSerializer(serializers.Serializer[Any]):
    """``is_known`` is false where the version is too large to be compared now and nothing has compared it yet.
    ``rows_hash`` names ``pairs`` as a decision does; ``standing`` is the decision that covers them, or null.
    """

    is_known = serializers.BooleanField()
    sentences = serializers.ListField(child=serializers.CharField())
    pairs = ContaminationPairSerializer(many=True)
    rows_hash = serializers.CharField()
    training_rows = serializers.IntegerField(allow_null=True)
    evaluation_rows = serializers.IntegerField(allow_null=True)
    standing = ContaminationDecisionSerializer(allow_null=True)
    decisions = ContaminationDecisionSerializer(many=True)


class ContaminationBody(Body):
    reason = Text(max_length=LONGEST_REASON, help_text="Why training on these rows is right.")
    rows_hash = Text(max_length=64, help_text="Names the rows that you were shown; others are refused.")
