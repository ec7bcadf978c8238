"""Errors that a person can fix: services raise them, and the HTTP layer turns them into responses."""

from collections.abc import Mapping, Sequence

MOST_PROBLEMS = 50
"""The maximum number of messages reported at once; after fixing them, the caller sees the next."""
_LONGEST_NAME = 120
_LONGEST_TEXT = 2_000


class ProblemError(Exception):
    """Something the caller can fix.

    ``message``: one or two sentences on what was wrong, where, and how to fix it. ``fields`` maps field names
    to their messages, at most MOST_PROBLEMS; names and messages are shortened, since they may repeat input.
    ``field``: the field that ``message`` belongs to. ``code``: stable, for programs.
    """

    status = 400
    code = "invalid"

    def __init__(
        self,
        message: str,
        *,
        fields: Mapping[str, Sequence[str]] | None = None,
        field: str | None = None,
        code: str | None = None,
    ) -> None:
        self.message = _shortened(message, _LONGEST_TEXT)
        super().__init__(self.message)
        self.fields = _first_problems({field: [message]} if field is not None else fields or {})
        if code:
            self.code = code


class InvalidError(ProblemError):
    """The input is not acceptable (400)."""


class NotHereError(InvalidError):
    """The object may be on another machine but is not on this one (400); a job that needs it is left to a
    worker there.
    """


class NotAllowedError(ProblemError):
    """The role in this project lacks the permission (403)."""

    status = 403
    code = "not_allowed"


class MissingError(ProblemError):
    """Nonexistent, or not visible to this person; the two are never distinguished (404)."""

    status = 404
    code = "not_found"


class WrongMethodError(ProblemError):
    """The URL exists but does not accept the method (405)."""

    status = 405
    code = "method_not_allowed"


class ConflictError(ProblemError):
    """A conflict with a concurrent or earlier change (409)."""

    status = 409
    code = "conflict"


class StaleError(ProblemError):
    """The edit was based on a revision that has been replaced (412)."""

    status = 412
    code = "stale"


class LengthMissingError(ProblemError):
    """The body's length is not declared, so that it cannot be refused before it is read (411)."""

    status = 411
    code = "length_required"


class TooLargeError(ProblemError):
    """Larger than the limit (413)."""

    status = 413
    code = "too_large"


class NoRoomError(ProblemError):
    """The server has no disk space for the data (507)."""

    status = 507
    code = "no_room"


def _first_problems(fields: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {}
    left = MOST_PROBLEMS
    for name, texts in fields.items():
        if left <= 0:
            break
        shown = [_shortened(text, _LONGEST_TEXT) for text in texts[:left]]
        kept.setdefault(_shortened(name, _LONGEST_NAME), []).extend(shown)
        left -= max(1, len(shown))
    return kept


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
