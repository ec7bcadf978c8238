"""Data health, and drafts of dataset versions."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from evalapp.api.fields import (
    Body,
    CreatedByField,
    Fields,
    Flag,
    Id,
    List,
    Paging,
    ReadOnlySerializer,
    Text,
    Whole,
)
from evalapp.api.operations import operation, route
from evalapp.core.errors import InvalidError, MissingError
from evalapp.core.http import get_or_missing
from evalapp.curation import drafts, queries, services
from evalapp.curation.bulk_edits import BulkAction, BulkEdit, BulkField, apply_bulk_edit, preview
from evalapp.curation.cards import card_of
from evalapp.curation.drafts import RESTORE, Edit
from evalapp.curation.forms import LONGEST_NOTE, LONGEST_PATTERN, LONGEST_REASON
from evalapp.curation.kinds import FindingKind
from evalapp.curation.models import DatasetDraft, Finding, HealthCheck, Operation, RowEdit
from evalapp.curation.publishing import start_publishing
from evalapp.datasets.api.datasets import DatasetVersionSerializer, DatasetView, VersionStatisticsSerializer
from evalapp.datasets.api.recipes import RecipeSettingsSerializer, SourceAccountSerializer
from evalapp.datasets.models import Split
from evalapp.datasets.queries import versions_of
from evalapp.jobs.api import JobSerializer

MOST_EDITS = 1_000
_VERSION = "datasets/<int:dataset_id>/versions/<int:number>/"
_DRAFT = "datasets/<int:dataset_id>/drafts/<int:draft_id>/"


class KindSummarySerializer(serializers.Serializer[Any]):
    """``count`` findings of a kind = ``kept`` + ``drafted`` (in the open draft) + ``open``."""

    kind = serializers.ChoiceField(choices=FindingKind.choices)
    count = serializers.IntegerField(source="rows")
    open = serializers.IntegerField()
    drafted = serializers.IntegerField()
    kept = serializers.IntegerField()
    unchecked = serializers.CharField(
        allow_blank=True,
        help_text="Why this kind was not checked, or not completely; empty if it was checked.",
    )


class HealthSerializer(serializers.Serializer[Any]):
    """``state`` is that of the job, or "unchecked". Findings are from the latest finished check."""

    state = serializers.CharField()
    checked_at = serializers.DateTimeField(allow_null=True)
    job = JobSerializer(allow_null=True)
    findings = KindSummarySerializer(many=True)


class FindingSpanSerializer(serializers.Serializer[Any]):
    """A span of a field, from character ``start`` to before ``end``."""

    field = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    type = serializers.CharField()


class FindingSerializer(ReadOnlySerializer):
    """A row with a problem. ``row_number`` is null for missing rows. ``changes`` are the proposed new values;
    they are withheld for rows of the held-out test split.
    """

    row_number = serializers.IntegerField(source="example.row_number", default=None, allow_null=True)
    other_row_numbers = serializers.ListField(source="other_rows", child=serializers.IntegerField())
    spans = FindingSpanSerializer(many=True)
    changes = serializers.SerializerMethodField()

    class Meta:
        model = Finding
        fields = (
            "id", "kind", "row_number", "other_row_numbers", "score", "spans", "evidence", "proposal",
            "changes", "is_kept",
        )  # fmt: skip

    def get_changes(self, finding: Finding) -> dict[str, Any]:
        is_test = finding.example is not None and finding.example.split == Split.TEST
        return {} if is_test else dict(finding.changes)


class FindingQuery(Paging):
    kind = serializers.ChoiceField(choices=FindingKind.choices, required=False, default="")
    show = serializers.ChoiceField(
        choices=[value for value in queries.SHOW_FILTERS if value], required=False, default=""
    )


class KeepBody(Body):
    findings = List(child=Id(), min_length=1, max_length=MOST_EDITS, help_text="Ids of findings.")
    is_kept = Flag(default=True, help_text="If false, the rows are no longer kept.")


class KeptSerializer(serializers.Serializer[Any]):
    changed = serializers.IntegerField()


class HealthView(DatasetView):
    def check(self, dataset_id: int, number: int) -> HealthCheck:
        version = self.version(dataset_id, number)
        found = queries.check_of(version)
        if found is None or found.checked_at is None:
            raise MissingError(f"The health of {version} has not been checked yet. Start a check first.")
        return found


@route(f"{_VERSION}health/", "api_dataset_health")
class Health(DatasetView):
    @operation("Read data health", result=HealthSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """Counts of findings by kind, and the state of the check."""
        return _health(queries.check_of(self.version(dataset_id, number)))

    @operation("Check data health", result=HealthSerializer, status=202)
    def post(self, dataset_id: int, number: int) -> object:
        """Queues a job that reads every row; its findings replace earlier ones."""
        version = self.version(dataset_id, number)
        return _health(services.start_check(version=version, by=self.person))


def _health(check: HealthCheck | None) -> dict[str, Any]:
    is_checked = check is not None and check.checked_at is not None
    return {
        "state": check.job.state if check is not None and check.job is not None else "unchecked",
        "checked_at": check.checked_at if check is not None else None,
        "job": check.job if check is not None else None,
        "findings": queries.kinds_of(check) if check is not None and is_checked else [],
    }


@route(f"{_VERSION}health/findings/", "api_dataset_findings")
class FindingList(HealthView):
    @operation("List findings", query=FindingQuery, result=FindingSerializer, paged=True)
    def get(self, dataset_id: int, number: int) -> object:
        """Rows with their problem, the evidence, and the proposed change."""
        check = self.check(dataset_id, number)
        return self.page(queries.findings_of(check, self.query["kind"], self.query["show"]))

    @operation("Keep rows despite findings", body=KeepBody, result=KeptSerializer)
    def patch(self, dataset_id: int, number: int) -> object:
        """Kept rows stay unchanged; later checks skip the finding while the content is the same."""
        check = self.check(dataset_id, number)
        return {"changed": services.keep_rows(check=check, by=self.person, **self.body())}


class DraftCountsSerializer(serializers.Serializer[Any]):
    rows_in = serializers.IntegerField(help_text="Rows of the base version: the sum of the counts below.")
    kept = serializers.IntegerField()
    changed = serializers.IntegerField()
    moved = serializers.IntegerField()
    merged = serializers.IntegerField()
    dropped = serializers.IntegerField()


class DatasetDraftSerializer(ReadOnlySerializer):
    """Edits of rows for the next version. ``base`` is the number of the version that is edited, ``version``
    the number of the published version.
    """

    dataset = serializers.IntegerField(source="base.dataset_id")
    base = serializers.IntegerField(source="base.number")
    version = serializers.IntegerField(source="version.number", default=None, allow_null=True)
    counts = serializers.SerializerMethodField()
    job = JobSerializer(allow_null=True, help_text="The latest job that published the draft, or tried to.")
    created_by = CreatedByField()

    class Meta:
        model = DatasetDraft
        fields = (
            "id", "dataset", "base", "state", "counts", "note", "job", "version", "created_by", "created_at",
        )  # fmt: skip

    def get_counts(self, draft: DatasetDraft) -> dict[str, int]:
        return drafts.counts_of(draft)._asdict()


class DatasetDraftBody(Body):
    base = Whole(min_value=1, max_value=2**31 - 1, help_text="Number of the version to change.")


class EditBody(Body):
    row_number = Whole(min_value=1, max_value=2**31 - 1)
    operation = serializers.ChoiceField(choices=[*Operation.values, RESTORE])
    changes = Fields(
        required=False,
        default=dict,
        help_text=(
            "New values by field: `messages.N`, `references.N`, `references`, `context`, `label`, `split`,"
            " `group`, `metadata.NAME`; N counts from 0."
        ),
    )
    into_row = Whole(required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1)
    reason = Text(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)
    revision = Whole(
        required=False,
        allow_null=True,
        default=None,
        min_value=0,
        max_value=2**31 - 1,
        help_text=(
            "Revision of the edit that you saw, 0 for none; 409 if somebody else has edited the row since."
        ),
    )


class EditsBody(Body):
    edits = List(child=EditBody(), min_length=1, max_length=MOST_EDITS)


class RowEditSerializer(ReadOnlySerializer):
    row_number = serializers.IntegerField(source="example.row_number")
    changes = serializers.DictField()
    edited_by = CreatedByField()

    class Meta:
        model = RowEdit
        fields = (
            "row_number", "operation", "changes", "into_row", "reason", "kind", "revision", "edited_by",
            "edited_at",
        )  # fmt: skip


class EditsSerializer(serializers.Serializer[Any]):
    edits = RowEditSerializer(many=True)
    kept_copies = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Rows that were dropped as duplicates of a row dropped now, and stay in its place.",
    )


class ProposalsBody(Body):
    kind = serializers.ChoiceField(
        choices=FindingKind.choices, help_text="Applies the proposals of all open findings of this kind."
    )


class AppliedSerializer(serializers.Serializer[Any]):
    """``left`` counts findings that a person must decide."""

    done = serializers.IntegerField()
    left = serializers.IntegerField()


class PublishBody(Body):
    note = Text(required=False, default="", allow_blank=True, max_length=LONGEST_NOTE)


class DraftView(DatasetView):
    def draft(self, dataset_id: int, draft_id: int) -> DatasetDraft:
        found = queries.drafts_of(self.project)
        return get_or_missing(found, base__dataset=dataset_id, pk=draft_id)


@route("datasets/<int:dataset_id>/drafts/", "api_dataset_drafts")
class DatasetDraftList(DraftView):
    @operation("List drafts", query=Paging, result=DatasetDraftSerializer, paged=True)
    def get(self, dataset_id: int) -> object:
        """Drafts of every version of the dataset, latest first."""
        return self.page(queries.drafts_of(self.project).filter(base__dataset=self.dataset(dataset_id)))

    @operation("Open a draft", body=DatasetDraftBody, result=DatasetDraftSerializer, status=201)
    def post(self, dataset_id: int) -> object:
        """Returns the open draft of a version, or opens one."""
        dataset = self.dataset(dataset_id)
        base = versions_of(dataset).filter(number=self.body()["base"]).first()
        if base is None:
            raise InvalidError(f"{dataset.name} has no version of that number.", field="base")
        return drafts.open_draft(base=base, by=self.person)


@route(_DRAFT, "api_dataset_draft")
class DatasetDraftDetail(DraftView):
    @operation("Read a draft", result=DatasetDraftSerializer)
    def get(self, dataset_id: int, draft_id: int) -> object:
        return self.draft(dataset_id, draft_id)

    @operation("Discard a draft", status=204)
    def delete(self, dataset_id: int, draft_id: int) -> object:
        """Deletes the draft's edits; the version stays as it is. 409 for a published draft."""
        drafts.discard_draft(draft=self.draft(dataset_id, draft_id), by=self.person)
        return Response(status=204)


