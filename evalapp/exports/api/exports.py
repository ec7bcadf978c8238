"""Exports: their proposed rows, decisions on these, and files."""

from typing import Any

from django.http import FileResponse
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Flag, Id, List, Number, Paging, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.core.http import get_or_missing
from evalapp.datasets.queries import version_of
from evalapp.exports.models import Export, ExportRow, RowDecision, RowKind
from evalapp.exports.queries import exports_of, proposed_rows, row_counts
from evalapp.exports.selection import SelectionRules
from evalapp.exports.services import MAX_TEXT, decide_all, decide_row, propose_rows, start_export
from evalapp.exports.writing import open_file
from evalapp.jobs.api import JobSerializer

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


class ExportSerializer(ReadOnlySerializer):
    """An export: proposed rows from feedback that become files and a new dataset version."""

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


class ExportRowSerializer(ReadOnlySerializer):
    """A proposed row, included or left out for a ``reason``. The answer is ``edited_text`` if set, else
    ``chosen_text``. ``is_good`` says whether a rated answer is good enough to imitate; null for other kinds.
    """

    example = serializers.IntegerField(source="example_id")
    review = serializers.IntegerField(source="review_id", allow_null=True)
    rejected_text = serializers.SerializerMethodField()
    decided_by = serializers.CharField(allow_null=True)
    training_example = serializers.IntegerField(source="training_example_id", allow_null=True)

    class Meta:
        model = ExportRow
        fields = (
            "id", "kind", "is_good", "example", "review", "chosen_text", "edited_text", "rejected_text",
            "is_included",
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
    answer_floor = Number(min_value=1, max_value=5, default=SelectionRules.answer_floor)
    pair_gap = Number(min_value=0.01, max_value=4, default=SelectionRules.pair_gap)
    pair_floor = Number(min_value=1, max_value=5, default=SelectionRules.pair_floor)


class RowDecisionBody(Body):
    decision = serializers.ChoiceField(choices=RowDecision.choices)
    text = Text(
        max_length=MAX_TEXT,
        allow_blank=True,
        default="",
        help_text="The edited answer, for the decision “edited”.",
    )


class ManyDecisionsBody(Body):
    decision = serializers.ChoiceField(choices=MANY_DECISIONS)
    rows = List(
        child=Id(),
        min_length=1,
        max_length=10_000,
        required=False,
        help_text="Default: all rows without a decision.",
    )


class DecidedSerializer(serializers.Serializer[Any]):
    decided = serializers.IntegerField(
        help_text="Number of rows decided. Rows that you wrote yourself wait for somebody else."
    )


class FinishBody(Body):
    parent_version = Id(required=False, allow_null=True, default=None)
    keeps_training_rows = Flag(default=False)
    note = Text(max_length=500, allow_blank=True, default="")


class ExportView(ProjectView):
    required_permission = Permission.VIEW_EXPORTS

    def export(self, export_id: int) -> Export:
        exports = exports_of(self.project).select_related("project", "campaign__dataset_version__dataset")
        return get_or_missing(exports.select_related("created_by", "job__created_by"), pk=export_id)

    def detail(self, export_id: int) -> Export:
        export = self.export(export_id)
        export.counts = row_counts(export)  # type: ignore[attr-defined]  # for the serializer
        return export


@route("exports/", "api_exports")
class ExportList(ExportView):
    post_permission = Permission.EDIT_EXPORTS

    @operation("List exports", result=ExportSerializer, paged=True)
    def get(self) -> object:
        return self.page(exports_of(self.project).select_related("job__created_by", "created_by"))

    @operation("Propose rows", body=ExportBody, result=ExportDetailSerializer, status=201)
    def post(self) -> object:
        """Proposes rows from a campaign's feedback; each is included or left out with a reason. A held-out
        split is refused.
        """
        values = self.body()
        campaigns = self.project.campaigns.select_related("project", "rubric_version")
        campaign = chosen(campaigns, values["campaign"], "campaign", "campaign with id")
        rules = SelectionRules(
            answer_floor=values["answer_floor"], pair_gap=values["pair_gap"], pair_floor=values["pair_floor"]
        )
        export = propose_rows(campaign=campaign, by=self.person, name=values["name"], rules=rules)
        return self.detail(export.pk)


@route("exports/<int:export_id>/", "api_export")
class ExportDetail(ExportView):
    @operation("Read an export", result=ExportDetailSerializer)
    def get(self, export_id: int) -> object:
        return self.detail(export_id)


@route("exports/<int:export_id>/rows/", "api_export_rows")
class ExportRows(ExportView):
    order = ("id",)

    @operation("List proposed rows", query=ExportRowQuery, result=ExportRowSerializer, paged=True)
    def get(self, export_id: int) -> object:
        export = self.export(export_id)
        return self.page(proposed_rows(export, kind=self.query["kind"], show=self.query["show"]))


@route("exports/<int:export_id>/rows/<int:row_id>/decision/", "api_export_row_decide")
class ExportRowDecision(ExportView):
    required_permission = Permission.DECIDE_EXPORT_ROWS

    @operation("Decide on a row", body=RowDecisionBody, result=ExportRowSerializer)
    def post(self, export_id: int, row_id: int) -> object:
        """Accepts the row, accepts it with edits, or rejects it. Nobody can decide on their own
        correction.
        """
        row = get_or_missing(
            proposed_rows(self.export(export_id)).select_related("export__project"), pk=row_id
        )
        decide_row(row=row, by=self.person, **self.body())
        return proposed_rows(row.export).get(pk=row.pk)


@route("exports/<int:export_id>/rows/decide/", "api_export_decide")
class ExportDecisions(ExportView):
    required_permission = Permission.DECIDE_EXPORT_ROWS

    @operation("Decide on many rows", body=ManyDecisionsBody, result=DecidedSerializer)
    def post(self, export_id: int) -> object:
        """Decides on the given rows; default: all rows without a decision."""
        export = self.export(export_id)
        values = self.body()
        count = decide_all(
            export=export, decision=values["decision"], by=self.person, row_ids=values.get("rows")
        )
        return {"decided": count}


@route("exports/<int:export_id>/finish/", "api_export_finish")
class ExportFinish(ExportView):
    required_permission = Permission.EDIT_EXPORTS

    @operation("Write an export", body=FinishBody, result=ExportDetailSerializer, status=202)
    def post(self, export_id: int) -> object:
        """Queues the job that writes the files and the new dataset version."""
        export = self.export(export_id)
        values = self.body()
        if values["parent_version"] is not None:
            versions = version_of(self.project)
            values["parent_version"] = chosen(
                versions, values["parent_version"], "parent_version", "dataset version with id"
            )
        start_export(export=export, by=self.person, **values)
        return self.detail(export_id)


@route("exports/<int:export_id>/files/<str:name>/", "api_export_file")
class ExportFile(ExportView):
    @operation("Download a file", binary=True)
    def get(self, export_id: int, name: str) -> object:
        """One of ``files`` of a finished export."""
        export = self.export(export_id)
        response = FileResponse(
            open_file(export, name),
            as_attachment=True,
            filename=f"export-{export.pk}-{name}",
            content_type="application/octet-stream",
        )
        response["X-Content-Type-Options"] = "nosniff"
        return response
