"""How large a body may be, by who sends it and where to."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from evalapp.accounts.tokens import use_api_token
from evalapp.core.errors import TooLargeError
from evalapp.core.http import problem_response
from evalapp.web_protocol import BODY_ANNOUNCED, BODY_WANTED, UNASKED_BODY_BYTES

_LONGEST_SECRET = 200


class BodyLimitsMiddleware:
    """Refuse a body over the limit before anything reads it, keeps it in memory or writes it to the disk.

    Nobody signed in: UNASKED_BODY_BYTES. Else `DATA_UPLOAD_MAX_MEMORY_SIZE`, and for a form with files at an
    address of imports `IMPORT_MAX_BYTES`. An address of the API that is asked without a valid token refuses by
    itself, unread.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = _length(request)
        if length <= min(UNASKED_BODY_BYTES, settings.DATA_UPLOAD_MAX_MEMORY_SIZE):
            return self.get_response(request)
        limit, remedy = _limit_at(request), "Send less at once."
        if length > UNASKED_BODY_BYTES:
            is_program = request.path.startswith("/api/")
            is_known = _has_valid_token(request) if is_program else request.user.is_authenticated
            if is_program and not is_known:
                return self.get_response(request)
            if not is_known:
                limit, remedy = UNASKED_BODY_BYTES, "Sign in first."
        if length > limit:
            message = f"The request is {length:,} bytes; the limit here is {limit:,}. {remedy}"
            return problem_response(request, TooLargeError(message))
        if BODY_ANNOUNCED in request.META:
            request.META[BODY_WANTED] = True
            return HttpResponse(status=204)
        return self.get_response(request)


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _has_valid_token(request: HttpRequest) -> bool:
    scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    secret = secret.strip()
    is_one = scheme.lower() == "bearer" and len(secret) <= _LONGEST_SECRET and secret.isascii()
    return is_one and use_api_token(secret) is not None


def _limit_at(request: HttpRequest) -> int:
    in_memory, of_imports = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, settings.IMPORT_MAX_BYTES
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return in_memory
    is_form = request.META.get("CONTENT_TYPE", "").startswith("multipart/form-data")
    return of_imports if is_form and getattr(view, "takes_imports", False) else in_memory
