"""A database that grew with the releases is the one that a new installation makes at once."""

import os
import subprocess
import sys
import uuid
from urllib.parse import urlsplit

import psycopg
import pytest

CATALOG = """
SELECT 'column', table_name || '.' || column_name,
       concat_ws(' ', udt_name, character_maximum_length, is_nullable, column_default, identity_generation)
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname,
       concat_ws(' ', pg_get_constraintdef(oid), condeferrable, condeferred)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
  FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'evalapp%'
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid)
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'evalapp%'
UNION ALL SELECT 'storage', relname, concat_ws(' ', relkind, reloptions)
  FROM pg_class WHERE relnamespace = 'public'::regnamespace
"""
# The history one by one, as an installation took it that began before the release in question.
UP_TO = """
import sys, django
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from evalapp.embedded import preparation
executor = MigrationExecutor(connection)
if sys.argv[1]:
    executor.loader.replace_migrations = False
    executor.loader.build_graph()
    executor.migrate([("evalapp", sys.argv[1])])
assert preparation.migrate() and preparation.is_current() and not preparation.migrate()
"""


def catalog_of_migrated(begins_with: str) -> set[tuple[str, str, str]]:
    server = os.environ["DATABASE_URL"]
    name = f"migrations_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        url = urlsplit(server)._replace(path=f"/{name}").geturl()
        try:
            subprocess.run(
                [sys.executable, "-c", UP_TO, begins_with],
                env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "evalapp.settings"},
                check=True,
                capture_output=True,
            )
            with psycopg.connect(url) as migrated:
                return set(migrated.execute(CATALOG).fetchall())
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.verification  # the history one by one takes half a minute
@pytest.mark.parametrize("release", ["0001_initial", "0021_watch", "0041_shards"])
def test_an_upgrade_leaves_the_tables_and_rules_of_a_new_database(release: str) -> None:
    assert catalog_of_migrated(release) == catalog_of_migrated("")
