"""Where model files may lie: bases in the folders that the administrator allows, adapters in ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from evalapp.core.errors import InvalidError
from evalapp.registry.models import ModelKind, ModelVersion

_DEEPEST = 3
_MOST_FOLDERS = 500
ADAPTER_CONFIG = "adapter_config.json"
BASE_CONFIG = "config.json"


class ModelFolder(NamedTuple):
    """A folder that may hold a model; ``label`` is its path below the allowed folder."""

    path: Path
    label: str


def allowed_folders() -> list[Path]:
    """The administrator's folders (EVALAPP_MODEL_FOLDERS), and the bundled model's."""
    return [Path(folder).resolve() for folder in (*settings.MODEL_FOLDERS, settings.BUNDLED_MODEL_FOLDER)]


def checked_folder(folder: Path | str) -> Path:
    """The folder with every link followed. Raises InvalidError when it lies outside the allowed ones."""
    resolved = Path(folder).resolve()
    if not any(resolved.is_relative_to(allowed) for allowed in allowed_folders()):
        names = ", ".join(str(each) for each in settings.MODEL_FOLDERS)
        message = (
            f"The folder {folder} is not in a folder that models are taken from ({names}). "
            "Copy the model there, or ask the administrator to name its folder in EVALAPP_MODEL_FOLDERS."
        )
        raise InvalidError(message, fields={"folder": [message]})
    return resolved


def bases_on_disk() -> list[ModelFolder]:
    """Folders that look like a base model; the bundled one first."""
    return _folders_with(BASE_CONFIG)


def adapters_on_disk() -> list[ModelFolder]:
    """Folders that look like a LoRA adapter."""
    return _folders_with(ADAPTER_CONFIG)


def folder_of(version: ModelVersion) -> Path:
    """The folder with a version's own weights: absolute for a base, in the artifacts for an adapter.

    Raises InvalidError for a kind without weights.
    """
    if version.kind == ModelKind.BASE:
        return Path(version.path)
    if version.kind == ModelKind.LORA:
        return Path(settings.ARTIFACTS_FOLDER) / version.path
    message = f"“{version.label}” has no weights of its own."
    raise InvalidError(message)


def _folders_with(name: str) -> list[ModelFolder]:
    bundled = Path(settings.BUNDLED_MODEL_FOLDER)
    found: dict[Path, ModelFolder] = {}
    if (bundled / name).is_file():
        found[bundled.resolve()] = ModelFolder(bundled, f"{bundled.name} (comes with the product)")
    for root in settings.MODEL_FOLDERS:
        for folder in _walk(Path(root), 0):
            if (folder / name).is_file() and len(found) < _MOST_FOLDERS:
                label = str(folder.relative_to(root)) if folder != Path(root) else folder.name
                found.setdefault(folder.resolve(), ModelFolder(folder, label))
    return list(found.values())


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if depth >= _DEEPEST:
        return
    try:
        children = sorted(child for child in folder.iterdir() if child.is_dir() and child.name[0] != ".")
    except OSError:
        return
    for child in children:
        yield from _walk(child, depth + 1)
