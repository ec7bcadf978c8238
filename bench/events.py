"""Throughput of production events through the API into a durable PostgreSQL.

    python -m bench.events [--events 50000] [--seconds 10] [--clients 32] [--year EVENTS ...]

Targets: events per second in batches of 5,000 from two clients, as a ratio to a bare COPY of the same rows
into tables of the same shape: 0.15. Events per second from ``--clients`` clients that send one at a time:
300. Events counted into daily metrics: 1,000,000 in half an hour. Time of Monitor's pages afterwards: 150 ms,
or 300 ms from ten million events on. Three times ``--events`` are sent in batches. ``--year`` adds events by
SQL, spread over a year with daily metrics like today's, and times the pages again, with each of the numbers
of events named; ten million need 15 GB of disk.
"""

import argparse
import http.client
import json
import logging
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import psutil

from bench.ports import free_port
from bench.review_flow import installation, web_server
from proofs.figures import MISSED, report_figure

PORT = free_port()
BATCH = 5_000
SENDERS = 2
ROUNDS = 3
LEAST_RATIO, LEAST_SINGLE, LEAST_COUNTED = 0.15, 300.0, 1_000_000 / 1_800
MANY_EVENTS, PAGE_MILLISECONDS, PAGE_MILLISECONDS_OF_MANY = 10_000_000, 150.0, 300.0
LOOKS = 9
TABLES = ("evalapp_eventkey", "evalapp_productionevent")
DAYS = 365
BLOCK = 500_000

