"""Stores full models from trainings as artifacts."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from evalapp.core import artifacts
from run_directory.bases import Base, check_base
from run_directory.files import keep_folder, sha256_of, sync_tree
from run_directory.protocol import MANIFEST_FILE

TEMPLATE_FILE = "chat_template.jinja"


class KeptModel(NamedTuple):
    base: Base
    """The model as a base for other versions."""
    path: str
    """Relative to the artifacts folder. Named by the manifest, so that storing it again adds nothing."""
    size_bytes: int


def keep_model(folder: Path) -> KeptModel:
    """Store a model folder of the training program, completely or not at all.

    Its large files are hard-linked where the disk allows, because the program never changes existing files.
    Raises UnusableModelError.
    """
    root = Path(settings.ARTIFACTS_FOLDER) / "models"
    root.mkdir(parents=True, exist_ok=True)
    base = check_base(folder)
    target = root / sha256_of(folder / MANIFEST_FILE)
    with tempfile.TemporaryDirectory(dir=root, prefix=".model-") as work:
        whole = Path(work) / "model"
        shutil.copytree(folder, whole, copy_function=_linked)
        sync_tree(whole)
        # It may be stored already, perhaps by an attempt whose transaction did not commit.
        keep_folder(whole, target)
    size = sum(file.stat().st_size for file in target.iterdir())
    path = str(target.relative_to(settings.ARTIFACTS_FOLDER))
    artifacts.keep(path)
    return KeptModel(base, path, size)


def with_template(folder: Path, chat_template: str) -> Path:
    """An artifact folder with links to a model folder's files and this chat template.

    It is named by both, so it is created once. The model's own folder is not changed.
    """
    root = Path(settings.ARTIFACTS_FOLDER) / "bases"
    root.mkdir(parents=True, exist_ok=True)
    target = root / hashlib.sha256(f"{folder}\0{chat_template}".encode()).hexdigest()
    with tempfile.TemporaryDirectory(dir=root, prefix=".base-") as work:
        whole = Path(work) / "base"
        whole.mkdir(mode=0o755)
        for path in folder.iterdir():
            if path.is_file() and path.name != TEMPLATE_FILE:
                (whole / path.name).symlink_to(path)
        (whole / TEMPLATE_FILE).write_text(chat_template, encoding="utf-8")
        sync_tree(whole)
        # It may be stored already, perhaps by an attempt whose transaction did not commit.
        keep_folder(whole, target)
    return target


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
