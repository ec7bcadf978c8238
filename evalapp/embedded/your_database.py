"""Checks whether the external PostgreSQL in DATABASE_URL is usable."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import psycopg.errors

from evalapp.embedded.problems import ServiceProblem
from evalapp.env import Environment

_CONNECT_SECONDS = 5
_PREPARED = "SELECT 1"
# The errors of a session in which another client prepared the same name, of a session without that
# statement, and of a pooler that does not know transactions.
_LOST = (
    psycopg.errors.DuplicatePreparedStatement,
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.ProtocolViolation,
)


def check_your_database(environment: Environment) -> None:
    """Raise ServiceProblem if a pooler loses prepared statements, or the role may not create and alter the
    product's tables. The database must answer.
    """
    if environment.embedded_postgres:
        return
    _check_prepared_statements(environment)
    with _connection(environment) as connection:
        _check_rights(connection)


def reason_of(error: BaseException) -> str:
    """The driver's message of a failed connection, in one line without a final full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _check_prepared_statements(environment: Environment) -> None:
    """Prepare the same statement on two connections; behind a pooler the second one may get the first one's
    session.
    """
    try:
        with _connection(environment) as first, _connection(environment) as second:
            for connection in (first, second, first):
                with connection.transaction():
                    connection.execute(_PREPARED, prepare=True)
            # While one connection is in a transaction, a pooler gives the other another session.
            with second.transaction():
                second.execute(_PREPARED, prepare=True)
                with first.transaction():
                    first.execute(_PREPARED, prepare=True)
    except _LOST as error:
        raise ServiceProblem(
            f"The database in DATABASE_URL loses prepared statements ({reason_of(error)}), as PgBouncer does"
            " between transactions: set max_prepared_statements in its configuration (PgBouncer 1.21 or"
            " later), or pool_mode = session, or name the server itself in DATABASE_URL."
        ) from error


def _check_rights(connection: psycopg.Connection[Any]) -> None:
    role, database, may_make = _one(
        connection,
        "SELECT current_user, current_database(), coalesce(has_schema_privilege('public', 'CREATE'), false)"
        " FROM (VALUES (1)) AS once WHERE EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'public')",
    ) or (connection.info.user, connection.info.dbname, False)
    if not may_make:
        raise ServiceProblem(
            f"The role {role} in DATABASE_URL may not create tables in the database {database}: it is not its"
            f' owner. As an administrator of the server run: ALTER DATABASE "{database}" OWNER TO "{role}";'
            f' and in that database: GRANT CREATE, USAGE ON SCHEMA public TO "{role}";'
        )
    foreign = _one(
        connection,
        "SELECT relname, pg_get_userbyid(relowner) FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v')"
        r" AND (relname LIKE 'evalapp\_%' OR relname = 'django_migrations')"
        " AND NOT pg_has_role(relowner, 'USAGE') ORDER BY relname LIMIT 1",
    )
    if foreign:
        table, owner = foreign
        raise ServiceProblem(
            f"The role {role} in DATABASE_URL is not the owner of the table {table} in the database"
            f" {database}, which"
            f" belongs to {owner}, so a new release could not change it. Name {owner} in DATABASE_URL, or"
            " as an"
            f' administrator run in that database: REASSIGN OWNED BY "{owner}" TO "{role}";'
        )


def _one(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...] | None:
    return connection.execute(query).fetchone()


@contextmanager
def _connection(environment: Environment) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        environment.database_url, connect_timeout=_CONNECT_SECONDS, autocommit=True
    ) as connection:
        yield connection
