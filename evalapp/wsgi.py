import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

from evalapp.core.web_timeouts import limit_requests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")


class Request(WSGIRequest):
    """Reads everything as UTF-8; RequestLimitsMiddleware refuses what names another charset.

    Django would decode the URL with any codec of Python's, and some fail on any text, before a
    middleware could answer.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class Handler(WSGIHandler):
    request_class = Request


django.setup(set_prefix=False)
limit_requests()
application = Handler()
