from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Flag, Id, List, Number, Paging, Shown, Text
from evalapp.api.serializers.common import CreatedByField
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.exports.models import Export, ExportRow, RowDecision, RowKind
from evalapp.exports.selection import SelectionRules
from evalapp.exports.services import MAX_TEXT

MANY_DECISIONS = [(each.value, each.label) for each in (RowDecision.ACCEPTED, RowDecision.REJECTED)]
SHOWN = ("in", "out", "pending", "accepted", "rejected")


class WrittenFileSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    rows = serializers.IntegerField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()


class RowCountsSerializer(serializers.Serializer[Any]):
    included = serializers.IntegerField()
    left_out = serializers.IntegerField()
    pending = serializers.IntegerField()
    accepted = serializers.IntegerField()
    rejected = serializers.IntegerField()


class ExportSerializer(Shown):
    """Feedback on its way into files and a new dataset version."""

    campaign = serializers.IntegerField(source="campaign_id")
    dataset_version = serializers.IntegerField(source="dataset_version_id", allow_null=True)
    job = JobSerializer(allow_null=True)
    files = WrittenFileSerializer(many=True)
    settings = serializers.DictField()
    created_by = CreatedByField()

    class Meta:
        model = Export
        fields = (
            "id", "campaign", "name", "state", "settings", "files", "dataset_version", "job", "is_simulated",
            "is_recorded", "created_by", "created_at", "finished_at",
        )  # fmt: skip


class ExportDetailSerializer(ExportSerializer):
    counts = RowCountsSerializer()

    class Meta(ExportSerializer.Meta):
        fields = (*ExportSerializer.Meta.fields, "counts")


class ExportRowSerializer(Shown):
    """A row, in or out with its ``reason``; the answer is ``edited_text``, else ``chosen_text``. ``is_good``: whether
    a rated answer is one to give; null for other kinds.
    """

    example = serializers.IntegerField(source="example_id")
    review = serializers.IntegerField(source="review_id", allow_null=True)
    rejected_text = serializers.SerializerMethodField()
    decided_by = serializers.CharField(allow_null=True)
    training_example = serializers.IntegerField(source="training_example_id", allow_null=True)

    class Meta:
        model = ExportRow
        fields = (
            "id", "kind", "is_good", "example", "review", "chosen_text", "edited_text", "rejected_text", "is_included",
            "reason", "decision", "decided_by", "decided_at", "training_example",
        )  # fmt: skip

    def get_rejected_text(self, row: ExportRow) -> str | None:
        return row.rejected_output.text if row.rejected_output else None


class ExportRowQuery(Paging):
    kind = serializers.ChoiceField(choices=RowKind.choices, required=False, default="")
    show = serializers.ChoiceField(choices=SHOWN, required=False, default="")


class ExportBody(Body):
    campaign = Id()
    name = Text(max_length=120, allow_blank=True, default="")
    sft_floor = Number(min_value=1, max_value=5, default=SelectionRules.sft_floor)
    pair_gap = Number(min_value=0.01, max_value=4, default=SelectionRules.pair_gap)
    pair_floor = Number(min_value=1, max_value=5, default=SelectionRules.pair_floor)


class RowDecisionBody(Body):
    decision = serializers.ChoiceField(choices=RowDecision.choices)
    text = Text(max_length=MAX_TEXT, allow_blank=True, default="", help_text="The answer, for “edited”.")


class ManyDecisionsBody(Body):
    decision = serializers.ChoiceField(choices=MANY_DECISIONS)
    rows = List(
        child=Id(), min_length=1, max_length=10_000, required=False, help_text="Left out: all undecided rows."
    )


class DecidedSerializer(serializers.Serializer[Any]):
    decided = serializers.IntegerField(help_text="Rows you wrote yourself are left for somebody else.")


class FinishBody(Body):
    parent_version = Id(required=False, allow_null=True, default=None)
    keeps_training_rows = Flag(default=False)
    note = Text(max_length=500, allow_blank=True, default="")
