import codecs
import logging
from collections.abc import Callable
from contextlib import suppress

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.template.loader import get_template
from django.urls import Resolver404, resolve

from evalapp.core.deleted_objects import DeletedError, is_gone
from evalapp.core.errors import InvalidError, LengthMissingError, WrongMethodError
from evalapp.core.http import problem_response, wants_json
from evalapp.core.outages import AWAY, is_deadlock, is_lock_timeout, is_statement_timeout
from evalapp.core.storage import storage_problem
from evalapp.core.web_timeouts import LOCK_SECONDS, STATEMENT_SECONDS

logger = logging.getLogger(__name__)

UNAVAILABLE_MESSAGE = (
    "The database is not available at the moment. Nothing you sent was stored: send it again"
    " in a few seconds."
)
DEADLOCK_MESSAGE = (
    "Somebody else changed the same data at the same time. Nothing you sent was stored: send it again in a"
    " few seconds."
)
SLOW_MESSAGE = (
    f"The database took longer than {STATEMENT_SECONDS} s for this request, so it was ended. Nothing you"
    " sent was stored. Try again later or ask for less at once; if the problem stays, tell the site admin:"
    " it is in the log."
)
LOCKED_MESSAGE = (
    f"Somebody else has locked the same data for more than {LOCK_SECONDS} s, so the request was ended."
    " Nothing you sent was stored: send it again in a minute."
)


class Middleware:
    """Base class that passes each request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class ServiceUnavailableMiddleware(Middleware):
    """Answers 503 with Retry-After if the database or cache fails, 409 for deleted objects, 507 for a full
    disk.

    Needs neither a session nor the database.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if is_gone(exception):
            # With its traceback, because an error of ours could look the same.
            logger.warning(
                "%s %s answered 409: %s", request.method, request.path, exception, exc_info=exception
            )
            return problem_response(request, DeletedError())
        if problem := storage_problem(exception):
            return problem_response(request, problem)
        return unavailable(request, exception) if isinstance(exception, AWAY) else None


def outage_message(exception: BaseException) -> str:
    """The message for an error of `evalapp.core.outages.AWAY`."""
    if is_deadlock(exception):
        return DEADLOCK_MESSAGE
    if is_statement_timeout(exception):
        return SLOW_MESSAGE
    return LOCKED_MESSAGE if is_lock_timeout(exception) else UNAVAILABLE_MESSAGE


def unavailable(request: HttpRequest, exception: BaseException) -> HttpResponse:
    logger.warning("%s %s answered 503: %s", request.method, request.path, exception)
    message = outage_message(exception)
    response: HttpResponse
    if wants_json(request):
        body = {"error": {"code": "unavailable", "message": message, "fields": {}}}
        response = JsonResponse(body, status=503)
    else:
        # Rendered without the request: context processors would query the database again.
        response = HttpResponse(get_template("unavailable.html").render({"message": message}), status=503)
    response["Retry-After"] = "2"
    return response


class PrivatePagesMiddleware(Middleware):
    """Lets no proxy store anything but static files, and makes browsers revalidate every page."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Cache-Control", "private, no-cache")
        return response


class RequestLimitsMiddleware(Middleware):
    """Refuses requests that no view could read, before anything parses them. The size limit of bodies is
    applied once the sender is known (`evalapp.accounts.body_limits`).
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return problem_response(request, InvalidError("The URL has a NUL character; remove it."))
        charset = (request.content_params or {}).get("charset", "utf-8")
        if not _is_utf8(charset):
            message = f"The request is in {charset[:40]!r}; only UTF-8 is read. Send it as UTF-8."
            return problem_response(request, InvalidError(message))
        if request.META.get("HTTP_TRANSFER_ENCODING"):
            message = "The body is sent in chunks, without its length. Send it whole, with Content-Length."
            return problem_response(request, LengthMissingError(message))
        return self.get_response(request)


class WrongMethodMiddleware(Middleware):
    """Shows a page with a way back, instead of Django's blank one, if a URL does not accept the method."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed) or response.content:
            return response
        if request.method in ("GET", "HEAD"):
            message = (
                "This page accepts POST requests only. Go back to the page with the button and press it"
                " there."
            )
        else:
            message = "This page accepts GET requests only. Open it as a page."
        answer = problem_response(request, WrongMethodError(message), back=_link_to_parent(request.path))
        answer["Allow"] = response["Allow"]
        return answer


def _link_to_parent(path: str) -> str:
    """A relative link to the page above this URL, or "".

    Relative, so that the response never repeats an id to somebody who only guessed it.
    """
    steps = 1 if path.endswith("/") else 0
    while (path := path.rstrip("/").rpartition("/")[0] + "/") != "/":
        with suppress(Resolver404):
            resolve(path)
            return "../" * steps or "./"
        steps += 1
    return ""


def _is_utf8(charset: str) -> bool:
    # Python has codecs that decode to lone surrogates, or to no text at all.
    try:
        return codecs.lookup(charset).name in ("utf-8", "ascii")
    except (LookupError, ValueError):
        return False
