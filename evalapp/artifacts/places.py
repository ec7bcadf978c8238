"""The folders that store artifacts. Nothing outside them is ever changed."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from evalapp.artifacts.models import ArtifactKind
from evalapp.core.errors import InvalidError
from run_directory.protocol import CHECKPOINTS_FOLDER

_BELOW_ARTIFACTS = {
    ArtifactKind.ADAPTER: "adapters",
    ArtifactKind.MODEL: "models",
    ArtifactKind.MERGED: "merged",
    ArtifactKind.TEMPLATED: "bases",
}
GOING = ".removed-"
"""Prefix of a folder that is being removed, followed by the id of its SetAside row."""


class Size(NamedTuple):
    """Size of a folder; ``freed_bytes`` counts only files without other hard links, which a removal frees."""

    size_bytes: int
    freed_bytes: int
    changed_at: datetime


def root_of(kind: ArtifactKind) -> Path:
    if kind in (ArtifactKind.RUN, ArtifactKind.CHECKPOINTS):
        return Path(settings.RUNS_FOLDER)
    if kind == ArtifactKind.HUB:
        return Path(settings.HUB_FOLDER)
    return Path(settings.ARTIFACTS_FOLDER) / _BELOW_ARTIFACTS[kind]


def stored_name(kind: ArtifactKind, path: str) -> str:
    """An artifact's name in the store between machines; empty for a kind that is not stored there."""
    if kind == ArtifactKind.RUN:
        return f"runs/{path}"
    is_shared = kind in (ArtifactKind.ADAPTER, ArtifactKind.MODEL, ArtifactKind.MERGED)
    return f"artifacts/{_BELOW_ARTIFACTS[kind]}/{path}" if is_shared else ""


def paths_of(kind: ArtifactKind) -> Iterator[str]:
    """Artifact folders of this kind relative to their root, without links and folders being removed."""
    root = root_of(kind)
    if kind == ArtifactKind.HUB:
        # One folder per model, with one folder per commit.
        for model in _folders(root):
            yield from (f"{model}/{commit}" for commit in _folders(root / model))
    elif kind == ArtifactKind.CHECKPOINTS:
        for run in _folders(root):
            if CHECKPOINTS_FOLDER in _folders(root / run):
                yield f"{run}/{CHECKPOINTS_FOLDER}"
    else:
        yield from _folders(root)


def folder_at(kind: ArtifactKind, path: str) -> Path:
    """The folder of an artifact. Raises InvalidError for a path that is not an artifact of this kind."""
    if path not in set(paths_of(kind)):
        raise InvalidError(
            f"There is no {ArtifactKind(kind).label.lower()} {path[:100]!r} among the stored files."
        )
    return root_of(kind) / path


def size_of(folder: Path, *, without: str = "") -> Size:
    """Total size of all files below, without following links; files that disappear meanwhile do not count.
    ``without`` excludes a subfolder.
    """
    size = freed = 0
    changed = _changed(folder)
    for parent, folders, files in os.walk(folder):
        if without and Path(parent) == folder and without in folders:
            folders.remove(without)
        for name in files:
            try:
                found = Path(parent, name).lstat()
            except OSError:
                continue
            size += found.st_size
            freed += found.st_size if found.st_nlink == 1 else 0
            changed = max(changed, found.st_mtime)
    return Size(size, freed, datetime.fromtimestamp(changed, UTC))


def _changed(folder: Path) -> float:
    try:
        return folder.lstat().st_mtime
    except OSError:
        return 0.0


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(GOING)
            )
    except OSError:
        return []
