"""Reviewing through the pages: concurrent reviewers against gunicorn and a durable PostgreSQL.

    python -m bench.review_flow [--clients 8] [--items 10000] [--seconds 20]

Two runs on the same server, one after the other. *pages* opens the next page and then submits, as a browser
without scripts does: two requests per review. *script* works as the page's script does: the response to a
submission already contains the next content, so a review is one request. Targets with 8 clients: 100 reviews
per second, and 100 ms for the p95 of each request.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bench.databases import temporary_database
from bench.ports import free_port
from proofs.figures import MISSED, report_figure

PORT = free_port()
TEMPLATE = "BENCH_DATABASE_TEMPLATE"
WARM_UP = 3.0
LEAST_RATE, MOST_MILLISECONDS = 100.0, 100.0
SENTENCE = "the client holds a broad fund and asks what a calmer plan would cost in fees and in growth"
SCORES = {"accuracy": 4, "clarity": 5, "tone": 3, "personalization": 4, "material-factual-error": 0}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with installation(PORT) as home:
        sys.exit(0 if measure(options, home) else MISSED)


@contextmanager
def installation(port: int) -> Iterator[Path]:
    """Set up a temporary home with a durable database and a broker, and configure this process for it.

    If BENCH_DATABASE_TEMPLATE is set to the URL of a migrated, empty, unused database, a copy of it and the
    broker at REDIS_URL are used instead: this starts at once, but the measurements are meaningless.
    """
    home = Path(tempfile.mkdtemp(prefix="evalapp-bench-", dir="/tmp"))
    os.environ["EVALAPP_HOME"] = str(home)
    os.environ["EVALAPP_BIND"] = f"127.0.0.1:{port}"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")
    template = os.environ.get(TEMPLATE)
    try:
        with _copied_database(template) if template else _own_servers():
            import django

            django.setup()
            from django.core.management import call_command

            (home / "build").mkdir()
            call_command("migrate", verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _own_servers() -> Iterator[None]:
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    from evalapp.embedded.postgres import PostgresServer
    from evalapp.embedded.valkey import ValkeyServer
    from evalapp.env import read_environment

    environment = read_environment()
    servers = [PostgresServer(environment), ValkeyServer(environment)]
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in reversed(servers):
            server.stop()


@contextmanager
def _copied_database(template: str) -> Iterator[None]:
    with temporary_database(template, template=urlsplit(template).path.removeprefix("/")) as url:
        os.environ["DATABASE_URL"] = url
        yield


@contextmanager
def web_server(home: Path, port: int) -> Iterator[None]:
    """Run gunicorn as the product starts it (2 processes of 4 threads)."""
    with (home / "gunicorn.log").open("w") as log:
        command = [sys.executable, "-m", "gunicorn", "--config", "python:evalapp.embedded.web_server"]
        web = subprocess.Popen([*command, "evalapp.wsgi:application"], stdout=log, stderr=log)
        try:
            wait_until_up(port)
            yield
        finally:
            web.terminate()
            web.wait(20)


def measure(options: argparse.Namespace, home: Path) -> bool:
    started = time.monotonic()
    campaign_key, cookies = prepare(options.items, options.clients)
    print(f"campaign of {options.items:,} items opened; set up in {time.monotonic() - started:.1f} s")
    reached = []
    with web_server(home, PORT):
        for style in ("pages", "script"):
            numbers = load(style, campaign_key, cookies, options.seconds)
            print(f"{style}: {numbers.in_words()}")
            p95 = max(numbers.p95("next"), numbers.p95("submit"))
            reached += [
                report_figure(style, numbers.rate, "reviews/s", at_least=LEAST_RATE),
                report_figure(f"{style}, p95", p95, "ms", at_most=MOST_MILLISECONDS),
            ]
    check_quota()
    return all(reached)


def prepare(items: int, clients: int, overlap: int = 3) -> tuple[str, list[str]]:
    """Create a project, signed-in reviewers and an open campaign; returns its key and their cookies."""
    from django.conf import settings
    from django.test import Client

    from evalapp.accounts.models import Membership, Project, Role, User
    from evalapp.campaigns.design import CampaignDesign
    from evalapp.campaigns.services import create_campaign, open_campaign
    from evalapp.rubrics.services import create_rubric

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    project = Project.objects.create(name="Bench", slug="bench")
    people = [User.objects.create_user(f"reviewer{n}@bench.example") for n in range(clients)]
    Membership.objects.bulk_create(
        Membership(project=project, user=person, role=Role.REVIEWER) for person in people
    )
    version, candidate = make_answers(project, items)
    rubric = create_rubric(project=project, name="House", template="summaries", by=None)
    campaign = create_campaign(
        project=project,
        design=CampaignDesign(
            name="Bench",
            rubric_version=rubric.versions.get(),
            dataset_version=version,
            split="test",
            candidates=[candidate],
            overlap=overlap,
            reviewers=people,
        ),
        by=None,
    )
    campaign = open_campaign(campaign=campaign, by=None)
    cookies = []
    for person in people:
        client = Client()
        client.force_login(person, backend="evalapp.accounts.backends.AccountBackend")
        cookies.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    return str(campaign.key), cookies


def make_answers(project: Any, items: int) -> tuple[Any, Any]:
    """Create a dataset version of ``items`` test rows and a candidate that has answered each."""
    from django.utils import timezone

    from evalapp.datasets.rows import ExampleRow
    from evalapp.datasets.services import create_dataset, create_version
    from evalapp.jobs.models import Job, JobState
    from evalapp.registry.services import register_imported
    from evalapp.runs.models import Output, Run, RunCandidate, RunKind

    text = " ".join([SENTENCE] * 10)
    version = create_version(
        dataset=create_dataset(project=project, name="Rows", by=None),
        rows=(
            ExampleRow(split="test", messages=[{"role": "user", "content": f"{n}: {text}"}], context=text)
            for n in range(items)
        ),
        by=None,
    )
    candidate = register_imported(project=project, label="Answers", by=None)
    job = Job.objects.create(
        project=project, task="bench", title="Bench", state=JobState.SUCCEEDED, finished_at=timezone.now()
    )
    run_row = Run.objects.create(
        project=project, kind=RunKind.IMPORT, name="Bench", job=job, dataset_version=version, splits=["test"]
    )
    RunCandidate.objects.create(run=run_row, model_version=candidate, key="answers")
    Output.objects.bulk_create(
        (
            Output(run=run_row, example_id=pk, candidate=candidate, text=f"**{pk}** {text}\n\n- {text}")
            for pk in version.examples.values_list("pk", flat=True)
        ),
        batch_size=2000,
    )
    return version, candidate


def wait_until_up(port: int = PORT) -> None:
    for _ in range(1_200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The web server did not start.")


def assignment_in(task: dict[str, Any]) -> str:
    _, assignment, slot, _ = task["url"].rsplit("/", 3)
    return f"assignment={assignment}&slot={slot}"


class Reviewer:
    """A browser that keeps its connection, session and token."""

    def __init__(self, campaign_key: str, cookie: str, port: int = PORT) -> None:
        self.next_address = f"/reviews/campaigns/{campaign_key}/"
        self.session = f"sessionid={cookie}"
        self.token = ""
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.times: dict[str, list[float]] = {"next": [], "submit": []}
        self.reviews = 0

    def ask(self, kind: str, method: str, address: str, body: Any = None, **headers: str) -> str:
        headers["Cookie"] = self.session + (f"; csrftoken={self.token}" if self.token else "")
        if self.token:
            headers["X-CSRFToken"] = self.token
        started = time.perf_counter()
        self.connection.request(method, address, json.dumps(body) if body else None, headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        self.times[kind].append(time.perf_counter() - started)
        if response.status not in (200, 201):
            raise SystemExit(f"{method} {address} answered {response.status}: {text[:300]}")
        for cookie in response.headers.get_all("Set-Cookie") or ():
            if cookie.startswith("csrftoken="):
                self.token = cookie.split(";")[0].removeprefix("csrftoken=")
        return text

    def submission(self, client_id: str) -> dict[str, Any]:
        answers = {"scores": SCORES, "tags": {}, "comment": "", "correction": None}
        return {"client_id": client_id, "answers": answers, "seconds_active": 20.5, "revision": 0}

    def by_pages(self, stop: threading.Event) -> None:
        while not stop.is_set():
            page = self.ask("next", "GET", self.next_address)
            address = re.search(r'action="([^"]+)" class="review-panes"', page)
            client_id = re.search(r'name="client_id" value="([^"]+)"', page)
            if address is None or client_id is None:
                return
            self.ask("submit", "POST", address[1], self.submission(client_id[1]), **JSON)
            self.reviews += 1

    def by_script(self, stop: threading.Event) -> None:
        self.ask("next", "GET", self.next_address)
        on_screen = json.loads(self.ask("next", "GET", self.next_address, **JSON))
        ahead = json.loads(self.ask("next", "GET", f"{self.next_address}?{assignment_in(on_screen)}", **JSON))
        while not stop.is_set() and ahead and "url" in ahead:
            address = f"{on_screen['url']}?ahead&{assignment_in(ahead)}"
            answer = self.ask("submit", "POST", address, self.submission(on_screen["client_id"]), **JSON)
            self.reviews += 1
            on_screen, ahead = ahead, json.loads(answer)["ahead"]

    def forget(self) -> None:
        self.times = {"next": [], "submit": []}
        self.reviews = 0


class Values(NamedTuple):
    """Result of a load: reviews, elapsed seconds, and each request's seconds by kind, sorted."""

    clients: int
    reviews: int
    seconds: float
    times: dict[str, list[float]]

    @property
    def rate(self) -> float:
        return self.reviews / self.seconds

    def p95(self, kind: str) -> float:
        """95th percentile in milliseconds."""
        values = self.times[kind]
        return 1000 * values[int(0.95 * len(values))] if values else float("inf")

    def median(self, kind: str) -> float:
        return 1000 * statistics.median(self.times[kind] or [float("inf")])

    def in_words(self) -> str:
        lines = [
            f"{self.rate:.1f} reviews/s with {self.clients} clients ({self.reviews} in {self.seconds:.0f} s)"
        ]
        lines += [
            f"  {kind}: median {self.median(kind):.1f} ms, p95 {self.p95(kind):.1f} ms" for kind in self.times
        ]
        return "\n".join(lines)


