"""Cached values, limits and counters begin empty in each test, whatever other test processes do on the same
server.
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
    """Have the cache read and write where ``forget_cached_values`` says. Call it before the first use."""
    settings.CACHES["default"]["KEY_FUNCTION"] = _key


def forget_cached_values() -> None:
    """Begin with an empty cache, in each thread of this process."""
    _now[0] = uuid4().hex


def share_cached_values() -> None:
    """Until the next test read and write what the programs do that this one starts."""
    _now[0] = _SHARED
