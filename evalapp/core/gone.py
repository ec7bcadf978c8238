"""When somebody deleted, a moment ago, what a write belongs to."""

import psycopg.errors
from django.db import IntegrityError

from evalapp.core.errors import ConflictError


class GoneError(ConflictError):
    """What this belongs to was deleted while it was on its way (409)."""

    code = "deleted_meanwhile"

    def __init__(self) -> None:
        super().__init__("What this belongs to has been deleted in the meantime, so nothing was stored.")


def is_gone(exception: Exception) -> bool:
    """Whether the database refused a write because the row that it refers to is not there any more."""
    return isinstance(exception, IntegrityError) and isinstance(
        exception.__cause__, psycopg.errors.ForeignKeyViolation
    )
