"""One `manage.py up` on one database, and a second one is told who that is."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.databases import cut_connections, temporary_database
from evalapp.embedded import sole_use
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.sole_use import SoleUse
from evalapp.env import REPOSITORY, Environment, read_environment
from tests.installations import Installation, eventually


@pytest.fixture
def address() -> Iterator[str]:
    """A database of its own on the server of the test run."""
    with temporary_database(os.environ["DATABASE_URL"]) as url:
        yield url


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sole_use, "_TRY_AGAIN_SECONDS", 0.0)


def home(address: str, name: str) -> Environment:
    return read_environment({"EVALAPP_HOME": f"/tmp/{name}", "DATABASE_URL": address})


@pytest.fixture
def first(address: str) -> Iterator[SoleUse]:
    made = SoleUse(home(address, 'the "first" one\'s \\ é'))
    made.take()
    yield made
    made.release()


def refusal(other: SoleUse) -> str:
    with pytest.raises(ServiceProblem) as refused:
        other.take()
    return str(refused.value)


def test_a_second_up_on_one_database_is_refused_by_name(
    address: str, first: SoleUse, installation: Installation
):
    installation.variables["DATABASE_URL"] = address
    code, output = installation.run("up")
    assert code == 1
    assert (
        f"The database in DATABASE_URL is served by `manage.py up` on {socket.gethostname()}"
        f' (home /tmp/the "first" one\'s \\ é, process {os.getpid()}, since 20' in output
    )
    assert "runs `manage.py work`." in output
    assert not (installation.environment.log_folder / "web.log").exists()


def test_another_database_on_the_same_server_is_no_matter(first: SoleUse):
    other = SoleUse(home(os.environ["DATABASE_URL"], "other"))
    other.take()
    other.release()


def test_one_that_was_killed_stands_in_nobodys_way(address: str, monkeypatch: pytest.MonkeyPatch):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=REPOSITORY,
        env={**os.environ, "DATABASE_URL": address},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "taken\n"
    other = SoleUse(home(address, "other"))
    assert f"process {holder.pid}" in refusal(other)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    monkeypatch.setattr(sole_use, "_TRY_AGAIN_SECONDS", 60.0)
    other.take()
    other.release()


def test_a_restart_of_the_database_leaves_it_with_the_one_that_runs(address: str, first: SoleUse):
    cut_connections(address)

    def is_refused_again() -> bool:
        first.keep()
        other = SoleUse(home(address, "other"))
        try:
            other.take()
        except ServiceProblem:
            return True
        other.release()
        return False

    eventually(is_refused_again, 60, "the one that runs has it again")


def test_one_that_lost_it_to_another_meanwhile_says_so(address: str, first: SoleUse):
    cut_connections(address)
    other = SoleUse(home(address, "other"))
    eventually(lambda: _takes(other), 60, "the other takes it")

    def keeps() -> bool:
        try:
            first.keep()
        except ServiceProblem as problem:
            return "(home /tmp/other, process" in str(problem)
        return False

    eventually(keeps, 60, "the first one is told of the other")
    other.release()


def _takes(one: SoleUse) -> bool:
    try:
        one.take()
    except ServiceProblem:
        return False
    return True


HOLD = """
import signal
from evalapp.embedded.sole_use import SoleUse
from evalapp.env import read_environment
one = SoleUse(read_environment())
one.take()
print("taken", flush=True)
signal.pause()
"""
