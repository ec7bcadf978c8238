"""Reviewing in Label Studio and in evalapp, measured alternately on one machine.

    python -m bench.label_studio --set-up      once: installs Label Studio (about 1 GB) in some minutes
    python -m bench.label_studio [FOLDER] [--rounds 5] [--seconds 20] [--clients 8] [--tasks 10000]

Label Studio: version 1.23.2 with gunicorn (2 processes of 4 threads) in a virtual environment of its own, on
a durable PostgreSQL with the same binaries and settings as ours, also reached by a socket. Its project has
two ratings, a choice and a text, overlap 3, and tasks of about 190 words. A review is GET
/api/projects/N/next and POST /api/tasks/N/annotations/ with a token, which is less than its page requests.

evalapp: the requests of our page's script (*script* in `bench.review_flow`), with sessions and CSRF. A review
is one request, which submits and returns the content after the next; its time is compared with that of each
of Label Studio's two requests. Both sides have equal numbers of processes, threads, clients, items and words.

Both servers run all the time and are put under load alternately; each round swaps the order. Prints medians
over the rounds and their ratios. Targets: 15 times the reviews per second, and 1/8 of the p95 of next and of
submit. Without an installed Label Studio it says so and exits with 0.
"""

import argparse
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.ports import free_port
from bench.review_flow import SENTENCE, Values, installation, load, prepare, run_clients, web_server
from bench.sides import Side, in_turn, serve_measurements
from proofs.figures import MISSED, report_figure

VERSION = "1.23.2"
PORT, PEER_PORT = free_port(), 18_672
TIMES_FASTER, SHARE_OF_P95 = 15.0, 1 / 8
OVERLAP = 3
TASKS_A_REQUEST = 2_000
FOLDER = Path(tempfile.gettempdir(), "evalapp-label-studio")

