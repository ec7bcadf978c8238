"""Writes of imports of ratings: keyword-only, atomic, audited. What a file becomes is in ``importing``."""

import hashlib
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.datasets.files import HEAD_BYTES, recognise, stored_path, upload_folder
from evalapp.datasets.formats import FileProblemError
from evalapp.datasets.services import DAYS_NAMELESS_FILES_ARE_KEPT, DAYS_UPLOADS_ARE_KEPT, keep_upload
from evalapp.jobs.models import FINAL_STATES, Job
from evalapp.jobs.services import create_job
from evalapp.ratings.models import RatingsImport
from evalapp.ratings.options import RatingsOptions
from evalapp.ratings.readings import first_layout

IMPORT_TASK = "evalapp.ratings.tasks.import_ratings"
_PREFIX = "ratings-"
_LONGEST_STEM = 100


class SameFileError(ConflictError):
    """The project has a campaign from exactly this file; ``ratings_import`` is how it came (409)."""

    code = "same_file"

    def __init__(self, earlier: RatingsImport) -> None:
        super().__init__(
            f"Exactly this file is imported already, as “{earlier.campaign}” ({earlier.file_name}), so"
            " nothing was stored. Open that campaign."
        )
        self.ratings_import = earlier


def receive_ratings(*, project: Project, upload: "UploadedFile[Any]", by: User | None) -> RatingsImport:
    """Keep an uploaded file of ratings until its import is started or discarded.

    ``options`` start from what the file looks like. Raises InvalidError for a file that holds no ratings,
    SameFileError for one that is imported already.
    """
    _forget_old_uploads()
    name = (upload.name or "upload")[:200]
    stored_name = f"{_PREFIX}{uuid.uuid4().hex}.upload"
    try:
        keep_upload(upload, stored_name)
        with stored_path(stored_name).open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            recognise(name, head)
            stream.seek(0)
            content_hash = hashlib.file_digest(stream, "sha256").hexdigest()
            require_new(project=project, content_hash=content_hash)
            stream.seek(0)
            layout = first_layout(name, stream)
        options = RatingsOptions(
            file_format=layout.file_format,
            delimiter=layout.delimiter,
            mapping=layout.mapping,
            name=Path(name).stem[:_LONGEST_STEM].strip() or "Ratings",
        )
        with transaction.atomic():
            ratings_import = RatingsImport.objects.create(
                project=project,
                file_name=name,
                stored_name=stored_name,
                size_bytes=upload.size or 0,
                content_hash=content_hash,
                options=options.as_json(),
                created_by=by,
            )
            record("ratings.file_uploaded", by=by, obj=ratings_import, project=project)
    except BaseException as error:
        for path in upload_folder().glob(f"{Path(stored_name).stem}.*"):
            path.unlink(missing_ok=True)
        if isinstance(error, FileProblemError):
            raise InvalidError(str(error), fields={"file": [str(error)]}) from error
        raise
    return ratings_import


def require_new(*, project: Project, content_hash: str) -> None:
    """Raise SameFileError where the project has a campaign from a file with this SHA-256."""
    earlier = project.ratings_imports.filter(content_hash=content_hash, campaign__isnull=False)
    found = earlier.select_related("campaign").first()
    if found is not None:
        raise SameFileError(found)


@transaction.atomic
def start_ratings_import(
    *, ratings_import: RatingsImport, options: RatingsOptions, by: User | None, checks_only: bool = False
) -> Job:
    """Queue the job that turns the file into a campaign; with ``checks_only`` it ends when all is known.

    One that ended without a campaign can be started again with other options. Raises InvalidError for
    unusable options, ConflictError while it runs or when it is done, SameFileError, MissingError where it
    was discarded meanwhile.
    """
    options.check()
    current = _held(ratings_import)
    if current.campaign_id is not None:
        raise ConflictError("This file has been imported already. Open its campaign.")
    if current.job is not None and current.job.state not in FINAL_STATES:
        raise ConflictError("This file is being read already. Wait for it, or cancel it first.")
    project = ratings_import.project
    require_new(project=project, content_hash=current.content_hash)
    if not checks_only and project.campaigns.filter(name=" ".join(options.name.split())).exists():
        message = f"This project has a campaign named “{options.name}” already. Choose another name."
        raise ConflictError(message, fields={"name": [message]})
    job = create_job(
        project=project,
        task=IMPORT_TASK,
        title=f"{'Check' if checks_only else 'Import'} ratings of {ratings_import.file_name}",
        by=by,
        params={"ratings_import": ratings_import.pk, "checks_only": checks_only},
    )
    ratings_import.job = job
    ratings_import.options = options.as_json()
    ratings_import.records_read = ratings_import.records_refused = ratings_import.problems_found = 0
    ratings_import.save(update_fields=["job", "options", "records_read", "records_refused", "problems_found"])
    ratings_import.problems.all().delete()
    record("ratings.import_started", by=by, obj=ratings_import, project=project, data={"job": job.pk})
    return job


@transaction.atomic
def discard_ratings_import(*, ratings_import: RatingsImport, by: User | None) -> None:
    """Delete the uploaded file and forget the import.

    Raises ConflictError while it runs or when it is done, MissingError where it was discarded meanwhile.
    """
    current = _held(ratings_import)
    if current.campaign_id is not None:
        raise ConflictError("This file has become a campaign, which is kept. There is nothing to discard.")
    if current.job is not None and current.job.state not in FINAL_STATES:
        raise ConflictError("This file is being read. Cancel that first, then discard the file.")
    record("ratings.import_discarded", by=by, obj=current, project=ratings_import.project)
    current.delete()
    transaction.on_commit(lambda: stored_path(current.stored_name).unlink(missing_ok=True))


def _held(ratings_import: RatingsImport) -> RatingsImport:
    """The import as it is now, held until the transaction ends. Raises MissingError where it is gone."""
    current = RatingsImport.objects.select_for_update().filter(pk=ratings_import.pk).first()
    if current is None:
        message = f"“{ratings_import.file_name}” has been discarded already. Upload it again to import it."
        raise MissingError(message)
    return current


def _forget_old_uploads() -> None:
    """Any number of uploads do this at once, so each file may have gone a moment ago."""
    now = time.time()
    ages: dict[Path, float] = {}
    for path in upload_folder().glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            ages[path] = (now - path.stat().st_mtime) / 86_400
    old = {path for path, age in ages.items() if age > DAYS_NAMELESS_FILES_ARE_KEPT}
    names = [path.name for path in old]
    named = set(RatingsImport.objects.filter(stored_name__in=names).values_list("stored_name", flat=True))
    for path in old:
        if path.name not in named or ages[path] > DAYS_UPLOADS_ARE_KEPT:
            path.unlink(missing_ok=True)
