"""Makes cached values, limits and counters start empty in each test, whatever other test processes do on the
same server.
"""

from uuid import uuid4

from django.conf import settings
from django.core.cache.backends.base import default_key_func

_SHARED = ""
_now: list[str] = [_SHARED]


def _key(key: object, prefix: str, version: int) -> str:
    own = prefix if _now[0] == _SHARED else f"{prefix}:{_now[0]}"
    return str(default_key_func(key, own, version))


def keep_apart() -> None:
    """Separate the cache's keys by test (``forget_cached_values``). Call it before the first use of the
    cache.
    """
    settings.CACHES["default"]["KEY_FUNCTION"] = _key


def forget_cached_values() -> None:
    """Start with an empty cache, in every thread of this process."""
    _now[0] = uuid4().hex


def share_cached_values() -> None:
    """Share the cache with programs that this process starts, until the next test."""
    _now[0] = _SHARED
