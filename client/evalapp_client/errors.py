"""All errors. Those reported by the server have its code, message and fields."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalapp_client.taken import Refused


class EvalappError(Exception):
    """Base class of all errors of this client."""


class UnreachableError(EvalappError):
    """The server could not be reached in any attempt."""


class ApiError(EvalappError):
    """The server refused the request. ``fields`` has messages by field of the request."""

    def __init__(self, status: int, code: str, message: str, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__(f"{message} ({status} {code})")
        self.status = status
        self.code = code
        self.message = message
        self.fields = {name: list(texts) for name, texts in fields.items()}


class InvalidError(ApiError):
    """The request is not valid (400)."""


class NotSignedInError(ApiError):
    """The token is wrong, has expired or was revoked (401)."""


class NotAllowedError(ApiError):
    """The role of the token's person in the project does not allow it (403)."""


class MissingError(ApiError):
    """The object does not exist, or the token's person may not see it (404)."""


class ConflictError(ApiError):
    """The request conflicts with what is stored: another event has this id, or the stream has ended (409)."""


class TooLargeError(ApiError):
    """The request is larger than the server accepts (413)."""


class ThrottledError(ApiError):
    """Too many requests, and waiting for the next minute would exceed patience (429)."""


class ServerError(ApiError):
    """The server failed (5xx) in every attempt."""


class QueueFullError(EvalappError):
    """The queue is full, because the server has been unreachable for a long time."""


class ClosedError(EvalappError):
    """The stream is closed, so nothing can be sent."""


class NotSentError(EvalappError):
    """Events and assessments (``count`` of them) were not sent in time. They are retried unless the stream is
    closed.
    """

    def __init__(self, count: int, last_error: str) -> None:
        because = f" The last error: {last_error}" if last_error else ""
        super().__init__(f"{count:,} events and assessments are not sent yet.{because}")
        self.count = count
        self.last_error = last_error


class RefusedError(EvalappError):
    """The server refused some events or assessments for good."""

    def __init__(self, refused: "Sequence[Refused]") -> None:
        told = "; ".join(f"{each.id or each.number}: {' '.join(each.problems)}" for each in refused[:5])
        more = f" ({len(refused) - 5:,} more)" if len(refused) > 5 else ""
        super().__init__(f"{len(refused):,} were refused: {told}{more}")
        self.refused = list(refused)


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidError,
    401: NotSignedInError,
    403: NotAllowedError,
    404: MissingError,
    409: ConflictError,
    413: TooLargeError,
    429: ThrottledError,
}


def api_error(status: int, body: object, text: str) -> ApiError:
    """The error in a response; ``body`` is the response's JSON value, or None."""
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    told = body.get("error") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return kind(status, "unknown", text.strip()[:200] or "The server gave no reason.", {})
    return kind(status, str(told.get("code", "")), str(told.get("message", "")), told.get("fields") or {})
