"""Artifacts: folders below ARTIFACTS_FOLDER on this machine and in the store.

With one machine the folder is all there is, and nothing is copied. With several (EVALAPP_ARTIFACTS) the store
has every artifact, and the folder those that this machine has made or needed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from evalapp.core.errors import ProblemError
from run_directory.store import Store, StoreError, opened
from run_directory.trees import fetch_tree, remove_tree, store_tree

_PLACE = "artifacts"


class StoreUnavailableError(ProblemError):
    """The store between machines cannot be used now (503)."""

    status = 503
    code = "store_away"


def artifact_store() -> Store | None:
    """The store between machines, or None where there is one machine alone. Raises StoreAwayError."""
    if not settings.ARTIFACT_STORE:
        return None
    with store_errors_explained():
        return opened(settings.ARTIFACT_STORE)


def keep(path: str) -> None:
    """Let other machines have an artifact that is whole in this one's folder. Raises StoreAwayError."""
    store = artifact_store()
    if store is not None:
        with store_errors_explained():
            store_tree(store, _folder(path), f"{_PLACE}/{path}")


def fetched(path: str) -> Path:
    """The artifact's folder on this machine, fetched from the store when it is missing.

    The folder may not be there where no store has it either. Raises StoreAwayError.
    """
    folder = _folder(path)
    if not folder.is_dir() and (store := artifact_store()) is not None:
        with store_errors_explained():
            fetch_tree(store, f"{_PLACE}/{path}", folder)
    return folder


def remove_from_store(name: str) -> None:
    """Remove what has been stored of ``artifacts/…`` or ``runs/…``, so that no machine fetches it again.

    Raises StoreAwayError.
    """
    store = artifact_store()
    if store is not None:
        with store_errors_explained():
            remove_tree(store, name)


@contextmanager
def store_errors_explained() -> Iterator[None]:
    """Turn the store's errors in the block into StoreAwayError."""
    try:
        yield
    except StoreError as error:
        raise StoreUnavailableError(
            f"{error} Nothing half-done was kept. Try again when it can be reached; EVALAPP_ARTIFACTS names"
            " it, and its keys come from this process's environment."
        ) from error


def _folder(path: str) -> Path:
    return Path(settings.ARTIFACTS_FOLDER) / path
