"""Requests to the API, repeated while the server is unreachable. Every request of this client is safe to
repeat: the server recognises what it has already stored.
"""

import json
import os
import random
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from evalapp_client.errors import ApiError, EvalappError, UnreachableError, api_error

AWAY = frozenset({429, 500, 502, 503, 504})
"""Status codes after which the same request may succeed."""


@dataclass(frozen=True)
class Patience:
    """How long to wait between attempts: ``first`` seconds, then twice as long each time up to ``longest``.
    Direct calls give up after ``total`` seconds.
    """

    first: float = 0.5
    longest: float = 30.0
    total: float = 60.0

    def wait_of(self, attempt: int, asked_for: float | None) -> float:
        """Seconds to wait after failed attempt number ``attempt`` (from 1): random, but at least what the
        server asked for, up to ``longest``.
        """
        # Random, so that clients that lost the server together do not return together.
        grown = min(self.longest, self.first * 2.0 ** min(attempt - 1, 20))
        return max(grown * random.uniform(0.5, 1.0), min(asked_for or 0.0, self.longest))


class AwayError(EvalappError):
    """The server is unreachable for now; ``why`` is the error that the caller gets once patience is over."""

    def __init__(self, why: EvalappError, retry_after: float | None) -> None:
        super().__init__(str(why))
        self.why = why
        self.retry_after = retry_after


class Attempt:
    """Waits between the attempts of one call, longer each time."""

    def __init__(self, patience: Patience, wait: Callable[[float], None]) -> None:
        self._patience, self._wait = patience, wait
        self._waited, self._number = 0.0, 0

    def wait(self, away: AwayError) -> None:
        """Waits before the next attempt; raises the last error once patience is over."""
        self._number += 1
        seconds = self._patience.wait_of(self._number, away.retry_after)
        self._waited += seconds
        if self._waited > self._patience.total:
            raise away.why from away
        self._wait(seconds)


class Connection:
    """HTTP connection to the API; ``root`` is the URL to which paths are relative."""

    def __init__(
        self,
        root: str,
        token: str,
        *,
        timeout: float,
        patience: Patience,
        transport: httpx.BaseTransport | None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.patience = patience
        self._wait = wait
        self._make = partial(
            httpx.Client,
            base_url=root,
            headers={"Authorization": f"Bearer {token}", "User-Agent": "evalapp-client"},
            timeout=timeout,
            transport=transport,
        )
        self._http = self._make()
        self._of_the_parent: httpx.Client | None = None
        _ALL.add(self)

    def begin_anew(self) -> None:
        """Opens new connections in a forked process, leaving the parent's sockets untouched."""
        self._of_the_parent, self._http = self._http, self._make()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of the response. Waits while the server is unreachable; raises ApiError or
        UnreachableError.
        """
        content = None if body is None else self.written(body)
        attempt = self.attempt()
        while True:
            try:
                return self.ask_once(method, path, content)
            except AwayError as away:
                attempt.wait(away)

    @staticmethod
    def written(body: object) -> bytes:
        """The body of a request as JSON."""
        return json.dumps(body, allow_nan=False).encode()

    def attempt(self) -> "Attempt":
        """Waits of one call, for as long as patience allows."""
        return Attempt(self.patience, self._wait)

    def ask_once(self, method: str, path: str, content: bytes | None) -> Any:
        """The JSON of the response to a single request. Raises AwayError if it may be repeated, otherwise
        ApiError.
        """
        headers = {"Content-Type": "application/json"} if content is not None else {}
        try:
            answer = self._http.request(method, path, content=content, headers=headers)
        except httpx.TransportError as error:
            why = UnreachableError(
                f"{self._http.base_url} cannot be reached: {error or type(error).__name__}"
            )
            raise AwayError(why, None) from error
        if answer.is_success:
            if (found := _json_of(answer)) is None:
                raise AwayError(
                    UnreachableError(f"{answer.url} does not answer like evalapp. Check the URL."), None
                )
            return found
        failed: ApiError = api_error(answer.status_code, _json_of(answer), answer.text)
        if answer.status_code in AWAY:
            raise AwayError(failed, _seconds(answer.headers.get("Retry-After", "")))
        raise failed

    def close(self) -> None:
        self._http.close()


_ALL: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _begin_anew() -> None:
    for each in _ALL:
        each.begin_anew()


os.register_at_fork(after_in_child=_begin_anew)


def _json_of(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None
