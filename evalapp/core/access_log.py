"""The request log: one line per request with user, client address and response."""

import logging
import re
import time
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.utils.functional import LazyObject

from evalapp.core.client_address import client_address, is_from_trusted_proxy
from evalapp.core.middleware import Middleware
from evalapp.web_protocol import BODY_WANTED

logger = logging.getLogger("evalapp.access")

_HEADER = "X-Request-ID"
_GIVEN_ID = re.compile(r"[\w-]{8,64}", re.ASCII)


class AccessLogMiddleware(Middleware):
    """Logs every request and adds its id to the response. Outermost, so that no response bypasses it."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.monotonic()
        request_id = _id_of(request)
        response = self.get_response(request)
        response[_HEADER] = request_id
        if BODY_WANTED in request.META:
            # The server only asks whether it may read a large body; the request itself follows.
            return response
        size = "-" if response.streaming else len(response.content)
        logger.info(
            '%s user=%s request=%s "%s %s" %s %s %sms',
            client_address(request) or "-",
            _user_id(request),
            request_id,
            quote(request.method or "-"),
            # URL-encoded, so that a request cannot forge log lines.
            quote(request.path, errors="surrogatepass"),
            response.status_code,
            size,
            round((time.monotonic() - begun) * 1000),
        )
        return response


def _id_of(request: HttpRequest) -> str:
    """The trusted proxy's request id, so that both logs can be matched, else a new one."""
    given = request.headers.get(_HEADER, "")
    if _GIVEN_ID.fullmatch(given) and is_from_trusted_proxy(request):
        return str(given)
    return uuid4().hex


def _user_id(request: HttpRequest) -> Any:
    """The user's id if already known; looking it up here would cost every request a query."""
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None) or "-"
