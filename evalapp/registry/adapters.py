"""Stores adapters as artifacts. The copy is checked, not the source, so nothing can change after the
check.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from django.conf import settings

from evalapp.core import artifacts
from run_directory.adapters import (
    ADAPTER_FILES,
    CONFIG_FILE,
    MOST_CONFIG_BYTES,
    WEIGHTS_FILE,
    Adapter,
    check_adapter,
    check_files,
    check_fit,
)
from run_directory.bases import Base
from run_directory.files import keep_folder, sha256_of, sync_tree
from run_directory.model_files import UnusableModelError, opened, reading
from run_directory.protocol import MANIFEST_FILE
from run_directory.weights import Tensor, read_header

_BLOCK = 2**20


class AdapterSource(Protocol):
    """Source of an adapter's files. Reading raises UnusableModelError or InvalidError."""

    def holds(self, name: str) -> bool: ...

    def tensors(self) -> tuple[dict[str, Tensor], int]:
        """The weights' tensors and file size in bytes, from the header alone."""
        ...

    def blocks(self, name: str) -> Iterator[bytes]: ...


class AdapterFolder:
    """An adapter in a folder. Raises UnusableModelError when files are missing."""

    def __init__(self, folder: Path) -> None:
        check_files(folder)
        self._folder = folder

    def holds(self, name: str) -> bool:
        with reading(self._folder):
            return (self._folder / name).exists()

    def tensors(self) -> tuple[dict[str, Tensor], int]:
        path = self._folder / WEIGHTS_FILE
        with reading(path):
            return read_header(path), path.stat().st_size

    def blocks(self, name: str) -> Iterator[bytes]:
        path = self._folder / name
        with reading(path), opened(path) as file:
            while block := file.read(_BLOCK):
                yield block


class KeptAdapter(NamedTuple):
    adapter: Adapter
    path: str
    """Relative to the artifacts folder. Named by the content, so that storing it again copies nothing."""
    size_bytes: int
    """Size of the weights file."""


def keep_adapter(source: AdapterSource, base: Base) -> KeptAdapter:
    """Copy an adapter into the artifacts, completely or not at all.

    The settings and the weights' header are checked first, so that weights that do not fit the base are not
    copied. Raises UnusableModelError or the source's own error.
    """
    root = Path(settings.ARTIFACTS_FOLDER) / "adapters"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".adapter-") as work:
        whole = Path(work) / "adapter"
        whole.mkdir(mode=0o755)
        try:
            _copy_all(source, whole, base)
            adapter = check_adapter(whole, base)
        except UnusableModelError as error:
            # Remove the temporary folder from the message: the importer does not know it, and it is deleted
            # by then.
            text = str(error).replace(f"{whole}/", "").replace(str(whole), "the adapter's folder")
            raise UnusableModelError(text) from error
        hashes = {name: sha256_of(whole / name) for name in ADAPTER_FILES if (whole / name).is_file()}
        target = root / hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
        size = (whole / WEIGHTS_FILE).stat().st_size
        sync_tree(whole)
        # It may be stored already, perhaps by an attempt whose transaction did not commit.
        keep_folder(whole, target)
    path = str(target.relative_to(settings.ARTIFACTS_FOLDER))
    artifacts.keep(path)
    return KeptAdapter(adapter, path, size)


def _copy_all(source: AdapterSource, whole: Path, base: Base) -> None:
    for name in (CONFIG_FILE, MANIFEST_FILE):
        if source.holds(name):
            _copy(source, name, whole, most=MOST_CONFIG_BYTES)
    if source.holds(WEIGHTS_FILE):
        tensors, size = source.tensors()
        check_fit(whole, tensors, base)
        _copy(source, WEIGHTS_FILE, whole, most=size)


def _copy(source: AdapterSource, name: str, whole: Path, *, most: int) -> None:
    copied = 0
    with (whole / name).open("xb") as file:
        for block in source.blocks(name):
            copied += len(block)
            if copied > most:
                raise UnusableModelError(
                    f"{name} has more than {most:,} bytes, too many for an adapter; save the adapter again"
                )
            file.write(block)
