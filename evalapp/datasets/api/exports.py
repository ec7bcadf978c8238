"""Versions as files, and what masked personal data was for those who may see it."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Query
from evalapp.api.operations import operation, route
from evalapp.core.http import download, get_or_missing
from evalapp.datasets.api.datasets import DatasetView
from evalapp.datasets.conversation_files import FORMATS_OF_FILES
from evalapp.datasets.exporting import FileFormat, exported, exported_with_originals, losses_of
from evalapp.datasets.models import Split
from evalapp.datasets.vault import look_up

_VERSION = "datasets/<int:dataset_id>/versions/<int:number>/"


class ExportQuery(Query):
    format = serializers.ChoiceField(choices=FileFormat.choices, required=False, default=FileFormat.JSONL)
    split = serializers.ChoiceField(
        choices=Split.choices,
        required=False,
        default="",
        help_text="Splits to export; default: all but the test split.",
    )


@route(f"{_VERSION}export/", "api_dataset_export")
class ExportDetail(DatasetView):
    @operation("Export a version", query=ExportQuery, binary=True)
    def get(self, dataset_id: int, number: int) -> object:
        """The rows as a file, never with the held-out test split."""
        version = self.version(dataset_id, number)
        return download(*exported(version, self.query["format"], self.query["split"]))


class LossesQuery(Query):
    format = serializers.ChoiceField(
        choices=list(FORMATS_OF_FILES), default=FileFormat.OPENAI_CHAT, required=False,
        help_text="A message format.",
    )  # fmt: skip


class LossSerializer(serializers.Serializer[Any]):
    what = serializers.CharField()
    rows = serializers.IntegerField(help_text="Number of rows that lose it.")


class LossesSerializer(serializers.Serializer[Any]):
    losses = LossSerializer(many=True)


@route(f"{_VERSION}export-losses/", "api_dataset_export_losses")
class ExportLosses(DatasetView):
    @operation("List what an export leaves out", query=LossesQuery, result=LossesSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """Content that the message format of another tool cannot express. JSON Lines and Parquet keep
        everything.
        """
        found = losses_of(self.version(dataset_id, number), self.query["format"])
        return {"losses": [{"what": what, "rows": rows} for what, rows in found.items()]}


class OriginalSerializer(serializers.Serializer[Any]):
    placeholder = serializers.CharField()
    texts = serializers.ListField(
        child=serializers.CharField(), help_text="Every spelling that was masked, in order of appearance."
    )


class RowOriginalsSerializer(serializers.Serializer[Any]):
    originals = OriginalSerializer(many=True)


@route(
    "datasets/<int:dataset_id>/versions/<int:number>/rows/<int:row_number>/originals/",
    "api_dataset_originals",
)
class RowOriginals(DatasetView):
    required_permission = Permission.UNMASK
    post_permission = Permission.UNMASK

    @operation("Show the originals of a masked row", result=RowOriginalsSerializer)
    def post(self, dataset_id: int, number: int, row_number: int) -> object:
        """The original texts behind the placeholders of a row and of its answers. The audit records who read
        them.
        """
        example = get_or_missing(self.version(dataset_id, number).examples.all(), row_number=row_number)
        originals = look_up(example=example, by=self.person)
        return {"originals": [{"placeholder": name, "texts": texts} for name, texts in originals.items()]}


@route(
    "datasets/<int:dataset_id>/versions/<int:number>/export-with-originals/", "api_dataset_export_originals"
)
class ExportWithOriginals(DatasetView):
    required_permission = Permission.UNMASK
    post_permission = Permission.UNMASK

    @operation("Export a version with originals", binary=True)
    def post(self, dataset_id: int, number: int) -> object:
        """JSON Lines with the original texts of masked rows, without the test split. The audit records who
        downloaded it.
        """
        return download(*exported_with_originals(self.version(dataset_id, number), by=self.person))
