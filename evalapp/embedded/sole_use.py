"""Allows only one `manage.py up` per external database: a second would take jobs whose files are in the first
one's home.

The running one holds a lock in the database, which the server releases when that process or its machine dies.
The last statement of the locking connection names the holder, so that no stale name can remain.
"""

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from evalapp.embedded.problems import ServiceProblem
from evalapp.env import Environment

_LOCK = 7_306_512_095  # any number that nothing else in the database locks
_MARK = "evalapp is served by "
_TRY_AGAIN_SECONDS = 5.0
# The lock lives in an open transaction: through PgBouncer a session may be shared, but never a transaction.
# It has no snapshot, so it does not hold back vacuum. The lock of a machine that lost its network is released
# within half a minute.
_SETTINGS = {
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_KEEPALIVES: dict[str, Any] = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class SoleUse:
    """The lock of one `manage.py up` on an external database; `pause` as in PostgresServer."""

    def __init__(self, environment: Environment, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._environment = environment
        self._pause = pause
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._myself: dict[str, object] = {
            "host": socket.gethostname(),
            "home": str(environment.home),
            "process": os.getpid(),
            "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        }
        self._try_at = 0.0

    def take(self) -> None:
        """Take the lock. Raises ServiceProblem that names the holder if another process serves this database,
        and psycopg's own errors if it does not answer.
        """
        # The server needs a moment to notice that an earlier holder has died.
        deadline = time.monotonic() + _TRY_AGAIN_SECONDS
        while (holder := self._try()) is not None:
            if time.monotonic() > deadline:
                raise ServiceProblem(_told(holder))
            self._pause(0.2)

    def keep(self) -> None:
        """Take the lock again after a lost connection, without waiting for a database that does not answer.

        Raises ServiceProblem if another process took it meanwhile.
        """
        if self._connection is not None and _is_alive(self._connection):
            return
        self.release()
        if time.monotonic() < self._try_at:
            return
        self._try_at = time.monotonic() + _TRY_AGAIN_SECONDS
        with contextlib.suppress(psycopg.Error):
            # The server may still count our own lost connection as the holder.
            if (holder := self._try()) not in (None, self._myself):
                raise ServiceProblem(_told(holder or {}))

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self) -> dict[str, object] | None:
        """Try to take the lock; returns None if taken, else the holder's description of itself."""
        connection = psycopg.connect(self._environment.database_url, connect_timeout=2, **_KEEPALIVES)
        try:
            for name, value in _SETTINGS.items():
                query = "SELECT set_config(name, %s, true) FROM pg_settings WHERE name = %s"
                connection.execute(query, [value, name])
            taken = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone()
            if taken != (True,):
                holder = _holder(connection)
                connection.close()
                return holder
            told = _MARK + json.dumps(self._myself, ensure_ascii=False)
            connection.execute(sql.SQL("SELECT {}").format(told))
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return None


def _is_alive(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Whether the connection is open; a server that closes it sends a message unasked."""
    try:
        if select.select([connection.fileno()], [], [], 0)[0]:
            connection.pgconn.consume_input()
    except (psycopg.Error, OSError, ValueError):
        return False
    return not connection.broken


def _holder(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, object]:
    """The lock holder's description of itself; empty if this role may not read it."""
    query = (
        "SELECT query FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND (classid::bigint << 32) | objid::bigint = %s"
    )
    row = connection.execute(query, [_LOCK]).fetchone()
    _, _, told = str(row[0] if row else "").partition(_MARK)
    with contextlib.suppress(ValueError):
        return dict(json.loads(told.rpartition("'")[0].replace("''", "'").replace("\\\\", "\\")))
    return {}


def _told(holder: dict[str, object]) -> str:
    named = (
        f"`manage.py up` on {holder['host']} (home {holder['home']}, process {holder['process']}, since"
        f" {holder['since']})"
        if holder
        else "another `manage.py up`"
    )
    return (
        f"The database in DATABASE_URL is served by {named}: stop that one first, or give this one a database"
        " of its own. A machine that should train and generate for it runs `manage.py work`."
    )