@route(f"{_DRAFT}rows/", "api_dataset_draft_rows")
class DraftRows(DraftView):
    order = ("example__row_number", "id")

    @operation("List a draft's edits", query=Paging, result=RowEditSerializer, paged=True)
    def get(self, dataset_id: int, draft_id: int) -> object:
        return self.page(self.draft(dataset_id, draft_id).edits.select_related("example", "edited_by"))

    @operation("Edit rows in a draft", body=EditsBody, result=EditsSerializer)
    def patch(self, dataset_id: int, draft_id: int) -> object:
        """Stores all edits or none. `change` sets fields, `drop` leaves the row out, `merge` adds its answers
        to another row, and `restore` undoes an edit.
        """
        edits = [Edit(**edit) for edit in self.body()["edits"]]
        draft = self.draft(dataset_id, draft_id)
        return drafts.edit_rows(draft=draft, edits=edits, by=self.person)._asdict()


@route(f"{_DRAFT}proposals/", "api_dataset_draft_proposals")
class DraftProposals(DraftView):
    @operation("Apply proposals to a draft", body=ProposalsBody, result=AppliedSerializer)
    def post(self, dataset_id: int, draft_id: int) -> object:
        """Applies the proposals from the health check of the draft's base version."""
        draft = self.draft(dataset_id, draft_id)
        check = queries.check_of(draft.base)
        if check is None or check.checked_at is None:
            raise MissingError(f"The health of {draft.base} has not been checked yet. Start a check first.")
        found = queries.findings_of(check, self.body()["kind"], "open").order_by("pk")
        return drafts.apply_proposals(draft=draft, findings=found.iterator(), by=self.person)._asdict()


