"""Datasets, their versions and rows, and the imports that make them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.errors import invalid
from evalapp.api.fields import (
    Body,
    CreatedByField,
    Fields,
    Flag,
    Id,
    List,
    Number,
    Paging,
    Query,
    ReadOnlySerializer,
    Text,
    Whole,
)
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.conversations.text import without_answer
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.datasets import queries, services
from evalapp.datasets.columns import ColumnRole
from evalapp.datasets.deletion import delete_version
from evalapp.datasets.diff import FIELDS, Change, RowChange, VersionDiff, diff_of
from evalapp.datasets.field_filter import LONGEST_FILTER, read_fields, with_fields
from evalapp.datasets.formats import Layout, reading_of
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, Example, Split
from evalapp.datasets.options import LONGEST_FIELD_NAME, LONGEST_NOTE, ImportOptions
from evalapp.datasets.rows import ROLES, ExampleRow
from evalapp.datasets.search import LONGEST_SEARCH, search_rows
from evalapp.imports import flow
from evalapp.imports.pages import ImportFile, require_usable
from evalapp.imports.source_rows import DELIMITERS
from evalapp.jobs.api import JobSerializer


class MessageSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=ROLES)
    content = serializers.CharField()


class ConversationField(serializers.JSONField):
    """Original messages with tool calls, files, sources or reasoning (docs/conversations.md); null if
    ``messages`` contains everything.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"read_only": True, "allow_null": True, **options})


MOST_INLINE_ROWS = 10_000


class DatasetVersionSerializer(ReadOnlySerializer):
    """An immutable version. ``counts`` are rows by split; ``content_hash`` covers every row in order.
    ``erased_rows`` contained data of people who were erased later; hashes are from before that.
    """

    dataset = serializers.IntegerField(source="dataset_id")
    parent = serializers.IntegerField(source="parent_id", allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField())
    created_by = CreatedByField()

    class Meta:
        model = DatasetVersion
        fields = (
            "id", "dataset", "number", "parent", "content_hash", "counts", "skipped_rows", "erased_rows",
            "note", "source", "is_simulated", "is_recorded", "created_by", "created_at",
        )  # fmt: skip


class DatasetSerializer(ReadOnlySerializer):
    """``latest`` is the newest version, or null before the first."""

    latest = serializers.SerializerMethodField()
    created_by = CreatedByField()

    class Meta:
        model = Dataset
        fields = ("id", "name", "description", "licence", "latest", "created_by", "created_at")

    @extend_schema_field(DatasetVersionSerializer(allow_null=True))
    def get_latest(self, dataset: Dataset) -> Any:
        versions = list(dataset.versions.all())
        return DatasetVersionSerializer(versions[0]).data if versions else None


class DatasetBody(Body):
    name = Text(max_length=120)
    description = Text(max_length=2_000, allow_blank=True, default="")
    licence = Text(max_length=120, allow_blank=True, default="", help_text="Shown on the dataset's card.")


class VersionBody(Body):
    rows = List(
        child=Fields(),
        min_length=1,
        max_length=MOST_INLINE_ROWS,
        help_text=(
            "Rows as the lines of a JSONL file: `messages` (or `prompt` and `completion`), `references`,"
            " `split`, `context`, `label`, `metadata`, `group`, `chosen` and `rejected`; or Alpaca and"
            " ShareGPT."
        ),
    )
    parent = Id(
        required=False, allow_null=True, default=None, help_text="Id of the version that it was created from."
    )
    note = Text(max_length=LONGEST_NOTE, allow_blank=True, default="")


class ExampleSerializer(ReadOnlySerializer):
    """A row; ``row_key`` is the same in every version of the dataset. The references of held-out test rows
    are withheld, so that nothing is trained on them.
    """

    messages = MessageSerializer(many=True)
    references = serializers.SerializerMethodField()
    conversation = serializers.SerializerMethodField()
    metadata = serializers.DictField()

    class Meta:
        model = Example
        fields = (
            "id", "row_number", "row_key", "split", "messages", "references", "label", "context", "metadata",
            "group_key",
            "prompt_hash", "content_hash", "conversation",
        )  # fmt: skip

    def get_references(self, example: Example) -> list[str]:
        return [] if example.split == Split.TEST else list(example.references)

    def get_conversation(self, example: Example) -> dict[str, Any] | None:
        """Original messages, if they contain more than text; for the test split without the answer."""
        if example.conversation is None:
            return None
        return dict(
            example.conversation if example.split != Split.TEST else without_answer(example.conversation)
        )


