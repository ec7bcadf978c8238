"""Folders of model files: bases in allowed folders, adapters in the artifacts."""

import functools
import os
import socket
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from evalapp.core import artifacts
from evalapp.core.errors import InvalidError, NotHereError
from evalapp.registry.models import TUNED_KINDS, ModelKind, ModelVersion
from run_directory.bases import SETTINGS
from run_directory.inputs import BaseDescription, chosen_base, describe_base
from run_directory.model_files import shown

_DEEPEST = 3
_MOST_FOLDERS = 500
_MOST_VISITED = 10_000
_MOST_ENTRIES = 10_000
_LONGEST_PATH = 500
ADAPTER_CONFIG = "adapter_config.json"
BASE_CONFIG = "config.json"


class ModelFolder(NamedTuple):
    """A folder that may contain a model; ``label`` is its path relative to the allowed folder."""

    path: Path
    label: str


def allowed_folders() -> list[Path]:
    """The administrator's folders (EVALAPP_MODEL_FOLDERS), the bundled model's folder, and the one for hub
    downloads.
    """
    own = (settings.BUNDLED_MODEL_FOLDER, settings.HUB_FOLDER)
    return [_real(folder) for folder in (*settings.MODEL_FOLDERS, *own)]


def checked_folder(folder: Path | str) -> Path:
    """The folder with all links resolved.

    Raises InvalidError when it is outside the allowed folders, a link in it leads out of them, or it contains
    something other than files and folders, which could block a reader forever.
    """
    resolved = _real(folder)
    allowed = allowed_folders()
    if not _is_within(resolved, allowed):
        names = ", ".join(str(each) for each in settings.MODEL_FOLDERS)
        raise _refused(
            f"The folder {folder} is not in an allowed model folder ({names}). Copy the model there, or ask"
            " the administrator to add its folder to EVALAPP_MODEL_FOLDERS."
        )
    if not _can_be_kept(resolved):
        raise _refused(
            f"The path of the folder {shown(str(resolved))} is not UTF-8, or has more than {_LONGEST_PATH} "
            "characters. Rename the folder."
        )
    for count, path in enumerate(_entries(resolved), start=1):
        if count > _MOST_ENTRIES:
            raise _refused(
                f"The folder {resolved} has more than {_MOST_ENTRIES:,} files. Choose the folder of one"
                " model."
            )
        _check_entry(path, allowed)
    return resolved


def bases_on_disk() -> list[ModelFolder]:
    """Folders that look like a base model, the bundled one first."""
    return _folders_with(BASE_CONFIG)


def adapters_on_disk() -> list[ModelFolder]:
    """Folders that look like a LoRA adapter."""
    return _folders_with(ADAPTER_CONFIG)


def folder_of(version: ModelVersion) -> Path:
    """The local folder with a version's own weights: for a base in a model folder, for trained weights in the
    artifacts, where they are fetched from the store if another machine created them.

    Raises InvalidError for a kind without weights or removed weights, NotHereError for a base that is missing
    on this machine but may be on another, and StoreUnavailableError.
    """
    if version.weights_removed_at is not None:
        when = f"{version.weights_removed_at:%d %B %Y}"
        raise InvalidError(
            f"The weights of “{version.label}” were removed on {when}, because nothing needed them. Train it"
            " again, or choose another version."
        )
    if version.kind == ModelKind.BASE:
        return _base_folder(version)
    if version.kind in TUNED_KINDS:
        return artifacts.fetched(version.path)
    raise InvalidError(f"“{version.label}” has no weights of its own.")


def _base_folder(version: ModelVersion) -> Path:
    registered = Path(version.path)
    if not settings.ARTIFACT_STORE:
        return registered
    # Another machine registered it, so its path may be missing or different here.
    folders = (registered, *(found.path for found in bases_on_disk()))
    chosen = chosen_base(what_was_registered(version), folders, _looked_at)
    if chosen.folder is not None:
        return chosen.folder
    names = ", ".join(str(each) for each in settings.MODEL_FOLDERS)
    message = (
        f"{socket.gethostname()} has no folder of the base “{version.model.name}”: none in {names} has the"
        f" fingerprint {version.content_hash[:12]}…. Copy the folder {registered} there from the machine"
        f" that has it, or add its folder to EVALAPP_MODEL_FOLDERS. {chosen.unlike}".rstrip()
    )
    raise NotHereError(message)


def what_was_registered(version: ModelVersion) -> BaseDescription:
    """A base's identity as recorded when it was registered."""
    kept = {name: str(version.config[name]) for name in SETTINGS if name in version.config}
    return BaseDescription(version.content_hash, kept)


def _looked_at(folder: Path) -> BaseDescription:
    try:
        files = [(path.name, path.stat()) for path in folder.iterdir()]
    except OSError:
        return BaseDescription("", {})
    return _described(folder, frozenset((name, found.st_mtime_ns, found.st_size) for name, found in files))


@functools.lru_cache(maxsize=64)
def _described(folder: Path, files: frozenset[tuple[str, int, int]]) -> BaseDescription:
    """The base in a folder. ``files`` is part of the cache key, so that changes are noticed."""
    return describe_base(folder)


def _folders_with(name: str) -> list[ModelFolder]:
    bundled = Path(settings.BUNDLED_MODEL_FOLDER)
    allowed = allowed_folders()
    found: dict[Path, ModelFolder] = {}
    if _has(bundled, name):
        found[_real(bundled)] = ModelFolder(bundled, f"{bundled.name} (comes with the product)")
    for root in settings.MODEL_FOLDERS:
        for folder in islice(_walk(Path(root), 0, allowed), _MOST_VISITED):
            if _has(folder, name) and len(found) < _MOST_FOLDERS:
                label = str(folder.relative_to(root)) if folder != Path(root) else folder.name
                found.setdefault(_real(folder), ModelFolder(folder, label))
    return list(found.values())


def _walk(folder: Path, depth: int, allowed: list[Path]) -> Iterator[Path]:
    """The folder and its subfolders, as far as models may be registered from them."""
    if not (_can_be_kept(folder) and _is_within(_real(folder), allowed)):
        return
    yield folder
    if depth >= _DEEPEST:
        return
    try:
        children = sorted(child for child in folder.iterdir() if child.name[0] != "." and child.is_dir())
    except OSError:
        return
    for child in children:
        yield from _walk(child, depth + 1, allowed)


def _has(folder: Path, name: str) -> bool:
    try:
        return (folder / name).is_file()
    except OSError:
        return False


def _entries(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


def _check_entry(path: Path, allowed: list[Path]) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        # A broken link or deleted file: the code that needs it reports it.
        return
    if path.is_symlink() and not _is_within(_real(path), allowed):
        raise _refused(
            f"{shown(str(path))} is a link to {shown(str(_real(path)))}, which is not in an allowed model"
            " folder. Copy the file itself, or ask the administrator to add the folder of both to"
            " EVALAPP_MODEL_FOLDERS."
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _refused(
            f"{shown(str(path))} is neither a file nor a folder. Remove it from the model's folder."
        )


def _real(path: Path | str) -> Path:
    """The path with links resolved as far as possible, even if they form a circle."""
    return Path(os.path.realpath(path))


def _is_within(resolved: Path, allowed: list[Path]) -> bool:
    return any(resolved.is_relative_to(folder) for folder in allowed)


def _can_be_kept(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return len(str(path)) <= _LONGEST_PATH


def _refused(message: str) -> InvalidError:
    return InvalidError(message, field="folder")
