"""Log files that the children write directly and that never grow without end.

A child appends to its own file, so nothing it says is lost or delayed by the supervisor. A file
that passed its limit is copied aside and cut to nothing; a line written between the copy and the
cut is lost, which is the price of not having to tell every program to reopen its log.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from evalapp.embedded.problems import is_no_room

ROTATE_BYTES = 10 * 2**20
KEPT_FILES = 5
_TAIL_BYTES = 8192


def open_log(folder: Path, name: str) -> IO[bytes]:
    """The log of one program, opened to append, readable by its owner alone.

    Where the disk has no room for a new one what the program says is lost: that is no reason for it not to
    run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        if not is_no_room(error):
            raise
        descriptor = os.open(os.devnull, os.O_WRONLY)
    return os.fdopen(descriptor, "ab", buffering=0)


def rotate(folder: Path, *, limit: int = ROTATE_BYTES, kept: int = KEPT_FILES) -> list[Path]:
    """Move every log over `limit` bytes to `NAME.log.1` and so on; returns those that were.

    One that cannot be moved, for want of room, stays as it is, as do its older parts, until it can.
    """
    moved = []
    for path in sorted(folder.glob("*.log")):
        with contextlib.suppress(OSError):
            if path.stat().st_size > limit:
                _move(path, kept)
                moved.append(path)
    return moved


def _move(path: Path, kept: int) -> None:
    # Copied before any older part gives way to it.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        copied = Path(shutil.copy2(path, Path(folder) / path.name))
        for number in range(kept - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        copied.replace(path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def last_lines(folder: Path, name: str, count: int = 3) -> str:
    """The end of a log, for a message about the program's death; empty where there is none."""
    try:
        with (folder / f"{name}.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])
