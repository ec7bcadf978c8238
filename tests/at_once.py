"""Tests concurrency with real threads on real connections."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

from django.db import connection


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work(number)`` in threads that start together; results in order, errors as values."""
    barrier = Barrier(count)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 - the test asserts on it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def until_somebody_waits() -> None:
    """Return once another connection waits for a lock of this one."""
    with connection.cursor() as database:
        for _ in range(1000):
            database.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() ="
                " ANY(pg_blocking_pids(pid))"
            )
            if database.fetchone()[0]:
                return
            Event().wait(0.02)
    raise AssertionError("Nobody waited.")
