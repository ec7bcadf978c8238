"""The backup file: one tar with a manifest, written completely or not at all.

Members, in order: `database.dump` (pg_dump's custom format), the home's files under `home/`, and
last `manifest.json` with every member's size and SHA-256. A file without its manifest was cut off.
"""

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from evalapp.embedded.manifest import (
    DATABASE_MEMBER,
    FILES,
    FOLDERS,
    HOME_PREFIX,
    MANIFEST_MEMBER,
    SECRET_KEY_MEMBER,
    Manifest,
    UnusableBackupError,
    has_a_place,
    read_manifest,
)
from evalapp.embedded.problems import ServiceProblem
from evalapp.env import SHORTEST_SECRET_KEY
from run_directory.files import sync_folder

_BLOCK = 2**20
_MOST_MANIFEST_BYTES = 2**30  # about six million files
# Raised by tarfile for malformed headers; RecursionError for long chains of headers.
_DAMAGE = (tarfile.TarError, ValueError, EOFError, OverflowError, LookupError, RecursionError)
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


def write_backup(target: Path, *, dump: Path, home: Path, secret_key: Path, migration: str) -> Manifest:
    """Write the dump, the secret key and the home's files to `target`, mode 0600.

    Files that vanish during the backup are left out. No row of the dump needs them, since files are written
    before the rows that name them and removed after.
    """
    members: dict[str, tuple[int, str]] = {}
    with (
        _appearing_whole(target) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        members[DATABASE_MEMBER] = _add(tar, dump, DATABASE_MEMBER)
        members[SECRET_KEY_MEMBER] = _add(tar, secret_key, SECRET_KEY_MEMBER)
        for path in _files(home):
            name = str(PurePosixPath(HOME_PREFIX) / path.relative_to(home).as_posix())
            if name in members:
                continue
            try:
                members[name] = _add(tar, path, name)
            except FileNotFoundError:
                continue
        manifest = Manifest(datetime.now(UTC), migration, members)
        text = manifest.to_json()
        tar.addfile(_entry(MANIFEST_MEMBER, len(text)), io.BytesIO(text))
    return manifest


def unpack_backup(source: Path, folder: Path) -> Manifest:
    """Unpack the members that the manifest names into an empty folder, verifying each size and SHA-256.

    Nothing is written before the list of members is verified. Raises UnusableBackupError, ServiceProblem if
    the disk is too small, OSError if the folder cannot be written.
    """
    with _opened(source) as file, _reading(file) as tar:
        entries = _entries(tar)
        closing = entries.pop(MANIFEST_MEMBER, None)
        if closing is None or closing.size > _MOST_MANIFEST_BYTES:
            raise UnusableBackupError(
                "it was cut off: the manifest, which comes last, is missing. Use another copy."
            )
        manifest = read_manifest(_content(tar, closing).read())
        _check_members(entries, manifest)
        _check_space(source, folder, sum(size for size, _ in manifest.members.values()))
        for name, entry in entries.items():
            if _extract(tar, entry, folder / name) != manifest.members[name][1]:
                raise UnusableBackupError(
                    f"it is damaged: {name!r} differs from what was written. Use another copy."
                )
    _check_secret_key(folder / SECRET_KEY_MEMBER)
    return manifest


@contextmanager
def _opened(source: Path) -> Iterator[IO[bytes]]:
    try:
        # Checked before opening, because opening a pipe waits for a writer.
        if source.exists() and not source.is_file():
            raise UnusableBackupError(
                "it is not a regular file. Name the file that `manage.py backup` wrote."
            )
        file = source.open("rb")
    except OSError as error:
        raise UnusableBackupError(f"it cannot be read ({error.strerror}).") from error
    with file:
        yield file


@contextmanager
def _reading(file: IO[bytes]) -> Iterator[tarfile.TarFile]:
    beginning = file.read(max(map(len, _COMPRESSIONS)))
    file.seek(0)
    for mark, name in _COMPRESSIONS.items():
        if beginning.startswith(mark):
            raise UnusableBackupError(f"it is compressed ({name}). Unpack it first.")
    try:
        tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - closed below, apart from this refusal
    except _DAMAGE as error:
        raise UnusableBackupError("it is not a backup that `manage.py backup` wrote.") from error
    try:
        with tar:
            yield tar
    except _DAMAGE as error:
        raise UnusableBackupError("it is damaged or was cut off. Use another copy.") from error


def _entries(tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """The members by name. Raises UnusableBackupError unless each is a regular file at a known path."""
    entries: dict[str, tarfile.TarInfo] = {}
    for entry in tar:
        # A negative size would make tarfile loop for ever.
        if entry.type != tarfile.REGTYPE or entry.issparse() or entry.size < 0:
            raise UnusableBackupError(
                f"it has {entry.name!r}, which is not a regular file."
                " Use the file as `manage.py backup` wrote it."
            )
        if entry.name in entries:
            raise UnusableBackupError(f"it has {entry.name!r} twice. Use another copy.")
        if entry.name != MANIFEST_MEMBER and not has_a_place(entry.name):
            raise UnusableBackupError(
                f"it has {entry.name!r}, which is not part of an installation."
                " Use the file as `manage.py backup` wrote it."
            )
        entries[entry.name] = entry
    return entries


def _check_members(entries: Mapping[str, tarfile.TarInfo], manifest: Manifest) -> None:
    for name in entries.keys() - manifest.members.keys():
        raise UnusableBackupError(f"it has {name!r}, which is not in its manifest. Use another copy.")
    for name in (manifest.members.keys() | {DATABASE_MEMBER, SECRET_KEY_MEMBER}) - entries.keys():
        raise UnusableBackupError(f"it lacks {name!r}. Use another copy.")
    for name, entry in entries.items():
        if entry.size != manifest.members[name][0]:
            raise UnusableBackupError(
                f"it is damaged: {name!r} differs from what was written. Use another copy."
            )
        if folder := next((str(path) for path in PurePosixPath(name).parents if str(path) in entries), None):
            raise UnusableBackupError(f"it has {folder!r} as a file and as a folder. Use another copy.")


def _check_space(source: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ServiceProblem(
            f"{source} needs {needed / 10**6:,.1f} MB to unpack, and the disk of {folder} has"
            f" {free / 10**6:,.1f} MB: free space and restore again. Nothing was changed."
        )


def _extract(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> str:
    """Write the member's bytes to a new file and return their SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _content(tar, entry) as packed, path.open("xb") as file:
        path.chmod(0o600)
        digesting = _Digesting(packed)
        shutil.copyfileobj(digesting, file, _BLOCK)
    return digesting.hexdigest()


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(entry)
    if content is None:
        raise tarfile.ReadError(entry.name)
    return content


def _check_secret_key(path: Path) -> None:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        key = ""
    if len(key) < SHORTEST_SECRET_KEY:
        raise UnusableBackupError(
            f"the secret key in it is shorter than {SHORTEST_SECRET_KEY} characters or not text, so sign-ins"
            " would not be safe. Use another copy."
        )


def _add(tar: tarfile.TarFile, path: Path, name: str) -> tuple[int, str]:
    with path.open("rb") as file:
        # Not tar.gettarinfo, which turns hard-linked files into link members.
        entry = _entry(name, os.fstat(file.fileno()).st_size)
        # A file that grows meanwhile (a run's event log) is stored with the length it had when opened.
        digesting = _Digesting(file)
        tar.addfile(entry, digesting)
        return entry.size, digesting.hexdigest()


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


class _Digesting:
    """A reader that computes the SHA-256 of everything read through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        block = self._file.read(size)
        self._digest.update(block)
        return block

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _files(home: Path) -> Iterator[Path]:
    for name in FOLDERS:
        for folder, _, files in os.walk(home / name):
            yield from (path for path in (Path(folder) / file for file in sorted(files)) if path.is_file())
    yield from (home / name for name in FILES if (home / name).is_file())


@contextmanager
def _appearing_whole(target: Path) -> Iterator[IO[bytes]]:
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(descriptor, "wb", buffering=_BLOCK) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
        sync_folder(target.parent)
    finally:
        Path(temporary).unlink(missing_ok=True)