_LABELS = """<View>
  <Text name="request" value="$request"/><Text name="answer" value="$answer"/>
  <Rating name="accuracy" toName="answer" maxRating="5"/><Rating name="tone" toName="answer" maxRating="5"/>
  <Choices name="error" toName="answer" choice="single"><Choice value="yes"/><Choice value="no"/></Choices>
  <TextArea name="comment" toName="answer"/>
</View>"""
_RESULT = [
    {"from_name": "accuracy", "to_name": "answer", "type": "rating", "value": {"rating": 4}},
    {"from_name": "tone", "to_name": "answer", "type": "rating", "value": {"rating": 3}},
    {"from_name": "error", "to_name": "answer", "type": "choices", "value": {"choices": ["no"]}},
    {"from_name": "comment", "to_name": "answer", "type": "textarea", "value": {"text": ["Reads well."]}},
]
# Run by the peer's own interpreter: creates an organisation and its people, each with a token.
_PEOPLE = """
import json, sys
from organizations.models import Organization
from rest_framework.authtoken.models import Token
from users.models import User
people = [
    User.objects.create_user(f"reviewer{n}@bench.example", password=sys.argv[1])
    for n in range(int(sys.argv[2]))
]
organization = Organization.create_organization(created_by=people[0], title="Bench")
for person in people:
    if person != people[0]:
        organization.add_user(person)
    person.active_organization = organization
    person.save()
settings = getattr(organization, "jwt", None)
if settings is not None:
    settings.legacy_api_tokens_enabled = True
    settings.save()
print("tokens " + json.dumps([Token.objects.get_or_create(user=person)[0].key for person in people]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--set-up", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--side", choices=["peer", "ours"], help="used internally by the benchmark")
    options = parser.parse_args()
    if options.set_up:
        set_up(options.folder)
    elif options.side:
        (serve_peer if options.side == "peer" else serve_ours)(options)
    elif not _python(options.folder).exists():
        print(
            f"Skipped: Label Studio is not installed in {options.folder}. Install it with --set-up (about 1"
            " GB)."
        )
    else:
        sys.exit(0 if compare(options) else MISSED)


def set_up(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    packages = [f"label-studio=={VERSION}", "gunicorn"]
    subprocess.run([_python(folder), "-m", "pip", "install", "--quiet", *packages], check=True)
    print(f"Label Studio {VERSION} is in {folder / 'venv'}.")


def compare(options: argparse.Namespace) -> bool:
    own = [str(options.folder), "--clients", str(options.clients), "--tasks", str(options.tasks)]
    ours = Side("ours", ["bench.label_studio", *own, "--side", "ours"])
    peer = Side("peer", ["bench.label_studio", *own, "--side", "peer"])
    with ours, peer:
        for side in (peer, ours):
            print(f"{side.name} is ready: {side.wait_until_ready()}", flush=True)
        in_turn([ours, peer], rounds=options.rounds, seconds=options.seconds)
    rate = ours.median("rate") / peer.median("rate")
    shares = {kind: ours.median(f"{kind}_p95") / peer.median(f"{kind}_p95") for kind in ("next", "submit")}
    print(
        f"medians of {options.rounds} rounds, {options.clients} clients, {options.tasks:,} tasks; ours /"
        " peer:"
    )
    for name, unit in (
        ("rate", "reviews/s"),
        ("next_median", "ms"),
        ("next_p95", "ms"),
        ("submit_median", "ms"),
        ("submit_p95", "ms"),
    ):
        print(f"  {name}: {ours.median(name):.1f} / {peer.median(name):.1f} {unit}")
    reached = [report_figure("Label Studio's reviews/s", rate, "times", at_least=TIMES_FASTER)]
    reached += [
        report_figure(f"of its p95 of {kind}", share, at_most=SHARE_OF_P95) for kind, share in shares.items()
    ]
    return all(reached)


def serve_ours(options: argparse.Namespace) -> None:
    with installation(PORT) as home:
        key, cookies = prepare(options.tasks, options.clients, overlap=OVERLAP)
        with web_server(home, PORT):
            serve_measurements(
                lambda seconds: load("script", key, cookies, seconds, port=PORT), {"items": options.tasks}
            )


def serve_peer(options: argparse.Namespace) -> None:
    with peer_server(options.folder, options.clients) as tokens:
        began = time.perf_counter()
        project = make_project(tokens[0], options.tasks)
        seconds = time.perf_counter() - began

        def measure(seconds: float) -> Values:
            # New connections for each run: the server has closed idle ones.
            return run_clients([Peer(project, token) for token in tokens], "review", seconds)

        serve_measurements(measure, {"tasks": options.tasks, "import_seconds": round(seconds, 1)})


def _python(folder: Path) -> Path:
    return folder / "venv" / "bin" / "python"


def _package(folder: Path) -> Path:
    """Folder of the installed package, with its `manage.py`."""
    (found,) = (folder / "venv").glob("lib/python3*/site-packages/label_studio/manage.py")
    return found.parent


@contextmanager
def peer_server(folder: Path, clients: int) -> Iterator[list[str]]:
    """Run the peer on an empty database; yields its people's tokens."""
    import shutil

    from evalapp.embedded.postgres import PostgresServer
    from evalapp.env import read_environment

    home = Path(tempfile.mkdtemp(prefix="peer-bench-", dir="/tmp"))
    environment = read_environment({"EVALAPP_HOME": str(home / "database")})
    database = PostgresServer(environment)
    try:
        database.start()
        variables = _variables(environment, home)
        manage = [str(_python(folder)), "manage.py"]
        run: dict[str, Any] = {"cwd": _package(folder), "env": variables}
        with (home / "peer.log").open("w") as log:
            migrate = [*manage, "migrate", "--no-input", "-v", "0"]
            subprocess.run(migrate, check=True, stdout=log, stderr=log, **run)
            made = subprocess.run(
                [str(_python(folder)), "-c", _started(_PEOPLE), secrets.token_urlsafe(16), str(clients)],
                check=True,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                **run,
            )
            words = next(line for line in made.stdout.splitlines() if line.startswith("tokens "))
            bind = ["-b", f"127.0.0.1:{PEER_PORT}", "-w", "2", "--threads", "4", "-k", "gthread"]
            web = subprocess.Popen(
                [str(_python(folder)), "-m", "gunicorn", "core.wsgi:application", *bind, "--timeout", "120"],
                cwd=_package(folder),
                env=variables,
                stdout=log,
                stderr=log,
            )
            try:
                _wait_until_up()
                yield json.loads(words.removeprefix("tokens "))
            finally:
                web.terminate()
                web.wait(30)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}\n{(home / 'peer.log').read_text()[-3000:]}") from error
    finally:
        database.stop()
        shutil.rmtree(home, ignore_errors=True)


