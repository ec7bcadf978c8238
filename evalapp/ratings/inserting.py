"""INSERT … SELECT for models: what a statement does not name gets the model's default, as it
would in Python.
"""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import Field, Model


def insert_from(
    model: type[Model],
    columns: Mapping[str, str],
    source: str,
    parameters: Mapping[str, Any] | None = None,
) -> int:
    """Insert a row of the model for each row of ``source`` (what stands after FROM); how many there were.

    ``columns``: column → expression. A field that is added to the model later is filled by its default;
    one whose default cannot be shared by rows must be named, else LookupError.
    """
    expressions = dict(columns)
    given: dict[str, Any] = dict(parameters or {})
    for field in model._meta.concrete_fields:
        if field.column and field.column not in expressions and not field.primary_key:
            _add_default(field, field.column, expressions, given)
    names = ", ".join(f'"{name}"' for name in expressions)
    values = ", ".join(expressions.values())
    # Names and expressions are the callers' constants; every value is a parameter.
    statement = f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {values} FROM {source}'  # noqa: S608 - names of our models
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return int(cursor.rowcount)


def _add_default(
    field: "Field[Any, Any]", column: str, expressions: dict[str, str], parameters: dict[str, Any]
) -> None:
    if getattr(field, "auto_now_add", False) or getattr(field, "auto_now", False):
        expressions[column] = "now()"
        return
    if field.has_default() and field.unique:
        raise LookupError(f"{field} is unique; give an expression for it.")
    value = field.get_default()
    if value is None:
        if not field.null:
            raise LookupError(f"{field} has no default; give an expression for it.")
        return
    name = f"default_{column}"
    expressions[column] = f"%({name})s::{field.db_type(connection)}"
    parameters[name] = field.get_db_prep_save(value, connection)
