"""Models of one hand-written join, for the few reads that every click makes.

Composing a query of five joined models anew costs Django more than the database takes to answer it.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Model


class JoinedRows:
    """The columns of several models for one SELECT, and the models of a row that it gave.

    ``aliases`` maps each table's alias in the statement to its model. Models with a column that Django
    converts after reading (JSON) are refused with TypeError.
    """

    def __init__(self, **aliases: type[Model]) -> None:
        self._fields = {model: model._meta.concrete_fields for model in aliases.values()}
        for model, fields in self._fields.items():
            for field in fields:
                if field.get_db_converters(connection):
                    raise TypeError(f"{model.__name__}.{field.name} is converted after reading.")
        self.columns = ", ".join(
            f'{alias}."{field.column}"' for alias, model in aliases.items() for field in self._fields[model]
        )

    def models_of(self, row: Sequence[Any]) -> tuple[list[Any], Sequence[Any]]:
        """The models in the order of their aliases, and what the SELECT asked for after them."""
        models = []
        start = 0
        for model, fields in self._fields.items():
            end = start + len(fields)
            names = [field.attname for field in fields]
            models.append(model.from_db(connection.alias, names, row[start:end]))
            start = end
        return models, row[start:]