class ExampleQuery(Paging):
    split = serializers.ChoiceField(choices=Split.choices, required=False, default="")
    search = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=LONGEST_SEARCH,
        help_text="Rows that contain all these words; use quotation marks for words side by side.",
    )

    where = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=LONGEST_FILTER,
        help_text="Fields with allowed values: `topic = claims, travel; label = yes`.",
    )


class RowErrorSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    field = serializers.CharField()
    problem = serializers.CharField()
    fix = serializers.CharField(allow_blank=True)


class DatasetImportSerializer(ReadOnlySerializer):
    """An uploaded file that waits to be imported; ``options`` are suggestions from its content."""

    dataset = serializers.IntegerField(source="dataset_id")
    options = serializers.DictField()
    row_errors = RowErrorSerializer(many=True)
    job = JobSerializer(allow_null=True)
    version = DatasetVersionSerializer(allow_null=True)

    class Meta:
        model = DatasetImport
        fields = (
            "id", "dataset", "file_name", "size_bytes", "options", "job", "version", "rows_read", "bad_rows",
            "errors_found", "row_errors", "created_at",
        )  # fmt: skip


class UploadBody(Body):
    file = ImportFile(help_text="JSONL, Parquet, or CSV with a header row; UTF-8.")


class ImportBody(Body):
    """Fields that are left out keep the upload's ``options``."""

    delimiter = serializers.ChoiceField(choices=list(DELIMITERS), required=False)
    mapping = serializers.DictField(
        child=serializers.ChoiceField(choices=[use.value for use in ColumnRole]),
        required=False,
        help_text="Column or field → use; for CSV, and for JSON with other field names.",
    )
    split_field = Text(max_length=LONGEST_FIELD_NAME, required=False)
    shares = serializers.DictField(
        child=Number(min_value=0, max_value=1_000_000),
        required=False,
        allow_null=True,
        help_text="Split → share; null reads the split from each row.",
    )
    seed = Whole(required=False)
    group_field = Text(max_length=LONGEST_FIELD_NAME, required=False)
    skips_invalid = Flag(required=False)
    note = Text(max_length=LONGEST_NOTE, allow_blank=True, required=False)


class DatasetView(ProjectView):
    required_permission = Permission.VIEW_DATA
    post_permission = Permission.EDIT_DATA

    def dataset(self, dataset_id: int) -> Dataset:
        return get_or_missing(queries.datasets_of(self.project).select_related("created_by"), pk=dataset_id)

    def version(self, dataset_id: int, number: int) -> DatasetVersion:
        return get_or_missing(queries.version_of(self.project), dataset_id=dataset_id, number=number)

    def dataset_import(self, dataset_id: int, import_id: int) -> DatasetImport:
        imports = self.dataset(dataset_id).imports.select_related("job__created_by", "version__created_by")
        return get_or_missing(imports, pk=import_id)


@route("datasets/", "api_datasets")
class DatasetList(DatasetView):
    order = ("name",)

    @operation("List datasets", result=DatasetSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.datasets_of(self.project).select_related("created_by"))

    @operation("Create a dataset", body=DatasetBody, result=DatasetSerializer, status=201)
    def post(self) -> object:
        """Add versions afterwards, from rows in a request or from an uploaded file."""
        return services.create_dataset(project=self.project, by=self.person, **self.body())


