from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.errors import invalid
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.datasets import (
    DatasetBody,
    DatasetImportSerializer,
    DatasetSerializer,
    DatasetVersionSerializer,
    ExampleQuery,
    ExampleSerializer,
    ImportBody,
    UploadBody,
    VersionBody,
)
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.datasets import queries, services
from evalapp.datasets.formats import Layout, reading_of
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion
from evalapp.datasets.options import ImportOptions
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.uploads import RefusingUploadHandler


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


class DatasetList(DatasetView):
    order = ("name",)

    @operation("List datasets", result=DatasetSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.datasets_of(self.project).select_related("created_by"))

    @operation("Make a dataset", body=DatasetBody, result=DatasetSerializer, status=201)
    def post(self) -> object:
        """Versions follow, from rows in the request or from an uploaded file."""
        return services.create_dataset(project=self.project, by=self.person, **self.body())


class DatasetDetail(DatasetView):
    @operation("Read a dataset", result=DatasetSerializer)
    def get(self, dataset_id: int) -> object:
        return self.dataset(dataset_id)


class VersionList(DatasetView):
    order = ("-number",)

    @operation("List a dataset's versions", result=DatasetVersionSerializer, paged=True)
    def get(self, dataset_id: int) -> object:
        return self.page(queries.versions_of(self.dataset(dataset_id)))

    @operation("Make a version from rows", body=VersionBody, result=DatasetVersionSerializer, status=201)
    def post(self, dataset_id: int) -> object:
        """All rows or none; a bad row is named with its field. For more rows than fit a body, upload a file."""
        dataset = self.dataset(dataset_id)
        values = self.body()
        parent = None
        if values["parent"] is not None:
            parent = chosen(
                queries.versions_of(dataset), values["parent"], "parent", "version of this dataset with id"
            )
        return services.create_version(
            dataset=dataset,
            rows=rows_from(values["rows"]),
            by=self.person,
            parent=parent,
            note=values["note"],
            source="API",
        )


def rows_from(objects: Sequence[dict[str, Any]]) -> list[ExampleRow]:
    """The rows that these objects describe, read as a file's lines are. Raises InvalidError naming each bad field."""
    rows: list[ExampleRow] = []
    fields: dict[str, list[str]] = {}
    for position, given in enumerate(objects):
        reading = reading_of(position + 1, lambda given=given: dict(given), Layout())  # type: ignore[misc]  # binds the row
        if reading.row is not None:
            rows.append(reading.row)
        for problem in reading.problems:
            name = f"rows.{position}.{problem.field}"
            fields.setdefault(name, []).append(f"{problem.problem} {problem.mend}")
    if fields:
        raise invalid(fields)
    return rows


class VersionDetail(DatasetView):
    @operation("Read a version", result=DatasetVersionSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """Counts by split and the content's hash."""
        return self.version(dataset_id, number)


class ExampleList(DatasetView):
    order = ("row_number",)

    @operation("List a version's rows", query=ExampleQuery, result=ExampleSerializer, paged=True)
    def get(self, dataset_id: int, number: int) -> object:
        """In the order of their numbers. References of the held-out test split are withheld."""
        version = self.version(dataset_id, number)
        split = self.query["split"]
        return self.page(queries.examples_of(version, [split] if split else None))


class ImportList(DatasetView):
    @operation("List open imports", result=DatasetImportSerializer, paged=True)
    def get(self, dataset_id: int) -> object:
        """Uploads that have not become a version: waiting, running or failed."""
        return self.page(queries.open_imports(self.dataset(dataset_id)).select_related("version"))

    @operation("Upload a file", body=UploadBody, result=DatasetImportSerializer, status=201, upload=True)
    def post(self, dataset_id: int) -> object:
        """The file is kept until its import is started or discarded. ``options`` of the answer are guessed
        from its content; start the import with them, or with others.
        """
        dataset = self.dataset(dataset_id)
        refusing = RefusingUploadHandler(self.request)
        self.request._request.upload_handlers.insert(0, refusing)
        given = self.request.data
        if refusing.problem:
            raise InvalidError(refusing.problem, fields={"file": [refusing.problem]})
        del given
        return services.receive_upload(dataset=dataset, upload=self.body()["file"], by=self.person)


class ImportDetail(DatasetView):
    @operation("Read an import", result=DatasetImportSerializer)
    def get(self, dataset_id: int, import_id: int) -> object:
        """Its job, and after a failure every bad row (the first 1,000) with what to do."""
        return self.dataset_import(dataset_id, import_id)

    @operation("Discard an import", status=204)
    def delete(self, dataset_id: int, import_id: int) -> object:
        """The uploaded file is deleted. 409 while it runs, and when it has become a version."""
        services.discard_import(dataset_import=self.dataset_import(dataset_id, import_id), by=self.person)
        return Response(status=204)


class ImportStart(DatasetView):
    @operation("Start an import", body=ImportBody, result=DatasetImportSerializer, status=202)
    def post(self, dataset_id: int, import_id: int) -> object:
        """Queues the job that makes the version. After a failure it can be started again."""
        found = self.dataset_import(dataset_id, import_id)
        options = replace(ImportOptions(**found.options), **self.body())
        services.start_import(dataset_import=found, options=options, by=self.person)
        return found
