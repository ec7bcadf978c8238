"""Helpers for views of several packages: responses to problems, downloads and form errors."""

from collections.abc import Callable, Iterable
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header

from evalapp.core.errors import MissingError, ProblemError, TooLargeError

Row = TypeVar("Row", bound=Model)
Response = TypeVar("Response", bound=HttpResponseBase)


class ServiceUnavailableError(ProblemError):
    """The database or the broker is unavailable; the same request may be repeated (503)."""

    status = 503
    code = "unavailable"


def wants_json(request: HttpRequest) -> bool:
    """Whether the response must be JSON, also for errors: API routes and our scripts."""
    return request.path.startswith("/api/") or request.headers.get("Accept", "").startswith(
        "application/json"
    )


def body_problem(exception: object) -> ProblemError | None:
    """The problem with a body that Django refuses to read; None for other errors."""
    if isinstance(exception, RequestDataTooBig):
        return TooLargeError("The request is larger than the limit. Send less at once.")
    if isinstance(exception, TooManyFieldsSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        return TooLargeError(f"The request has more than {most:,} fields. Send less at once.")
    if isinstance(exception, TooManyFilesSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FILES
        return TooLargeError(f"The request has more than {most:,} files. Send less at once.")
    return None


def problem_body(error: ProblemError) -> dict[str, Any]:
    """The JSON body of every error: ``{error: {code, message, fields}}``."""
    return {"error": {"code": error.code, "message": error.message, "fields": error.fields}}


def problem_response(request: HttpRequest, error: ProblemError, *, back: str = "") -> HttpResponse:
    """A problem as JSON for scripts and as a page for people; never a stack trace. ``back``: the page to
    return to, if known.
    """
    response: HttpResponse
    if wants_json(request):
        response = JsonResponse(problem_body(error), status=error.status)
    else:
        response = render(request, "problem.html", {"problem": error, "back": back}, status=error.status)
    if error.status == 503:
        response["Retry-After"] = "2"
    return response


def answers_problems(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator: turns a service's ProblemError into its response."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except ProblemError as error:
            return problem_response(request, error)

    return wrapped


def get_or_missing(queryset: QuerySet[Row], **lookup: Any) -> Row:
    """The matching row, or MissingError; with a project's own queryset, ids of other projects give 404."""
    row = queryset.filter(**lookup).first()
    if row is None:
        raise MissingError("There is nothing at this URL, or you may not see it.")
    return row


def attached(response: Response, name: str) -> Response:
    """The response as a download with this name, whatever its content."""
    response["Content-Disposition"] = (
        content_disposition_header(as_attachment=True, filename=name) or "attachment"
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response


def download(name: str, content_type: str, chunks: Iterable[bytes | str]) -> StreamingHttpResponse:
    """A download that is streamed as it is generated."""
    return attached(StreamingHttpResponse(chunks, content_type=content_type), name)


_MOST_DIGITS = 18


def number_of(text: str) -> int | None:
    """The row number in a URL or a form; None for anything that cannot be one."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def field_errors(form: BaseForm) -> dict[str, list[str]]:
    """A form's errors in the format of ProblemError."""
    return {name: [str(text) for text in texts] for name, texts in form.errors.items()}


def show_problem(form: BaseForm, error: ProblemError) -> None:
    """Add a service's error to the fields that it names, and the rest above the form."""
    for name, texts in error.fields.items():
        for text in texts:
            form.add_error(name if name in form.fields else None, text)
    if not error.fields:
        form.add_error(None, error.message)


class RefusalsOn:
    """``with RefusalsOn(form):`` adds a ProblemError raised in the block to the form; the view continues
    after the block, to show the form again.
    """

    def __init__(self, form: BaseForm) -> None:
        self._form = form

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, ProblemError):
            return False
        show_problem(self._form, error)
        self._form.refused_with = error.status  # type: ignore[attr-defined]  # read by `status_of`
        return True


def status_of(form: BaseForm) -> int:
    """The HTTP status of the form's page: that of the refusal it shows, 400 with form errors, else 200."""
    return getattr(form, "refused_with", 400 if form.errors else 200)
