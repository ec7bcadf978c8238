"""Unique constraints of the database as conflicts."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from evalapp.core.errors import ConflictError


@contextmanager
def unless_taken(message: str, *, field: str | None = None) -> Iterator[None]:
    """Run the block in a transaction; if it violates a constraint, nothing is written and ConflictError with
    this message (of ``field``) is raised.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ConflictError(message, field=field) from error
