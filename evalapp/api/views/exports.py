from django.http import FileResponse

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.exports import (
    DecidedSerializer,
    ExportBody,
    ExportDetailSerializer,
    ExportRowQuery,
    ExportRowSerializer,
    ExportSerializer,
    FinishBody,
    ManyDecisionsBody,
    RowDecisionBody,
)
from evalapp.core.http import get_or_missing
from evalapp.datasets.queries import version_of
from evalapp.exports.models import Export
from evalapp.exports.queries import exports_of, proposed_rows, row_counts
from evalapp.exports.selection import SelectionRules
from evalapp.exports.services import decide_all, decide_row, propose_rows, start_export
from evalapp.exports.writing import open_file


class ExportView(ProjectView):
    required_permission = Permission.VIEW_EXPORTS

    def export(self, export_id: int) -> Export:
        exports = exports_of(self.project).select_related("project", "campaign__dataset_version__dataset")
        return get_or_missing(exports.select_related("created_by", "job__created_by"), pk=export_id)

    def detail(self, export_id: int) -> Export:
        export = self.export(export_id)
        export.counts = row_counts(export)  # type: ignore[attr-defined]  # for the serializer
        return export


class ExportList(ExportView):
    post_permission = Permission.EDIT_EXPORTS

    @operation("List exports", result=ExportSerializer, paged=True)
    def get(self) -> object:
        return self.page(exports_of(self.project).select_related("job__created_by", "created_by"))

    @operation("Propose rows", body=ExportBody, result=ExportDetailSerializer, status=201)
    def post(self) -> object:
        """A campaign's feedback, each row in or out with its reason. A held-out split is refused."""
        values = self.body()
        campaigns = self.project.campaigns.select_related("project", "rubric_version")
        campaign = chosen(campaigns, values["campaign"], "campaign", "campaign with id")
        rules = SelectionRules(
            sft_floor=values["sft_floor"], pair_gap=values["pair_gap"], pair_floor=values["pair_floor"]
        )
        export = propose_rows(campaign=campaign, by=self.person, name=values["name"], rules=rules)
        return self.detail(export.pk)


class ExportDetail(ExportView):
    @operation("Read an export", result=ExportDetailSerializer)
    def get(self, export_id: int) -> object:
        return self.detail(export_id)


class ExportRows(ExportView):
    order = ("id",)

    @operation("List proposed rows", query=ExportRowQuery, result=ExportRowSerializer, paged=True)
    def get(self, export_id: int) -> object:
        export = self.export(export_id)
        return self.page(proposed_rows(export, kind=self.query["kind"], show=self.query["show"]))


class ExportRowDecision(ExportView):
    required_permission = Permission.DECIDE_EXPORT_ROWS

    @operation("Decide on a row", body=RowDecisionBody, result=ExportRowSerializer)
    def post(self, export_id: int, row_id: int) -> object:
        """Accept it, accept it with edits, or reject it. Nobody decides on a correction of their own."""
        row = get_or_missing(
            proposed_rows(self.export(export_id)).select_related("export__project"), pk=row_id
        )
        decide_row(row=row, by=self.person, **self.body())
        return proposed_rows(row.export).get(pk=row.pk)


class ExportDecisions(ExportView):
    required_permission = Permission.DECIDE_EXPORT_ROWS

    @operation("Decide on many rows", body=ManyDecisionsBody, result=DecidedSerializer)
    def post(self, export_id: int) -> object:
        """All undecided rows, or those named."""
        export = self.export(export_id)
        values = self.body()
        count = decide_all(
            export=export, decision=values["decision"], by=self.person, row_ids=values.get("rows")
        )
        return {"decided": count}


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
