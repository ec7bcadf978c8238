"""The test run's own PostgreSQL and Valkey, in a temporary folder.

Loaded by pytest before any plugin reads Django's settings (see `addopts` in pyproject.toml), so the addresses
are in the environment by then. The process that starts the run owns the servers; processes of pytest-xdist
inherit the addresses. The servers end with the run, whatever ends it.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from psycopg import sql

from evalapp.embedded.postgres import DATABASE_USER, PostgresServer
from evalapp.embedded.valkey import ValkeyServer
from evalapp.env import Environment, read_environment

_MARK = "EVALAPP_TEST_SERVICES"
# Settings of tests that the product does not know.
_OF_TESTS = {"EVALAPP_SQUALITY_FILE"}

# As in the product's web processes; read when a library is imported. Threads of numerical libraries spin
# while they wait for each other, on cores that other test processes need: a fit of 13 ms took 90 ms.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"})


def _choose_folder() -> Environment | None:
    """Set a new home for this process and its children; None if an outer process did."""
    if _MARK in os.environ:
        # A Valkey database for each process, so that clearing the cache affects no other process.
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("db=0", f"db={int(worker) + 1}")
        # And a home for each: a run of one process must not wait for a device that another one uses.
        home = Path(os.environ[_MARK], f"gw{worker}")
        home.mkdir(exist_ok=True)
        os.environ["EVALAPP_HOME"] = str(home)
        return None
    # Directly under /tmp, because a socket's path must be short.
    home = Path(tempfile.mkdtemp(prefix="evalapp-tests-", dir="/tmp"))
    # Tests must not use the developer's own installation, nor affect it.
    for name in [name for name in os.environ if name.startswith("EVALAPP_") and name not in _OF_TESTS]:
        del os.environ[name]
    environment = read_environment({"EVALAPP_HOME": str(home)})
    os.environ.update(
        {
            _MARK: str(home),
            "EVALAPP_HOME": str(home),
            "DATABASE_URL": environment.database_url,
            "REDIS_URL": environment.redis_url,
        }
    )
    return environment


_owned = _choose_folder()
_servers: list[PostgresServer | ValkeyServer] = []


def pytest_configure(config: pytest.Config) -> None:
    if _owned is None or config.option.collectonly or config.option.help:
        return
    postgres = PostgresServer(_owned, durable=False)
    valkey = ValkeyServer(_owned)
    _servers.extend([postgres, valkey])
    postgres.start()
    with postgres._superuser_connection() as connection:
        role = sql.Identifier(DATABASE_USER)
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(role))
        # For tests/emptying.py.
        connection.execute(sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(role))
    valkey.start()


def pytest_unconfigure() -> None:
    if _owned is None:
        return
    for server in reversed(_servers):
        server.stop()
    _servers.clear()
    shutil.rmtree(_owned.home, ignore_errors=True)
