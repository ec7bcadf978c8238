import os
import threading

import psycopg
import pytest

from evalapp.embedded import services
from evalapp.embedded.ownership import Ownership
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.restores import UNDONE
from evalapp.embedded.services import (
    broker_answers,
    database_answers,
    ensure_running,
    ensure_running_alone,
)
from evalapp.env import Environment, read_environment
from tests.installations import Installation, eventually


def test_the_servers_are_there_inside_and_gone_after(home: Environment):
    with ensure_running(home):
        assert database_answers(home)
        assert broker_answers(home)
        owner = Ownership(home).current_owner()
        assert owner is not None
        assert owner.pid == os.getpid()
    assert not database_answers(home)
    assert not broker_answers(home)
    assert Ownership(home).current_owner() is None


def test_an_error_inside_stops_them_too(home: Environment):
    with pytest.raises(LookupError), ensure_running(home):
        raise LookupError
    assert not database_answers(home)


def test_a_second_user_keeps_them_until_it_is_done(home: Environment):
    first_entered, first_may_leave = threading.Event(), threading.Event()

    def first() -> None:
        with ensure_running(home):
            first_entered.set()
            first_may_leave.wait(300)

    thread = threading.Thread(target=first)
    thread.start()
    assert first_entered.wait(300)
    with ensure_running(home):
        first_may_leave.set()
        with psycopg.connect(home.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert thread.is_alive()
    thread.join(300)
    assert not database_answers(home)


def test_servers_of_yours_are_left_alone(home: Environment):
    yours = read_environment(
        {
            "EVALAPP_HOME": str(home.home),
            "DATABASE_URL": os.environ["DATABASE_URL"],
            "REDIS_URL": os.environ["REDIS_URL"],
        }
    )
    with ensure_running(yours):
        assert not home.socket_folder.exists()
        assert not (home.home / "postgres").exists()
    assert database_answers(yours)


def test_servers_of_yours_are_not_used_while_a_restore_is_under_way(home: Environment):
    yours = read_environment(
        {
            "EVALAPP_HOME": str(home.home),
            "DATABASE_URL": os.environ["DATABASE_URL"],
            "REDIS_URL": os.environ["REDIS_URL"],
        }
    )
    (home.home / ".restore").mkdir(parents=True)
    with pytest.raises(ServiceProblem, match="is running or was interrupted"), ensure_running(yours):
        pytest.fail("it ran")


def test_a_restore_that_was_cut_off_is_settled_before_a_command_runs(installation: Installation):
    (installation.environment.home / ".restore" / "unpacked").mkdir(parents=True)
    code, output = installation.run("shell", "--no-imports", "-c", READ_SERVER_VERSION)
    assert (code, output) == (0, f"{UNDONE}\n18\n")
    assert not (installation.environment.home / ".restore").exists()


def test_alone_means_that_no_other_command_is_there(home: Environment, monkeypatch: pytest.MonkeyPatch):
    with ensure_running_alone(home):
        assert database_answers(home)
    assert not database_answers(home)

    with (
        ensure_running(home),
        pytest.raises(ServiceProblem, match=rf"\(process {os.getpid()}\) uses the database: stop it first"),
        ensure_running_alone(home),
    ):
        pytest.fail("it ran")

    monkeypatch.setattr(services, "_OTHER_USERS_SECONDS", 0)
    with (
        Ownership(home).as_user(),
        pytest.raises(ServiceProblem, match="Another command uses the servers of"),
        ensure_running_alone(home),
    ):
        pytest.fail("it ran")


def test_a_management_command_brings_them_along(installation: Installation):
    code, output = installation.run("shell", "--no-imports", "-c", READ_SERVER_VERSION)
    assert (code, output.strip()) == (0, "18")
    assert not database_answers(installation.environment)


def test_when_a_command_is_killed_its_servers_end(installation: Installation):
    home = installation.environment
    command = installation.popen("shell", "--no-imports", "-c", "import signal; signal.pause()")
    eventually(lambda: database_answers(home) and broker_answers(home), 60, "the servers answer")
    command.kill()
    command.wait()
    eventually(lambda: not (database_answers(home) or broker_answers(home)), 20, "the servers end")
    with ensure_running(home):
        assert database_answers(home)


READ_SERVER_VERSION = (
    "from django.db import connection\n"
    "with connection.cursor() as cursor:\n"
    "    cursor.execute('SHOW server_version_num')\n"
    "    print(cursor.fetchone()[0][:2])"
)
