"""Saves a run directory to the store, and restores it on another machine.

Without a store (single machine), all of this does nothing.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from evalapp.core.artifacts import artifact_store, store_errors_explained
from evalapp.jobs.work import LeaseLost, Work
from run_directory.saver import RunSaver
from run_directory.saves import Save, SavedRun
from run_directory.store import StoreError

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""Interval between checks for new checkpoints and outputs."""


def saved_run(folder: Path) -> SavedRun | None:
    """A run directory's location in the store; None without a store. Raises StoreUnavailableError."""
    store = artifact_store()
    return SavedRun(store, folder.name, folder) if store is not None else None


def restore(work: Work, folder: Path, number: int) -> Save | None:
    """Bring the directory to the newest save before ``number``, if another machine made it.

    Call before writing anything there. Raises StoreUnavailableError.
    """
    saved = saved_run(folder)
    if saved is None:
        return None
    work.enter("Fetching the saved work")
    with store_errors_explained():
        found = saved.restore(number)
    if found is not None:
        work.log("The run directory is the last saved state, or newer.")
    return found


class SavedRunFollower:
    """Fetches what a cluster's node saves under ``number``: append-only files at each ``tick``, everything at
    ``finish``.

    Without a store the node works in this very directory, and nothing needs fetching.
    """

    def __init__(self, work: Work, saved: SavedRun | None, number: int) -> None:
        self._work = work
        self._saved = saved
        self._number = number
        self._latest: Save | None = None

    def tick(self) -> None:
        """Fetch new content. Raises LeaseLost when another attempt has the job; store errors are retried at
        the next tick.
        """
        if self._saved is None:
            return
        try:
            newest = self._saved.of(self._number)
            if newest is None or newest == self._latest:
                return
            self._saved.fetch(newest, growing_only=True)
            if self._latest is not None and (dropped := self._latest.objects - newest.objects):
                self._work.fence()
                self._saved.remove(dropped, manifests_before=self._number)
            self._latest = newest
        except StoreError:
            logger.warning("Job %s: the store is not available; retrying", self._work.job.pk)

    def finish(self) -> None:
        """Fetch everything that the node left. Raises StoreUnavailableError."""
        if self._saved is None:
            return
        with store_errors_explained():
            newest = self._saved.of(self._number)
            if newest is not None:
                self._saved.fetch(newest)


class Saving:
    """Context manager whose thread saves every new checkpoint and output; on exit, everything is saved.

    Store errors do not stop the run: the thread retries and logs one warning. After success, checkpoints are
    not saved. Only the last save raises StoreUnavailableError.
    """

    def __init__(self, work: Work, folder: Path, number: int, base: Save | None) -> None:
        self._work = work
        self._folder = folder
        saved = saved_run(folder)
        self._saver = RunSaver(saved, number, base) if saved is not None else None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"saving of job {work.job.pk}", daemon=True)
        self._has_warned = False
        self.has_succeeded = False

    def tick(self) -> None:
        """Remove objects from the store that the newest save no longer refers to, while certainly holding the
        lease.
        """
        if self._saver is not None and self._saver.has_dropped:
            self._work.fence()
            self._warn_on_store_error(self._saver.remove_dropped)

    def __enter__(self) -> Self:
        if self._saver is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saver is None:
            return
        self._ended.set()
        self._thread.join()
        if kind is LeaseLost or self._work.is_lost:
            return
        if self.has_succeeded:
            self._work.enter("Saving the run for other machines")
        try:
            self._saver.save(with_checkpoints=not self.has_succeeded)
        except StoreError as failure:
            if kind is None:
                with store_errors_explained():
                    raise
            self._warn(failure)

    def _run(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            if self._work.is_lost:
                return
            if self._saver is not None and self._saver.has_progress():
                self._warn_on_store_error(self._saver.save)

    def _warn_on_store_error(self, step: Callable[[], None]) -> None:
        try:
            step()
        except StoreError as error:
            self._warn(error)

    def _warn(self, error: StoreError) -> None:
        if not self._has_warned:
            self._has_warned = True
            self._work.log(
                f"{error} The run continues and is saved as soon as the store answers; until then no other"
                " machine can continue it.",
                level="warning",
            )
