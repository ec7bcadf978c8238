import dataclasses
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from evalapp.embedded import unprivileged
from evalapp.embedded.postgres import PostgresServer
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.processes import StopStep, is_alive
from evalapp.env import REPOSITORY, Environment, read_environment
from tests.installations import eventually


@pytest.fixture
def server(home: Environment) -> Iterator[PostgresServer]:
    made = PostgresServer(home)
    yield made
    made.stop()


def query(home: Environment, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(home.database_url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_the_first_start_makes_a_database_for_a_role_without_power(home: Environment, server: PostgresServer):
    server.start()
    assert query(home, "SELECT current_user, current_database()") == [("evalapp", "evalapp")]
    assert query(home, "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = 'evalapp'") == [
        (False, False)
    ]
    assert query(home, "SHOW listen_addresses") == [("",)]


def test_only_the_owner_reaches_data_password_and_socket(home: Environment, server: PostgresServer):
    server.start()
    modes = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in (home.home, home.postgres_folder, home.socket_folder, home.postgres_password_file)
    }
    assert modes == {
        home.home: 0o700,
        home.postgres_folder: 0o700,
        home.socket_folder: 0o700,
        home.postgres_password_file: 0o600,
    }


def test_no_connection_without_the_password(home: Environment, server: PostgresServer):
    server.start()
    for user in ("evalapp", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(f"postgresql://{user}@/evalapp?host={home.socket_folder}&passfile=/nowhere")


def test_a_killed_server_comes_back_with_every_row(home: Environment, server: PostgresServer):
    child = server.start()
    query(home, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    child.process.kill()
    child.process.wait()
    server.start()
    assert query(home, "SELECT count(*) FROM kept") == [(1000,)]


def test_stopping_writes_everything_down(home: Environment, server: PostgresServer):
    child = server.start()
    server.stop()
    assert child.exit_status == 0
    assert "database system is shut down" in (home.log_folder / "postgres.log").read_text()


def test_when_its_parent_is_killed_the_server_stops_cleanly(home: Environment, server: PostgresServer):
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            START_AND_WAIT,
            str(home.home),
        ],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    eventually(lambda: not is_alive(orphan), 20, "the orphaned server ends")
    assert "database system is shut down" in (home.log_folder / "postgres.log").read_text()
    assert server.start().exit_status is None


def test_a_start_while_the_earlier_server_is_there_waits_for_its_end(
    home: Environment, server: PostgresServer
):
    earlier = server.start()
    later = PostgresServer(home)
    child = later.start()
    try:
        assert earlier.exit_status == 0
        assert child.exit_status is None
    finally:
        later.stop()


def test_data_of_another_major_is_named_and_left_alone(home: Environment, server: PostgresServer):
    data = home.postgres_folder / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        ServiceProblem, match=r"was written by PostgreSQL 16, and this release brings PostgreSQL 18"
    ):
        server.start()
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_an_interrupted_first_start_leaves_nothing_in_the_way(home: Environment, server: PostgresServer):
    half_made = home.postgres_folder / "new-cut-off" / "data"
    half_made.mkdir(parents=True)
    server.start()
    assert query(home, "SELECT 1") == [(1,)]


def test_a_lost_role_or_database_is_made_again(home: Environment, server: PostgresServer):
    server.start()
    server.stop()
    passwords = home.postgres_password_file.read_text().splitlines()
    changed = [line if ":postgres:" in line else "*:*:*:evalapp:another-password" for line in passwords]
    home.postgres_password_file.write_text("\n".join(changed) + "\n")
    server.start()
    assert query(home, "SELECT current_user") == [("evalapp",)]


def test_a_deep_home_works_through_a_short_socket_folder(home: Environment):
    deep = read_environment({"EVALAPP_HOME": str(home.home / ("deep folder, " * 9))})
    server = PostgresServer(deep)
    try:
        server.start()
        assert query(deep, "SELECT 1") == [(1,)]
    finally:
        server.stop()
        shutil.rmtree(deep.socket_folder)


def test_a_socket_folder_of_another_user_is_refused(home: Environment):
    if os.geteuid() != 0:
        pytest.skip("only root can hand a folder to another user")
    deep = read_environment({"EVALAPP_HOME": str(home.home / ("x" * 90))})
    deep.socket_folder.mkdir(mode=0o700)
    os.chown(deep.socket_folder, 65534, 65534)
    try:
        with pytest.raises(ServiceProblem, match="belongs to another user"):
            PostgresServer(deep).start()
    finally:
        deep.socket_folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL refuses root alone")
class TestAsRoot:
    def test_files_stay_with_root_and_the_server_is_not_root_inside(
        self, home: Environment, server: PostgresServer
    ):
        child = server.start()
        assert (home.postgres_folder / "data").stat().st_uid == 0
        mapped = Path(f"/proc/{child.pid}/uid_map").read_text().split()
        assert mapped[:2] == ["65534", "0"]

    def test_without_namespaces_and_reachable_user_the_reason_is_said(
        self, home: Environment, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(unprivileged, "_namespace_prefix", lambda: ())
        monkeypatch.setattr(unprivileged, "_can_reach", lambda *_: False)
        with pytest.raises(
            ServiceProblem, match="PostgreSQL refuses to run as root, this machine allows no user name"
        ):
            server.start()


def test_what_people_wrote_is_not_in_the_log(home: Environment, server: PostgresServer):
    server.start()
    server.stop()
    # As an earlier release, or the site, wrote them.
    with (home.postgres_folder / "data" / "postgresql.conf").open("a") as file:
        file.write("log_min_duration_statement = 0\nlog_statement = 'all'\nlog_parameter_max_length = -1\n")
    server.start()
    text = "the summary omits the dosage"
    with psycopg.connect(home.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE reviews (id int UNIQUE, comment text CHECK (comment = ''))")
        connection.execute("SELECT length(%s)", [text])
        connection.execute(psycopg.sql.SQL("SELECT length({})").format(text))
        for statement in (
            "INSERT INTO reviews VALUES (1, %s)",
            "INSERT INTO reviews (comment, none) VALUES (%s, 1)",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement, [text])
        with pytest.raises(psycopg.Error), connection.cursor().copy("COPY reviews FROM STDIN") as copy:
            copy.write(f"1\t{text}\n")
    log = (home.log_folder / "postgres.log").read_text()
    assert 'new row for relation "reviews" violates check constraint' in log
    assert text not in log


def test_stop_steps_end_with_a_kill(home: Environment, server: PostgresServer):
    child = server.start()
    os.kill(child.pid, signal.SIGSTOP)
    child.program = dataclasses.replace(child.program, stop=(StopStep(signal.SIGINT, 0.1),))
    child.stop()
    assert child.exit_status == -signal.SIGKILL


START_AND_WAIT = """
import signal, sys
from evalapp.embedded.postgres import PostgresServer
from evalapp.env import read_environment
print(PostgresServer(read_environment({"EVALAPP_HOME": sys.argv[1]})).start().pid, flush=True)
signal.pause()
"""
