"""Reviewing through the pages: concurrent reviewers against gunicorn and a durable PostgreSQL.

    python -m bench.review_flow [--clients 8] [--items 10000] [--seconds 20]

Two runs on the same server, one after the other: *pages* opens the next page and then submits, as
without a script; *script* submits and fetches the next content ahead, as the page's script does.
A review is one of each. Figures to reach with 8 clients: 100 reviews/s, p95 of each request 100 ms.
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
from pathlib import Path
from typing import Any

PORT = 18_641
WARM_UP = 3.0
SENTENCE = "the client holds a broad fund and asks what a calmer plan would cost in fees and in growth"
SCORES = {"accuracy": 4, "clarity": 5, "tone": 3, "personalization": 4, "material-factual-error": 0}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="evalapp-bench-", dir="/tmp"))
    os.environ["EVALAPP_HOME"] = str(home)
    os.environ["EVALAPP_BIND"] = f"127.0.0.1:{PORT}"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")
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
        sys.exit(0 if measure(options, home) else 1)
    finally:
        for server in reversed(servers):
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


def measure(options: argparse.Namespace, home: Path) -> bool:
    import django

    django.setup()
    from django.core.management import call_command

    (home / "build").mkdir()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    started = time.monotonic()
    campaign_key, cookies = prepare(options.items, options.clients)
    print(f"campaign of {options.items:,} items opened; set up in {time.monotonic() - started:.1f} s")
    with (home / "gunicorn.log").open("w") as log:
        command = [sys.executable, "-m", "gunicorn", "--config", "python:evalapp.embedded.web_server"]
        web = subprocess.Popen([*command, "evalapp.wsgi:application"], stdout=log, stderr=log)
        try:
            wait_until_up()
            good = True
            for style in ("pages", "script"):
                good &= run(style, campaign_key, cookies, options.seconds)
        finally:
            web.terminate()
            web.wait(20)
    check_quota()
    return good


def prepare(items: int, clients: int) -> tuple[str, list[str]]:
    """A project, reviewers who are signed in, and an open campaign; its key and their cookies."""
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
            overlap=3,
            reviewers=people,
        ),
        by=None,
    )
    campaign = open_campaign(campaign=campaign, by=None)
    cookies = []
    for person in people:
        client = Client()
        client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        cookies.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    return str(campaign.key), cookies


def make_answers(project: Any, items: int) -> tuple[Any, Any]:
    """A dataset version of so many test rows, and a candidate that has answered each."""
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


def wait_until_up() -> None:
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The web server did not start.")


class Reviewer:
    """One browser: keeps its connection, its session and its token."""

    def __init__(self, campaign_key: str, cookie: str) -> None:
        self.next_address = f"/reviews/campaigns/{campaign_key}/"
        self.session = f"sessionid={cookie}"
        self.token = ""
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
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
        task = json.loads(self.ask("next", "GET", self.next_address, **JSON))
        while not stop.is_set() and "url" in task:
            self.ask("submit", "POST", task["url"], self.submission(task["client_id"]), **JSON)
            task = json.loads(self.ask("next", "GET", self.next_address, **JSON))
            self.reviews += 1

    def forget(self) -> None:
        self.times = {"next": [], "submit": []}
        self.reviews = 0


def run(style: str, campaign_key: str, cookies: list[str], seconds: float) -> bool:
    people = [Reviewer(campaign_key, cookie) for cookie in cookies]
    stop = threading.Event()
    threads = [threading.Thread(target=getattr(person, f"by_{style}"), args=[stop]) for person in people]
    for thread in threads:
        thread.start()
    time.sleep(WARM_UP)
    for person in people:
        person.forget()
    started = time.perf_counter()
    time.sleep(seconds)
    elapsed = time.perf_counter() - started
    reviews = sum(person.reviews for person in people)
    times = {kind: sorted(t for person in people for t in person.times[kind]) for kind in ("next", "submit")}
    stop.set()
    for thread in threads:
        thread.join()
    rate = reviews / elapsed
    worst = 0.0
    print(f"{style}: {rate:.0f} reviews/s with {len(people)} clients ({reviews} in {elapsed:.0f} s)")
    for kind, values in times.items():
        p95 = 1000 * values[int(0.95 * len(values))]
        worst = max(worst, p95)
        print(f"  {kind}: median {1000 * statistics.median(values):.1f} ms, p95 {p95:.1f} ms")
    return rate >= 100 and worst <= 100


def check_quota() -> None:
    """The figures count only if nothing was lost or doubled on the way."""
    from django.db.models import Count, F, Sum

    from evalapp.campaigns.models import CampaignReviewer, Place
    from evalapp.reviews.models import Review, Score

    reviews = Review.objects.count()
    doubled = Review.objects.values("place", "item_output").annotate(n=Count("id")).filter(n__gt=1).count()
    by_places = Place.objects.aggregate(n=Sum("reviews_done"))["n"]
    by_people = CampaignReviewer.objects.aggregate(n=Sum("reviews_done"))["n"]
    over = Place.objects.filter(reviews_done__gt=F("outputs_total")).count()
    print(f"stored {reviews}: doubled {doubled}, over quota {over}, scores {Score.objects.count()}")
    if doubled or over or not reviews == by_places == by_people or Score.objects.count() != 5 * reviews:
        raise SystemExit("The tables do not agree with one another.")


if __name__ == "__main__":
    main()
