"""Folders in the store; a folder is complete once its manifest exists."""

import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from run_directory.files import sha256_of, sync_folder, sync_tree
from run_directory.records import Record, RecordError, require
from run_directory.store import Store, StoreError

_MANIFEST = "manifest"


@dataclass(frozen=True, kw_only=True)
class StoredFile(Record):
    name: str
    """Path relative to the folder."""
    size: int
    sha256: str

    def check(self, where: str) -> None:
        parts = PurePosixPath(self.name).parts
        require(
            parts and not self.name.startswith("/") and ".." not in parts, where, "name leaves its folder"
        )


@dataclass(frozen=True, kw_only=True)
class StoredTree(Record):
    """Manifest of a stored folder. Written last: the folder counts as stored only once it exists."""

    format: Literal[1] = 1
    files: tuple[StoredFile, ...]


def store_tree(store: Store, folder: Path, name: str) -> None:
    """Store a folder whose content no longer changes; does nothing if it is stored already."""
    described = describe_tree(folder)
    if store.read(_manifest_of(name)) == described.to_json().encode():
        return
    for file in described.files:
        store.put(folder / file.name, f"{name}/{file.name}")
    store.write(_manifest_of(name), described.to_json().encode())


def fetch_tree(store: Store, name: str, target: Path) -> bool:
    """Fetch a folder from the store to ``target``, verifying every file's hash; False if it is not stored.

    Raises StoreError for damaged or missing files, leaving nothing at ``target``.
    """
    content = store.read(_manifest_of(name))
    if content is None:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetched-") as work:
        whole = Path(work) / "whole"
        whole.mkdir(mode=0o755)
        try:
            for file in StoredTree.from_json(content, where=name).files:
                path = whole / file.name
                path.parent.mkdir(parents=True, exist_ok=True)
                store.get(f"{name}/{file.name}", path)
                _compare(path, file, f"{store.url}/{name}/{file.name}")
        except RecordError as error:
            raise StoreError(f"{store.url}/{_manifest_of(name)} cannot be read: {error}.") from error
        except FileNotFoundError as error:
            raise StoreError(f"{store.url}/{name} lacks a file that its manifest names: {error}.") from error
        sync_tree(whole)
        try:
            whole.rename(target)
        except OSError:
            # Another attempt on this machine fetched it at the same time.
            if not target.is_dir():
                raise
    sync_folder(target.parent)
    return True


def remove_tree(store: Store, name: str) -> None:
    """Remove a folder from the store, if it exists."""
    store.remove(_manifest_of(name))
    store.remove(name)


def describe_tree(folder: Path) -> StoredTree:
    """Manifest of a local folder: its files with sizes and hashes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return StoredTree(
        files=tuple(
            StoredFile(
                name=path.relative_to(folder).as_posix(), size=path.stat().st_size, sha256=sha256_of(path)
            )
            for path in paths
        )
    )


def _compare(path: Path, file: StoredFile, where: str) -> None:
    if path.stat().st_size != file.size or sha256_of(path) != file.sha256:
        raise StoreError(
            f"{where} is not the file that was stored (its SHA-256 differs), so it is not used. Restore it"
            " from the bucket's earlier versions, or create it again."
        )


def _manifest_of(name: str) -> str:
    return f"{name}.{_MANIFEST}"
