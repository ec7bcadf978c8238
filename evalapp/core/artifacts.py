"""Artifacts: folders below ARTIFACTS_FOLDER on this machine and in the store.

With one machine only the folder is used, and nothing is copied. With several (EVALAPP_ARTIFACTS) the store
has every artifact, and the folder those that this machine has made or fetched.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from evalapp.core.errors import ProblemError
from run_directory.store import Store, StoreError, opened
from run_directory.trees import fetch_tree, remove_tree, store_tree

_STORE_PREFIX = "artifacts"


class StoreUnavailableError(ProblemError):
    """The store between machines cannot be used now (503)."""

    status = 503
    code = "store_away"


def artifact_store() -> Store | None:
    """The store between machines; None with a single machine. Raises StoreUnavailableError."""
    if not settings.ARTIFACT_STORE:
        return None
    with store_errors_explained():
        return opened(settings.ARTIFACT_STORE)


def keep(path: str) -> None:
    """Copy a complete artifact from this machine's folder to the store. Raises StoreUnavailableError."""
    store = artifact_store()
    if store is not None:
        with store_errors_explained():
            store_tree(store, _folder(path), f"{_STORE_PREFIX}/{path}")


def fetched(path: str) -> Path:
    """The artifact's folder on this machine, fetched from the store when it is missing.

    The folder does not exist if the store does not have it either. Raises StoreUnavailableError.
    """
    folder = _folder(path)
    if not folder.is_dir() and (store := artifact_store()) is not None:
        with store_errors_explained():
            fetch_tree(store, f"{_STORE_PREFIX}/{path}", folder)
    return folder


def remove_from_store(name: str) -> None:
    """Remove ``artifacts/…`` or ``runs/…`` from the store, so that no machine fetches it again.

    Raises StoreUnavailableError.
    """
    store = artifact_store()
    if store is not None:
        with store_errors_explained():
            remove_tree(store, name)


@contextmanager
def store_errors_explained() -> Iterator[None]:
    """Turn StoreErrors in the block into StoreUnavailableError."""
    try:
        yield
    except StoreError as error:
        raise StoreUnavailableError(
            f"{error} Nothing half-done was kept. Try again when it can be reached; EVALAPP_ARTIFACTS names"
            " it, and its keys come from this process's environment."
        ) from error


def _folder(path: str) -> Path:
    return Path(settings.ARTIFACTS_FOLDER) / path
