import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from evalapp.core.errors import InvalidError, MissingError, NotAllowedError, ProblemError
from evalapp.core.health import check_health
from evalapp.core.http import body_problem, problem_response, wants_json
from evalapp.core.middleware import unavailable
from evalapp.core.outages import AWAY
from evalapp.core.storage import storage_problem
from evalapp.web_protocol import REQUESTS


def healthz(request: HttpRequest) -> HttpResponse:
    """200 if the database and the cache answer, else 503 that names the failed part. If the web server counts
    requests, ``requests`` says how many others this process is handling, and how many wait for a thread.
    """
    found = check_health()
    if REQUESTS in request.META:
        found["requests"] = request.META[REQUESTS]
    response = JsonResponse(found, status=200 if found["healthy"] else 503)
    if not found["healthy"]:
        response["Retry-After"] = "2"
    return response


class SessionLostError(ProblemError):
    """The form came from another or an ended session (403)."""

    status = 403
    code = "session_lost"


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    message = (
        "This form belongs to a session that has ended or to another sign-in. Open the page again, sign in"
        " if asked, and send the form again; your browser keeps what you typed."
    )
    return problem_response(request, SessionLostError(message))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:

    return problem_response(request, MissingError("There is nothing at this URL, or you may not see it."))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:

    return problem_response(request, NotAllowedError("Your role in this project does not allow this."))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if (problem := body_problem(exception)) is not None:
        return problem_response(request, problem)
    return problem_response(
        request, InvalidError("The request could not be read. Go back, reload and try again.")
    )


class InternalError(ProblemError):
    """An internal error (500); it is in the log."""

    status = 500
    code = "broken"


def server_error(request: HttpRequest) -> HttpResponse:
    # An exception raised outside a view: in a middleware, or by another error's page.
    raised = sys.exception()
    # An upload is read when a middleware looks for the form's CSRF token.
    if isinstance(raised, Exception) and (problem := storage_problem(raised)):
        return problem_response(request, problem)
    if isinstance(raised, AWAY):
        return unavailable(request, raised)
    if wants_json(request):
        return problem_response(request, InternalError("An error occurred on the server; it is in the log."))
    return render(
        request,
        "unavailable.html",
        {"message": "An error occurred on the server; it is in the log."},
        status=500,
    )
