"""The last spans of a stream that became no event; kept because exporters do not show the server's reply."""

import datetime as dt
from typing import NamedTuple

from django.core.cache import cache
from django.utils import timezone

from evalapp.monitoring.models import Stream

KEPT_SECONDS = 7 * 24 * 3600


class RefusedSpans(NamedTuple):
    """The last request with refused spans: how many, when it arrived, and why they became no events."""

    spans: int
    at: dt.datetime
    message: str


def note_refused_spans(stream: Stream, spans: int, message: str) -> None:
    """Keep the refusal in the cache for a week. It is a hint, and may be lost with the cache."""
    cache.set(_key(stream), RefusedSpans(spans, timezone.now(), message)._asdict(), KEPT_SECONDS)


def refused_spans(stream: Stream) -> RefusedSpans | None:
    """The last refusal of the past week."""
    kept = cache.get(_key(stream))
    return None if kept is None else RefusedSpans(**kept)


def _key(stream: Stream) -> str:
    return f"refused-spans:{stream.pk}"