class BulkEditBody(Body):
    action = serializers.ChoiceField(choices=BulkAction.choices)
    field = serializers.ChoiceField(choices=BulkField.choices)
    pattern = Text(max_length=LONGEST_PATTERN, help_text="A regular expression of RE2.")
    replacement = Text(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)
    to_split = serializers.ChoiceField(choices=Split.choices, required=False, allow_blank=True, default="")
    only_split = serializers.ChoiceField(choices=Split.choices, required=False, allow_blank=True, default="")
    reason = Text(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)
    only_preview = Flag(
        required=False, default=False, help_text="Only count the matching rows; store nothing."
    )


class BulkEditedSerializer(serializers.Serializer[Any]):
    """``first`` shows the first matching rows as they are, or would be, in the draft."""

    rows = serializers.IntegerField()
    first = RowEditSerializer(many=True)


@route(f"{_DRAFT}bulk-edit/", "api_dataset_bulk_edit")
class DraftBulkEdit(DraftView):
    @operation("Edit many rows in a draft", body=BulkEditBody, result=BulkEditedSerializer)
    def post(self, dataset_id: int, draft_id: int) -> object:
        """Replaces text in, drops or moves every row that matches a regular expression; all of them
        or none.
        """
        draft = self.draft(dataset_id, draft_id)
        values = self.body()
        only_preview = values.pop("only_preview")
        bulk = BulkEdit(**values)
        shown = preview(draft, bulk)
        if not only_preview:
            apply_bulk_edit(draft=draft, bulk=bulk, by=self.person)
        return {"rows": shown.rows, "first": [planned.edit for planned in shown.first]}


