"""The log of requests: one line for each, by whom, from where, and how it was answered."""

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
    """Writes the line, and gives every answer the id of its request. Outermost: nothing is answered without
    it.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.monotonic()
        request_id = _id_of(request)
        response = self.get_response(request)
        response[_HEADER] = request_id
        if BODY_WANTED in request.META:
            # The server's question before a large body; the request itself comes after it.
            return response
        size = "-" if response.streaming else len(response.content)
        logger.info(
            '%s user=%s request=%s "%s %s" %s %s %sms',
            client_address(request) or "-",
            _user_id(request),
            request_id,
            quote(request.method or "-"),
            # As it is written in a URL, so that no request can write lines of its own.
            quote(request.path, errors="surrogatepass"),
            response.status_code,
            size,
            round((time.monotonic() - begun) * 1000),
        )
        return response


def _id_of(request: HttpRequest) -> str:
    """The proxy's own id, so that its log and this one can be read side by side, or a new one."""
    given = request.headers.get(_HEADER, "")
    if _GIVEN_ID.fullmatch(given) and is_from_trusted_proxy(request):
        return str(given)
    return uuid4().hex


def _user_id(request: HttpRequest) -> Any:
    """Who asked, where anything has found out; to find out here would cost every request a query."""
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None) or "-"
