"""Statements that every click runs, planned once for a connection.

The database takes longer to plan a read of six joined tables than to answer it. Statements of a
`prepared_cursor` are planned anew until it has seen the same one twice, and then kept (psycopg's
``prepare_threshold``). Their parameters go apart from the text, so each needs a type that follows from
its place: cast arrays, as in ``%(ids)s::bigint[]``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, OperationalError, connections
from django.db.backends.utils import CursorWrapper


@contextmanager
def prepared_cursor() -> Iterator[CursorWrapper]:
    """A cursor of Django's connection that lets the server keep the plans of what it runs.

    Raises OperationalError where a migration has changed a type since: the connection is closed then,
    and the same again runs on a new one.
    """
    # Django's `connection` finds the thread's anew at every attribute, and this is the way of every
    # statement.
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    cursor = psycopg.Cursor(database.connection)
    try:
        # A log of statements shows them with their values, which only an ordinary cursor knows.
        with database.cursor() if database.queries_logged else database.make_cursor(cursor) as wrapped:
            yield wrapped
    except NotSupportedError as error:
        database.connection.close()
        raise OperationalError(f"The tables have changed: {error}") from error


def first_row(statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row that a prepared statement gives, or None."""
    with prepared_cursor() as cursor:
        cursor.execute(statement, parameters)
        return cast(tuple[Any, ...] | None, cursor.fetchone())