def load(style: str, campaign_key: str, cookies: list[str], seconds: float, *, port: int = PORT) -> Values:
    """Run the flow of ``style`` ("pages" or "script") with one client per cookie, after a warm-up."""
    people = [Reviewer(campaign_key, cookie, port) for cookie in cookies]
    return run_clients(people, f"by_{style}", seconds)


def run_clients(people: Sequence[Any], method: str, seconds: float) -> Values:
    """Run all clients at once, each by its method ``method``; only requests after the warm-up count."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def work(person: Any) -> None:
        try:
            getattr(person, method)(stop)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - reported below, in the main thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    # The clients work meanwhile. Not longer than the measurement, or a tiny run would be mostly warm-up.
    time.sleep(min(WARM_UP, seconds))
    for person in people:
        person.forget()
    started = time.perf_counter()
    time.sleep(seconds)
    elapsed = time.perf_counter() - started
    reviews = sum(person.reviews for person in people)
    times = {kind: sorted(t for person in people for t in person.times[kind]) for kind in ("next", "submit")}
    # If the response to a submission brings the next item, waiting for that takes as long as the submission.
    times["next"] = times["next"] or times["submit"]
    stop.set()
    for thread in threads:
        thread.join()
    # A result with fewer clients than stated would be meaningless.
    if failed:
        raise SystemExit(f"{len(failed)} of {len(people)} clients failed; the first: {failed[0]!r}")
    return Values(len(people), reviews, elapsed, times)


def check_quota() -> None:
    """Check that no review was lost or stored twice; otherwise the measurements are invalid."""
    from django.db.models import Count, F, Sum

    from evalapp.campaigns.models import Assignment, CampaignReviewer
    from evalapp.reviews.models import Review, Score

    reviews = Review.objects.count()
    doubled = (
        Review.objects.values("assignment", "item_output").annotate(n=Count("id")).filter(n__gt=1).count()
    )
    by_assignments = Assignment.objects.aggregate(n=Sum("reviews_done"))["n"]
    by_people = CampaignReviewer.objects.aggregate(n=Sum("reviews_done"))["n"]
    over = Assignment.objects.filter(reviews_done__gt=F("outputs_total")).count()
    print(f"stored {reviews}: doubled {doubled}, over quota {over}, scores {Score.objects.count()}")
    if doubled or over or not reviews == by_assignments == by_people or Score.objects.count() != 5 * reviews:
        raise SystemExit("The tables contradict one another.")


if __name__ == "__main__":
    main()
