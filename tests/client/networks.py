"""A network between a client and the server that can be cut."""

import json
import threading
from typing import Any

import httpx


class Network(httpx.BaseTransport):
    """``bodies`` are those that reached the server; ``tried`` is set by each attempt. Cut, requests are lost;
    ``loses_answers``: so many next answers are.
    """

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()
        self.is_cut = False
        self.loses_answers = 0
        self.bodies: list[dict[str, Any]] = []
        self.tried = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            if self.is_cut:
                raise httpx.ConnectError("cut", request=request)
            self.bodies.append(json.loads(request.read() or b"{}"))
            response = self._real.handle_request(request)
            if self.loses_answers:
                self.loses_answers -= 1
                response.read()
                raise httpx.ReadTimeout("lost", request=request)
            return response
        finally:
            self.tried.set()
