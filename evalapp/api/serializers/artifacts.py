from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Paging, Shown, Text
from evalapp.api.serializers.common import CreatedByField
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.artifacts.models import ArtifactKind, HubDownload, MergedExport, MergeFormat
from hub.spec import MOST_TEMPLATE_CHARACTERS


class PackedFileSerializer(serializers.Serializer[Any]):
    """``sha256`` is empty where no manifest speaks of the file; an archive has that of every file."""

    name = serializers.CharField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField(allow_blank=True)


class PackedFilesSerializer(serializers.Serializer[Any]):
    """What can be downloaded one by one; each goes on after a break (Range)."""

    files = PackedFileSerializer(many=True)


class CardSerializer(serializers.Serializer[Any]):
    """``card``: a README.md in the hub's format, written from what is known."""

    card = serializers.CharField()


class MergedExportSerializer(Shown):
    """An adapter merged into its base. ``result``: how it was compared with the adapter, and its hashes."""

    model_version = serializers.IntegerField(source="model_version_id")
    is_there = serializers.BooleanField()
    job = JobSerializer()
    result = serializers.DictField()
    created_by = CreatedByField()

    class Meta:
        model = MergedExport
        fields = (
            "id", "model_version", "dtype", "is_there", "size_bytes", "result", "removed_at", "job", "created_by",
            "created_at",
        )  # fmt: skip


class MergeBody(Body):
    dtype = serializers.ChoiceField(choices=MergeFormat.choices, required=False, default=MergeFormat.BASE)


class HubDownloadSerializer(Shown):
    """A model on its way from a hub. ``produced``: its base, once it is there."""

    produced = serializers.IntegerField(source="produced_id", allow_null=True)
    job = JobSerializer()
    created_by = CreatedByField()

    class Meta:
        model = HubDownload
        fields = (
            "id",
            "name",
            "hub",
            "repository",
            "revision",
            "produced",
            "job",
            "created_by",
            "created_at",
        )


class HubBody(Body):
    repository = Text(max_length=200, help_text="Its name on the hub: organisation/name.")
    revision = Text(max_length=100, default="main", help_text="A branch, a tag or a commit.")
    name = Text(
        max_length=120, allow_blank=True, default="", help_text="How people call it; empty: as on the hub."
    )
    chat_template = Text(
        max_length=MOST_TEMPLATE_CHARACTERS, allow_blank=True, default="",
        help_text="One that the model lacks, as the text of a chat_template.jinja.",
    )  # fmt: skip


class SetAsideSerializer(serializers.Serializer[Any]):
    set_aside_at = serializers.DateTimeField(source="created_at")
    removable_at = serializers.DateTimeField()


class ArtifactSerializer(serializers.Serializer[Any]):
    """A folder of weights or of a run. ``needs``: why it is needed; empty where nothing needs it.
    ``freed_bytes``: what its removal gives back.
    """

    kind = serializers.ChoiceField(choices=ArtifactKind.choices)
    path = serializers.CharField()
    title = serializers.CharField()
    size_bytes = serializers.IntegerField()
    freed_bytes = serializers.IntegerField()
    used_at = serializers.DateTimeField()
    needs = serializers.ListField(child=serializers.CharField())
    model_version = serializers.IntegerField(source="version.pk", allow_null=True, default=None)
    set_aside = SetAsideSerializer(allow_null=True)


class ArtifactQuery(Paging):
    kind = serializers.ChoiceField(choices=ArtifactKind.choices, required=False, default="")


class ArtifactBody(Body):
    kind = serializers.ChoiceField(choices=ArtifactKind.choices)
    path = Text(max_length=300)
