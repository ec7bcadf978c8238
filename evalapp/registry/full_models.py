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
    """The model as others stand on it."""
    path: str
    """Relative to the artifacts; named by the manifest, so keeping it again stores nothing twice."""
    size_bytes: int


def keep_model(folder: Path) -> KeptModel:
    """Keep a model folder of the training program, whole or not at all.

    Its files are linked where the disk allows it: they are large, and the program never writes into one
    that is there. Raises UnusableModelError.
    """
    root = Path(settings.ARTIFACTS_FOLDER) / "models"
    root.mkdir(parents=True, exist_ok=True)
    base = check_base(folder)
    target = root / sha256_of(folder / MANIFEST_FILE)
    with tempfile.TemporaryDirectory(dir=root, prefix=".model-") as work:
        whole = Path(work) / "model"
        shutil.copytree(folder, whole, copy_function=_linked)
        sync_tree(whole)
        # It may have been kept already, perhaps by an attempt that ended before its transaction did.
        keep_folder(whole, target)
    size = sum(file.stat().st_size for file in target.iterdir())
    path = str(target.relative_to(settings.ARTIFACTS_FOLDER))
    artifacts.keep(path)
    return KeptModel(base, path, size)


def with_template(folder: Path, chat_template: str) -> Path:
    """A folder of ours with links to the files of a model folder, and this chat template.

    Named by both, so that it is made once. The model's own files stay where they are, and as they are.
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
        # It may have been kept already, perhaps by an attempt that ended before its transaction did.
        keep_folder(whole, target)
    return target


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
