"""Errors a person can act on. Services raise them; the http edge turns them into answers."""

from collections.abc import Mapping, Sequence

MOST_PROBLEMS = 50
"""So many are told at once, whatever was sent: who fixes these sends it again and sees the next."""
_LONGEST_NAME = 120
_LONGEST_TEXT = 2_000


class ProblemError(Exception):
    """Something the caller can fix.

    ``message`` is one sentence or two: what was wrong, where, how to fix it.
    ``fields`` maps a field's name to its own messages, of which MOST_PROBLEMS are kept; names and messages
    are cut, since they may repeat what somebody sent. ``field``: the one that the message is of. ``code`` is
    stable for machines.
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
        self.message = _cut(message, _LONGEST_TEXT)
        super().__init__(self.message)
        self.fields = _first({field: [message]} if field is not None else fields or {})
        if code:
            self.code = code


class InvalidError(ProblemError):
    """The input is not acceptable (400)."""


class NotHereError(InvalidError):
    """What is asked for may be on another machine, not on this one (400); a job that needs it is left to a
    worker there.
    """


class NotAllowedError(ProblemError):
    """The role in this project lacks the permission (403)."""

    status = 403
    code = "not_allowed"


class MissingError(ProblemError):
    """Not there, or not yours: the two are never told apart (404)."""

    status = 404
    code = "not_found"


class WrongMethodError(ProblemError):
    """The URL is there, and takes something else than what was asked of it (405)."""

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


def _first(fields: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {}
    left = MOST_PROBLEMS
    for name, texts in fields.items():
        if left <= 0:
            break
        shown = [_cut(text, _LONGEST_TEXT) for text in texts[:left]]
        kept.setdefault(_cut(name, _LONGEST_NAME), []).extend(shown)
        left -= max(1, len(shown))
    return kept


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
