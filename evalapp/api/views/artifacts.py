from typing import cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import Answer, ProjectView, operation
from evalapp.api.serializers.artifacts import (
    ArtifactBody,
    ArtifactQuery,
    ArtifactSerializer,
    CardSerializer,
    HubBody,
    HubDownloadSerializer,
    MergeBody,
    MergedExportSerializer,
    PackedFilesSerializer,
)
from evalapp.artifacts import merging, packing
from evalapp.artifacts.acting import do
from evalapp.artifacts.card import card_of
from evalapp.artifacts.findings import Artifact, artifacts
from evalapp.artifacts.hub import start_download
from evalapp.artifacts.models import ArtifactKind, HubDownload, MergedExport
from evalapp.artifacts.queries import hub_downloads_of, merged_exports_of
from evalapp.artifacts.streaming import archive_response, file_response
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.registry.models import ModelVersion
from evalapp.registry.queries import versions_of


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


class ModelCard(ArtifactView):
    @operation("Read a model's card", result=CardSerializer)
    def get(self, version_id: int) -> object:
        """What of it would unblind you in a campaign that you still review is left out."""
        return {"card": card_of(self.version(version_id), reader=self.person)}


class ModelArchive(ArtifactView):
    @operation("Download a tuned version", binary=True)
    def get(self, version_id: int) -> object:
        """A zip of the adapter or the full model, with its card and the SHA-256 of each file."""
        return self.archive(self.version(version_id))


class ModelFiles(ArtifactView):
    @operation("List a tuned version's files", result=PackedFilesSerializer)
    def get(self, version_id: int) -> object:
        return {"files": packing.files_of(self.version(version_id))}


class ModelFile(ArtifactView):
    @operation(
        "Download one file of a tuned version", binary=True, operation_id="projects_models_file_retrieve"
    )
    def get(self, version_id: int, name: str) -> object:
        """With a Range header it goes on where an earlier download broke."""
        return self.one_file(self.version(version_id), name)


class MergeStart(ArtifactView):
    required_permission = Permission.START_RUNS

    @operation("Merge an adapter into its base", body=MergeBody, result=MergedExportSerializer, status=202)
    def post(self, version_id: int) -> object:
        """Queues the job; ask for the merged export again until ``is_there``, or its job is over. One that is there
        in this format, or on its way, is the answer to another request for it.
        """
        version = self.version(version_id)
        found = merging.start_merge(version=version, by=self.person, **self.body())
        return self.merged(found.pk)


class MergedExportList(ArtifactView):
    @operation("List merged exports", result=MergedExportSerializer, paged=True)
    def get(self) -> object:
        """Newest first."""
        return self.page(merged_exports_of(self.project))


class MergedExportDetail(ArtifactView):
    @operation("Read a merged export", result=MergedExportSerializer)
    def get(self, merged_id: int) -> object:
        return self.merged(merged_id)


class MergedExportFiles(ArtifactView):
    @operation("List a merged export's files", result=PackedFilesSerializer)
    def get(self, merged_id: int) -> object:
        merged = self.merged(merged_id)
        return {"files": packing.files_of(merged.model_version, merged)}


class MergedExportArchive(ArtifactView):
    @operation("Download a merged export", binary=True)
    def get(self, merged_id: int) -> object:
        """A zip of the full model, with its card and the SHA-256 of each file."""
        merged = self.merged(merged_id)
        return self.archive(merged.model_version, merged)


class MergedExportFile(ArtifactView):
    @operation(
        "Download one file of a merged export",
        binary=True,
        operation_id="projects_models_merged_file_retrieve",
    )
    def get(self, merged_id: int, name: str) -> object:
        """With a Range header it goes on where an earlier download broke."""
        merged = self.merged(merged_id)
        return self.one_file(merged.model_version, name, merged)


class HubDownloadList(ArtifactView):
    post_permission = Permission.EDIT_MODELS

    @operation("List downloads from a hub", result=HubDownloadSerializer, paged=True)
    def get(self) -> object:
        """Newest first."""
        return self.page(hub_downloads_of(self.project))

    @operation("Import a model from Hugging Face", body=HubBody, result=HubDownloadSerializer, status=202)
    def post(self) -> object:
        """Queues the job that downloads one commit and registers it as a base. A token is the operator's to set
        (EVALAPP_HF_TOKEN), and no request takes one.
        """
        found = start_download(project=self.project, by=self.person, **self.body())
        return get_or_missing(hub_downloads_of(self.project), pk=found.pk)


class HubDownloadDetail(ArtifactView):
    @operation("Read a download from a hub", result=HubDownloadSerializer)
    def get(self, download_id: int) -> object:
        found: HubDownload = get_or_missing(hub_downloads_of(self.project), pk=download_id)
        return found


class ArtifactList(ArtifactView):
    @operation("List artifacts on the disk", query=ArtifactQuery, result=ArtifactSerializer, paged=True)
    def get(self) -> object:
        """The project's weights, run directories and merged exports, largest first, and why each is needed."""
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
            message = f"This project has no {kind.label.lower()} at this path; list them to see."
            raise InvalidError(message, fields={"path": [message]})
        do(self.act, artifact, by=self.person)
        left = artifacts(project=self.project, kinds=[kind])
        return next((each for each in left if each.path == artifact.path), None) or Answer(artifact, 200)


class ArtifactSetAside(ArtifactAct):
    act = "set_aside"

    @operation("Set an artifact aside", body=ArtifactBody, result=ArtifactSerializer)
    def post(self) -> object:
        """The first of two steps: nothing new uses it, and after a week it may be removed. 409 where it is needed."""
        return self._do()


class ArtifactKeep(ArtifactAct):
    act = "keep"

    @operation("Keep an artifact", body=ArtifactBody, result=ArtifactSerializer)
    def post(self) -> object:
        """Undoes the first step."""
        return self._do()


class ArtifactRemove(ArtifactAct):
    act = "remove"

    @operation("Remove an artifact", body=ArtifactBody, result=ArtifactSerializer)
    def post(self) -> object:
        """The second step, for good. 409 before its day, and where something needs it by now: then it is kept."""
        return self._do()
