"""Stores events that applications send one at a time. Those that arrive while another transaction stores are
stored together in the next one, because one more event takes less time than one more transaction.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from threading import Lock

from django.db import connection, transaction
from django.utils import timezone

from evalapp.datasets.formats import ParsedRow
from evalapp.monitoring.events.reading import NewEvent, read_events
from evalapp.monitoring.events.storage import (
    TakenEvents,
    count_never_sampled,
    store_batch,
    store_new_events,
)
from evalapp.monitoring.locks import share_unended_stream
from evalapp.monitoring.models import Stream

LONGEST_WAIT = 5.0
"""Seconds that a request waits for others of its process before it stores its event itself."""


@dataclass(eq=False)
class _Request:
    """An event on its way; ``outcome`` once it is stored together with others."""

    event: NewEvent
    outcome: TakenEvents | None = None


@dataclass
class _Queue:
    """The requests of this process for a stream; whoever holds ``turn`` stores those that wait."""

    turn: Lock = field(default_factory=Lock)
    waiting: list[_Request] = field(default_factory=list)

    def next_group(self) -> list[_Request]:
        """Remove and return the waiting requests, the first of each id, in the order of their ids."""
        first = {each.event.external_id: each for each in reversed(self.waiting.copy())}
        for each in first.values():
            self.waiting.remove(each)
        return [first[external_id] for external_id in sorted(first)]


_queues: dict[int, _Queue] = {}


def store_sent_events(*, stream: Stream, rows: Iterable[ParsedRow]) -> TakenEvents:
    """As `store_new_events`; a single event may share its transaction with those of other requests."""
    rows = iter(rows)
    first = list(islice(rows, 2))
    may_share = len(first) == 1 and not stream.project.masks_personal_data and not connection.in_atomic_block
    read = read_events(stream, first, now=timezone.now(), vault=None) if may_share else None
    outcome = _stored_with_others(stream, *read.events.values()) if read and read.events else None
    # Storing an event again is harmless, so whatever went wrong in a shared transaction is tried alone.
    return outcome or store_new_events(stream=stream, rows=chain(first, rows))


def _stored_with_others(stream: Stream, event: NewEvent) -> TakenEvents | None:
    """The outcome, or None if the event has to be stored alone."""
    request = _Request(event)
    queue = _queues.setdefault(stream.pk, _Queue())
    queue.waiting.append(request)
    if not queue.turn.acquire(timeout=LONGEST_WAIT):
        with suppress(ValueError):
            queue.waiting.remove(request)
        return None
    try:
        while request in queue.waiting:
            group = queue.next_group()
            try:
                _store_group(stream, group)
            except Exception:  # raised again by each request that has an error of its own
                if group == [request]:
                    raise
    finally:
        queue.turn.release()
    return request.outcome


def _store_group(stream: Stream, group: Sequence[_Request]) -> None:
    """Store the events of the requests, all or none, and set their outcomes."""
    outcomes = _outcomes(stream, [each.event for each in group])
    for request, outcome in zip(group, outcomes, strict=True):
        request.outcome = outcome


def _outcomes(stream: Stream, events: Sequence[NewEvent]) -> list[TakenEvents]:
    taken = TakenEvents()
    with transaction.atomic():
        fed = share_unended_stream(stream)
        new = store_batch(fed, events, taken)
        not_reviewed = {each.external_id: count_never_sampled(fed, [each]) for each in new}
    refused = {each.external_id: each for each in taken.refused}

    def outcome(external_id: str) -> TakenEvents:
        if external_id in refused:
            return TakenEvents(refused=[refused[external_id]])
        if external_id in not_reviewed:
            return TakenEvents(stored=1, not_reviewed=not_reviewed[external_id])
        return TakenEvents(known=1)

    return [outcome(each.external_id) for each in events]
