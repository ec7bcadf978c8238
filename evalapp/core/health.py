"""The checks of `/healthz`: each part is checked in its own thread, with a time limit."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

import psycopg
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from evalapp.core.outages import AWAY
from run_directory import disk_space

ANSWER_SECONDS = 2.0
"""A part that has not answered after this many seconds counts as unavailable."""


@dataclass
class ServiceCheck:
    """A part to check; ``ask`` raises one of AWAY, or an OSError, if it does not answer.

    At most one thread runs a check: a part that hangs holds one thread, however many requests ask.
    """

    ask: Callable[[], object]
    _lock: Lock = field(default_factory=Lock)
    _answer: Future[bool] | None = None

    def pending_answer(self) -> Future[bool]:
        """The pending answer, or a new one: False if the part is unavailable."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                Thread(target=self._carry_out, args=[self._answer], daemon=True).start()
            return self._answer

    def _carry_out(self, answer: Future[bool]) -> None:
        try:
            self.ask()
        except (*AWAY, OSError):
            answer.set_result(False)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(error)
        else:
            answer.set_result(True)


def _ask_database() -> None:
    # Not from the request pool, whose connections may all be in use.
    with psycopg.connect(**connection.get_connection_params()) as own:
        own.execute("SELECT 1")


def _ask_cache() -> None:
    cache.get("healthz")


def _ask_disk() -> None:
    disk_space.check_writes(settings.HOME)


PARTS = {"database": ServiceCheck(_ask_database), "cache": ServiceCheck(_ask_cache)}
DISK = ServiceCheck(_ask_disk)


def check_health() -> dict[str, Any]:
    """``healthy`` and whether each part answers, each awaited for at most ANSWER_SECONDS.

    A disk that takes no writes is reported but does not count as unhealthy: pages can still be read.
    """
    pending_answer = {name: part.pending_answer() for name, part in PARTS.items()}
    written = DISK.pending_answer()
    answers = {name: _result_in_time(answer) for name, answer in pending_answer.items()}
    writes = _result_in_time(written)
    # If the disk hangs, this call would hang too.
    free_bytes = disk_space.free_bytes(settings.HOME) if written.done() else None
    return {
        "healthy": all(answers.values()),
        **answers,
        "disk": {"writes": writes, "free_bytes": free_bytes},
    }


def _result_in_time(answer: Future[bool]) -> bool:
    try:
        return answer.result(ANSWER_SECONDS)
    except TimeoutError:
        return False
