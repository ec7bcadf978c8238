"""Write operations on datasets: keyword-only, atomic, audited."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, BinaryIO

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Max

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.datasets.columns import COLUMNS, ColumnRole, unread_reference_field
from evalapp.datasets.copying import CopyResult, copy_examples
from evalapp.datasets.formats import ParsedRow, reading_of
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, VersionState
from evalapp.datasets.options import ImportOptions
from evalapp.datasets.row_keys import assign_row_keys
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.splits import DEFAULT_SHARES
from evalapp.datasets.vault import Vault
from evalapp.imports import flow
from evalapp.imports.files import CSV
from evalapp.imports.json_objects import json_objects
from evalapp.imports.source_rows import sniff_source
from evalapp.jobs.models import Job

__all__ = [
    "ExampleRow",
    "SameContentError",
    "change_dataset",
    "create_dataset",
    "create_version",
    "receive_upload",
    "start_import",
]

IMPORT_TASK = "evalapp.datasets.tasks.import_dataset"


class SameContentError(ConflictError):
    """The dataset already has a version with exactly these rows: ``version`` (409)."""

    code = "same_content"

    def __init__(self, version: DatasetVersion) -> None:
        rows = sum(version.counts.values())
        super().__init__(
            f"{version} already has exactly {'this row' if rows == 1 else f'these {rows:,} rows'} "
            f"(content {version.content_hash[:12]}), so no new version was created. Use that version."
        )
        self.version = version


def create_dataset(
    *, project: Project, name: str, description: str = "", licence: str = "", by: User | None
) -> Dataset:
    """Create a dataset. Raises InvalidError for an empty name, ConflictError where the project has one of
    that name.
    """
    name = checked_name(name, of="the dataset")
    with _name_is_free(name):
        dataset = Dataset.objects.create(
            project=project,
            name=name,
            description=description.strip(),
            licence=licence.strip(),
            created_by=by,
        )
        record("dataset.created", by=by, obj=dataset, project=project)
    return dataset


def change_dataset(*, dataset: Dataset, name: str, description: str, licence: str, by: User) -> Dataset:
    """Change a dataset's name, description and licence; its versions stay. Raises as `create_dataset`."""
    before = {"name": dataset.name, "description": dataset.description, "licence": dataset.licence}
    dataset.name = checked_name(name, of="the dataset")
    dataset.description, dataset.licence = description.strip(), licence.strip()
    with _name_is_free(dataset.name):
        dataset.save(update_fields=list(before))
        record("dataset.changed", by=by, obj=dataset, project=dataset.project, data={"before": before})
    return dataset


def _name_is_free(name: str) -> AbstractContextManager[None]:
    return unless_taken(
        f"This project already has a dataset named “{name}”. Choose another name.", field="name"
    )


@transaction.atomic
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
    from_file: bool = False,
    skipped: Callable[[], int] = lambda: 0,
    job: Job | None = None,
) -> DatasetVersion:
    """Store the rows, in order, as the dataset's next version: all of them or none.

    ``rows`` is read once, as a stream. ``from_file`` marks an import's rows; ``skipped`` is called at the
    end. ``parent`` is the version it was made from. Raises InvalidError for no rows or a bad row (named),
    SameContentError where a version of the dataset holds exactly these rows, unless the caller allows it with
    ``may_repeat`` because they come from elsewhere.
    """
    if parent is not None and parent.dataset_id != dataset.pk:
        raise InvalidError("The parent version belongs to another dataset. Choose a version of this one.")
    # One writer per dataset keeps version numbers consecutive; readers are not blocked.
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
    copied = _copy_rows(version, rows, from_file=from_file, is_first=last == 0)
    if not copied.rows:
        raise InvalidError("There are no rows to store. A version needs at least one.")
    # After an erasure a version keeps its old hash although its rows have changed.
    ready = dataset.versions.filter(state=VersionState.READY)
    same = ready.filter(content_hash=copied.content_hash, erased_rows=0).first()
    if same is not None and not may_repeat:
        raise SameContentError(same)
    if last:
        assign_row_keys(version)
    figures = {
        "counts": copied.counts,
        "content_hash": copied.content_hash,
        "skipped_rows": skipped(),
    }
    for name, value in {"state": VersionState.READY, **figures}.items():
        setattr(version, name, value)
    version.save(update_fields=["state", *figures])
    record("dataset.version_created", by=by, obj=version, project=dataset.project, data=figures)
    return version


def _copy_rows(
    version: DatasetVersion, rows: Iterable[ExampleRow], *, from_file: bool, is_first: bool
) -> CopyResult:
    project = version.dataset.project
    if not project.masks_personal_data:
        return copy_examples(version.pk, rows, from_file=from_file, is_first=is_first)
    vault = Vault(project)
    # The vault looks up known placeholders while rows are copied, so the connection must be free between
    # batches.
    copied = copy_examples(version.pk, map(vault.masked, rows), is_first=is_first)
    vault.store()
    return copied


def receive_upload(*, dataset: Dataset, upload: "UploadedFile[Any]", by: User | None) -> DatasetImport:
    """Store an uploaded file until its import is started or discarded.

    ``options`` start as guessed from the file (for CSV: the delimiter, and column uses guessed from column
    names). Raises InvalidError for a file that is neither JSONL nor CSV.
    """

    def look(name: str, stream: BinaryIO) -> dict[str, Any]:
        return {"dataset": dataset, "options": _first_options(name, stream).as_json()}

    return flow.receive(DatasetImport, upload=upload, by=by, look=look)


@transaction.atomic
def start_import(*, dataset_import: DatasetImport, options: ImportOptions, by: User | None) -> Job:
    """Queue the job that turns the file into the dataset's next version.

    An import whose job ended without a version can be started again with other options. Raises InvalidError
    for unusable options, ConflictError while it is running or when it is done, MissingError if it was
    discarded meanwhile.
    """
    options.check()
    flow.lock_open_import(dataset_import)
    return flow.start(
        dataset_import,
        options=options,
        task=IMPORT_TASK,
        title=f"Import {dataset_import.file_name} into {dataset_import.dataset.name}",
        by=by,
        params={"dataset_import": dataset_import.pk},
        anew={"rows_read": 0, "bad_rows": 0, "errors_found": 0, "row_errors": []},
    )


def _first_options(name: str, stream: BinaryIO) -> ImportOptions:
    """Options guessed from the file: its mapping, and split shares where its first row names no split."""
    source = sniff_source(name, stream)
    if source.file_format == CSV:
        options = ImportOptions(
            file_format=CSV, delimiter=source.delimiter, mapping=COLUMNS.guess(source.columns)
        )
    else:
        options = ImportOptions(file_format=source.file_format)
        _, fields = next(json_objects(stream), (0, None))
        if isinstance(fields, dict):
            first = reading_of(1, fields, options.layout)
            if _has_unknown_names(fields, first):
                options = replace(options, mapping=COLUMNS.guess(fields))
            elif all(problem.field != "split" for problem in first.problems):
                return options
        else:
            return options
    names_split = ColumnRole.SPLIT in options.mapping.values()
    return options if names_split else replace(options, shares=dict(DEFAULT_SHARES))


def _has_unknown_names(fields: dict[str, Any], first: ParsedRow) -> bool:
    """Whether an object has its prompt or answer in fields whose names the reader does not know."""
    if any(isinstance(value, dict) for value in fields.values()):
        return False
    if first.row is None:
        has_known = any(name in fields for name in ("messages", "prompt", "conversations", "conversation"))
        return not has_known and any(problem.field == "messages" for problem in first.problems)
    return bool(unread_reference_field([first.row]))
