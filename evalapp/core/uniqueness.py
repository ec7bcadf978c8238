"""What the database holds to be there once."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from evalapp.core.errors import ConflictError


@contextmanager
def unless_taken(message: str, *, field: str | None = None) -> Iterator[None]:
    """Write inside: nothing is written, and ConflictError with this message (of ``field``) raised, where the
    database finds that it is there already.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ConflictError(message, field=field) from error
