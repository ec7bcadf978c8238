"""Limits that all web processes share: requests a minute, and wrong tokens from one address."""

import time
from contextlib import suppress
from typing import Any

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from evalapp.accounts.secrets import hash_of
from evalapp.core.client_address import client_address

MOST_WRONG_TOKENS = 20
LOCK_SECONDS = 15 * 60
KNOWN_SECONDS = 24 * 3600


class UserThrottle(SimpleRateThrottle):
    """Requests of one person (or, without a token, of one address) in each window of the clock.

    One counter a window, where the framework's own throttle would store every request's time.
    """

    scope = "user"
    num_requests: int
    duration: int

    def allow_request(self, request: Request, view: Any) -> bool:
        if self.rate is None:
            return True
        now = time.time()
        window = int(now // self.duration)
        self.seconds_left = (window + 1) * self.duration - now
        key = f"api-requests:{self.scope}:{self._who(request)}:{window}"
        return count_up(key, seconds=2 * self.duration) <= self.num_requests

    def wait(self) -> float:
        return self.seconds_left

    def _who(self, request: Request) -> str:
        return f"user-{request.user.pk}" if request.user.is_authenticated else client_address(request)


class EventsThrottle(UserThrottle):
    """Programs send an event for each answer of a system."""

    scope = "events"


class WrongTokens:
    """Lock-out of an address that tries tokens.

    A token that was right from there before keeps working, so that one broken client cannot shut out
    the others behind the same address.
    """

    def __init__(self, address: str, secret: str) -> None:
        self._count = f"api-wrong-tokens:{address}"
        self._known = f"api-known-token:{address}:{hash_of(secret)}"
        found = cache.get_many([self._count, self._known])
        self._is_known = self._known in found
        self.is_locked = not self._is_known and found.get(self._count, 0) >= MOST_WRONG_TOKENS

    def note_wrong(self) -> int:
        """How many that makes from the address in this quarter of an hour."""
        cache.delete(self._known)
        return count_up(self._count, seconds=LOCK_SECONDS)

    def note_right(self) -> bool:
        """Whether this is the token's first use from the address within a day."""
        return not self._is_known and bool(cache.add(self._known, 1, KNOWN_SECONDS))


def count_up(key: str, *, seconds: float) -> int:
    """One more; the count vanishes ``seconds`` after its first."""
    # Most often there is a count already.
    with suppress(ValueError):
        return int(cache.incr(key))
    if cache.add(key, 1, int(seconds)):
        return 1
    # Somebody else was first just now.
    return int(cache.incr(key))
