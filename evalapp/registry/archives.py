"""Takes an adapter out of an uploaded zip without trusting anything the zip says."""

import lzma
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from evalapp.core.errors import InvalidError
from run_directory.adapters import CONFIG_FILE, WEIGHTS_FILE
from run_directory.model_files import PICKLE_SUFFIXES
from run_directory.protocol import MANIFEST_FILE

MOST_ENTRIES = 200
MOST_BYTES = 4 * 2**30
MOST_SMALL_FILE_BYTES = 8 * 2**20
_BLOCK = 2**20
# What the library raises for bytes that are no archive; ValueError for names and places that cannot be.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
_WANTED = {WEIGHTS_FILE: MOST_BYTES, CONFIG_FILE: MOST_SMALL_FILE_BYTES, MANIFEST_FILE: MOST_SMALL_FILE_BYTES}


def unpack_adapter(upload: IO[bytes], into: Path) -> None:
    """Write the adapter's known files, and nothing else, into the folder ``into``.

    They may lie in one folder inside the archive. Raises InvalidError, which says how to mend it, for
    what is no zip, is damaged or locked, points outside, grows too large, or holds a pickle.
    """
    try:
        with zipfile.ZipFile(upload) as archive:
            for entry in _checked_entries(archive):
                _extract(archive, entry, into / PurePosixPath(entry.filename).name)
    except _DAMAGE as error:
        raise _refused(
            f"The file is not a whole zip archive ({error}). Pack the adapter's folder again."
        ) from error


def _checked_entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MOST_ENTRIES:
        raise _refused(
            f"The archive holds {len(entries)} files; an adapter has a handful. Pack only its folder."
        )
    for entry in entries:
        _check_entry(entry)
    wanted = [entry for entry in entries if PurePosixPath(entry.filename).name in _WANTED]
    folders = {PurePosixPath(entry.filename).parent for entry in wanted}
    if not any(PurePosixPath(entry.filename).name == CONFIG_FILE for entry in wanted):
        raise _refused(
            f"The archive has no {CONFIG_FILE}. Pack the folder that peft's save_pretrained wrote."
        )
    if len(folders) > 1:
        names = ", ".join(sorted(str(folder) for folder in folders))
        raise _refused(
            f"The archive holds adapter files in several folders ({names}). Pack one adapter at a time."
        )
    if len({entry.filename for entry in wanted}) < len(wanted):
        raise _refused("The archive holds an adapter file twice. Pack the adapter's folder again.")
    return wanted


def _check_entry(entry: zipfile.ZipInfo) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
        raise _refused(
            f"The archive names the file {entry.filename!r} outside its own folder. Pack it again."
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _refused(f"The archive holds a link ({entry.filename}). Pack the files themselves.")
    if entry.flag_bits & 0x1:
        raise _refused("The archive is locked with a password. Pack it without.")
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise _refused(
            f"The archive holds {entry.filename}, a pickle, which can run any code when it is opened, so it was "
            "not. Save the adapter as safetensors where you trust it, and leave the pickle out."
        )


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    # The size an archive declares may lie, so what really comes out is counted.
    limit = _WANTED[target.name]
    written = 0
    with archive.open(entry) as packed, target.open("xb") as file:
        while block := packed.read(_BLOCK):
            written += len(block)
            if written > limit:
                raise _refused(
                    f"{entry.filename} unpacks to more than {limit:,} bytes, which no adapter needs."
                )
            file.write(block)


def _refused(message: str) -> InvalidError:
    return InvalidError(message, fields={"archive": [message]})
