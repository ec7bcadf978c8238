"""The steps of an upload: receive, start (again after a failure) or discard."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, BinaryIO, TypeVar

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record as audit
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.imports.encodings import convert_to_utf8
from evalapp.imports.files import open_stored, remove_old_uploads, stored_path, stored_upload
from evalapp.imports.mapping import FileLayout
from evalapp.imports.models import FileImport
from evalapp.jobs.models import FINAL_STATES, Job
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work

T = TypeVar("T", bound=FileImport)
_ROWS_BETWEEN_REPORTS = 2_000


def receive(
    model: type[T],
    *,
    upload: "UploadedFile[Any]",
    by: User | None,
    look: Callable[[str, BinaryIO], Mapping[str, Any]],
) -> T:
    """Store an uploaded file until its import is started or discarded.

    ``look`` gets its name and content and returns the further fields of the row; its FileProblemError becomes
    InvalidError. A Windows-1252 file is stored as UTF-8, with a note in ``options``.
    """
    remove_old_uploads(_names_in_use)
    name = (upload.name or "upload")[:200]
    with stored_upload(upload) as stored_name:
        encoding = convert_to_utf8(stored_path(stored_name))
        with open_stored(stored_name) as stream:
            fields = dict(look(name, stream))
        fields["options"] = {**fields["options"], "encoding": encoding}
        with transaction.atomic():
            record = model._default_manager.create(
                file_name=name,
                stored_name=stored_name,
                size_bytes=upload.size or 0,
                created_by=by,
                **fields,
            )
            audit(f"{model.audited_as}.file_uploaded", by=by, obj=record, project=record.of_project)
    return record


def _names_in_use(names: Collection[str]) -> Collection[str]:
    return [
        name
        for model in FileImport.__subclasses__()
        for name in model._default_manager.filter(stored_name__in=names).values_list("stored_name", flat=True)
    ]


def lock_open_import(record: T) -> T:
    """The current import, neither done nor running, locked until the transaction ends.

    Raises ConflictError if it is done or running, MissingError if it has been discarded.
    """
    # Its job is read afterwards: a join would return the job from before the wait for the lock.
    current = type(record)._default_manager.select_for_update().filter(pk=record.pk).first()
    if current is None:
        raise MissingError(f"“{record.file_name}” has been discarded already. Upload it again to import it.")
    if current.is_done:
        raise ConflictError(
            f"This file has been imported already. Open the {current.became} created from it, or upload"
            " another file."
        )
    if current.job is not None and current.job.state not in FINAL_STATES:
        raise ConflictError("This import is running already. Wait for it, or cancel it first.")
    return current


def start(
    record: FileImport,
    *,
    options: FileLayout,
    task: str,
    title: str,
    by: User | None,
    params: Mapping[str, Any],
    anew: Mapping[str, Any],
) -> Job:
    """Queue the job of an import locked by `lock_open_import`; ``anew``: reset values for fields of the last
    attempt.
    """
    project = record.of_project
    job = create_job(project=project, task=task, title=title, by=by, params=dict(params))
    for name, value in {"job": job, "options": options.as_json(), **anew}.items():
        setattr(record, name, value)
    record.save(update_fields=["job", "options", *anew])
    audit(f"{record.audited_as}.import_started", by=by, obj=record, project=project, data={"job": job.pk})
    return job


@transaction.atomic
def discard(record: FileImport, *, by: User | None) -> None:
    """Delete the uploaded file and its import.

    Raises ConflictError while it runs or when it is done, MissingError if it has been discarded.
    """
    current = lock_open_import(record)
    audit(f"{record.audited_as}.import_discarded", by=by, obj=current, project=record.of_project)
    current.delete()
    transaction.on_commit(lambda: stored_path(current.stored_name).unlink(missing_ok=True))


def import_of(model: type[T], work: Work, *related: str) -> T:
    """The import of a running job, with its result and further relations. Raises InvalidError if it has
    none.
    """
    record = model._default_manager.select_related(model.became, *related).filter(job=work.job).first()
    if record is None:
        raise InvalidError("This import was discarded or started again, so this job has nothing to do.")
    return record


class Progress:
    """Reports the progress of reading a file: ``read`` takes bytes read, ``report`` the number of rows or
    records so far.
    """

    def __init__(self, work: Work, record: FileImport, words: str) -> None:
        self._work = work
        self._size = record.size_bytes
        self._words = words
        self._passed = 0
        self._reported_at = 0

    def read(self, size: int) -> None:
        self._passed += size

    def report(self, count: int) -> None:
        if count - self._reported_at >= _ROWS_BETWEEN_REPORTS:
            self._reported_at = count
            self._work.progress(min(self._passed, self._size), self._size, self._words.format(f"{count:,}"))
