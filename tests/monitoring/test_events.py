"""Production events are stored once each; of a file all or none, of a request those that are sound."""

import datetime as dt
import io
import json

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.imports.problems import ImportProblemsError
from evalapp.monitoring.events.models import ProductionEvent
from evalapp.monitoring.events.reading import events_of_file, events_of_request
from evalapp.monitoring.events.storage import TakenEvents, import_events
from evalapp.monitoring.models import WEEK, Stream, WeeklySampleState
from evalapp.monitoring.weeks import open_due_weeks
from tests.at_once import at_once
from tests.monitoring.making import carry_out, make_stream, rows_of, sampled_week, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer])


def test_the_same_outputs_sent_again_are_there_once(stream: Stream) -> None:
    rows = rows_of(3, timezone.now())
    assert send(stream, rows) == TakenEvents(3, 0)
    assert send(stream, [*rows, *rows_of(1, timezone.now(), first=9)]) == TakenEvents(1, 3)
    assert stream.events.count() == 4
    # Without a timestamp of its own, a row is the same whenever it is sent.
    bare = {"id": "bare", "prompt": "Why?", "output": "Because."}
    assert (send(stream, [bare]), send(stream, [bare])) == (TakenEvents(1, 0), TakenEvents(0, 1))


@pytest.mark.django_db(transaction=True)
def test_the_same_file_at_once_is_stored_once(stream: Stream) -> None:
    rows = rows_of(20, timezone.now())
    taken = at_once(3, lambda _: send(stream, rows))
    assert sorted((each.stored, each.known) for each in taken) == [(0, 20), (0, 20), (20, 0)]


def test_every_problem_is_told_at_once_and_nothing_is_stored(stream: Stream) -> None:
    send(stream, rows_of(1, timezone.now()))
    changed = {**rows_of(1, timezone.now())[0], "output": "No."}
    good = rows_of(1, timezone.now(), first=50)[0]
    rows = [
        changed,
        good,
        {**good, "prompt": "Again?"},
        {"prompt": "Why?", "output": "Because."},
        {"id": "a", "prompt": "Why?"},
        {"id": "b", "output": "Because."},
        {"id": "c", "prompt": "Why?", "output": "Because.", "at": "yesterday"},
        {"id": "d", "prompt": "Why?", "output": "Because.", "at": "2999-01-01T00:00:00Z"},
        {"id": "e", "prompt": "Why?", "output": ["Because."]},
        {"id": "f", "prompt": "Why\x00?", "output": "Because."},
        {"id": "g", "prompt": "Why?", "output": "Because.", "fields": "loans"},
        {"id": "h" * 201, "prompt": "Why?", "output": "Because."},
        {"id": "i", "prompt": "Why?", "output": "Bec\x00ause."},
        {"id": "j", "prompt": "Why?", "output": "Because.", "at": "0001-01-01T00:00:00+14:00"},
        {"id": "k", "prompt": "Why?", "output": "Because.", "timestamp": "1969-12-31T23:59:59Z"},
        {"id": "l", "prompt": "Why?", "output": "Because.", "at": "9999-12-31T23:59:59-14:00"},
    ]
    with pytest.raises(ImportProblemsError) as caught:
        send(stream, rows)
    told = "\n".join(caught.value.problems)
    for number, words in {
        1: "is already imported with other content",
        3: "is already in row 2",
        4: "id: The value is missing",
        5: "output: The value is missing",
        6: "prompt",
        7: "“yesterday” is not a time",
        8: "is in the future",
        9: "This is a list, not text",
        10: "NUL",
        11: "must be an object of fields",
        12: "the limit is 200",
        13: "NUL",
        14: "at: “0001-01-01T00:00:00+14:00” is before 1970",
        15: "timestamp: “1969-12-31T23:59:59Z” is before 1970",
        16: "is in the future",
    }.items():
        assert any(line.startswith(f"Row {number}:") and words in line for line in told.split("\n")), (
            number,
            told,
        )
    assert stream.events.count() == 1


def test_a_file_of_either_kind_is_read(stream: Stream) -> None:
    lines = "\n".join(json.dumps(row) for row in rows_of(2, timezone.now()))
    assert (
        import_events(
            stream=stream, rows=events_of_file(io.BytesIO(lines.encode()), "out.jsonl"), by=None
        ).stored
        == 2
    )
    table = (
        'id,prompt,output,topic,at\nx1,"May I,'
        ' please?","Yes.",loans,2026-01-31T14:05:00Z\nx2,Why?,Because.,funds,\n'
    )
    file = io.BytesIO(table.encode("utf-8-sig"))
    assert import_events(stream=stream, rows=events_of_file(file, "out.csv"), by=None).stored == 2
    stored = ProductionEvent.objects.get(key__external_id="x1")
    assert (stored.messages[-1]["content"], stored.text, stored.fields) == (
        "May I, please?",
        "Yes.",
        {"topic": "loans"},
    )
    assert stored.happened_at.isoformat() == "2026-01-31T14:05:00+00:00"


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"\n", "out.jsonl", ""),
        (b"id,output\n1,Yes.\n", "out.csv", "prompt"),
        (b"{not json}\n", "out.jsonl", "Not JSON"),
        (b"\x00\x01", "out.exe", ""),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_sentence(
    stream: Stream, content: bytes, name: str, words: str
) -> None:
    with pytest.raises(ImportProblemsError) as caught:
        import_events(stream=stream, rows=events_of_file(io.BytesIO(content), name), by=None)
    assert words in caught.value.message


def test_rows_of_a_request_are_left_as_they_were(stream: Stream) -> None:
    rows = rows_of(1, timezone.now())
    before = json.dumps(rows)
    list(events_of_request(rows))
    assert json.dumps(rows) == before


def test_what_belongs_to_no_week_to_come_is_counted(stream: Stream) -> None:
    now = timezone.now()
    long_ago = rows_of(2, now - 5 * WEEK, first=500)
    assert send(stream, [*long_ago, *rows_of(1, now, first=600)]) == TakenEvents(3, 0, 2)
    # Sent again they are known, and nobody is told twice.
    assert send(stream, long_ago) == TakenEvents(0, 2, 0)
    sampled_week(stream)
    # The next sample can include a late one.
    assert send(stream, rows_of(1, now - dt.timedelta(days=3), first=90)) == TakenEvents(1, 0, 0)
    Stream.objects.update(next_sample_at=now + 5 * WEEK)
    late = send(stream, rows_of(1, now - dt.timedelta(days=3), first=91))
    assert late == TakenEvents(1, 0, 1)
    assert (
        late.message
        == "1 event is stored. 1 of them is from before the first week or too late to be sampled,"
        " and will not be reviewed."
    )


def test_a_week_that_waits_for_its_outputs_still_takes_them(stream: Stream) -> None:
    assert open_due_weeks() == 1
    assert carry_out(stream.weekly_samples.get()).state == WeeklySampleState.EMPTY
    assert send(stream, rows_of(1, timezone.now() - dt.timedelta(days=2))).not_reviewed == 0


def test_a_line_of_another_form_is_told_the_fields_of_an_output(stream: Stream) -> None:
    file = io.BytesIO(b'{"id": "1", "prompt": "Why?", "output": "Because."}\n[1]\n')
    with pytest.raises(ImportProblemsError, match=r'Row 2: .* Write \{"id": "…", "prompt"'):
        import_events(stream=stream, rows=events_of_file(file, "out.jsonl"), by=None)
