"""Reads an adapter from an untrusted zip."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import PurePosixPath
from typing import IO, Self

from evalapp.core.errors import InvalidError
from run_directory.adapters import ADAPTER_FILES, CONFIG_FILE, WEIGHTS_FILE
from run_directory.model_files import PICKLE_SUFFIXES, UnusableModelError, shown
from run_directory.weights import Tensor, tensors_in

MOST_ENTRIES = 200
MOST_DIRECTORY_BYTES = 2**20
_BLOCK = 2**20
# Errors that reading a damaged or malicious archive can raise.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    OverflowError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
# Other methods can expand to gigabytes within one read.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class AdapterArchive:
    """An adapter's known files in a zip, where they may be inside one folder. Nothing else is read.

    Opening and reading raise InvalidError, which says how to fix it, for a file that is no zip, is damaged or
    encrypted, points outside, or contains a pickle.
    """

    def __init__(self, upload: IO[bytes]) -> None:
        with _damage_told():
            with zipfile.ZipFile(_DirectoryReader(upload)) as listing:
                self._entries = _checked_entries(listing.infolist())
            self._archive = zipfile.ZipFile(upload)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def holds(self, name: str) -> bool:
        return name in self._entries

    def tensors(self) -> tuple[dict[str, Tensor], int]:
        """The weights' tensors and declared file size, reading only the header."""
        entry = self._entries[WEIGHTS_FILE]
        with _damage_told(), self._archive.open(entry) as file:
            return tensors_in(file, size=entry.file_size, name=WEIGHTS_FILE), entry.file_size

    def blocks(self, name: str) -> Iterator[bytes]:
        """A file's content; never more than the size declared in the archive."""
        with _damage_told(), self._archive.open(self._entries[name]) as file:
            while block := file.read(_BLOCK):
                yield block


class _DirectoryReader:
    """An upload whose central directory may be read only up to a maximum size.

    zipfile reads the directory at once, so otherwise only the upload's size would limit it.
    """

    def __init__(self, upload: IO[bytes]) -> None:
        self._upload = upload

    def read(self, size: int = -1) -> bytes:
        content = self._upload.read(
            MOST_DIRECTORY_BYTES + 1 if size < 0 else min(size, MOST_DIRECTORY_BYTES + 1)
        )
        if len(content) > MOST_DIRECTORY_BYTES:
            raise _refused(
                f"The archive's list of files is longer than {MOST_DIRECTORY_BYTES:,} bytes; an adapter has"
                " only a few files. Pack only its folder."
            )
        return content

    def seek(self, position: int, whence: int = 0) -> int:
        return self._upload.seek(position, whence)

    def tell(self) -> int:
        return self._upload.tell()

    def seekable(self) -> bool:
        return self._upload.seekable()


def _checked_entries(listed: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    # ZipInfo.is_dir fails for an empty name.
    entries = [entry for entry in listed if not entry.filename.endswith("/")]
    if len(entries) > MOST_ENTRIES:
        raise _refused(
            f"The archive holds {len(entries)} files; an adapter has only a few. Pack only its folder."
        )
    for entry in entries:
        _check_entry(entry)
    _check_places(entries)
    wanted = [entry for entry in entries if _path_of(entry).name in ADAPTER_FILES]
    if not any(_path_of(entry).name == CONFIG_FILE for entry in wanted):
        raise _refused(
            f"The archive has no {CONFIG_FILE}. Pack the folder that peft's save_pretrained wrote."
        )
    folders = sorted({str(_path_of(entry).parent) for entry in wanted})
    if len(folders) > 1:
        raise _refused(
            f"The archive has adapter files in several folders ({shown(folders)}). Pack one adapter at a"
            " time."
        )
    found = {_path_of(entry).name: entry for entry in wanted}
    if len(found) < len(wanted):
        raise _refused("The archive has an adapter file twice. Pack the adapter's folder again.")
    return found


def _path_of(entry: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(entry.filename.replace("\\", "/"))


def _check_entry(entry: zipfile.ZipInfo) -> None:
    path, name = _path_of(entry), shown(entry.filename)
    if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
        raise _refused(f"The archive names the file {name} outside its own folder. Pack it again.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _refused(f"The archive has a link ({name}). Pack the files themselves.")
    if entry.flag_bits & 0x1:
        raise _refused("The archive is locked with a password. Pack it without.")
    if entry.compress_type not in _METHODS:
        raise _refused(
            f"The archive compresses {name} with an unsupported method. Pack it again with deflate."
        )
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise _refused(
            f"The archive contains {name}, a pickle, which can run code when opened, so it was not opened."
            " Save"
            " the adapter as safetensors, and leave the pickle out."
        )


def _check_places(entries: list[zipfile.ZipInfo]) -> None:
    # With overlapping files, a small archive could unpack to a large one.
    for one, following in pairwise(sorted(entries, key=lambda entry: entry.header_offset)):
        if following.header_offset < one.header_offset + one.compress_size:
            raise _refused(
                f"The files {shown(one.filename)} and {shown(following.filename)} overlap in the archive. "
                "Pack the adapter's folder again."
            )


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except UnusableModelError:
        raise
    except _DAMAGE as error:
        why = f" ({error!s:.200})" if isinstance(error, zipfile.BadZipFile) else ""
        raise _refused(
            f"The file is not a whole zip archive{why}. Pack the adapter's folder again."
        ) from error


def _refused(message: str) -> InvalidError:
    return InvalidError(message, field="archive")
