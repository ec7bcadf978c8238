"""The whole product under its supervisor, in a home and on a port of its own."""

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import psutil
import psycopg
import pytest

from evalapp.embedded.addresses import health
from evalapp.embedded.processes import is_alive
from evalapp.embedded.restores import UNDONE
from evalapp.embedded.services import database_answers
from tests.installations import Installation, Running, eventually, temporary_installation


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with temporary_installation() as installation:
        started = Running(installation)
        yield started
        started.stop()


def test_the_web_answers_and_everything_runs(running: Running):
    # Not at once: while every worker starts, a health check may run into its time limit.
    well = {"healthy": True, "database": True, "cache": True}
    eventually(
        lambda: (found := health(running.home)) and well.items() <= json.loads(found[1]).items(),
        30,
        "the health check",
    )
    assert list(running.services()) == [
        "postgres",
        "valkey",
        "web",
        "worker-default",
        "worker-models",
        "beat",
    ]


def test_a_request_cannot_write_a_line_of_its_own_into_the_log(running: Running):
    forged = "INFO signed in as owner"
    for control in ("%0a", "%0d", "%1b[2J", "%c2%85"):
        with suppress(HTTPError):
            urlopen(f"{running.home.bind.url}/nothing{control}{quote(forged)}/")

    def lines() -> list[str]:
        return (running.home.home / "logs" / "web.log").read_text().splitlines()

    eventually(
        lambda: sum(quote(forged) in line for line in lines()) == 4,
        30,
        "four requests in the log, each in a line of its own",
    )
    assert not any(line.startswith(forged) or "\x1b" in line for line in lines())


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "PATH_INFO"])
def test_no_header_moves_the_product_to_another_address(running: Running, header: str):
    request = Request(f"{running.home.bind.url}/healthz", headers={header: "/elsewhere"})
    with urlopen(request) as answer:
        assert json.load(answer)["healthy"]


def test_a_second_start_says_that_it_runs_already(running: Running):
    code, output = running.installation.run("up")
    assert code == 0
    assert output.endswith(
        f" evalapp runs already (process {running.process.pid})."
        f" Open {running.home.bind.url} or stop it first.\n"
    )


def test_status_tells_processes_memory_and_queues(running: Running):
    code, output = running.installation.run("status", "--json")
    status = json.loads(output)
    assert code == 0
    assert status["supervisor"] == running.process.pid
    assert set(status["queues"]) == {"default", "models"}
    assert all(service["memory"] > 10**6 for service in status["services"])


@pytest.mark.verification
def test_a_worker_that_stands_still_is_seen(running: Running):
    def status() -> dict[str, Any]:
        return dict(json.loads(running.installation.run("status", "--json")[1]))

    def frozen() -> list[str]:
        return [service["name"] for service in status()["services"] if service["frozen"]]

    assert frozen() == []
    eventually(lambda: status()["silent_for"].keys() >= {"beat", "default@evalapp"}, 60, "both are heard")
    worker = psutil.Process(running.pid("worker-default"))
    worker.suspend()
    try:
        assert frozen() == ["worker-default"]
        # A worker that goes on is heard every two seconds.
        eventually(lambda: status()["silent_for"]["default@evalapp"] > 10, 120, "its silence is seen")
    finally:
        worker.resume()
    eventually(lambda: status()["silent_for"]["default@evalapp"] < 10, 120, "it is heard again")
    assert frozen() == []


def test_status_finds_the_address_without_being_told(running: Running):
    del running.installation.variables["EVALAPP_BIND"]
    try:
        code, output = running.installation.run("status", "--json")
    finally:
        running.installation.variables["EVALAPP_BIND"] = str(running.home.bind)
    assert (code, json.loads(output)["address"]) == (0, running.home.bind.url)


@pytest.mark.parametrize("name", ["web", "worker-models", "beat", "valkey", "postgres"])
def test_what_is_killed_starts_again(running: Running, name: str):
    killed = running.pid(name)
    os.kill(killed, signal.SIGKILL)
    eventually(
        lambda: (entry := running.services()[name])["pid"] not in {None, killed} and entry["restarts"] > 0,
        30,
        f"{name} starts again",
    )
    eventually(running.is_up, 300, "the web answers again")


SILENT_JOB = """
from django.db.models.functions import Now
from evalapp.accounts.models import Project
from evalapp.jobs.models import Job
project = Project.objects.create(name="Duties", slug="duties")
job = Job.objects.create(
    project=project, task="silent", title="Silent", state="running", attempt=1, lease_expires_at=Now()
)
print(job.pk)
"""