def _started(script: str) -> str:
    return f"import django\ndjango.setup()\n{script}"


def _variables(environment: Any, home: Path) -> dict[str, str]:
    address = urlsplit(environment.database_url)
    options = parse_qs(address.query)
    password = next(
        line.rpartition(":")[2]
        for line in environment.postgres_password_file.read_text().splitlines()
        if f":{address.username}:" in line
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVALAPP_", "DJANGO_"))}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
        "DJANGO_DB": "default",
        "DEBUG": "0",
        "LABEL_STUDIO_COLLECT_ANALYTICS": "0",
        "COLLECT_ANALYTICS": "0",
        "LATEST_VERSION_CHECK": "0",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_BASE_DATA_DIR": str(home / "data"),
        "POSTGRE_HOST": options["host"][0],
        "POSTGRE_PORT": "5432",
        "POSTGRE_NAME": address.path.lstrip("/"),
        "POSTGRE_USER": address.username or "",
        "POSTGRE_PASSWORD": password,
        "PYTHONPATH": ".",
    }


def _wait_until_up() -> None:
    for _ in range(1_200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PEER_PORT, timeout=60)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("Label Studio did not start.")


class Peer:
    """An annotator with a token who keeps the connection open, like `bench.review_flow.Reviewer`."""

    def __init__(self, project: int, token: str) -> None:
        self.project = project
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection("127.0.0.1", PEER_PORT, timeout=120)
        self.forget()

    def forget(self) -> None:
        self.times: dict[str, list[float]] = {"next": [], "submit": []}
        self.reviews = 0

    def ask(self, kind: str, method: str, address: str, body: Any = None) -> Any:
        began = time.perf_counter()
        self._connection.request(
            method, address, json.dumps(body) if body is not None else None, self._headers
        )
        response = self._connection.getresponse()
        text = response.read()
        if kind:
            self.times[kind].append(time.perf_counter() - began)
        if response.status not in (200, 201):
            raise SystemExit(f"{method} {address} answered {response.status}: {text[:300]!r}")
        return json.loads(text)

    def review(self, stop: threading.Event) -> None:
        while not stop.is_set():
            task = self.ask("next", "GET", f"/api/projects/{self.project}/next")
            address = f"/api/tasks/{task['id']}/annotations/?project={self.project}"
            self.ask("submit", "POST", address, {"result": _RESULT, "lead_time": 20.5})
            self.reviews += 1


def make_project(token: str, tasks: int) -> int:
    owner = Peer(0, token)
    made = owner.ask(
        "",
        "POST",
        "/api/projects/",
        {"title": "Bench", "label_config": _LABELS, "maximum_annotations": OVERLAP},
    )
    # Each about 95 words, so that both together are as long as ours.
    words = " ".join([SENTENCE] * 5)
    for first in range(0, tasks, TASKS_A_REQUEST):
        rows = [
            {"request": f"{n}: {words}", "answer": f"{n} {words}"}
            for n in range(first, min(tasks, first + TASKS_A_REQUEST))
        ]
        owner.ask("", "POST", f"/api/projects/{made['id']}/import", rows)
    return int(made["id"])


if __name__ == "__main__":
    main()
