"""Saved run directories in the store, from which another machine can continue.

docs/adr/0012-a-store-between-machines.md explains why: objects are written once, append-only files are saved
in parts, and each attempt has a manifest of its own, written last, that lists them all.
"""

import hashlib
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from run_directory.files import sha256_of
from run_directory.protocol import INPUTS_FOLDER, LOCK_FILE
from run_directory.records import Record, RecordError, require
from run_directory.store import Store, StoreError

_RUN_HERE = ".attempt"
"""Local file with the number of the newest attempt that used this folder."""
_GROWING = frozenset({".jsonl", ".log"})


@dataclass(frozen=True, kw_only=True)
class SavedPart(Record):
    object: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SavedFile(Record):
    name: str
    parts: tuple[SavedPart, ...]
    """Concatenated in this order, they are the file."""

    def check(self, where: str) -> None:
        parts = PurePosixPath(self.name).parts
        require(
            parts and not self.name.startswith("/") and ".." not in parts, where, "name leaves its folder"
        )

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class Save(Record):
    """The manifest of one attempt's newest save."""

    format: Literal[1] = 1
    attempt: int
    files: tuple[SavedFile, ...]

    @property
    def objects(self) -> frozenset[str]:
        return frozenset(part.object for file in self.files for part in file.parts)


class SavedRun:
    """A run directory and its location in the store. Every method raises StoreError."""

    def __init__(self, store: Store, key: str, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self._place = f"runs/{key}"
        self._known: dict[str, tuple[SavedPart, ...]] = {}

    def newest(self, *, before: int) -> Save | None:
        """The newest save of the attempts before this number."""
        attempts = [int(name) for name in self.store.names(f"{self._place}/saves") if name.isdecimal()]
        earlier = [attempt for attempt in attempts if attempt < before]
        return self.of(max(earlier)) if earlier else None

    def of(self, attempt: int) -> Save | None:
        """The newest save of one attempt."""
        name = self._manifest_of(attempt)
        content = self.store.read(name)
        if content is None:
            return None
        try:
            return Save.from_json(content, where=name)
        except RecordError as error:
            raise StoreError(f"{self.store.url}/{name} cannot be read: {error}.") from error

    def restore(self, attempt: int) -> Save | None:
        """Bring the folder to the newest save of an earlier attempt, unless that attempt ran here: then the
        folder is newer.

        Returns that save, on which later ones build.
        """
        saved = self.newest(before=attempt)
        self.folder.mkdir(parents=True, exist_ok=True)
        mark = self.folder / _RUN_HERE
        run_here = int(mark.read_text()) if mark.exists() else 0
        if saved is not None and saved.attempt > run_here:
            self.fetch(saved)
            self._remove_others(saved)
        mark.write_text(str(attempt))
        return saved

    def fetch(self, save: Save, *, growing_only: bool = False) -> None:
        """Fetch the parts of a save that the folder lacks, verifying each part's hash."""
        for file in save.files:
            if not (growing_only and not grows(file.name)) and self._known.get(file.name) != file.parts:
                self._fetch_file(file)
                self._known[file.name] = file.parts

    def remove(self, objects: frozenset[str], *, manifests_before: int) -> None:
        """Remove objects, and the manifests of earlier attempts, which refer to some of them."""
        for name in self.store.names(f"{self._place}/saves"):
            if name.isdecimal() and int(name) < manifests_before:
                self.store.remove(f"{self._place}/saves/{name}")
        for name in sorted(objects):
            self.store.remove(f"{self._place}/objects/{name}")

    def write(self, save: Save) -> None:
        """Store this as the newest save of its attempt."""
        self.store.write(self._manifest_of(save.attempt), save.to_json().encode())

    def new_object(self, attempt: int) -> tuple[str, str]:
        """A new unique object name and its location in the store."""
        name = f"{attempt}-{uuid.uuid4().hex}"
        return name, f"{self._place}/objects/{name}"

    def _manifest_of(self, attempt: int) -> str:
        return f"{self._place}/saves/{attempt}"

    def _fetch_file(self, file: SavedFile) -> None:
        path = self.folder / file.name
        present = matching_parts(path, file.parts)
        is_whole = path.is_file() and path.stat().st_size == file.size
        if present == len(file.parts) and is_whole:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.fetched")
        fresh.unlink(missing_ok=True)
        have = sum(part.size for part in file.parts[:present])
        if present and path.stat().st_size >= have:
            shutil.copyfile(path, fresh)
            os.truncate(fresh, have)
        with fresh.open("ab") as growing:
            for part in file.parts[present:]:
                self._append_part(part, growing.name)
        fresh.replace(path)

    def _append_part(self, part: SavedPart, target: str) -> None:
        taken = Path(f"{target}.part")
        try:
            self.store.get(f"{self._place}/objects/{part.object}", taken)
        except FileNotFoundError as error:
            raise StoreError(f"{self.store.url}/{self._place} lacks the object {part.object}.") from error
        if taken.stat().st_size != part.size or sha256_of(taken) != part.sha256:
            taken.unlink()
            raise StoreError(
                f"{self.store.url}/{self._place}/objects/{part.object} is not what was stored (its SHA-256"
                " differs)."
            )
        if Path(target).stat().st_size == 0:
            taken.replace(target)
            return
        with taken.open("rb") as source, Path(target).open("ab") as growing:
            shutil.copyfileobj(source, growing, 2**20)
        taken.unlink()

    def _remove_others(self, save: Save) -> None:
        """Remove files that are not in the save: they belong to an attempt that was overtaken elsewhere."""
        named = {self.folder / file.name for file in save.files}
        for path in sorted(self.folder.rglob("*"), reverse=True):
            below = path.relative_to(self.folder)
            if below.parts[0] == INPUTS_FOLDER or path.name in (LOCK_FILE, _RUN_HERE):
                continue
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in named:
                path.unlink()


def grows(name: str) -> bool:
    """Whether a file of a run directory is append-only."""
    return "/" not in name and PurePosixPath(name).suffix in _GROWING


def matching_parts(path: Path, parts: tuple[SavedPart, ...]) -> int:
    """Number of leading parts that the file's content matches."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        for count, part in enumerate(parts):
            digest, left = hashlib.sha256(), part.size
            while left and (block := file.read(min(left, 2**20))):
                digest.update(block)
                left -= len(block)
            if left or digest.hexdigest() != part.sha256:
                return count
    return len(parts)