def test_a_lost_job_is_found_while_every_worker_for_jobs_is_stuck(running: Running):
    stuck = psutil.Process(running.pid("worker-default"))
    stopped = [stuck, *stuck.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        code, output = running.installation.run("shell", "--no-imports", "-c", SILENT_JOB)
        assert code == 0, output
        eventually(
            lambda: _job(running, int(output)) == ("queued", 1),
            30,
            "the reaper finds the job of a lost worker",
        )
    finally:
        for process in reversed(stopped):
            process.resume()


def _job(running: Running, pk: int) -> tuple[str, int] | None:
    with psycopg.connect(running.home.database_url) as connection:
        query = "SELECT state, lost_attempts FROM evalapp_job WHERE id = %s"
        return connection.execute(query, [pk]).fetchone()


def test_commands_use_the_servers_that_run(running: Running):
    postgres = running.pid("postgres")
    code, output = running.installation.run("migrate", "--check")
    assert (code, output) == (0, "")
    assert running.pid("postgres") == postgres


def test_a_backup_is_made_while_it_runs_and_brings_everything_back(running: Running, tmp_path: Path):
    with psycopg.connect(running.home.database_url) as connection:
        connection.execute("CREATE TABLE kept_by_backup AS SELECT 'précis' AS word")
    artifact = running.home.home / "artifacts" / "adapter" / "weights.bin"
    artifact.parent.mkdir(parents=True)
    artifact.write_bytes(os.urandom(3000))
    file = tmp_path / "backup.tar"
    code, output = running.installation.run("backup", str(file))
    assert code == 0, output
    assert file.stat().st_mode & 0o077 == 0

    code, output = running.installation.run("restore", str(file))
    assert code == 1
    assert f"`manage.py up` (process {running.process.pid}) uses the database: stop it first." in output

    with temporary_installation() as other:
        code, output = other.run("restore", str(file))
        assert code == 0, output
        copied = other.environment.home / "artifacts" / "adapter" / "weights.bin"
        assert copied.read_bytes() == artifact.read_bytes()
        assert other.environment.secret_key() == running.home.secret_key()
        code, output = other.run(
            "shell", "--no-imports", "-c",
            "from django.db import connection as c; u = c.cursor();"
            " u.execute('SELECT word FROM kept_by_backup'); print(u.fetchone())",
        )  # fmt: skip
        assert (code, output) == (0, "('précis',)\n")
        code, output = other.run("restore", str(file))
        assert code == 1
        assert "already contains an installation" in output


@pytest.mark.verification
def test_a_killed_supervisor_leaves_nothing_and_a_stopped_one_stops_in_order(installation: Installation):
    killed = Running(installation)
    pids = {name: killed.pid(name) for name in killed.services()}
    assert installation.run("create_owner", "--email", "first@example.org", "--link")[0] == 0
    killed.process.kill()
    assert "Create the first account with: " in killed.output()
    # Two or three seconds on a machine with nothing else to do; the limit is for one that has.
    for name, pid in pids.items():
        eventually(lambda pid=pid: not is_alive(pid), 120, f"{name} ends")

    stopped = Running(installation)
    pids = [stopped.pid(name) for name in stopped.services()]
    code, output = stopped.stop()
    assert code == 0
    assert "Create the first account" not in output
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Stopping …", output.splitlines()[-1])
    assert not any(is_alive(pid) for pid in pids)
    log = (stopped.home.log_folder / "postgres.log").read_text()
    assert log.count("database system is shut down") >= 2
    assert "interrupted" not in log
    code, output = installation.run("status")
    assert code == 1
    assert output.startswith("evalapp is down")


@pytest.mark.verification
def test_a_worker_does_not_outlive_its_supervisor_though_the_broker_went_first(installation: Installation):
    killed = Running(installation)
    worker, broker = killed.pid("worker-default"), killed.pid("valkey")
    os.kill(worker, signal.SIGSTOP)
    killed.process.kill()
    killed.process.communicate(timeout=120)
    eventually(lambda: not is_alive(broker), 60, "the broker ends")
    os.kill(worker, signal.SIGCONT)
    eventually(lambda: not is_alive(worker), 120, "the worker ends")


@pytest.mark.verification
def test_a_restore_that_was_cut_off_is_settled_before_the_product_starts(installation: Installation):
    (installation.environment.home / ".restore" / "unpacked").mkdir(parents=True)
    running = Running(installation)
    assert not (running.home.home / ".restore").exists()
    _, output = running.stop()
    assert f"{UNDONE}\n" in output


def test_a_port_in_use_is_said_before_anything_starts(installation: Installation):
    home = installation.environment
    with socket.socket() as other:
        other.bind((home.bind.host, home.bind.port))
        other.listen()
        code, output = installation.run("up")
    assert code == 1
    assert (
        f"{home.bind} cannot be used (Address already in use): stop the program that listens there" in output
    )
    assert not home.postgres_folder.exists()
    assert not database_answers(home)


def test_a_database_of_yours_that_is_away_is_said(installation: Installation):
    installation.variables["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    code, output = installation.run("up")
    assert code == 1
    assert "The database in DATABASE_URL does not answer (connection" in output
    assert "Connection refused" in output


def test_a_bad_variable_is_one_sentence(installation: Installation):
    installation.variables["EVALAPP_BIND"] = "nonsense"
    code, output = installation.run("status")
    assert (code, output) == (
        1,
        "EVALAPP_BIND='nonsense': write host:port, for instance 127.0.0.1:8000\n",
    )
