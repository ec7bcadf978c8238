"""Backups go into and come out of an older PostgreSQL of a site's own, and show its password to nobody."""

import os
import socketserver
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from django.db import connection

from bench.databases import temporary_database
from evalapp.accounts.models import Project
from evalapp.embedded import restores
from evalapp.embedded.backups import back_up
from evalapp.embedded.binaries import POSTGRES_MAJOR
from evalapp.embedded.client_programs import run_client_program
from evalapp.embedded.database_versions import OLDEST_MAJOR
from evalapp.embedded.problems import ServiceProblem
from evalapp.env import Environment, read_environment
from tests.embedded.older_postgres import PASSWORD, older_postgres
from tests.installations import Installation, eventually

# What would be missing if a statement of the backup had been refused or left out.
SCHEMA = """
SELECT c.relname, c.relkind::text, '' FROM pg_class c WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT conname, contype::text, conrelid::regclass::text FROM pg_constraint
  WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND convalidated
UNION ALL SELECT tgname, 'trigger', tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT proname, 'function', prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with older_postgres() as address:
        yield address


@pytest.fixture
def environment(server: str, tmp_path: Path) -> Environment:
    made = read_environment({"EVALAPP_HOME": str(tmp_path / "home"), "DATABASE_URL": server})
    made.secret_key()
    return made


def schema(address: str) -> list[tuple[str, ...]]:
    with psycopg.connect(address) as opened:
        return opened.execute(SCHEMA).fetchall()


@pytest.mark.django_db(transaction=True)
def test_a_backup_goes_into_an_older_postgresql_and_back(environment: Environment, tmp_path: Path):
    name = "SET transaction_timeout = 0;\nprécis"
    Project.objects.create(name=name, slug="kept")
    parameters = {**psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])}
    source = f"postgresql:///{connection.settings_dict['NAME']}?" + "&".join(
        f"{key}={value}" for key, value in parameters.items() if key != "dbname"
    )
    newer = read_environment({"EVALAPP_HOME": str(tmp_path / "newer"), "DATABASE_URL": source})
    newer.secret_key()
    before = schema(source)
    assert len(before) > 500
    back_up(newer, tmp_path / "newer.tar")

    restores.restore(environment, tmp_path / "newer.tar")
    assert schema(environment.database_url) == before
    with psycopg.connect(environment.database_url) as opened:
        assert opened.info.server_version // 10_000 < POSTGRES_MAJOR
        assert opened.execute("SELECT name FROM evalapp_project WHERE slug = 'kept'").fetchall() == [(name,)]
        opened.execute("UPDATE evalapp_project SET name = 'of the older'")

    back_up(environment, tmp_path / "older.tar")
    connection.close()
    with temporary_database(os.environ["DATABASE_URL"]) as returned:
        again = read_environment({"EVALAPP_HOME": str(tmp_path / "again"), "DATABASE_URL": returned})
        restores.restore(again, tmp_path / "older.tar")
        assert schema(returned) == before
        with psycopg.connect(returned) as opened:
            row = opened.execute("SELECT name FROM evalapp_project WHERE slug = 'kept'").fetchone()
        assert row == ("of the older",)


def called_with(process: psutil.Process) -> tuple[str, list[str]]:
    try:
        return process.name(), process.cmdline()
    except psutil.NoSuchProcess:  # it has ended since it was listed
        return "", []


def test_no_process_shows_the_password_of_the_database(environment: Environment, tmp_path: Path):
    with psycopg.connect(environment.database_url) as holder:
        holder.execute("CREATE TABLE held (word text)")
        holder.commit()
        holder.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")

        def look() -> dict[str, list[str]]:
            # A connection of its own: what another sees of a waiting one is fixed at its transaction's first
            # look.
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            try:
                with psycopg.connect(environment.database_url, autocommit=True) as looker:
                    eventually(lambda: looker.execute(waiting).fetchone() != (0,), 60, "pg_dump waits")
                return dict(map(called_with, psutil.Process().children(recursive=True)))
            finally:
                holder.rollback()  # else pg_dump would wait for ever

        with ThreadPoolExecutor(1) as others:
            looking = others.submit(look)
            back_up(environment, tmp_path / "backup.tar")
            seen = looking.result()
        holder.execute("DROP TABLE held")
    assert "pg_dump" in seen
    assert not [command for command in seen.values() if any(PASSWORD in word for word in command)]


def test_a_secret_that_only_the_command_line_could_tell_is_refused(environment: Environment):
    address = f"{environment.database_url}&sslpassword=of-the-key"
    with pytest.raises(ServiceProblem, match="DATABASE_URL has sslpassword, which") as refused:
        run_client_program("psql", "--command=SELECT 1", database_url=address)
    assert "of-the-key" not in str(refused.value)


class EarlierServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


class EarlierPostgres(socketserver.BaseRequestHandler):
    """Answers every query as a PostgreSQL before the oldest supported one would, with nothing."""

    def handle(self) -> None:
        # A start without TLS, since there is none here.
        while struct.unpack("!I", self._read(self._length())[:4])[0] in {80877103, 80877104}:
            self.request.sendall(b"N")
        version = f"server_version\0{OLDEST_MAJOR - 1}.9\0".encode()
        ready = self._message(b"Z", b"I")
        self.request.sendall(
            self._message(b"R", bytes(4)) + self._message(b"S", version)
            + self._message(b"S", b"client_encoding\0UTF8\0") + ready
        )  # fmt: skip
        while self._read(1) == b"Q":
            self._read(self._length())
            self.request.sendall(self._message(b"C", b"SELECT 0\0") + ready)

    def _length(self) -> int:
        return int(struct.unpack("!I", self._read(4))[0]) - 4

    def _read(self, size: int) -> bytes:
        got = b""
        while len(got) < size and (part := self.request.recv(size - len(got))):
            got += part
        return got

    @staticmethod
    def _message(kind: bytes, content: bytes) -> bytes:
        return kind + struct.pack("!I", len(content) + 4) + content


@pytest.mark.parametrize("command", [("up",), ("restore", "/nowhere.tar")], ids=lambda words: words[0])
def test_a_postgresql_that_is_too_old_is_said_before_anything_starts(
    installation: Installation, command: tuple[str, ...]
):
    with EarlierServer(("127.0.0.1", 0), EarlierPostgres) as earlier:
        threading.Thread(target=earlier.serve_forever, daemon=True).start()
        port = earlier.server_address[1]
        installation.variables["DATABASE_URL"] = f"postgresql://evalapp@127.0.0.1:{port}/evalapp"
        code, output = installation.run(*command)
        earlier.shutdown()
    assert code == 1
    assert (
        f"The database in DATABASE_URL is a PostgreSQL {OLDEST_MAJOR - 1}, and evalapp needs PostgreSQL"
        f" {OLDEST_MAJOR} to {POSTGRES_MAJOR}: bring the server to one of them" in output
    )
    assert not (installation.environment.log_folder / "web.log").exists()
