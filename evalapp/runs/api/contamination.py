"""Training rows that are also in an evaluation split, and the decisions on them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, ReadOnlySerializer, Text
from evalapp.api.operations import operation, route
from evalapp.datasets.api.datasets import DatasetView
from evalapp.runs.contamination.contamination_decisions import (
    LONGEST_REASON,
    allow_contamination,
    rows_hash_of,
    standing_decision,
)
from evalapp.runs.contamination.contamination_guard import known_leaks
from evalapp.runs.contamination.contamination_pairs import named_pairs
from evalapp.runs.models import ContaminationDecision


class ContaminationPairSerializer(serializers.Serializer[Any]):
    """A training row that contains an evaluation row: ``training_hash`` is of the training row's content,
    ``evaluation_hash`` of the evaluation row's prompt.
    """

    kind = serializers.CharField(
        help_text=(
            "exact (same prompt), near (a few words differ), or contained (shares some of its 8-word "
            "sequences)."
        )
    )
    share = serializers.FloatField()
    training_row = serializers.IntegerField()
    training_hash = serializers.CharField()
    evaluation_row = serializers.IntegerField()
    evaluation_version = serializers.IntegerField(
        default=None,
        help_text=(
            "Id of the dataset version of the evaluation row; null for pairs stored by an earlier release."
        ),
    )
    evaluation_hash = serializers.CharField()


class RowDataSerializer(serializers.Serializer[Any]):
    """Location of a row: version ``number`` of the dataset ``name``."""

    dataset = serializers.IntegerField()
    name = serializers.CharField()
    number = serializers.IntegerField()
    dataset_version = serializers.IntegerField()
    split = serializers.CharField()


class NamedContaminationPairSerializer(ContaminationPairSerializer):
    """A pair with the data of both rows; ``evaluation_data`` is null if that dataset was deleted."""

    training_data = RowDataSerializer()
    evaluation_data = RowDataSerializer(allow_null=True)


class ContaminationDecisionSerializer(ReadOnlySerializer):
    """An owner's decision; it covers exactly its rows and never changes."""

    dataset_version = serializers.IntegerField(source="dataset_version_id")
    rows = serializers.SerializerMethodField()
    decided_by = CreatedByField()

    class Meta:
        model = ContaminationDecision
        fields = ("id", "dataset_version", "reason", "rows", "rows_hash", "decided_by", "created_at")

    @extend_schema_field(NamedContaminationPairSerializer(many=True))
    def get_rows(self, decision: ContaminationDecision) -> list[dict[str, Any]]:
        return named_pairs(decision.dataset_version, decision.rows)


class ContaminationSerializer(serializers.Serializer[Any]):
    """``is_known`` is false if the version is too large for an immediate check and no job has checked it yet.
    ``rows_hash`` identifies ``pairs``, as in a decision; ``standing`` is the decision that covers these
    pairs, or null.
    """

    is_known = serializers.BooleanField()
    sentences = serializers.ListField(child=serializers.CharField())
    pairs = NamedContaminationPairSerializer(many=True)
    rows_hash = serializers.CharField()
    training_rows = serializers.IntegerField(allow_null=True)
    evaluation_rows = serializers.IntegerField(allow_null=True)
    standing = ContaminationDecisionSerializer(allow_null=True)
    decisions = ContaminationDecisionSerializer(many=True)


class ContaminationBody(Body):
    reason = Text(max_length=LONGEST_REASON, help_text="Reason for training on these rows.")
    rows_hash = Text(
        max_length=64,
        help_text="Hash of the rows that you saw; if more rows were found since, the decision is refused.",
    )


@route("datasets/<int:dataset_id>/versions/<int:number>/contamination/", "api_dataset_contamination")
class Contamination(DatasetView):
    required_permission = Permission.VIEW_DATA
    post_permission = Permission.ALLOW_CONTAMINATION

    @operation("Read the contamination check", result=ContaminationSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """Training rows that also occur in evaluation splits, and owners' decisions on them."""
        version = self.version(dataset_id, number)
        found = known_leaks(version)
        leaks = found.leaks if found is not None else {}
        pairs = leaks.get("pairs", [])
        return {
            "is_known": found is not None,
            "sentences": leaks.get("sentences", []),
            "pairs": named_pairs(version, pairs),
            "rows_hash": rows_hash_of(pairs),
            "training_rows": leaks.get("training_rows"),
            "evaluation_rows": leaks.get("evaluation_rows"),
            "standing": standing_decision(version, found),
            "decisions": version.contamination_decisions.select_related(
                "decided_by", "dataset_version__dataset"
            ).order_by("-pk"),
        }

    @operation(
        "Allow training on contaminated rows",
        body=ContaminationBody,
        result=ContaminationDecisionSerializer,
        status=201,
    )
    def post(self, dataset_id: int, number: int) -> object:
        """A permanent decision by an owner: trainings on this version may use exactly these rows. Models
        trained on them show the decision, and a gate still fails these candidates on the rows.
        """
        version = self.version(dataset_id, number)
        return allow_contamination(version=version, by=self.person, **self.body())
