"""Keeps whole models that training made among the artifacts."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from run_directory.bases import Base, check_base
from run_directory.files import sha256_of, sync_folder, sync_tree
from run_directory.protocol import MANIFEST_FILE


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
        try:
            whole.rename(target)
        except OSError:
            # It has been kept already, perhaps by an attempt that ended before its transaction did.
            if not target.is_dir():
                raise
    sync_folder(root)
    size = sum(file.stat().st_size for file in target.iterdir())
    return KeptModel(base, str(target.relative_to(settings.ARTIFACTS_FOLDER)), size)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
