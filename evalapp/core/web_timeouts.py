"""Time limits of the database for statements of web requests. Jobs and commands have none."""

from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, transaction

STATEMENT_SECONDS = 60
LOCK_SECONDS = 10


class WebConnection(psycopg.Connection[Any]):
    """A connection with time limits for statements and for waiting for locks.

    Not behind a pooler such as PgBouncer: the settings would stay on a server connection that others, such as
    jobs, use next.
    """

    @classmethod
    def connect(cls, *arguments: Any, **named: Any) -> "WebConnection":
        connection = super().connect(*arguments, **named)
        if not is_behind_pooler(connection):
            _set_timeouts(connection)
        return connection


def limit_requests() -> None:
    """Give connections of the web process these time limits; call it before the first request."""
    connections.settings[DEFAULT_DB_ALIAS]["OPTIONS"]["pool"]["connection_class"] = WebConnection


def is_behind_pooler(connection: psycopg.Connection[Any]) -> bool:
    """Whether a pooler is in between: the server then reports another process than the connection."""
    found = connection.execute("SELECT pg_backend_pid()").fetchone()
    return found is None or found[0] != connection.info.backend_pid


def _set_timeouts(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)",
        [f"{STATEMENT_SECONDS}s", f"{LOCK_SECONDS}s"],
    )
    connection.commit()


def allow_long_statements() -> None:
    """Remove the statement limit until the transaction ends, for slow work that a person asked for."""
    with transaction.get_connection().cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