@route(f"{_DRAFT}publish/", "api_dataset_draft_publish")
class DraftPublish(DraftView):
    @operation("Publish a draft", body=PublishBody, result=DatasetDraftSerializer, status=202)
    def post(self, dataset_id: int, draft_id: int) -> object:
        """Queues the job that writes the dataset's next version; `version` is its number once `state` is
        `published`. Rows keep their keys. Meanwhile the draft cannot be changed.
        """
        draft = self.draft(dataset_id, draft_id)
        start_publishing(draft=draft, by=self.person, **self.body())
        return self.draft(dataset_id, draft_id)


class EditReasonSerializer(serializers.Serializer[Any]):
    """Rows with the same edit for the same reason; ``kind`` is empty for edits by hand."""

    operation = serializers.ChoiceField(choices=Operation.choices)
    kind = serializers.ChoiceField(choices=FindingKind.choices, allow_blank=True)
    rows = serializers.IntegerField()


class CardDraftSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    base = serializers.IntegerField()
    counts = DraftCountsSerializer()
    reasons = EditReasonSerializer(many=True)


class CardRecipeSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(allow_null=True)
    settings = RecipeSettingsSerializer()
    sources = SourceAccountSerializer(many=True)


class VersionCardSerializer(serializers.Serializer[Any]):
    """``draft`` and ``recipe`` account for the rows that the version was written from; both are null if it
    came from a file. ``findings`` are null before the first health check. ``models`` are the ids of models
    trained on the version, latest first.
    """

    version = DatasetVersionSerializer()
    statistics = VersionStatisticsSerializer()
    draft = CardDraftSerializer(allow_null=True)
    recipe = CardRecipeSerializer(allow_null=True)
    findings = KindSummarySerializer(many=True, allow_null=True)
    models = serializers.ListField(child=serializers.IntegerField())


@route(f"{_VERSION}card/", "api_dataset_card")
class CardDetail(DatasetView):
    @operation("Read a version's card", result=VersionCardSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """Sources of the rows with an account of each, findings, and the models trained on them."""
        card = card_of(self.version(dataset_id, number))
        draft, recipe = card.draft, card.recipe
        return {
            **card._asdict(),
            "draft": draft
            and {
                "id": draft.pk,
                "base": draft.base.number,
                "counts": card.draft_counts,
                "reasons": card.reasons,
            },
            "recipe": recipe
            and {"id": recipe.recipe_id, "settings": recipe.settings, "sources": recipe.sources},
            "models": [model.pk for model in card.models],
        }
