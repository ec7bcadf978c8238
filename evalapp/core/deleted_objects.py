"""Recognises writes that refer to just deleted objects."""

import psycopg.errors
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError

from evalapp.core.errors import ConflictError


class DeletedError(ConflictError):
    """The related object was deleted during the request (409)."""

    code = "deleted_meanwhile"

    def __init__(self) -> None:
        super().__init__("The object was deleted in the meantime, so nothing was stored.")


def is_gone(exception: Exception) -> bool:
    """Whether a row that a request had found was deleted in the meantime.

    The signs: a write violates its foreign key, locking or re-reading finds nothing, or saving changes no
    row. A request for an object that never existed raises Http404 or MissingError instead.
    """
    if isinstance(exception, ObjectDoesNotExist):
        return True
    if isinstance(exception, IntegrityError):
        return isinstance(exception.__cause__, psycopg.errors.ForeignKeyViolation)
    # Django has no exception class for this case.
    return type(exception) is DatabaseError and "did not affect any rows" in str(exception)
