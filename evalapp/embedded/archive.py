"""The backup file: one tar that is there whole or not at all, and says what it should hold.

Members, in order: `database.dump` (pg_dump's custom format), the home's files under `home/`, and
last `manifest.json` with every member's size and SHA-256. A file without its manifest was cut off.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

FORMAT = 1
DATABASE_MEMBER = "database.dump"
MANIFEST_MEMBER = "manifest.json"
HOME_PREFIX = "home"
_BLOCK = 2**20


class UnusableBackupError(Exception):
    """The file is no backup, is damaged, or was made by a newer release; the text says which."""


@dataclass(frozen=True)
class Manifest:
    """What the file holds. `migration` is the newest of the product's that the dump contains."""

    format: int
    made_at: str
    migration: str
    members: dict[str, tuple[int, str]]  # name → bytes, SHA-256


def write_backup(target: Path, *, dump: Path, home: Path, folders: Sequence[str], migration: str) -> Manifest:
    """Put the dump and the named files and folders of `home` into `target`, mode 0600.

    A file that vanishes meanwhile is left out: nothing in the dump can need it, since files are
    written before the rows that name them and removed after.
    """
    members: dict[str, tuple[int, str]] = {}
    with (
        _appearing_whole(target) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        members[DATABASE_MEMBER] = _add(tar, dump, DATABASE_MEMBER)
        for path in _files(home, folders):
            name = str(PurePosixPath(HOME_PREFIX) / path.relative_to(home).as_posix())
            try:
                members[name] = _add(tar, path, name)
            except FileNotFoundError:
                continue
        manifest = Manifest(FORMAT, datetime.now(UTC).isoformat(timespec="seconds"), migration, members)
        text = json.dumps(asdict(manifest)).encode()
        entry = tarfile.TarInfo(MANIFEST_MEMBER)
        entry.size, entry.mode = len(text), 0o600
        tar.addfile(entry, io.BytesIO(text))
    return manifest


def unpack_backup(source: Path, folder: Path) -> Manifest:
    """Unpack into an empty folder and check every byte. Raises UnusableBackupError."""
    try:
        with tarfile.open(source, mode="r:") as tar:
            # The filter refuses absolute names, "..", links that leave the folder, and devices.
            tar.extractall(folder, filter="data")
        manifest = _read_manifest(folder / MANIFEST_MEMBER)
    except FileNotFoundError as error:
        if not source.exists():
            raise UnusableBackupError(f"{source} does not exist.") from error
        raise UnusableBackupError(f"{source} was cut off: it has no manifest. Use another backup.") from error
    except (tarfile.TarError, OSError, ValueError, TypeError) as error:
        raise UnusableBackupError(f"{source} is no backup of evalapp, or is damaged: {error}.") from error
    for name, (size, digest) in manifest.members.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or _digest(path) != digest:
            raise UnusableBackupError(f"{source} is damaged: {name} differs from what was written.")
    return manifest


def _read_manifest(path: Path) -> Manifest:
    entry = json.loads(path.read_text(encoding="utf-8"))
    if entry["format"] > FORMAT:
        raise ValueError("a newer release wrote it")
    members = {name: (int(size), str(digest)) for name, (size, digest) in entry["members"].items()}
    return Manifest(entry["format"], entry["made_at"], entry["migration"], members)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> tuple[int, str]:
    with path.open("rb") as file:
        entry = tar.gettarinfo(arcname=name, fileobj=file)
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        # A file that grows meanwhile (a run's event log) is taken as it was when opened.
        digesting = _Digesting(file)
        tar.addfile(entry, digesting)  # type: ignore[arg-type] # it reads, which is all tarfile asks
        return entry.size, digesting.hexdigest()


class _Digesting:
    """Hashes what is read through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self._digest.update(block)
        return block

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _files(home: Path, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        path = home / name
        if path.is_dir():
            for folder, _, files in os.walk(path):
                yield from (
                    file for file in (Path(folder) / file for file in sorted(files)) if file.is_file()
                )
        elif path.is_file():
            yield path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _appearing_whole(target: Path) -> Iterator[IO[bytes]]:
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(descriptor, "wb", buffering=_BLOCK) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