_KEYS = """
INSERT INTO evalapp_eventkey (stream_id, external_id, content_hash, happened_at)
SELECT id, 'year-' || n, md5('year' || n) || md5(n::text),
       now() - %(days)s * (n - %(stored)s) / %(events)s * interval '1 day'
FROM evalapp_stream, generate_series(%(first)s::bigint, %(last)s) AS n
"""
_EVENTS = """
INSERT INTO evalapp_productionevent
    (key_id, stream_id, happened_at, messages, conversation, context, text, model_version, fields)
SELECT key.id, key.stream_id, key.happened_at, event.messages, event.conversation, event.context,
       event.text, event.model_version, event.fields
FROM evalapp_eventkey key, (SELECT * FROM evalapp_productionevent LIMIT 1) event
WHERE key.id > %(after)s
"""
_DAYS = """
INSERT INTO evalapp_dailymetric (stream_id, day, stratum, metric, n, total, squares, buckets)
SELECT stream_id, day - number, stratum, metric, n, total, squares, buckets
FROM evalapp_dailymetric, generate_series(1, %(days)s - 1) AS number
ON CONFLICT DO NOTHING
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--year", type=int, nargs="*", default=[], metavar="EVENTS")
    options = parser.parse_args()
    with installation(PORT) as home:
        sys.exit(0 if measure(options, home) else MISSED)


def measure(options: argparse.Namespace, home: Path) -> bool:
    address, token = prepare()
    batched, bare = [], []
    with web_server(home, PORT):
        for number in range(ROUNDS):
            bodies = batches(options.events, first=number * options.events)
            batched.append(in_batches(address, token, bodies))
            bare.append(bare_copy(options.events))
        single = one_at_a_time(address, token, options.clients, options.seconds)
    ours, copied = (options.events / statistics.median(seconds) for seconds in (batched, bare))
    print(f"batches of {min(BATCH, options.events):,}, median of {ROUNDS}; a bare COPY {copied:,.0f} rows/s")
    reached = [
        report_figure("in batches", ours, "events/s"),
        report_figure("of a bare COPY's pace", ours / copied, at_least=LEAST_RATIO),
        report_figure(f"{options.clients} single clients", single, "events/s", at_least=LEAST_SINGLE),
    ]
    events, seconds, megabytes = count()
    reached += [
        report_figure("counted by day", events / seconds, "events/s", at_least=LEAST_COUNTED),
        report_figure("memory of counting", megabytes, "MB"),
        time_pages(token, events),
    ]
    stored = 0
    for wanted in options.year:
        fill_year(stored, wanted)
        stored = wanted
        reached.append(time_pages(token, events + stored))
    return all(reached)


def prepare() -> tuple[str, str]:
    """Create a stream; returns its API address and a token that may send to it."""
    from datetime import timedelta

    from django.utils import timezone

    from evalapp.accounts.models import Membership, Project, Role, User
    from evalapp.accounts.tokens import create_api_token
    from evalapp.monitoring.services import StreamPlan, create_stream
    from evalapp.rubrics.services import create_rubric

    engineer = User.objects.create_user("engineer@bench.example")
    reviewer = User.objects.create_user("reviewer@bench.example")
    project = Project.objects.create(name="Bench", slug="bench")
    Membership.objects.create(project=project, user=engineer, role=Role.OWNER)
    Membership.objects.create(project=project, user=reviewer, role=Role.REVIEWER)
    rubric = create_rubric(project=project, name="House", template="summaries", by=engineer)
    plan = StreamPlan(
        name="Support chat",
        rubric_version=rubric.versions.get(),
        reviewers=[reviewer],
        outputs_per_week=40,
        stratify_by="topic",
        next_sample_at=timezone.now() + timedelta(days=7),
    )
    stream = create_stream(project=project, plan=plan, site=f"http://127.0.0.1:{PORT}", by=engineer)
    token = create_api_token(user=engineer, name="Bench", by=engineer).secret
    return f"/api/v1/projects/bench/streams/{stream.pk}/events/", token


def event(number: int, random: Random) -> dict[str, Any]:
    """An event with a question of 40 words, a retrieved context of 100 and an answer of 60."""

    def text(words: int) -> str:
        return " ".join(f"word{random.randrange(5_000)}" for _ in range(words))

    return {
        "id": f"event-{number}",
        "time": datetime.now(UTC).isoformat(),
        "model": "v3",
        "prompt": text(40),
        "context": text(100),
        "output": text(60),
        "fields": {"topic": random.choice(["funds", "loans", "cards"]), "channel": "chat"},
    }


def batches(events: int, *, first: int) -> list[bytes]:
    random = Random(first)
    rows = [event(number, random) for number in range(first, first + events)]
    parts = (rows[start : start + BATCH] for start in range(0, events, BATCH))
    return [json.dumps({"events": part}).encode() for part in parts]


def send(connection: http.client.HTTPConnection, address: str, token: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", address, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 201:
        raise SystemExit(f"{answer.status}: {content[:500]!r}")


def in_batches(address: str, token: str, bodies: Sequence[bytes]) -> float:
    """Send all batches; returns the seconds until everything is stored."""
    left = list(bodies)

    def work(connection: http.client.HTTPConnection) -> None:
        while True:
            try:
                body = left.pop()
            except IndexError:
                return
            send(connection, address, token, body)

    return _seconds_of_all(SENDERS, work)


def one_at_a_time(address: str, token: str, clients: int, seconds: float) -> float:
    """Send single events from many clients; returns events per second."""
    end = time.monotonic() + seconds
    sent: list[int] = []
    numbers = iter(range(10**9, 2 * 10**9))

    def work(connection: http.client.HTTPConnection) -> None:
        count = 0
        while time.monotonic() < end:
            number = next(numbers)
            body = json.dumps({"events": [event(number, Random(number))]}).encode()
            send(connection, address, token, body)
            count += 1
        sent.append(count)

    took = _seconds_of_all(clients, work)
    return sum(sent) / took


def _seconds_of_all(clients: int, work: Callable[[http.client.HTTPConnection], None]) -> float:
    failed: list[BaseException] = []

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        try:
            work(connection)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return time.perf_counter() - began


def count() -> tuple[int, float, float]:
    """Count events into daily metrics; returns their number, the seconds, and the growth of this process in
    MB, measured after each turn.
    """
    from evalapp.monitoring.daily.counting import count_everywhere

    process = psutil.Process()
    before, most, events = process.memory_info().rss, 0, 0
    began = time.perf_counter()
    while counted := count_everywhere():
        events += counted
        most = max(most, process.memory_info().rss - before)
    return events, time.perf_counter() - began, most / 1e6


def fill_year(stored: int, wanted: int) -> None:
    """Store more events, spread over a year, as counted ones, until there are ``wanted`` of them."""
    from django.db import connection
    from django.db.models import Max

    from evalapp.monitoring.daily.models import DailyMetric
    from evalapp.monitoring.events.models import EventKey
    from evalapp.monitoring.models import Stream

    def newest() -> int:
        return int(EventKey.objects.aggregate(key=Max("pk"))["key"])

    began = time.perf_counter()
    with connection.cursor() as cursor:
        for first in range(stored, wanted, BLOCK):
            after, last = newest(), min(first + BLOCK, wanted) - 1
            spread = {"days": DAYS, "stored": stored, "events": wanted - stored}
            cursor.execute(_KEYS, {**spread, "first": first, "last": last})
            cursor.execute(_EVENTS, {"after": after})
        cursor.execute(_DAYS, {"days": DAYS})
        cursor.execute("VACUUM ANALYZE")
    Stream.objects.update(counted_events=newest())
    print(
        f"{wanted:,} events and {DailyMetric.objects.count():,} daily metrics of a year stored in"
        f" {time.perf_counter() - began:.0f} s",
        flush=True,
    )


def time_pages(token: str, events: int) -> bool:
    """Report the median time of each page; returns whether all are quick enough."""
    most = PAGE_MILLISECONDS if events < MANY_EVENTS else PAGE_MILLISECONDS_OF_MANY
    reached = [
        report_figure(f"{name} of {events:,} events", milliseconds, "ms", at_most=most)
        for name, milliseconds in pages_of_monitor(token).items()
    ]
    return all(reached)


def pages_of_monitor(token: str) -> dict[str, float]:
    """Milliseconds of each page, rendered in this process for its owner; the first request is not counted."""
    logging.disable()
    from django.test import Client

    from evalapp.accounts.models import User
    from evalapp.monitoring.models import Stream

    person = User.objects.get(email="engineer@bench.example")
    client = Client(HTTP_HOST="localhost")
    client.force_login(person, backend="evalapp.accounts.backends.AccountBackend")
    found = {}
    monitor = "/projects/bench/monitor/"
    stream = f"{monitor}{Stream.objects.get().pk}/"
    api = f"/api/v1/projects/bench/streams/{Stream.objects.get().pk}/daily-metrics/"
    pages = {"Monitor": monitor, "stream": stream, "all daily metrics by the API": api}
    for name, address in pages.items():
        took = []
        for _ in range(LOOKS + 1):
            began = time.perf_counter()
            answer = client.get(address, headers={"authorization": f"Bearer {token}"})
            took.append((time.perf_counter() - began) * 1000)
            if answer.status_code != 200:
                raise SystemExit(f"{address}: {answer.status_code}")
        found[name] = statistics.median(took[1:])
    return found


def bare_copy(events: int) -> float:
    """Seconds to COPY the last ``events`` rows into tables of the same shape and indexes."""
    from django.db import connection, transaction

    blocks: dict[str, list[bytes]] = {}
    with connection.cursor() as cursor:
        for table, key in zip(TABLES, ("id", "key_id"), strict=True):
            cursor.execute(f"DROP TABLE IF EXISTS bare_{table}")
            cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY)")
            query = f"COPY (SELECT * FROM {table} ORDER BY {key} DESC LIMIT {events}) TO STDOUT"
            with cursor.copy(query) as copy:
                blocks[table] = [bytes(block) for block in copy]
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        for table, rows in blocks.items():
            with cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:
                for block in rows:
                    copy.write(block)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
