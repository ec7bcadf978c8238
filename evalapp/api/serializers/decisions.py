from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Id, Shown, Text
from evalapp.api.serializers.exports import ExportRowSerializer, ExportSerializer
from evalapp.api.serializers.registry import ModelVersionSerializer
from evalapp.api.serializers.runs import RunSerializer
from evalapp.decisions.models import Decision, DecisionVerdict
from evalapp.decisions.services import MAX_NOTE


class DecisionSerializer(Shown):
    """``evidence`` holds the measures as they stood when it was made; of a campaign with more than 20,000 scores those
    that a job had stored, with their ``standing``: when that was, and how many reviews and changes before.
    """

    campaign = serializers.IntegerField(source="campaign_id")
    candidate = serializers.IntegerField(source="candidate_id", help_text="Id of a model version.")
    evidence = serializers.DictField()
    evaluation = serializers.IntegerField(
        source="evaluation_id", allow_null=True, help_text="Id of the gate's evaluation that it signs."
    )
    seal = serializers.CharField(
        help_text="The hash that ends its dossier; empty where it signs no evaluation."
    )
    decided_by = serializers.CharField(allow_null=True)

    class Meta:
        model = Decision
        fields = (
            "id", "campaign", "candidate", "verdict", "note", "evidence", "is_simulated", "evaluation", "seal",
            "decided_by", "created_at",
        )  # fmt: skip


class DecisionBody(Body):
    campaign = Id()
    candidate = Id(help_text="Id of a model version that takes part in the campaign.")
    verdict = serializers.ChoiceField(choices=DecisionVerdict.choices)
    note = Text(max_length=MAX_NOTE, allow_blank=True, default="")
    evaluation = Id(
        required=False,
        default=None,
        allow_null=True,
        help_text="Id of a gate's evaluation of the candidate, which the decision signs.",
    )
    replaces = Id(
        required=False,
        default=None,
        allow_null=True,
        help_text="Id of the newest decision on the evaluation, or without one on the campaign; what is decided is not decided anew "
        "without it (409).",
    )


class ReviewLineageSerializer(serializers.Serializer[Any]):
    """Lineage of a review: its rows in exports, and the runs that trained on them."""

    review = serializers.IntegerField(source="review.pk")
    campaign = serializers.IntegerField(source="review.campaign_id")
    candidate = serializers.CharField(source="review.item_output.candidate")
    rows = ExportRowSerializer(many=True)
    runs = RunSerializer(many=True)


class LineageStepSerializer(serializers.Serializer[Any]):
    version = ModelVersionSerializer()
    run = RunSerializer(allow_null=True)
    exports = ExportSerializer(many=True)
    rows = ExportRowSerializer(many=True)


class ModelLineageSerializer(serializers.Serializer[Any]):
    """Where a model came from: its adapters, runs, data and the feedback behind it, newest first."""

    steps = LineageStepSerializer(many=True)
