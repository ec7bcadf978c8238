"""The embedded PostgreSQL: one private cluster, reached by a socket in a private folder."""

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
from psycopg import sql

from evalapp.embedded import unprivileged
from evalapp.embedded.binaries import POSTGRES_MAJOR, postgres_program
from evalapp.embedded.folders import make_private_folder
from evalapp.embedded.logs import last_lines, open_log
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.processes import Child, Program, StopStep, is_alive, wait_for_exit
from evalapp.env import DATABASE_NAME, DATABASE_USER, Environment

NAME = "postgres"
_SUPERUSER = "postgres"

READY_SECONDS = 60  # recovery after a crash first replays the write-ahead log
_EARLIER_SERVER_SECONDS = 30
# Backends of a killed server live on for a moment and hold its shared memory.
_RETRY_SECONDS = 10
_POLL_SECONDS = 0.03

# SIGINT ends sessions and writes a checkpoint; SIGQUIT leaves recovery to the next start.
STOP = (StopStep(signal.SIGINT, 30), StopStep(signal.SIGQUIT, 5))

# Written into postgresql.conf once; a site may change them there. For a small machine that also runs a web
# server, workers and a model program.
_SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "idle_in_transaction_session_timeout": "10min",
}

# Statements and error details contain texts and scores that people entered: "Failing row contains (…)". The
# log has other readers and is stored elsewhere.
_NO_CONTENT_IN_THE_LOG = {
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}


