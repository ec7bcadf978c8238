"""A model and what is kept of it: card, files, merged exports, downloads, storage; pushes of datasets."""

from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Flag, List, Paging, ReadOnlySerializer, Text
from evalapp.api.operations import Answer, ProjectView, operation, route
from evalapp.artifacts import merging, packing
from evalapp.artifacts.actions import act_on_artifact
from evalapp.artifacts.card import card_of
from evalapp.artifacts.hub import start_download
from evalapp.artifacts.inventory import Artifact, artifacts
from evalapp.artifacts.models import ArtifactKind, DatasetPush, HubDownload, MergedExport, MergeFormat
from evalapp.artifacts.pushes import start_push
from evalapp.artifacts.queries import hub_downloads_of, merged_exports_of, pushes_of
from evalapp.artifacts.streaming import archive_response, file_response
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.datasets.api.datasets import DatasetView
from evalapp.datasets.models import Split
from evalapp.jobs.api import JobSerializer
from evalapp.registry.api.models import ModelVersionSerializer, ModelView
from evalapp.registry.models import ModelVersion
from evalapp.registry.queries import versions_of
from evalapp.runs.api.contamination import ContaminationDecisionSerializer
from evalapp.runs.contamination.contamination_decisions import decisions_behind
from evalapp.runs.queries import training_of
from hub.spec import MOST_REPOSITORY_CHARACTERS, MOST_TEMPLATE_CHARACTERS


class ModelVersionDetailSerializer(ModelVersionSerializer):
    """A model version with its origin. ``training`` is the run that created it, ``sweep`` the sweep of that
    run; ``contamination_decisions`` are the decisions that allowed training on evaluation rows, for this
    version or one it builds on.
    """

    training = serializers.SerializerMethodField()
    sweep = serializers.SerializerMethodField()
    contamination_decisions = serializers.SerializerMethodField()

    class Meta(ModelVersionSerializer.Meta):
        fields = (*ModelVersionSerializer.Meta.fields, "training", "sweep", "contamination_decisions")

    def get_training(self, version: ModelVersion) -> int | None:
        run = training_of(version)
        return run.pk if run is not None else None

    def get_sweep(self, version: ModelVersion) -> int | None:
        run = training_of(version)
        return run.sweep_id if run is not None else None

    @extend_schema_field(ContaminationDecisionSerializer(many=True))
    def get_contamination_decisions(self, version: ModelVersion) -> object:
        return ContaminationDecisionSerializer(decisions_behind(version), many=True).data


class PackedFileSerializer(serializers.Serializer[Any]):
    """``sha256`` is empty if no manifest lists the file; a zip archive always contains the hash of every
    file.
    """

    name = serializers.CharField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField(allow_blank=True)


class PackedFilesSerializer(serializers.Serializer[Any]):
    """Files that can be downloaded one by one; an interrupted download can be resumed (Range)."""

    files = PackedFileSerializer(many=True)


class CardSerializer(serializers.Serializer[Any]):
    """``card`` is a README.md in the hub's format, written from what the project knows of the model."""

    card = serializers.CharField()


class MergedExportSerializer(ReadOnlySerializer):
    """An adapter merged into its base. ``result`` has the comparison with the adapter and the
    files' hashes.
    """

    model_version = serializers.IntegerField(source="model_version_id")
    is_there = serializers.BooleanField()
    job = JobSerializer()
    result = serializers.DictField()
    created_by = CreatedByField()

    class Meta:
        model = MergedExport
        fields = (
            "id", "model_version", "dtype", "is_there", "size_bytes", "result", "removed_at", "job",
            "created_by",
            "created_at",
        )  # fmt: skip


class MergeBody(Body):
    dtype = serializers.ChoiceField(choices=MergeFormat.choices, required=False, default=MergeFormat.BASE)


class HubDownloadSerializer(ReadOnlySerializer):
    """A download of a model from a hub. ``produced`` is the id of the base, once it is registered."""

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
    repository = Text(max_length=200, help_text="Name of the model on the hub: organisation/name.")
    revision = Text(max_length=100, default="main", help_text="A branch, a tag or a commit.")
    name = Text(
        max_length=120,
        allow_blank=True,
        default="",
        help_text="Name in the project; empty: the name on the hub.",
    )
    chat_template = Text(
        max_length=MOST_TEMPLATE_CHARACTERS, allow_blank=True, default="",
        help_text="The text of a chat_template.jinja, for a model without a chat template.",
    )  # fmt: skip


class SetAsideSerializer(serializers.Serializer[Any]):
    set_aside_at = serializers.DateTimeField(source="created_at")
    removable_at = serializers.DateTimeField()


