"""Files that appear whole or not at all, and lines that survive a kill."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from run_directory.records import RecordError


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file atomically: readers see the old or the new content, never a part, even after a power
    cut.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_whole(descriptor: int, content: bytes) -> None:
    """Append all of ``content`` to a file opened for appending. If the disk is full, appends nothing and
    raises OSError.
    """
    size = os.fstat(descriptor).st_size
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def sync_folder(folder: Path) -> None:
    """Make a folder's entries (new names, renames) durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make every file under the folder durable, before a rename makes it visible."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def keep_folder(whole: Path, target: Path) -> None:
    """Move a folder named by its content into place, keeping one that exists already.

    An existing folder's modification time is set to now, so that clean-up treats it as recently used.
    """
    try:
        whole.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        try:
            os.utime(target)
        except FileNotFoundError:
            whole.rename(target)
    sync_folder(target.parent)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def drop_torn_line(path: Path) -> None:
    """Remove the text after the last line feed: a line that a killed writer left incomplete."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)


def data_lines(path: Path, *, expected_rows: int, expected_sha256: str | None) -> Iterator[tuple[str, bytes]]:
    """Yield the lines of data.jsonl, each with its location for error messages.

    Raises RecordError when the file is missing, or its hash or row count differs from the spec.
    """
    name = path.name
    if not path.is_file():
        raise RecordError(f"{name}: the file is missing from the run directory")
    if expected_sha256 is not None and (found := sha256_of(path)) != expected_sha256:
        raise RecordError(f"{name}: its SHA-256 is {found}, the spec says {expected_sha256}; write it again")
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield f"{name} line {number}", line
    if number != expected_rows:
        raise RecordError(f"{name}: has {number} rows, the spec says {expected_rows}; write it again")