class PostgresServer:
    """Starts and stops the cluster in `environment.postgres_folder`.

    `durable=False` trades crash safety for speed, in tests. `pause` is called with seconds while waiting; a
    supervisor passes its own, which signals can interrupt.
    """

    def __init__(
        self, environment: Environment, *, durable: bool = True, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._environment = environment
        self._durable = durable
        self._pause = pause
        self._folder = environment.postgres_folder
        self._data = self._folder / "data"
        self._password_file = environment.postgres_password_file
        self.child: Child | None = None

    def start(self) -> Child:
        """Start the server, creating the cluster the first time; returns when it answers.

        Raises ServiceProblem for data of another major version, without an unprivileged user, or if it is not
        ready in time.
        """
        self.prepare()
        deadline = time.monotonic() + _RETRY_SECONDS
        while True:
            self.child = self.spawn()
            try:
                self._wait_until_ready(self.child)
            except _DiedWhileStartingError as death:
                if time.monotonic() > deadline:
                    raise ServiceProblem(str(death)) from death
                self._pause(0.2)
            except BaseException:
                self.child.stop()
                raise
            else:
                return self.child

    def stop(self) -> None:
        """End sessions, write a checkpoint, stop."""
        if self.child is not None:
            self.child.stop()

    def prepare(self) -> None:
        """Create missing folders, passwords and cluster, and wait for an earlier server to end."""
        make_private_folder(self._environment.home)
        make_private_folder(self._folder)
        make_private_folder(self._environment.socket_folder)
        self._check_major()
        if not self._data.exists():
            self._make_cluster()
        self._wait_for_earlier_server()

    def spawn(self) -> Child:
        """Start the process without waiting for it to answer."""
        with self._open_log() as output:
            return Child(self.program(), output)

    def program(self) -> Program:
        executable = postgres_program("postgres")
        disguise = unprivileged.disguise_for(executable, self._folder)
        disguise.own(self._folder)
        disguise.own(self._environment.socket_folder)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": _quoted_list_item(self._environment.socket_folder),
            "unix_socket_permissions": "0700",
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            **_NO_CONTENT_IN_THE_LOG,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Program(
            name=NAME,
            command=(*disguise.prefix, executable, "-D", self._data, *options),
            stop=STOP,
            orphan_signal=signal.SIGINT,
            run_as=disguise.run_as,
        )

    def is_ready(self, child: Child) -> bool:
        """Whether this process, not an earlier one on the same socket, answers a query."""
        if _postmaster_pid(self._data) != child.pid:
            return False
        try:
            with psycopg.connect(self._environment.database_url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _wait_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + READY_SECONDS
        provisioned = False
        while True:
            if child.exit_status is not None:
                raise _DiedWhileStartingError(
                    f"PostgreSQL ended while starting. Its log, {self._environment.log_folder / NAME}.log,"
                    f" says:\n{last_lines(self._environment.log_folder, NAME)}"
                )
            if self.is_ready(child):
                return
            if not provisioned:
                provisioned = self._provision()
            if time.monotonic() > deadline:
                raise ServiceProblem(
                    f"PostgreSQL was not ready within {READY_SECONDS} s; its log is in"
                    f" {self._environment.log_folder / NAME}.log."
                )
            self._pause(_POLL_SECONDS)

    def _check_major(self) -> None:
        try:
            major = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            if self._data.exists():
                raise ServiceProblem(
                    f"{self._data} has no PostgreSQL cluster: move it away, or restore a backup"
                    " with `manage.py restore FILE --force`."
                ) from None
            return
        if major != str(POSTGRES_MAJOR):
            raise ServiceProblem(
                f"{self._data} was written by PostgreSQL {major}, and this release brings PostgreSQL"
                f" {POSTGRES_MAJOR}: with the release that wrote it run `manage.py backup FILE`, move"
                f" the folder away, then run `manage.py restore FILE` here."
            )

    def _make_cluster(self) -> None:
        """Create the cluster in a temporary folder and rename it, so that an interrupted start leaves
        nothing.
        """
        initdb = postgres_program("initdb")
        disguise = unprivileged.disguise_for(initdb, self._folder)
        password = self._write_passwords()
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="new-") as name:
            made = Path(name) / "data"
            password_file = Path(name) / "password"
            password_file.write_text(password + "\n", encoding="utf-8")
            disguise.own(self._folder)
            command = [
                *disguise.prefix,
                *(initdb, "--pgdata", made, "--username", _SUPERUSER, "--pwfile", password_file),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--data-checksums"),
                # Sorting must not change with the operating system's C library.
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
                *("--no-instructions", *([] if self._durable else ["--no-sync"])),
                *(word for setting in _SETTINGS.items() for word in ("--set", "=".join(setting))),
            ]
            run_as = disguise.run_as
            done = subprocess.run(
                [str(word) for word in command],
                capture_output=True,
                text=True,
                check=False,
                user=run_as.user if run_as else None,
                group=run_as.group if run_as else None,
                extra_groups=[] if run_as else None,
            )
            if done.returncode:
                raise ServiceProblem(
                    f"PostgreSQL's data folder could not be made in {self._folder}: {done.stderr.strip()}"
                )
            made.rename(self._data)

    def _write_passwords(self) -> str:
        """Write a new libpq password file and return the superuser's password."""
        superuser, user = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._password_file.unlink(missing_ok=True)
        descriptor = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"*:*:*:{_SUPERUSER}:{superuser}\n*:*:*:{DATABASE_USER}:{user}\n")
            file.flush()
            os.fsync(file.fileno())
        return superuser

    def _provision(self) -> bool:
        """Create the product's role and database if missing; returns False if the server refused the
        connection.
        """
        try:
            with self._superuser_connection() as connection:
                _make_role(connection, self._read_password(DATABASE_USER))
                _make_database(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _superuser_connection(self) -> psycopg.Connection[tuple[object, ...]]:
        url = (
            f"postgresql://{_SUPERUSER}@/postgres?host={quote(str(self._environment.socket_folder), safe='')}"
            f"&passfile={quote(str(self._password_file), safe='')}&connect_timeout=2"
        )
        return psycopg.connect(url, autocommit=True)

    def _read_password(self, user: str) -> str:
        with contextlib.suppress(OSError):
            for line in self._password_file.read_text(encoding="ascii").splitlines():
                if line.startswith(f"*:*:*:{user}:"):
                    return line.rpartition(":")[2]
        raise ServiceProblem(
            f"{self._password_file} no longer has the password of the database: restore the file from a"
            " copy of"
            f" {self._folder}, or move {self._data} away and run `manage.py restore FILE`."
        )

    def _wait_for_earlier_server(self) -> None:
        """Stop the server that a killed supervisor left behind, and wait for its shutdown."""
        pid = _postmaster_pid(self._data)
        if pid is None or not is_alive(pid) or not _serves(pid, self._data):
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGINT)
        if not wait_for_exit(pid, _EARLIER_SERVER_SECONDS):
            raise ServiceProblem(
                f"An earlier PostgreSQL (process {pid}) still uses {self._data} and does not stop: find out"
                f" why, then `kill -QUIT {pid}`."
            )

    def _open_log(self) -> IO[bytes]:
        return open_log(self._environment.log_folder, NAME)


class _DiedWhileStartingError(Exception):
    pass


def _make_role(connection: psycopg.Connection[tuple[object, ...]], password: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [DATABASE_USER]).fetchone()
    # Hashed by the client, so that no statement log can show the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), DATABASE_USER.encode(), b"scram-sha-256")
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
            sql.SQL("ALTER" if exists else "CREATE"), sql.Identifier(DATABASE_USER), verifier.decode()
        )
    )


def _make_database(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]).fetchone()
    if not exists:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(DATABASE_NAME), sql.Identifier(DATABASE_USER)
            )
        )


def _postmaster_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL server of this data folder."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except OSError:
        return False


def _quoted_list_item(folder: Path) -> str:
    # The setting is a comma-separated list; the quotes protect commas and spaces in the path.
    return '"' + str(folder).replace('"', '""') + '"'
