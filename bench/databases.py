"""Temporary databases for benchmarks and tests."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

_CLIENTS = """
    SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity
    WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@contextmanager
def temporary_database(server: str, *, template: str = "template1") -> Iterator[str]:
    """Create a copy of the database ``template`` on the server of the URL ``server``; yields its URL and
    drops it at the end.

    Disconnects all other clients of ``template`` at the start and of the copy at the end.
    """
    name = f"temporary_{uuid.uuid4().hex}"
    at_server = urlsplit(server)._replace(path="/postgres").geturl()
    with psycopg.connect(at_server, autocommit=True) as connection:
        connection.execute(_CLIENTS, [template])
        connection.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"')
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(at_server, autocommit=True) as connection:
            # WITH (FORCE) would fail for anyone but a superuser while autovacuum works there.
            connection.execute(_CLIENTS, [name])
            connection.execute(f"DROP DATABASE {name}")


def cut_connections(url: str) -> None:
    """Disconnect every other client of the database, as a restart of the server does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_CLIENTS, [connection.info.dbname])
