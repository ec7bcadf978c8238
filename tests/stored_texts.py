"""Searches all text in the database."""

from collections.abc import Iterable

from django.apps import apps
from django.db import connection


def tables_with(marks: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of table and mark, for each mark found in a row of a table."""
    marks = list(marks)
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [(table, mark) for (text,) in cursor.fetchall() for mark in marks if mark in text]
    return sorted(set(found))
