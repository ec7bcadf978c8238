"""How long the database may take over one statement of a web request. Jobs and commands have
no such limit.
"""

from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, transaction

STATEMENT_SECONDS = 60
LOCK_SECONDS = 10


class WebConnection(psycopg.Connection[Any]):
    """A connection on which a statement, or a wait for somebody else's lock, ends after a time.

    Not behind a pooler such as PgBouncer: there the setting would stay with a connection that others, jobs
    among them, are given next.
    """

    @classmethod
    def connect(cls, *arguments: Any, **named: Any) -> "WebConnection":
        connection = super().connect(*arguments, **named)
        if not is_behind_pooler(connection):
            _set_timeouts(connection)
        return connection


def limit_requests() -> None:
    """For the process of the web, before its first request: its connections get the timeouts."""
    connections.settings[DEFAULT_DB_ALIAS]["OPTIONS"]["pool"]["connection_class"] = WebConnection


def is_behind_pooler(connection: psycopg.Connection[Any]) -> bool:
    """Whether something between us and the server lends its own connections: it names another process."""
    found = connection.execute("SELECT pg_backend_pid()").fetchone()
    return found is None or found[0] != connection.info.backend_pid


def _set_timeouts(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)",
        [f"{STATEMENT_SECONDS}s", f"{LOCK_SECONDS}s"],
    )
    connection.commit()


def allow_long_statements() -> None:
    """For what a person has asked for and takes its time: no limit for statements until the
    transaction ends.
    """
    with transaction.get_connection().cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
