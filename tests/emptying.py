"""Emptying of tables after a test that commits: only those that have rows.

Django truncates every table, which takes PostgreSQL a quarter of a second even if all are empty.
"""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase

# Rows are deleted one by one, with checks of foreign keys; a large test's tables are truncated instead.
MANY_BYTES = 4 * 1024 * 1024
# Written by Django when the tables are created.
STAY = {"django_content_type", "auth_permission"}


def _filled_tables() -> dict[str, int]:
    """The product's tables that have rows, with their sizes in bytes."""
    known = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
    with connection.cursor() as cursor:
        cursor.execute(
            # A partitioned table itself has size 0.
            "SELECT relname, size FROM ("
            " SELECT relname, CASE relkind WHEN 'p' THEN"
            " (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(oid))"
            " ELSE pg_relation_size(oid) END AS size"
            " FROM pg_class WHERE relkind IN ('r', 'p') AND relname = ANY(%s)"
            ") AS tables WHERE size > 0",
            [list(known - STAY)],
        )
        sizes = dict(cursor.fetchall())
        filled = {}
        for table, size in sizes.items():
            cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}")')
            if cursor.fetchone()[0]:
                filled[table] = size
    return filled


def empty_tables(_: TransactionTestCase) -> None:
    filled = _filled_tables()
    if sum(filled.values()) > MANY_BYTES:
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        return
    with transaction.atomic(), connection.cursor() as cursor:
        # Triggers prevent deletion of audit events, and of rows of published versions. In the replica role,
        # PostgreSQL runs no triggers and checks no foreign keys.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in filled:
            cursor.execute(f'DELETE FROM "{table}"')


@pytest.fixture(scope="session", autouse=True)
def _only_filled_tables_are_emptied() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield
