"""How large a body may be, by who sends it and where to."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve

from evalapp.accounts.access import membership_for
from evalapp.accounts.models import User
from evalapp.accounts.tokens import use_api_token
from evalapp.core.errors import ProblemError, TooLargeError
from evalapp.core.http import problem_response
from evalapp.core.middleware import Middleware
from evalapp.web_protocol import BODY_ANNOUNCED, BODY_WANTED, UNASKED_BODY_BYTES

_LONGEST_SECRET = 200


class BodyLimitsMiddleware(Middleware):
    """Refuse a body over the limit before anything reads it, keeps it in memory or writes it to the disk.

    Nobody signed in: UNASKED_BODY_BYTES. Else `DATA_UPLOAD_MAX_MEMORY_SIZE`; from who may write there, also
    `IMPORT_MAX_BYTES` for a form with files at an address of imports, and an operation's own limit. The
    others get the refusal of its view. An address of the API that is asked without a valid token refuses by
    itself, unread.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = _length(request)
        if length <= min(UNASKED_BODY_BYTES, settings.DATA_UPLOAD_MAX_MEMORY_SIZE):
            return self.get_response(request)
        person = _sender(request)
        if person is None and request.path.startswith("/api/"):
            return self.get_response(request)
        try:
            _require_allowed(request, length, person)
        except ProblemError as error:
            return problem_response(request, error)
        if BODY_ANNOUNCED in request.META:
            request.META[BODY_WANTED] = True
            return HttpResponse(status=204)
        return self.get_response(request)


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _sender(request: HttpRequest) -> User | None:
    """By token at the API, elsewhere by session."""
    if not request.path.startswith("/api/"):
        return request.user if isinstance(request.user, User) else None
    scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    secret = secret.strip()
    is_one = scheme.lower() == "bearer" and len(secret) <= _LONGEST_SECRET and secret.isascii()
    token = use_api_token(secret) if is_one else None
    return token.user if token is not None else None


def _require_allowed(request: HttpRequest, length: int, person: User | None) -> None:
    """Raises ProblemError where the person may not send so much there."""
    limit, remedy = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, "Send less at once."
    if person is None:
        limit, remedy = min(limit, UNASKED_BODY_BYTES), "Sign in first."
    elif length > limit and (match := _match(request)) is not None:
        view: Any = getattr(match.func, "cls", match.func)
        larger = getattr(view, "most_body_bytes", None) or limit
        if _is_import(request, match):
            larger = settings.IMPORT_MAX_BYTES
        if larger > limit:
            slug = match.kwargs["slug"] if "slug" in match.kwargs else view.project_of(request)
            membership_for(person, slug, view.post_permission)
            limit = larger
    if length > limit:
        raise TooLargeError(f"The request is {length:,} bytes; the limit here is {limit:,}. {remedy}")


def _match(request: HttpRequest) -> ResolverMatch | None:
    try:
        return resolve(request.path_info)
    except Resolver404:
        return None


def _is_import(request: HttpRequest, match: ResolverMatch) -> bool:
    """Whether the request leads where forms with large files are taken, and is one."""
    is_form = request.META.get("CONTENT_TYPE", "").startswith("multipart/form-data")
    return is_form and getattr(match.func, "takes_imports", False)
