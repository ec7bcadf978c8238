"""Every failure of the API in one shape: ``{error: {code, message, fields}}``."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from evalapp.core.deleted_objects import DeletedError, is_gone
from evalapp.core.errors import InvalidError, MissingError, NotAllowedError, ProblemError
from evalapp.core.http import ServiceUnavailableError, body_problem, problem_body
from evalapp.core.middleware import outage_message
from evalapp.core.outages import AWAY
from evalapp.core.storage import storage_problem

logger = logging.getLogger(__name__)

RETRY_SECONDS = "2"
WHOLE_BODY = "body"


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response | None:
    """The answer to an exception, or None for a fault of the server (500, logged by Django)."""
    problem = storage_problem(exception) or as_problem(exception)
    if problem is None:
        return None
    if problem.status == ServiceUnavailableError.status:
        logger.warning("%s answered 503: %s", context["request"].path, exception)
    elif isinstance(problem, DeletedError):
        # With its trace: a fault of ours could look the same.
        logger.warning("%s answered 409: %s", context["request"].path, exception, exc_info=exception)
    response = Response(problem_body(problem), status=problem.status)
    if header := getattr(exception, "auth_header", None):
        response["WWW-Authenticate"] = header
    if (seconds := getattr(exception, "wait", None)) is not None:
        response["Retry-After"] = str(max(1, round(seconds)))
    elif problem.status == ServiceUnavailableError.status:
        response["Retry-After"] = RETRY_SECONDS
    return response


# In order: the first that fits. Each is one of Django's own exceptions.
_TRANSLATED: tuple[tuple[type[Exception], type[ProblemError], str], ...] = (
    (Http404, MissingError, "There is nothing at this URL, or you may not see it."),
    (PermissionDenied, NotAllowedError, "Your role in this project does not allow this."),
    (SuspiciousOperation, InvalidError, "The request could not be read. Check how your client builds it."),
)


def as_problem(exception: Exception) -> ProblemError | None:
    """The error that a caller can fix, or None if there is none."""
    problem = exception if isinstance(exception, ProblemError) else body_problem(exception)
    if problem is not None:
        return problem
    if isinstance(exception, exceptions.ValidationError):
        return invalid(dict(by_field(exception.detail)))
    if isinstance(exception, exceptions.APIException):
        return _from_framework(exception)
    if is_gone(exception):
        return DeletedError()
    if isinstance(exception, AWAY):
        return ServiceUnavailableError(outage_message(exception))
    return next(
        (translated(words) for kind, translated, words in _TRANSLATED if isinstance(exception, kind)), None
    )


def invalid(fields: Mapping[str, Sequence[str]]) -> InvalidError:
    """Problems by field as one error, whose message opens with the first of them."""
    name, texts = next(iter(fields.items()))
    count = sum(map(len, fields.values()))
    more = f" ({count - 1:,} more, see fields.)" if count > 1 else ""
    return InvalidError(f"{name}: {texts[0]}{more}", fields=fields)


class _FrameworkError(ProblemError):
    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message, code=code)
        self.status = status


def _from_framework(exception: exceptions.APIException) -> ProblemError:
    code = exception.get_codes()
    return _FrameworkError(
        str(exception.detail),
        code=code if isinstance(code, str) else exception.default_code,
        status=exception.status_code,
    )


def by_field(detail: Any, name: str = "") -> Iterator[tuple[str, list[str]]]:
    """``rows.3.text`` for the text of the fourth row."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            own = "" if key == "non_field_errors" else str(key)
            yield from by_field(inner, ".".join(part for part in (name, own) if part))
    elif isinstance(detail, list) and any(isinstance(each, Mapping | list) for each in detail):
        for number, inner in enumerate(detail):
            if inner:
                yield from by_field(inner, f"{name}.{number}" if name else str(number))
    else:
        texts = detail if isinstance(detail, list) else [detail]
        yield name or WHOLE_BODY, [str(text) for text in texts]