@route("datasets/<int:dataset_id>/", "api_dataset")
class DatasetDetail(DatasetView):
    @operation("Read a dataset", result=DatasetSerializer)
    def get(self, dataset_id: int) -> object:
        return self.dataset(dataset_id)

    @operation("Change a dataset", body=DatasetBody, result=DatasetSerializer)
    def patch(self, dataset_id: int) -> object:
        """Changes name, description and licence. Fields that are left out are unchanged; versions never
        change.
        """
        dataset = self.dataset(dataset_id)
        current = {name: getattr(dataset, name) for name in ("name", "description", "licence")}
        services.change_dataset(dataset=dataset, by=self.person, **self.changes(current))
        return self.dataset(dataset_id)


@route("datasets/<int:dataset_id>/versions/", "api_dataset_versions")
class VersionList(DatasetView):
    order = ("-number",)

    @operation("List a dataset's versions", result=DatasetVersionSerializer, paged=True)
    def get(self, dataset_id: int) -> object:
        return self.page(queries.versions_of(self.dataset(dataset_id)))

    @operation("Create a version from rows", body=VersionBody, result=DatasetVersionSerializer, status=201)
    def post(self, dataset_id: int) -> object:
        """Imports all rows or none; the error lists each bad row. For more rows than fit in a body, upload a
        file.
        """
        dataset = self.dataset(dataset_id)
        values = self.body()
        parent = None
        if values["parent"] is not None:
            parent = chosen(
                queries.versions_of(dataset), values["parent"], "parent", "version of this dataset with id"
            )
        return services.create_version(
            dataset=dataset,
            rows=read_rows_of_objects(values["rows"]),
            by=self.person,
            parent=parent,
            note=values["note"],
            source="API",
        )


def read_rows_of_objects(objects: Sequence[dict[str, Any]]) -> list[ExampleRow]:
    """Reads these objects like the lines of a file. Raises InvalidError with each bad field."""
    rows: list[ExampleRow] = []
    fields: dict[str, list[str]] = {}
    for position, given in enumerate(objects):
        reading = reading_of(position + 1, given, Layout())
        if reading.row is not None:
            rows.append(reading.row)
        for problem in reading.problems:
            name = f"rows.{position}.{problem.field}"
            fields.setdefault(name, []).append(f"{problem.problem} {problem.fix}")
    if fields:
        raise invalid(fields)
    return rows


@route("datasets/<int:dataset_id>/versions/<int:number>/", "api_dataset_version")
class VersionDetail(DatasetView):
    @operation("Read a version", result=DatasetVersionSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """Counts by split, and the hash of the content."""
        return self.version(dataset_id, number)

    @operation("Delete a version", status=204)
    def delete(self, dataset_id: int, number: int) -> object:
        """Deletes its rows, health check and drafts. 409 where a run, campaign, gate, push to a hub or later
        version uses it. Its number is not used again.
        """
        delete_version(version=self.version(dataset_id, number), by=self.person)
        return Response(status=204)


@route("datasets/<int:dataset_id>/versions/<int:number>/examples/", "api_examples")
class ExampleList(DatasetView):
    order = ("row_number",)

    @operation("List a version's rows", query=ExampleQuery, result=ExampleSerializer, paged=True)
    def get(self, dataset_id: int, number: int) -> object:
        """Ordered by row number. References of the held-out test split are withheld."""
        version = self.version(dataset_id, number)
        split = self.query["split"]
        rows = queries.examples_of(version, [split] if split else None)
        rows = with_fields(rows, read_fields(self.query["where"]))
        found = search_rows(version, rows, self.query["search"])
        if found.problem:
            raise InvalidError(found.problem, field="search")
        return self.page(found.rows)


class DiffQuery(Query):
    against = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text=(
            "Number of the version to compare with; default: the one that it was created from, else the one"
            " before it."
        ),
    )


class DiffRowQuery(Paging, DiffQuery):
    change = serializers.ChoiceField(choices=Change.choices, required=False, default="")


