"""The health answer tells the truth within a bounded time, however many ask and whatever hangs."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client

from evalapp.core import health
from evalapp.core.health import ServiceCheck

pytestmark = pytest.mark.django_db


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch):
    """A database that takes the question and never answers; how often it was asked."""
    asked: list[str] = []
    over = threading.Event()

    def hang() -> None:
        asked.append(threading.current_thread().name)
        over.wait()

    monkeypatch.setitem(health.PARTS, "database", ServiceCheck(hang))
    yield asked
    over.set()


def test_a_database_that_hangs_is_away(client: Client, hung: list[str]) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json()["healthy"] is False
    assert answer.json()["database"] is False
    assert answer.json()["cache"] is True


def test_a_part_that_hangs_is_asked_once_however_many_look(
    hung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.01)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: health.check_health(), range(40)))
    assert not any(each["database"] for each in found)
    assert len(hung) == 1


def test_connections_that_requests_hold_say_nothing_about_the_database(client: Client, settings) -> None:
    """The pool of the requests may be empty while the database is well."""
    from django.db import connection

    pool = connection.pool
    assert pool is not None
    held = [pool.getconn() for _ in range(pool.max_size - pool.get_stats().get("pool_size", 0))]
    try:
        assert client.get("/healthz").json()["healthy"] is True
    finally:
        for each in held:
            pool.putconn(each)


def test_a_fault_of_ours_is_no_part_that_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down() -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(health.PARTS, "cache", ServiceCheck(break_down))
    client.raise_request_exception = False
    assert client.get("/healthz").status_code == 500


def test_a_disk_that_takes_no_writes_is_told_and_leaves_the_pages_readable(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: object) -> None:
        raise OSError(28, "No space left on device")

    assert client.get("/healthz").json()["disk"]["writes"] is True
    monkeypatch.setattr(health.disk_space, "check_writes", refuse)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["healthy"]) == (200, True)
    assert answer.json()["disk"]["writes"] is False
    assert answer.json()["disk"]["free_bytes"] > 0
