"""Write operations on imports of ratings: keyword-only, atomic, audited. The import itself is in
``importing``.
"""

import hashlib
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.crypto import get_random_string

from evalapp.accounts.emails import FORMER_DOMAIN
from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError
from evalapp.core.names import checked_name
from evalapp.imports import flow
from evalapp.jobs.models import Job
from evalapp.ratings.formats import recognise_layout
from evalapp.ratings.models import RatingsImport, RecordedReviewer
from evalapp.ratings.options import RatingsOptions

IMPORT_TASK = "evalapp.ratings.tasks.import_ratings"
_LONGEST_STEM = 100


class SameFileError(ConflictError):
    """The project already has a campaign from exactly this file, imported by ``ratings_import`` (409)."""

    code = "same_file"

    def __init__(self, earlier: RatingsImport) -> None:
        super().__init__(
            f"This file is already imported, as “{earlier.campaign}” ({earlier.file_name}), so"
            " nothing was stored. Open that campaign."
        )
        self.ratings_import = earlier


def receive_ratings(*, project: Project, upload: "UploadedFile[Any]", by: User | None) -> RatingsImport:
    """Store an uploaded file of ratings until its import is started or discarded.

    ``options`` start as guessed from the file. Raises InvalidError for a file that holds no ratings,
    SameFileError for one that is imported already.
    """

    def look(name: str, stream: BinaryIO) -> dict[str, Any]:
        content_hash = hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest()
        require_new(project=project, content_hash=content_hash)
        stream.seek(0)
        layout = recognise_layout(name, stream)
        title = Path(name).stem[:_LONGEST_STEM].strip() or "Ratings"
        options = RatingsOptions(layout.file_format, layout.delimiter, layout.mapping, title)
        return {"project": project, "content_hash": content_hash, "options": options.as_json()}

    return flow.receive(RatingsImport, upload=upload, by=by, look=look)


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
    """Queue the job that turns the file into a campaign; with ``checks_only`` the job only checks the file.

    An import that ended without a campaign can be started again with other options. Raises InvalidError for
    unusable options, ConflictError while it runs or when it is done, SameFileError, MissingError if it was
    discarded meanwhile.
    """
    options.check()
    current = flow.lock_open_import(ratings_import)
    project = ratings_import.project
    require_new(project=project, content_hash=current.content_hash)
    if not checks_only and project.campaigns.filter(name=" ".join(options.name.split())).exists():
        raise ConflictError(
            f"This project has a campaign named “{options.name}” already. Choose another name.", field="name"
        )
    job = flow.start(
        ratings_import,
        options=options,
        task=IMPORT_TASK,
        title=f"{'Check' if checks_only else 'Import'} ratings of {ratings_import.file_name}",
        by=by,
        params={"ratings_import": ratings_import.pk, "checks_only": checks_only},
        anew={"records_read": 0, "records_refused": 0, "problems_found": 0},
    )
    ratings_import.problems.all().delete()
    return job


def record_reviewer(*, project: Project, name: str, by: User | None) -> User:
    """The account for a reviewer whom a file names: it cannot sign in or be invited."""
    user = User(
        email=f"recorded-{get_random_string(16).lower()}@{FORMER_DOMAIN}",
        name=checked_name(name, of="the reviewer"),
        is_active=False,
    )
    user.set_unusable_password()
    user.save()
    RecordedReviewer.objects.create(project=project, user=user)
    record("person.recorded", by=by, obj=user, project=project)
    return user
