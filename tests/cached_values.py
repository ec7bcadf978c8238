"""Cached values, limits and counters begin empty in each test, whatever other test processes do on the same
server.
"""

from uuid import uuid4

from django.conf import settings

_now: list[str] = [""]


def _key(key: object, prefix: str, version: int) -> str:
    return f"{prefix}:{_now[0]}:{version}:{key}"


def keep_apart() -> None:
    """Have the cache read and write where ``forget_cached_values`` says. Call it before the first use."""
    settings.CACHES["default"]["KEY_FUNCTION"] = _key


def forget_cached_values() -> None:
    """Begin with an empty cache, in each thread of this process."""
    _now[0] = uuid4().hex
