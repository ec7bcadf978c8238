"""Log files of the child processes, with bounded size.

A child appends to its own file, so the supervisor neither loses nor delays its output. A file over its limit
is copied aside and truncated. A line written between copy and truncation is lost; in return, no program has
to reopen its log.
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
    """The log of one program, opened to append, readable by its owner only.

    Without room for a new file the output is discarded: that must not keep the program from running.
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
    """Move every log over `limit` bytes to `NAME.log.1` and so on; returns the logs that were moved.

    If there is no room to move a log, it and its older parts stay unchanged until there is.
    """
    moved = []
    for path in sorted(folder.glob("*.log")):
        with contextlib.suppress(OSError):
            if path.stat().st_size > limit:
                _move(path, kept)
                moved.append(path)
    return moved


def _move(path: Path, kept: int) -> None:
    # Copied before older parts are renamed or overwritten.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        copied = Path(shutil.copy2(path, Path(folder) / path.name))
        for number in range(kept - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        copied.replace(path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def last_lines(folder: Path, name: str, count: int = 3) -> str:
    """The end of a log, for the message about a program's death; empty without a log."""
    try:
        with (folder / f"{name}.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])
