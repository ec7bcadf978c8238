from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Flag, Id, List, Number, Paging, Shown, Text, Whole
from evalapp.api.serializers.common import CreatedByField, MessageSerializer
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.datasets.csv_files import DELIMITERS, Use
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, Example, Split
from evalapp.datasets.options import LONGEST_FIELD_NAME, LONGEST_NOTE

MOST_INLINE_ROWS = 10_000


class DatasetVersionSerializer(Shown):
    """Immutable. ``counts`` is rows by split; ``content_hash`` covers every row in order."""

    dataset = serializers.IntegerField(source="dataset_id")
    parent = serializers.IntegerField(source="parent_id", allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField())
    created_by = CreatedByField()

    class Meta:
        model = DatasetVersion
        fields = (
            "id", "dataset", "number", "parent", "content_hash", "counts", "skipped_rows", "note", "source",
            "is_simulated", "is_recorded", "created_by", "created_at",
        )  # fmt: skip


class DatasetSerializer(Shown):
    """``latest`` is the newest version, or null before the first."""

    latest = serializers.SerializerMethodField()
    created_by = CreatedByField()

    class Meta:
        model = Dataset
        fields = ("id", "name", "description", "latest", "created_by", "created_at")

    @extend_schema_field(DatasetVersionSerializer(allow_null=True))
    def get_latest(self, dataset: Dataset) -> Any:
        versions = list(dataset.versions.all())
        return DatasetVersionSerializer(versions[0]).data if versions else None


class DatasetBody(Body):
    name = Text(max_length=120)
    description = Text(max_length=2_000, allow_blank=True, default="")


class VersionBody(Body):
    rows = List(
        child=Fields(),
        min_length=1,
        max_length=MOST_INLINE_ROWS,
        help_text="Rows as the lines of a JSONL file: `messages` (or `prompt` and `completion`), `references`, "
        "`split`, `context`, `label`, `metadata`, `group`, `chosen` and `rejected`; or Alpaca and ShareGPT.",
    )
    parent = Id(
        required=False, allow_null=True, default=None, help_text="Id of the version it was made from."
    )
    note = Text(max_length=LONGEST_NOTE, allow_blank=True, default="")


class ExampleSerializer(Shown):
    """A row. References of the test split are withheld: it is held out, so that nothing is trained on it."""

    messages = MessageSerializer(many=True)
    references = serializers.SerializerMethodField()
    metadata = serializers.DictField()

    class Meta:
        model = Example
        fields = (
            "id", "row_number", "split", "messages", "references", "label", "context", "metadata", "group_key",
            "prompt_hash", "content_hash",
        )  # fmt: skip

    def get_references(self, example: Example) -> list[str]:
        return [] if example.split == Split.TEST else list(example.references)


class ExampleQuery(Paging):
    split = serializers.ChoiceField(choices=Split.choices, required=False, default="")


class RowErrorSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    field = serializers.CharField()
    problem = serializers.CharField()
    mend = serializers.CharField(allow_blank=True)


class DatasetImportSerializer(Shown):
    """An uploaded file. It waits until it is started; ``options`` are what its content suggests."""

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
    file = serializers.FileField(help_text="JSONL or CSV with a header row, in UTF-8.")


class ImportBody(Body):
    """What is left out stays as the upload's ``options`` have it."""

    delimiter = serializers.ChoiceField(choices=list(DELIMITERS), required=False)
    mapping = serializers.DictField(
        child=serializers.ChoiceField(choices=[use.value for use in Use]),
        required=False,
        help_text="For CSV: column → use.",
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
