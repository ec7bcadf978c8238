"""Reads the settings of imported model folders: only regular files, and none without a size limit."""

import errno
import os
import reprlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from run_directory.records import RecordError, parse_json

PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
"""Suffixes of weights files that may run code when opened."""

MOST_SETTINGS_BYTES = 16 * 2**20
"""Ten times the size of any published model's config.json or tokenizer_config.json."""

_WHY = {
    errno.EACCES: "cannot be read by evalapp's account; give that account read access",
    errno.EISDIR: "is a folder where a file is needed; copy the model again",
    errno.ELOOP: "is a link in a circle; replace it with the file",
    errno.ENAMETOOLONG: "has a name too long for this system; shorten it",
    errno.ENOENT: "was removed while it was read; try again when nothing is being copied there",
}
_WHY |= {errno.EPERM: _WHY[errno.EACCES]}
_WHY |= dict.fromkeys((errno.ENOTDIR, errno.ESTALE), _WHY[errno.ENOENT])

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120


class UnusableModelError(ValueError):
    """A model folder that cannot be used; the message says which file, why, and how to fix it."""


def shown(value: object) -> str:
    """A value from a file for use in a message: of bounded length and always displayable."""
    return _SHORT.repr(value).encode(errors="backslashreplace").decode()


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turn operating system errors in the block into an UnusableModelError that says how to fix them."""
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else folder
        unknown = f"cannot be read ({error.strerror}); check its disk"
        why = _WHY.get(error.errno or 0, unknown)
        raise UnusableModelError(f"{os.fspath(where):.300} {why}") from error


def opened(path: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError, and UnusableModelError for a pipe or a device."""
    # Without O_NONBLOCK, opening a pipe would block until a writer opens it.
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115  # the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise UnusableModelError(f"{path.name} is a pipe or a device, not a file; copy the model again")
    return file


def read_bytes(path: Path, *, most: int = MOST_SETTINGS_BYTES) -> bytes:
    """Read a whole file. Raises UnusableModelError when it is unreadable or has more than ``most`` bytes."""
    with reading(path), opened(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UnusableModelError(
            f"{path.name} has more than {most:,} bytes, too many for such a file; copy it again"
        )
    return content


def read_text(path: Path, *, most: int = MOST_SETTINGS_BYTES) -> str:
    """Read a whole UTF-8 file. Raises UnusableModelError like `read_bytes`, and for other encodings."""
    try:
        return read_bytes(path, most=most).decode()
    except UnicodeDecodeError as error:
        raise UnusableModelError(
            f"{path.name} is not UTF-8 (byte {error.start:,}); save it as UTF-8"
        ) from error


def read_object(path: Path, *, most: int = MOST_SETTINGS_BYTES) -> dict[str, object]:
    """Read a JSON file that contains an object. Raises UnusableModelError."""
    return object_in(read_bytes(path, most=most), where=path.name)


def object_in(content: bytes, *, where: str) -> dict[str, object]:
    """Parse the JSON object in a file's bytes. Raises UnusableModelError."""
    try:
        found = parse_json(content, where=where)
    except RecordError as error:
        raise UnusableModelError(f"{error!s:.500}") from error
    if not isinstance(found, dict):
        raise UnusableModelError(f"{where} is not a JSON object; copy it again")
    return found


def pickles_in(folder: Path) -> list[str]:
    """Names of the files directly in the folder that may be pickles, sorted."""
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLE_SUFFIXES)
