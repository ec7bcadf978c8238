"""All that the database holds, as text."""

from collections.abc import Iterable

from django.apps import apps
from django.db import connection


def tables_with(marks: Iterable[str]) -> list[tuple[str, str]]:
    """Table and mark, of every row of every table that holds one of the marks."""
    marks = list(marks)
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [(table, mark) for (text,) in cursor.fetchall() for mark in marks if mark in text]
    return sorted(set(found))
