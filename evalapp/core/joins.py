"""Several models read by one hand-written join, for reads at every click.

Composing a query of five joined models takes Django longer than the database takes to answer it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model

from evalapp.core.prepared import first_row


class JoinedRows:
    """The columns of several models for one SELECT, and the models from its rows.

    ``aliases`` maps each table alias in the statement to its model.
    """

    def __init__(self, **aliases: type[Model]) -> None:
        self._fields = {model: model._meta.concrete_fields for model in aliases.values()}
        self._converters = {
            model: [
                (position, converter)
                for position, field in enumerate(fields)
                for converter in field.get_db_converters(connection)
            ]
            for model, fields in self._fields.items()
        }
        self.columns = ", ".join(
            f'{alias}."{field.column}"' for alias, model in aliases.items() for field in self._fields[model]
        )

    def first(self, rest: str, parameters: Mapping[str, Any]) -> list[Any] | None:
        """The models in the first row of a prepared SELECT of these columns; ``rest`` begins with FROM."""
        row = first_row(f"SELECT {self.columns} {rest}", parameters)
        return None if row is None else self.models_of(row)[0]

    def models_of(self, row: Sequence[Any]) -> tuple[list[Any], Sequence[Any]]:
        """The models of a row in the order of their aliases, and the values of any further columns."""
        models = []
        start = 0
        for model, fields in self._fields.items():
            end = start + len(fields)
            names = [field.attname for field in fields]
            values = list(row[start:end])
            for position, converter in self._converters[model]:
                values[position] = converter(values[position], None, connection)
            models.append(model.from_db(connection.alias, names, values))
            start = end
        return models, row[start:]
