"""A full disk: detection, messages, and space reserved for the final event. Standard library only."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

RESERVE_FILE = "reserve"
"""Occupies space in the run directory while a program runs, so that on a full disk its end can still be
recorded.
"""

_RESERVE_BYTES = 64 * 1024
_CHECKED_BYTES = 4096
_SAID = ("No space left on device", "Disk quota exceeded", "File too large")
_CUT_OFF = ("PytorchStreamWriter failed", "file write failed", "unexpected pos")
"""Messages of torch about incompletely written files, which do not give the reason."""
_NEARLY_NOTHING = 16 * 2**20


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """Whether the disk of ``folder`` was full; libraries in other languages report it only in the message."""
    return any(_tells_it(each, folder) for each in _chain(error))


def no_room(folder: Path, *, what: str, needed: int | None, kept: str) -> str:
    """The error message for a full disk: ``what`` could not be written; ``kept`` says what exists and what
    the next start does with it.
    """
    needs = f" and needs about {_megabytes(needed)}" if needed else ""
    return (
        f"the disk that holds {folder} is full: {what} could not be written{needs}, where"
        f" {_megabytes(free_bytes(folder))} is left. Free space on that disk, then start again: {kept}"
    )


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write to the folder's disk."""
    return shutil.disk_usage(folder).free


def check_writes(folder: Path) -> None:
    """Write a few bytes through to the folder's disk, leaving no file. Raises OSError on failure."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(b"\0" * _CHECKED_BYTES)
        os.fsync(file.fileno())


def folder_bytes(folder: Path) -> int:
    """Total size of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def set_aside(folder: Path) -> None:
    """Reserve space for the final event, if any is left."""
    try:
        # Random bytes are written because some file systems only promise the space of a sparse or
        # compressible file.
        (folder / RESERVE_FILE).write_bytes(os.urandom(_RESERVE_BYTES))
    except OSError:
        give_back(folder)


def give_back(folder: Path) -> None:
    (folder / RESERVE_FILE).unlink(missing_ok=True)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _tells_it(error: BaseException, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    said = str(error)
    if any(words in said for words in _SAID):
        return True
    return any(words in said for words in _CUT_OFF) and free_bytes(folder) < _NEARLY_NOTHING


def _megabytes(count: int | None) -> str:
    return f"{(count or 0) / 10**6:,.1f} MB"