class VersionStatisticsSerializer(serializers.Serializer[Any]):
    """Lengths are medians in characters: of the last prompt message, and of the first reference."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by split.")
    prompt_length = serializers.FloatField(allow_null=True)
    reference_length = serializers.FloatField(allow_null=True)
    labels = serializers.IntegerField()


class VersionDiffSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="version.number")
    against = serializers.IntegerField(source="against.number")
    counts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Counts of added, removed, changed, moved and unchanged rows.",
    )
    now = VersionStatisticsSerializer()
    before = VersionStatisticsSerializer()


class RowChangeSerializer(serializers.Serializer[Any]):
    """``number`` is the row's number in the version, ``was`` its number in the other version. A row is
    “moved” if only its split differs.
    """

    change = serializers.ChoiceField(choices=Change.choices)
    number = serializers.IntegerField(allow_null=True)
    was = serializers.IntegerField(allow_null=True)
    split = serializers.CharField(allow_blank=True)
    old_split = serializers.CharField(allow_blank=True)
    changed_fields = serializers.ListField(
        source="fields", child=serializers.ChoiceField(choices=tuple(FIELDS))
    )


class DiffView(DatasetView):
    def diff(self, dataset_id: int, number: int) -> VersionDiff:
        version = self.version(dataset_id, number)
        others = queries.other_versions(version)
        against = queries.version_to_compare_with(version, others, str(self.query.get("against", "")))
        if against is None:
            raise InvalidError("This dataset has no other version to compare with.")
        return diff_of(version, against)


@route("datasets/<int:dataset_id>/versions/<int:number>/diff/", "api_dataset_diff")
class DiffDetail(DiffView):
    @operation("Compare two versions", query=DiffQuery, result=VersionDiffSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """Counts of changed rows, and statistics of both versions side by side."""
        return self.diff(dataset_id, number)


@route("datasets/<int:dataset_id>/versions/<int:number>/diff/rows/", "api_dataset_diff_rows")
class DiffRowList(DiffView):
    @operation("List changed rows", query=DiffRowQuery, result=RowChangeSerializer, paged=True)
    def get(self, dataset_id: int, number: int) -> object:
        """Ordered as in the version, removed rows last."""
        return self.page(self.diff(dataset_id, number).of(self.query["change"]))

    def key_of(self, row: RowChange) -> str:
        return row.key


@route("datasets/<int:dataset_id>/imports/", "api_imports")
class ImportList(DatasetView):
    @operation("List open imports", result=DatasetImportSerializer, paged=True)
    def get(self, dataset_id: int) -> object:
        """Uploads without a version yet: waiting, running or failed."""
        return self.page(queries.open_imports(self.dataset(dataset_id)).select_related("version"))

    @operation("Upload a file", body=UploadBody, result=DatasetImportSerializer, status=201, upload=True)
    def post(self, dataset_id: int) -> object:
        """The file is kept until its import is started or discarded. ``options`` in the answer are
        suggestions from the content; start the import with these or other options.
        """
        dataset = self.dataset(dataset_id)
        require_usable(self.request)
        return services.receive_upload(dataset=dataset, upload=self.body()["file"], by=self.person)


@route("datasets/<int:dataset_id>/imports/<int:import_id>/", "api_import")
class ImportDetail(DatasetView):
    @operation("Read an import", result=DatasetImportSerializer)
    def get(self, dataset_id: int, import_id: int) -> object:
        """The import's job; if it failed, every bad row (the first 1,000) with how to fix it."""
        return self.dataset_import(dataset_id, import_id)

    @operation("Discard an import", status=204)
    def delete(self, dataset_id: int, import_id: int) -> object:
        """Deletes the uploaded file. 409 while the import runs, and after it has succeeded."""
        flow.discard(self.dataset_import(dataset_id, import_id), by=self.person)
        return Response(status=204)


@route("datasets/<int:dataset_id>/imports/<int:import_id>/start/", "api_import_start")
class ImportStart(DatasetView):
    @operation("Start an import", body=ImportBody, result=DatasetImportSerializer, status=202)
    def post(self, dataset_id: int, import_id: int) -> object:
        """Queues the job that creates the version. A failed import can be started again."""
        found = self.dataset_import(dataset_id, import_id)
        options = replace(ImportOptions(**found.options), **self.body())
        services.start_import(dataset_import=found, options=options, by=self.person)
        return found
