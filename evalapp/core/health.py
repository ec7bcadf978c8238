"""The checks of `/healthz`. Each part is asked on a thread of its own, and waited for a bounded time."""

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
"""A part that has not answered after this long counts as away."""


@dataclass
class ServiceCheck:
    """Something that must answer; ``ask`` raises one of AWAY, or an OSError, where it does not.

    It is asked by one thread at a time: however many look at once, a part that hangs holds one thread.
    """

    ask: Callable[[], object]
    _lock: Lock = field(default_factory=Lock)
    _answer: Future[bool] | None = None

    def asked(self) -> Future[bool]:
        """The answer that is under way, or a new one: False where the part is away."""
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
    # Not from the pool of the requests: they may hold every connection of it.
    with psycopg.connect(**connection.get_connection_params()) as own:
        own.execute("SELECT 1")


def _ask_cache() -> None:
    cache.get("healthz")


def _ask_disk() -> None:
    disk_space.check_writes(settings.HOME)


PARTS = {"database": ServiceCheck(_ask_database), "cache": ServiceCheck(_ask_cache)}
DISK = ServiceCheck(_ask_disk)


def check_health() -> dict[str, Any]:
    """``healthy`` and, for each part, whether it answers; after ANSWER_SECONDS at the latest.

    A disk that takes no writes is told and does not make it unhealthy: pages can still be read.
    """
    asked = {name: part.asked() for name, part in PARTS.items()}
    written = DISK.asked()
    answers = {name: _within(answer) for name, answer in asked.items()}
    writes = _within(written)
    # A disk that hangs would hang here, too.
    free_bytes = disk_space.free_bytes(settings.HOME) if written.done() else None
    return {
        "healthy": all(answers.values()),
        **answers,
        "disk": {"writes": writes, "free_bytes": free_bytes},
    }


def _within(answer: Future[bool]) -> bool:
    try:
        return answer.result(ANSWER_SECONDS)
    except TimeoutError:
        return False
