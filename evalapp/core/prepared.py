"""Prepared statements, planned once per connection, for queries at every click.

The database takes longer to plan a read of six joined tables than to answer it. A `prepared_cursor` keeps the
plan of a statement after executing it twice (psycopg's ``prepare_threshold``). Parameters are sent apart from
the text, so each needs a type that follows from its position: cast arrays, as in ``%(ids)s::bigint[]``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, OperationalError, connections
from django.db.backends.utils import CursorWrapper


@contextmanager
def prepared_cursor() -> Iterator[CursorWrapper]:
    """A cursor of Django's connection whose statements the server may prepare.

    Raises OperationalError if a migration has changed a type since: the connection is then closed, and a
    repeated attempt uses a new one.
    """
    # Django's `connection` looks up the thread's connection at every attribute, and every statement comes
    # here.
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    cursor = psycopg.Cursor(database.connection)
    try:
        # The query log shows statements with their values, which only an ordinary cursor has.
        with database.cursor() if database.queries_logged else database.make_cursor(cursor) as wrapped:
            yield wrapped
    except NotSupportedError as error:
        database.connection.close()
        raise OperationalError(f"The tables have changed: {error}") from error


def first_row(statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row of a prepared statement, or None."""
    with prepared_cursor() as cursor:
        cursor.execute(statement, parameters)
        return cast(tuple[Any, ...] | None, cursor.fetchone())
