"""Writes of datasets: keyword-only, atomic, audited."""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import Max

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.core.names import checked_name
from evalapp.datasets.copying import copy_examples
from evalapp.datasets.csv_files import Use, default_mapping, read_header
from evalapp.datasets.files import (
    CSV,
    HEAD_BYTES,
    JSONL,
    format_by_name,
    new_stored_name,
    recognise,
    stored_path,
    upload_folder,
)
from evalapp.datasets.formats import FileProblemError, read_jsonl
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, VersionState
from evalapp.datasets.options import ImportOptions
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.splits import DEFAULT_SHARES
from evalapp.jobs.models import FINAL_STATES, Job
from evalapp.jobs.services import create_job

__all__ = [
    "ExampleRow",
    "SameContentError",
    "create_dataset",
    "create_version",
    "discard_import",
    "receive_upload",
    "start_import",
]

IMPORT_TASK = "evalapp.datasets.tasks.import_dataset"
DAYS_UPLOADS_ARE_KEPT = 7
DAYS_NAMELESS_FILES_ARE_KEPT = 1
"""Files that no row names: an upload that is still arriving, or what a crash left of one."""


class SameContentError(ConflictError):
    """The dataset has a version with exactly these rows; ``version`` is that one (409)."""

    code = "same_content"

    def __init__(self, version: DatasetVersion) -> None:
        super().__init__(
            f"{version} already holds exactly these {sum(version.counts.values()):,} rows "
            f"(content {version.content_hash[:12]}), so no new version was made. Use that version."
        )
        self.version = version


def create_dataset(*, project: Project, name: str, description: str = "", by: User | None) -> Dataset:
    """Raises InvalidError for an empty name, ConflictError where the project has one of that name."""
    name = checked_name(name, of="the dataset")
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                project=project, name=name, description=description.strip(), created_by=by
            )
            record("dataset.created", by=by, obj=dataset, project=project)
    except IntegrityError as error:
        message = f"This project already has a dataset named “{name}”. Choose another name."
        raise ConflictError(message, fields={"name": [message]}) from error
    return dataset


def create_version(
    *,
    dataset: Dataset,
    rows: Iterable[ExampleRow],
    by: User | None,
    parent: DatasetVersion | None = None,
    note: str = "",
    source: str = "",
    is_simulated: bool = False,
    is_recorded: bool = False,
    may_repeat: bool = False,
) -> DatasetVersion:
    """Store the rows, in order, as the dataset's next version; all of them or nothing.

    ``rows`` is read once and never held in memory. ``parent`` is the version it was made from.
    Raises InvalidError for no rows or a bad row (named), SameContentError where a version of the
    dataset holds exactly these rows, unless it ``may_repeat`` them because they come from elsewhere.
    """
    return write_version(
        dataset=dataset,
        rows=rows,
        by=by,
        parent=parent,
        note=note,
        source=source,
        is_simulated=is_simulated,
        is_recorded=is_recorded,
        may_repeat=may_repeat,
    )


@transaction.atomic
def write_version(
    *,
    dataset: Dataset,
    rows: Iterable[ExampleRow],
    by: User | None,
    parent: DatasetVersion | None = None,
    note: str = "",
    source: str = "",
    is_simulated: bool = False,
    is_recorded: bool = False,
    may_repeat: bool = False,
    from_file: bool = False,
    skipped: Callable[[], int] = lambda: 0,
    job: Job | None = None,
) -> DatasetVersion:
    """``create_version`` for an import as well: rows ``from_file``, and ``skipped`` asked at the end."""
    if parent is not None and parent.dataset_id != dataset.pk:
        raise InvalidError("The parent version belongs to another dataset. Choose a version of this one.")
    # One writer per dataset, so that numbers follow one another; readers are not kept waiting.
    Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)
    last = dataset.versions.aggregate(last=Max("number"))["last"] or 0
    version = DatasetVersion.objects.create(
        dataset=dataset,
        number=last + 1,
        parent=parent,
        note=note.strip(),
        source=source[:200],
        job=job,
        is_simulated=is_simulated,
        is_recorded=is_recorded,
        created_by=by,
    )
    copied = copy_examples(version.pk, rows, from_file=from_file)
    if not copied.rows:
        raise InvalidError("There is no row to store. A version needs at least one.")
    same = dataset.versions.filter(content_hash=copied.content_hash).first()
    if same is not None and not may_repeat:
        raise SameContentError(same)
    version.state = VersionState.READY
    version.counts = copied.counts
    version.content_hash = copied.content_hash
    version.skipped_rows = skipped()
    version.save(update_fields=["state", "counts", "content_hash", "skipped_rows"])
    record(
        "dataset.version_created",
        by=by,
        obj=version,
        project=dataset.project,
        data={
            "counts": copied.counts,
            "content_hash": copied.content_hash,
            "skipped_rows": version.skipped_rows,
        },
    )
    return version


