"""Recognises failed writes of the server's files and gives their messages."""

import errno
import logging
import os
import tempfile
from pathlib import Path

from django.conf import settings

from evalapp.core.errors import NoRoomError, ProblemError
from evalapp.core.outages import is_disk_full

DATABASE_FULL = (
    "The disk of the database is full, so nothing was stored. Ask the administrator to free space on its"
    " disk, then send it again."
)
logger = logging.getLogger(__name__)

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
UNUSABLE_ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EIO})


class FolderUnusableError(ProblemError):
    """A folder of the server cannot be written (507)."""

    status = 507
    code = "folder_unusable"


def storage_problem(exception: Exception) -> ProblemError | None:
    """The problem to show, also logged, if a file or the database could not be written; None for other
    errors. Check it before `evalapp.core.outages.AWAY`, which includes the database's full disk.
    """
    if is_disk_full(exception):
        logger.error("The database has no space left: %s", exception)
        return NoRoomError(DATABASE_FULL)
    if not isinstance(exception, OSError):
        return None
    problem: ProblemError | None = None
    if exception.errno in NO_ROOM:
        problem = NoRoomError(
            "The server's disk is full, so nothing was stored. Ask the administrator to free space in"
            " EVALAPP_HOME, then send it again."
        )
    elif (folder := _own_folder(exception)) and (exception.errno in UNUSABLE_ERRORS or not folder.is_dir()):
        problem = FolderUnusableError(
            f"The server cannot write to its folder {folder} ({exception.strerror}), so nothing was stored."
            " Ask the administrator to make it a folder that evalapp may write to, then send it again."
        )
    if problem is not None:
        logger.error("A file could not be written: %s", exception, exc_info=exception)
    return problem


def _own_folder(error: OSError) -> Path | None:
    if not isinstance(error.filename, str | os.PathLike):
        return None
    path = Path(error.filename)
    folders = (settings.FILE_UPLOAD_TEMP_DIR, settings.RUNS_FOLDER, settings.ARTIFACTS_FOLDER)
    return next((Path(folder) for folder in folders if path.is_relative_to(folder)), None)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file completely or not at all: to a temporary file, synced to disk, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
