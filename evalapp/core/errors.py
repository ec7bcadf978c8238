"""Errors a person can act on. Services raise them; the http edge turns them into answers."""

from collections.abc import Mapping, Sequence


class ProblemError(Exception):
    """Something the caller can mend.

    ``message`` is one sentence or two: what was wrong, where, how to mend it.
    ``fields`` maps a field's name to its own messages.  ``code`` is stable for machines.
    """

    status = 400
    code = "invalid"

    def __init__(
        self, message: str, *, fields: Mapping[str, Sequence[str]] | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = {name: list(texts) for name, texts in (fields or {}).items()}
        if code:
            self.code = code


class InvalidError(ProblemError):
    """The input is not acceptable (400)."""


class NotHereError(InvalidError):
    """What is asked for may be on another machine, not on this one (400); a job that needs it is left to a worker there."""


class NotAllowedError(ProblemError):
    """The role in this project lacks the permission (403)."""

    status = 403
    code = "not_allowed"


class MissingError(ProblemError):
    """Not there, or not yours: the two are never told apart (404)."""

    status = 404
    code = "not_found"


class WrongMethodError(ProblemError):
    """The address is there, and takes something else than what was asked of it (405)."""

    status = 405
    code = "method_not_allowed"


class ConflictError(ProblemError):
    """Somebody or something else came first (409)."""

    status = 409
    code = "conflict"


class StaleError(ProblemError):
    """The edit was based on a revision that has been replaced (412)."""

    status = 412
    code = "stale"


class LengthMissingError(ProblemError):
    """A body whose length is not said, so that it cannot be refused before it is read (411)."""

    status = 411
    code = "length_required"


class TooLargeError(ProblemError):
    """More than the limit (413)."""

    status = 413
    code = "too_large"


class NoRoomError(ProblemError):
    """The server has no room for what was sent (507)."""

    status = 507
    code = "no_room"