def receive_upload(*, dataset: Dataset, upload: "UploadedFile[Any]", by: User | None) -> DatasetImport:
    """Keep an uploaded file, whole, until its import is started or discarded.

    ``options`` start from what the file looks like (for CSV: the delimiter, and uses guessed from the
    columns' names). Raises InvalidError for a file that is neither JSONL nor CSV.
    """
    _forget_old_uploads()
    name = (upload.name or "upload")[:200]
    stored_name = ""
    try:
        file_format = format_by_name(name)
        stored_name = new_stored_name(file_format)
        keep_upload(upload, stored_name)
        options = _first_options(name, stored_name)
        with transaction.atomic():
            dataset_import = DatasetImport.objects.create(
                dataset=dataset,
                file_name=name,
                stored_name=stored_name,
                size_bytes=upload.size or 0,
                options=options.as_json(),
                created_by=by,
            )
            record("dataset.file_uploaded", by=by, obj=dataset_import, project=dataset.project)
    except BaseException as error:
        if stored_name:
            for path in upload_folder().glob(f"{Path(stored_name).stem}.*"):
                path.unlink(missing_ok=True)
        if isinstance(error, FileProblemError):
            raise InvalidError(str(error), fields={"file": [str(error)]}) from error
        raise
    return dataset_import


@transaction.atomic
def start_import(*, dataset_import: DatasetImport, options: ImportOptions, by: User | None) -> Job:
    """Queue the job that turns the file into the dataset's next version.

    An import whose job ended without a version can be started again with other options. Raises
    InvalidError for unusable options, ConflictError while it is running or when it is done, MissingError
    where it was discarded meanwhile.
    """
    options.check()
    current = _held(dataset_import)
    if current.version_id is not None:
        raise ConflictError("This file has been imported already. Upload a file for another version.")
    if current.job is not None and current.job.state not in FINAL_STATES:
        raise ConflictError("This import is running already. Wait for it, or cancel it first.")
    dataset = dataset_import.dataset
    job = create_job(
        project=dataset.project,
        task=IMPORT_TASK,
        title=f"Import {dataset_import.file_name} into {dataset.name}",
        by=by,
        params={"dataset_import": dataset_import.pk},
    )
    dataset_import.job = job
    dataset_import.options = options.as_json()
    dataset_import.rows_read = dataset_import.bad_rows = dataset_import.errors_found = 0
    dataset_import.row_errors = []
    dataset_import.save(
        update_fields=["job", "options", "rows_read", "bad_rows", "errors_found", "row_errors"]
    )
    record("dataset.import_started", by=by, obj=dataset_import, project=dataset.project, data={"job": job.pk})
    return job


@transaction.atomic
def discard_import(*, dataset_import: DatasetImport, by: User | None) -> None:
    """Delete the uploaded file and forget the import.

    Raises ConflictError while it runs or when it is done, MissingError where it was discarded meanwhile.
    """
    current = _held(dataset_import)
    if current.version_id is not None:
        raise ConflictError("This file has become a version, which is kept. There is nothing to discard.")
    if current.job is not None and current.job.state not in FINAL_STATES:
        raise ConflictError("This import is running. Cancel it first, then discard the file.")
    record("dataset.import_discarded", by=by, obj=current, project=dataset_import.dataset.project)
    current.delete()
    transaction.on_commit(lambda: stored_path(current.stored_name).unlink(missing_ok=True))


def _held(dataset_import: DatasetImport) -> DatasetImport:
    """The import as it is now, held until the transaction ends. Raises MissingError where it is gone."""
    # Its job is read afterwards: joined, it would be the one from before the wait for the lock.
    current = DatasetImport.objects.select_for_update().filter(pk=dataset_import.pk).first()
    if current is None:
        message = f"“{dataset_import.file_name}” has been discarded already. Upload it again to import it."
        raise MissingError(message)
    return current


def keep_upload(upload: "UploadedFile[Any]", stored_name: str) -> None:
    """Move or write the upload to its own name; a file with that name is always whole."""
    path = stored_path(stored_name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if isinstance(upload, TemporaryUploadedFile):
        Path(upload.temporary_file_path()).replace(path)
        return
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _first_options(name: str, stored_name: str) -> ImportOptions:
    """What the file looks like: its mapping, and shares where its first row names no split."""
    with stored_path(stored_name).open("rb") as stream:
        file_format = recognise(name, stream.read(HEAD_BYTES))
        stream.seek(0)
        if file_format == CSV:
            header = read_header(stream)
            mapping = default_mapping(header.columns)
            names_split = Use.SPLIT in mapping.values()
            options = ImportOptions(file_format=CSV, delimiter=header.delimiter, mapping=mapping)
        else:
            options = ImportOptions(file_format=JSONL)
            first = next(read_jsonl(stream, options.layout), None)
            names_split = first is None or all(problem.field != "split" for problem in first.problems)
    return options if names_split else replace(options, shares=dict(DEFAULT_SHARES))


def _forget_old_uploads() -> None:
    """Any number of uploads do this at once, so each file may have gone a moment ago."""
    now = time.time()
    ages: dict[Path, float] = {}
    for pattern in ("import-*", "tmp*.upload*"):
        for path in upload_folder().glob(pattern):
            with suppress(FileNotFoundError):
                ages[path] = (now - path.stat().st_mtime) / 86_400
    old = {path for path, age in ages.items() if age > DAYS_NAMELESS_FILES_ARE_KEPT}
    names = [path.name for path in old]
    named = set(DatasetImport.objects.filter(stored_name__in=names).values_list("stored_name", flat=True))
    for path in old:
        if path.name not in named or ages[path] > DAYS_UPLOADS_ARE_KEPT:
            path.unlink(missing_ok=True)