class ArtifactSerializer(serializers.Serializer[Any]):
    """A folder of weights or of a run. ``needs`` lists why it is needed, and is empty if nothing needs it.
    ``freed_bytes`` is the disk space that its removal frees.
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


@route("models/<int:version_id>/", "api_model")
class ModelDetail(ModelView):
    @operation("Read a candidate", result=ModelVersionDetailSerializer)
    def get(self, version_id: int) -> object:
        return self.version(version_id)


class ArtifactView(ProjectView):
    required_permission = Permission.VIEW_MODELS

    def version(self, version_id: int) -> ModelVersion:
        return get_or_missing(versions_of(self.project).select_related("base__model"), pk=version_id)

    def merged(self, merged_id: int) -> MergedExport:
        return get_or_missing(merged_exports_of(self.project), pk=merged_id)

    def archive(self, version: ModelVersion, merged: MergedExport | None = None) -> HttpResponseBase:
        entries = packing.entries_of(version, reader=self.person, merged=merged)
        packing.note_export(version, by=self.person, merged=merged, what="archive")
        return archive_response(entries, stem=packing.stem_of(version, merged))

    def one_file(
        self, version: ModelVersion, name: str, merged: MergedExport | None = None
    ) -> HttpResponseBase:
        file = packing.file_named(version, name, merged)
        request = cast(HttpRequest, self.request)
        if "Range" not in request.headers:
            packing.note_export(version, by=self.person, merged=merged, what=name)
        return file_response(request, file.path, filename=file.name, etag=file.etag)


@route("models/<int:version_id>/card/", "api_model_card")
class ModelCard(ArtifactView):
    @operation("Read a model's card", result=CardSerializer)
    def get(self, version_id: int) -> object:
        """Parts that would unblind you in a campaign that you still review are left out."""
        return {"card": card_of(self.version(version_id), reader=self.person)}


@route("models/<int:version_id>/archive/", "api_model_archive")
class ModelArchive(ArtifactView):
    @operation("Download a tuned version", binary=True)
    def get(self, version_id: int) -> object:
        """A zip of the adapter or the full model, with its card and the SHA-256 of each file."""
        return self.archive(self.version(version_id))


@route("models/<int:version_id>/files/", "api_model_files")
class ModelFiles(ArtifactView):
    @operation("List a tuned version's files", result=PackedFilesSerializer)
    def get(self, version_id: int) -> object:
        return {"files": packing.files_of(self.version(version_id))}


@route("models/<int:version_id>/files/<str:name>", "api_model_file")
class ModelFile(ArtifactView):
    @operation(
        "Download one file of a tuned version", binary=True, operation_id="projects_models_file_retrieve"
    )
    def get(self, version_id: int, name: str) -> object:
        """With a Range header an interrupted download continues."""
        return self.one_file(self.version(version_id), name)


@route("models/<int:version_id>/merge/", "api_model_merge")
class MergeStart(ArtifactView):
    required_permission = Permission.START_RUNS

    @operation("Merge an adapter into its base", body=MergeBody, result=MergedExportSerializer, status=202)
    def post(self, version_id: int) -> object:
        """Queues the job; read the merged export until ``is_there`` is true or its job has ended. Returns an
        existing or running export in the same format.
        """
        version = self.version(version_id)
        found = merging.start_merge(version=version, by=self.person, **self.body())
        return self.merged(found.pk)


@route("models/merged/", "api_merged_exports")
class MergedExportList(ArtifactView):
    @operation("List merged exports", result=MergedExportSerializer, paged=True)
    def get(self) -> object:
        """Newest first."""
        return self.page(merged_exports_of(self.project))


@route("models/merged/<int:merged_id>/", "api_merged_export")
class MergedExportDetail(ArtifactView):
    @operation("Read a merged export", result=MergedExportSerializer)
    def get(self, merged_id: int) -> object:
        return self.merged(merged_id)


@route("models/merged/<int:merged_id>/files/", "api_merged_files")
class MergedExportFiles(ArtifactView):
    @operation("List a merged export's files", result=PackedFilesSerializer)
    def get(self, merged_id: int) -> object:
        merged = self.merged(merged_id)
        return {"files": packing.files_of(merged.model_version, merged)}


@route("models/merged/<int:merged_id>/archive/", "api_merged_archive")
class MergedExportArchive(ArtifactView):
    @operation("Download a merged export", binary=True)
    def get(self, merged_id: int) -> object:
        """A zip of the full model, with its card and the SHA-256 of each file."""
        merged = self.merged(merged_id)
        return self.archive(merged.model_version, merged)


@route("models/merged/<int:merged_id>/files/<str:name>", "api_merged_file")
class MergedExportFile(ArtifactView):
    @operation(
        "Download one file of a merged export",
        binary=True,
        operation_id="projects_models_merged_file_retrieve",
    )
    def get(self, merged_id: int, name: str) -> object:
        """With a Range header an interrupted download continues."""
        merged = self.merged(merged_id)
        return self.one_file(merged.model_version, name, merged)


@route("models/hub/", "api_hub_downloads")
class HubDownloadList(ArtifactView):
    post_permission = Permission.EDIT_MODELS

    @operation("List downloads from a hub", result=HubDownloadSerializer, paged=True)
    def get(self) -> object:
        """Newest first."""
        return self.page(hub_downloads_of(self.project))

    @operation("Import a model from Hugging Face", body=HubBody, result=HubDownloadSerializer, status=202)
    def post(self) -> object:
        """Queues the job that downloads one commit and registers it as a base. The operator sets the token
        (EVALAPP_HF_TOKEN); requests never contain one.
        """
        found = start_download(project=self.project, by=self.person, **self.body())
        return get_or_missing(hub_downloads_of(self.project), pk=found.pk)


@route("models/hub/<int:download_id>/", "api_hub_download")
class HubDownloadDetail(ArtifactView):
    @operation("Read a download from a hub", result=HubDownloadSerializer)
    def get(self, download_id: int) -> object:
        found: HubDownload = get_or_missing(hub_downloads_of(self.project), pk=download_id)
        return found


@route("artifacts/", "api_artifacts")
class ArtifactList(ArtifactView):
    @operation("List artifacts on the disk", query=ArtifactQuery, result=ArtifactSerializer, paged=True)
    def get(self) -> object:
        """The project's weights, run directories and merged exports, largest first, with the reasons why each
        is needed.
        """
        kind = self.query["kind"]
        return self.page(artifacts(project=self.project, kinds=[ArtifactKind(kind)] if kind else ()))

    def key_of(self, row: Artifact) -> str:
        return f"{row.kind}:{row.path}"


class ArtifactAct(ArtifactView):
    post_permission = Permission.EDIT_MODELS
    act = ""

    def _do(self) -> object:
        wanted = self.body()
        kind = ArtifactKind(wanted["kind"])
        found = artifacts(project=self.project, kinds=[kind])
        artifact = next((each for each in found if each.path == wanted["path"]), None)
        if artifact is None:
            raise InvalidError(
                f"This project has no {kind.label.lower()} at this path. List the artifacts for the paths.",
                field="path",
            )
        act_on_artifact(self.act, artifact, by=self.person)
        left = artifacts(project=self.project, kinds=[kind])
        return next((each for each in left if each.path == artifact.path), None) or Answer(artifact, 200)


@route("artifacts/set-aside/", "api_artifact_set_aside")
class ArtifactSetAside(ArtifactAct):
    act = "set_aside"

    @operation("Set an artifact aside", body=ArtifactBody, result=ArtifactSerializer)
    def post(self) -> object:
        """First of two steps: nothing new can use the artifact, and after a week it may be removed. 409 if it
        is needed.
        """
        return self._do()


@route("artifacts/keep/", "api_artifact_keep")
class ArtifactKeep(ArtifactAct):
    act = "keep"

    @operation("Keep an artifact", body=ArtifactBody, result=ArtifactSerializer)
    def post(self) -> object:
        """Undoes “Set an artifact aside”."""
        return self._do()


@route("artifacts/remove/", "api_artifact_remove")
class ArtifactRemove(ArtifactAct):
    act = "remove"

    @operation("Remove an artifact", body=ArtifactBody, result=ArtifactSerializer)
    def post(self) -> object:
        """Second step; it cannot be undone. 409 before the artifact's date, or if something needs the
        artifact by now (it is then kept).
        """
        return self._do()


class DatasetPushSerializer(ReadOnlySerializer):
    """A push of a dataset version to a hub. ``commit`` and ``url`` are set once it has arrived."""

    dataset_version = serializers.IntegerField(source="version_id")
    splits = serializers.ListField(child=serializers.ChoiceField(choices=Split.choices))
    job = JobSerializer()
    created_by = CreatedByField()

    class Meta:
        model = DatasetPush
        fields = (
            "id", "dataset_version", "hub", "repository", "is_private", "splits", "commit", "url", "job",
            "created_by", "created_at",
        )  # fmt: skip


class PushBody(Body):
    repository = Text(
        max_length=MOST_REPOSITORY_CHARACTERS,
        help_text="Name of the repository on the hub: organisation/name. It is created if it does not exist.",
    )
    is_private = Flag(default=True, help_text="If true, the repository must not be public already.")
    splits = List(
        child=serializers.ChoiceField(choices=Split.choices),
        default=list,
        help_text="Splits to push; empty: all but the held-out test split.",
    )


@route("datasets/<int:dataset_id>/versions/<int:number>/pushes/", "api_dataset_pushes")
class DatasetPushList(DatasetView):
    post_permission = Permission.EDIT_EXPORTS

    @operation("List a version's pushes to a hub", result=DatasetPushSerializer, paged=True)
    def get(self, dataset_id: int, number: int) -> object:
        """Newest first."""
        return self.page(pushes_of(self.version(dataset_id, number)))

    @operation("Push a version to a hub", body=PushBody, result=DatasetPushSerializer, status=202)
    def post(self, dataset_id: int, number: int) -> object:
        """Queues the job that sends the card and a Parquet file for each split as one commit. Masked rows
        stay masked. The operator sets the token (EVALAPP_HF_TOKEN); requests never contain one.
        """
        version = self.version(dataset_id, number)
        found = start_push(version=version, by=self.person, **self.body())
        return get_or_missing(pushes_of(version), pk=found.pk)
