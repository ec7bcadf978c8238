"""A client that does what the pages' scripts do: the same request again until it is answered."""

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from evalapp.env import Bind

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
_PATIENCE_SECONDS = 600.0
_PAUSE_SECONDS = 0.25


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass
class Trouble:
    """What went wrong on the way, counted over all clients of a test."""

    retries: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str) -> None:
        with self._lock:
            self.retries[kind] += 1


class UnexpectedAnswerError(AssertionError):
    """The product gave an answer that no fault excuses."""


class PersistentClient:
    """Keeps its connection and cookies; repeats a request over lost connections, 503 and 429.

    Either without Retry-After, and any other answer from 500 up, is a bug: UnexpectedAnswerError.
    """

    def __init__(self, bind: Bind, trouble: Trouble, **headers: str) -> None:
        self.cookies: dict[str, str] = {}
        self._headers = headers
        self._trouble = trouble
        self._connection = http.client.HTTPConnection(bind.host, bind.port, timeout=60)
        self._pause = threading.Event()

    def sign_in(self, email: str, password: str) -> None:
        self.ask("GET", "/accounts/login/")
        form = {
            "login": email,
            "password": password,
            "csrfmiddlewaretoken": self.cookies["csrftoken"],
        }
        self.expect(302, "POST", "/accounts/login/", form)

    def close(self) -> None:
        """End the connection; a server that stops would wait for it."""
        self._connection.close()

    def expect(self, wanted: int, method: str, address: str, body: Any = None, **headers: str) -> Answer:
        answer = self.ask(method, address, body, **headers)
        if answer.status != wanted:
            raise _unexpected(method, address, answer)
        return answer

    def ask(self, method: str, address: str, body: Any = None, **headers: str) -> Answer:
        """The first answer that is one; bytes are sent as they are, JSON by its header, else a form."""
        headers = {**(headers or FORM), **self._headers}
        raw = body
        if headers["Content-Type"] == JSON["Content-Type"] and body is not None:
            raw = json.dumps(body)
        elif isinstance(body, dict):
            raw = urlencode(body, doseq=True)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                answer = self._once(method, address, raw, headers)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                kind, last = type(error).__name__, repr(error)
            else:
                if answer.status < 500 and answer.status != 429:
                    return answer
                if answer.status not in (429, 503) or not answer.headers["Retry-After"]:
                    raise _unexpected(method, address, answer)
                kind, last = str(answer.status), answer.text[:300]
            self._trouble.note(kind)
            if time.monotonic() > deadline:
                raise UnexpectedAnswerError(
                    f"{method} {address}: no answer within {_PATIENCE_SECONDS:.0f} s; the last was {last}"
                )
            self._pause.wait(_PAUSE_SECONDS)

    def _once(self, method: str, address: str, raw: Any, headers: dict[str, str]) -> Answer:
        sent = dict(headers)
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            sent["X-CSRFToken"] = self.cookies.get("csrftoken", "")
        self._connection.request(method, address, raw, sent)
        response = self._connection.getresponse()
        text = response.read().decode(errors="replace")
        for cookie in response.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(response.status, response.headers, text)


def _unexpected(method: str, address: str, answer: Answer) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"{method} {address} answered {answer.status} (Retry-After: {answer.headers['Retry-After']}):"
        f" {answer.text[:600]}"
    )
