"""What is learned of events is added to them, whenever it comes and however often it is sent."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, InternalError, transaction
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.events.assessments import TakenAssessments, match_waiting, store_new_assessments
from evalapp.monitoring.events.models import Assessment, EventKey, ProductionEvent, WaitingAssessment
from evalapp.monitoring.models import Stream
from tests.api.conftest import problem_in, program_of
from tests.at_once import at_once
from tests.monitoring.making import make_stream, rows_of, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    stream = make_stream(project, [reviewer])
    send(stream, rows_of(3, timezone.now()))
    return stream


def thumb(event: str, value: Any = True, **fields: Any) -> dict[str, Any]:
    return {"event": event, "name": "thumb", "value": value, "time": "2026-01-31T14:05:00Z", **fields}


def take(stream: Stream, *rows: dict[str, Any]) -> TakenAssessments:
    return store_new_assessments(stream=stream, rows=rows)


def test_they_are_added_and_known_when_they_are_sent_again(stream: Stream) -> None:
    rows = [
        thumb("out-1"),
        thumb("out-2", False),
        {"event": "out-1", "name": "latency", "value": 0.8, "source": "gateway"},
        {"event": "out-1", "name": "edit", "value": "No, better not."},
    ]
    assert take(stream, *rows) == (4, 0, 0, [])
    assert take(stream, *rows) == (0, 4, 0, [])
    later = thumb("out-1", False, time="2026-02-01T09:00:00Z")
    assert take(stream, later, *rows[:1]) == (1, 1, 0, [])
    of_first = stream.assessments.filter(key__external_id="out-1", name="thumb")
    assert list(of_first.order_by("happened_at").values_list("value", flat=True)) == [1, 0]
    assert stream.assessments.get(name="edit").text == "No, better not."


def test_an_event_that_was_sent_before_brings_what_was_learned_since(stream: Stream) -> None:
    at = timezone.now()
    (row,) = rows_of(1, at, first=50, assessments={"latency_seconds": 0.8})
    assert send(stream, [row]).stored == 1
    again = send(stream, [{**row, "assessments": {"latency_seconds": 0.8, "thumb": True}}])
    assert (again.stored, again.known) == (0, 1)
    found = dict(stream.assessments.values_list("name", "value"))
    assert found == {"latency_seconds": 0.8, "thumb": 1}


def test_those_of_an_event_that_has_not_come_wait_a_day_for_it(stream: Stream) -> None:
    assert take(stream, thumb("out-9"), thumb("never")) == (0, 0, 2, [])
    assert match_waiting() == 0
    send(stream, rows_of(1, timezone.now(), first=9))
    assert match_waiting() == 1
    assert stream.assessments.get().key.external_id == "out-9"
    WaitingAssessment.objects.update(received_at=timezone.now() - dt.timedelta(days=1, minutes=1))
    assert match_waiting() == 0
    stream.refresh_from_db()
    assert (stream.waiting_assessments.count(), stream.unmatched_assessments) == (0, 1)
    # Sent once more, what was given to its event is known.
    assert take(stream, thumb("out-9")) == (0, 1, 0, [])


def test_every_problem_is_told_and_the_others_are_stored(stream: Stream) -> None:
    bad = [
        {"event": "out-1", "name": "thumb"},
        thumb("", True),
        thumb("out-1", True, name=""),
        thumb("out-1", [1]),
        thumb("out-1", float("nan")),
        thumb("out-1", True, time="2999-01-01T00:00:00Z"),
        thumb("out-1", True, colour="red"),
        thumb("out-1", "\x00"),
        thumb("e" * 201),
    ]
    taken = take(stream, *bad, thumb("out-1"))
    assert (taken.stored, [each.number for each in taken.refused]) == (1, list(range(1, 10)))
    told = ["; ".join(map(str, each.problems)) for each in taken.refused]
    for words, problem in zip(
        (
            "not a number",
            "event",
            "name",
            "not a number",
            "not a number",
            "future",
            "not known",
            "NUL",
            "limit is 200",
        ),
        told,
        strict=True,
    ):
        assert words in problem


def test_the_only_one_of_a_request_is_refused_as_an_event_is(
    project: Project, stream: Stream, engineer: User
) -> None:
    program, address = program_of(engineer), f"projects/{project.slug}/streams/{stream.pk}/assessments/"
    refused = problem_in(program.post(address, {"assessments": [thumb("out-1", [1])]}), 400)
    assert "not a number" in refused["message"] and set(refused["fields"]) == {"assessments.0.value"}
    too_large = program.ask(
        "POST", address, '{"assessments": [{"event": "out-1", "name": "x", "value": 1e309}]}'
    )
    assert problem_in(too_large, 400)["message"] == (
        "The number 1e309 is too large to be kept. Write it as text, in quotes."
    )
    assert not stream.assessments.exists()
    both = program.post(address, {"assessments": [thumb("out-1", [1]), thumb("out-2")]})
    assert (both.status_code, both.json()["stored"]) == (201, 1)


def test_they_and_their_events_are_never_changed(stream: Stream) -> None:
    take(stream, thumb("out-1"))
    for change in (
        lambda: Assessment.objects.update(value=0),
        lambda: ProductionEvent.objects.update(text="Other."),
    ):
        with pytest.raises((IntegrityError, InternalError), match="never changed"), transaction.atomic():
            change()


@pytest.mark.django_db(transaction=True)
def test_the_same_sent_at_once_are_there_once(stream: Stream) -> None:
    rows = [thumb(f"out-{number}") for number in (1, 2, 3, 77)]
    taken = at_once(4, lambda _: take(stream, *rows))
    assert sum(each.stored for each in taken) == 3 and sum(each.waiting for each in taken) == 1
    assert sum(each.known for each in taken) == 12
    assert EventKey.objects.count() == 3


def test_personal_data_in_them_are_masked(project: Project, stream: Stream) -> None:
    project.masks_personal_data = True
    project.save()
    stream.refresh_from_db()
    take(stream, {"event": "out-1", "name": "edit", "value": "Write to anna.weber@example.org."})
    assert "example.org" not in stream.assessments.get().text
