"""Single events of many requests at once: stored together, each answered for itself."""

from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError
from evalapp.monitoring.events import single_events, storage
from evalapp.monitoring.events.reading import NewEvent, events_of_request
from evalapp.monitoring.events.single_events import store_sent_events
from evalapp.monitoring.events.storage import TakenEvents, store_batch
from evalapp.monitoring.models import WEEK, Stream
from evalapp.monitoring.services import end_stream
from tests.at_once import at_once
from tests.monitoring.making import make_stream, rows_of, sampled_week

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer])


def sent_at_once(
    stream: Stream,
    rows: Sequence[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    broken: str = "",
    cut_off: bool = False,
) -> tuple[list[Any], list[int]]:
    """Outcome of each row, sent by a thread of its own, and the numbers of events of each transaction; the
    first of them goes on once all others wait. Storing the event ``broken`` fails; ``cut_off``: so does the
    second transaction, because its connection ends.
    """
    sizes: list[int] = []

    def slow_store(fed: Stream, events: Sequence[NewEvent], taken: TakenEvents) -> list[NewEvent]:
        if not sizes:
            queue = single_events._queues[stream.pk]
            for _ in range(1000):
                if len(queue.waiting) == len(rows) - 1:
                    break
                Event().wait(0.02)
        sizes.append(len(events))
        new = store_batch(fed, events, taken)
        if any(each.external_id == broken for each in events):
            raise OperationalError("The disk is full.")
        if cut_off and len(sizes) == 2:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return new

    for module in (single_events, storage):
        monkeypatch.setattr(module, "store_batch", slow_store)
    outcomes = at_once(
        len(rows),
        lambda number: store_sent_events(stream=stream, rows=events_of_request([rows[number]])),
    )
    return outcomes, sizes


def test_events_that_arrive_together_share_a_transaction(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(6, timezone.now(), assessments={"thumb": True})
    outcomes, sizes = sent_at_once(stream, rows, monkeypatch)
    assert outcomes == [TakenEvents(stored=1)] * 6
    assert sizes == [1, 5]
    assert set(stream.events.values_list("key__external_id", flat=True)) == {each["id"] for each in rows}
    assert stream.assessments.count() == 6


def test_each_request_is_answered_for_its_own_event(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    sampled_week(stream)
    (known,) = rows_of(1, now, first=100)
    store_sent_events(stream=stream, rows=events_of_request([known]))
    changed = {**known, "output": "No."}
    (early,) = rows_of(1, now - 9 * WEEK, first=200)
    new, again = rows_of(1, now, first=300)[0], rows_of(1, now, first=300)[0]
    outcomes, _ = sent_at_once(stream, [known, changed, early, new, again], monkeypatch)
    assert (outcomes[0], outcomes[2]) == (TakenEvents(known=1), TakenEvents(stored=1, not_reviewed=1))
    (refused,) = outcomes[1].refused
    assert refused.external_id == known["id"] and refused.hashes[0] != refused.hashes[1]
    assert sorted(outcomes[3:], key=lambda each: each.stored) == [TakenEvents(known=1), TakenEvents(stored=1)]


def test_an_event_that_cannot_be_stored_fails_alone(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(5, timezone.now())
    outcomes, _ = sent_at_once(stream, rows, monkeypatch, broken="out-3")
    assert [type(each) for each in outcomes] == [
        OperationalError if number == 2 else TakenEvents for number in range(5)
    ]
    assert stream.events.count() == 4


def test_a_request_whose_leader_lost_its_connection_stores_its_event_itself(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(5, timezone.now())
    outcomes, sizes = sent_at_once(stream, rows, monkeypatch, cut_off=True)
    assert outcomes == [TakenEvents(stored=1)] * 5
    assert sizes[:2] == [1, 4]
    assert stream.events.count() == 5


def test_no_request_waits_long_for_another(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_events, "LONGEST_WAIT", 0.01)
    rows = rows_of(4, timezone.now())
    queue = single_events._queues.setdefault(stream.pk, single_events._Queue())
    with queue.turn:
        outcomes = at_once(
            4, lambda number: store_sent_events(stream=stream, rows=events_of_request([rows[number]]))
        )
    assert outcomes == [TakenEvents(stored=1)] * 4
    assert queue.waiting == []


def test_all_are_told_that_the_stream_has_ended(stream: Stream) -> None:
    end_stream(stream=stream, by=None)
    outcomes = at_once(
        4,
        lambda number: store_sent_events(
            stream=stream, rows=events_of_request(rows_of(1, timezone.now(), first=number))
        ),
    )
    assert all(isinstance(each, ConflictError) for each in outcomes)
