"""The last spans of a stream that became no event: exporters do not show what they are answered."""

import datetime as dt
from typing import NamedTuple

from django.core.cache import cache
from django.utils import timezone

from evalapp.monitoring.models import Stream

KEPT_SECONDS = 7 * 24 * 3600


class RefusedSpans(NamedTuple):
    """How many spans of the last request that had any, when it came, and why they are no events."""

    spans: int
    at: dt.datetime
    message: str


def note_refused_spans(stream: Stream, spans: int, message: str) -> None:
    """Keep it for a week. It is a hint: it may be lost with the cache."""
    cache.set(_key(stream), RefusedSpans(spans, timezone.now(), message)._asdict(), KEPT_SECONDS)


def refused_spans(stream: Stream) -> RefusedSpans | None:
    """Of the past week."""
    kept = cache.get(_key(stream))
    return None if kept is None else RefusedSpans(**kept)


def _key(stream: Stream) -> str:
    return f"refused-spans:{stream.pk}"
