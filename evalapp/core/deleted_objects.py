"""Recognises writes to objects that were just deleted."""

import psycopg.errors
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError

from evalapp.core.errors import ConflictError


class DeletedError(ConflictError):
    """What this belongs to was deleted while it was on its way (409)."""

    code = "deleted_meanwhile"

    def __init__(self) -> None:
        super().__init__("The object was deleted in the meantime, so nothing was stored.")


def is_gone(exception: Exception) -> bool:
    """Whether a row that a request found at first is not there any more.

    A write may not refer to it, nothing is found where it is locked or read again, or saving it changes
    nothing. What a request asks for and never was there is Http404 or MissingError, and none of these.
    """
    if isinstance(exception, ObjectDoesNotExist):
        return True
    if isinstance(exception, IntegrityError):
        return isinstance(exception.__cause__, psycopg.errors.ForeignKeyViolation)
    # Django has no class of its own for this one.
    return type(exception) is DatabaseError and "did not affect any rows" in str(exception)
