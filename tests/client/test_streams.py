"""The client's stream against the real server: what is logged arrives once, or somebody is told."""

import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from evalapp_client import (
    Client,
    ClosedError,
    ConflictError,
    InvalidError,
    MissingError,
    NotAllowedError,
    NotSentError,
    NotSignedInError,
    QueueFullError,
    Refused,
    RefusedError,
    ServerError,
    TakenEvents,
    ThrottledError,
    UnreachableError,
)
from evalapp_client.connection import Patience

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.monitoring.events.models import Assessment
from evalapp.monitoring.models import Stream
from evalapp.monitoring.services import end_stream
from tests.client.networks import Network
from tests.monitoring.making import make_stream

Open = Callable[..., Client]
AT_ONCE = Patience(first=0.0, longest=0.0, total=0.0)
SOON = Patience(first=0.001, longest=0.01, total=0.01)
QUESTION = {"prompt": "May I switch funds?", "output": "Yes."}


@pytest.fixture
def stream(live_server: Any, project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer])


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def open_client(live_server: Any, project: Project, engineer: User, network: Network) -> Iterator[Open]:
    opened: list[Client] = []

    def open_one(**options: Any) -> Client:
        user = options.pop("user", engineer)
        secret = create_api_token(user=user, name="Client", by=user).secret
        given = {"token": secret, "project": project.slug, "transport": network, "patience": SOON, **options}
        client = Client(live_server.url, **given)
        opened.append(client)
        return client

    yield open_one
    network.is_cut = False
    for client in opened:
        with suppress(NotSentError):
            client.close()


def test_what_is_logged_arrives_with_what_is_learned_later(open_client: Open, stream: Stream) -> None:
    at = dt.datetime(2026, 1, 31, 14, 5, tzinfo=dt.UTC)
    with open_client().stream(stream.pk) as sending:
        event = sending.log(
            **QUESTION, context="Contract 4.", model="v3", time=at, fields={"topic": "funds"},
            assessments={"latency_seconds": 0.8},
        )  # fmt: skip
        sending.assess(event, "thumb", value=True)
        sending.assess(event, "edit", "Yes, until March.", source="app")
    stored = stream.events.get()
    assert (stored.key.external_id, stored.text, stored.happened_at) == (event, "Yes.", at)
    assert (stored.context, stored.model_version, stored.fields) == ("Contract 4.", "v3", {"topic": "funds"})
    learned = {each.name: each.text or each.value for each in Assessment.objects.all()}
    assert learned == {"latency_seconds": 0.8, "thumb": 1.0, "edit": "Yes, until March."}
    with pytest.raises(ClosedError):
        sending.log(**QUESTION)


def test_it_is_sent_in_batches_and_without_a_call_of_flush(
    open_client: Open, stream: Stream, network: Network
) -> None:
    sending = open_client().stream(stream.pk, every=0.01)
    sending.log(**QUESTION)
    assert network.tried.wait(20)
    for number in range(1_100):
        sending.log(id=f"e-{number}", **QUESTION)
    sending.flush()
    assert stream.events.count() == 1_101
    assert max(len(body["events"]) for body in network.bodies) <= 500


def test_a_server_that_was_away_gets_everything_once(
    open_client: Open, stream: Stream, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    network.is_cut = True
    sending = open_client().stream(stream.pk, every=0)
    for number in range(3):
        sending.log(id=f"e-{number}", **QUESTION)
    assert network.tried.wait(20)
    with pytest.raises(NotSentError) as told:
        sending.flush(0.1)
    assert told.value.count == 3 and "cannot be reached" in told.value.last_error
    assert "Waiting for the server" in caplog.text
    assert stream.events.count() == 0
    network.loses_answers = 2
    network.is_cut = False
    sending.flush()
    assert stream.events.count() == 3
    # The later events may be of a batch of their own.
    sent = sum(event["id"] == "e-0" for body in network.bodies for event in body["events"])
    assert sent == 3, "what was stored without an answer is sent again, and known"


def test_what_the_server_refuses_is_told_and_the_others_are_stored(
    open_client: Open, stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Refused] = []
    sending = open_client().stream(stream.pk, on_refused=seen.extend)
    sending.log(id="good", **QUESTION)
    sending.log(id="empty", prompt="Why?", output=" ")
    # One that spoils the JSON of the whole request, and one of another content under an id.
    sending.log(id="nul", prompt="Why\x00?", output="Because.")
    sending.log(id="good", prompt="Why?", output="Because.")
    sending.log(id="last", **QUESTION)
    with pytest.raises(RefusedError) as told:
        sending.flush()
    assert sorted(each.id for each in told.value.refused) == ["empty", "good", "nul"]
    assert sorted(each.id for each in seen) == ["empty", "good", "nul"]
    assert sending.refused == 3 and "Refused: nul" in caplog.text
    assert set(stream.events.values_list("key__external_id", flat=True)) == {"good", "last"}
    sending.flush()


def test_an_on_refused_that_fails_stops_nothing(open_client: Open, stream: Stream) -> None:
    def fail(refused: list[Refused]) -> None:
        raise RuntimeError("of the application")

    sending = open_client().stream(stream.pk, on_refused=fail)
    sending.log(id="empty", prompt="Why?", output=" ")
    with pytest.raises(RefusedError):
        sending.flush()
    sending.log(**QUESTION)
    sending.flush()
    assert stream.events.count() == 1


def test_a_full_queue_raises_or_drops_or_waits(
    open_client: Open, stream: Stream, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    network.is_cut = True
    client = open_client()
    raising = client.stream(stream.pk, most_waiting=2)
    dropping = client.stream(stream.pk, most_waiting=2, when_full="drop")
    waiting = client.stream(stream.pk, most_waiting=2, when_full="wait")
    for number in range(2):
        raising.log(id=f"r-{number}", **QUESTION)
        waiting.log(id=f"w-{number}", **QUESTION)
    for number in range(5):
        dropping.log(id=f"d-{number}", **QUESTION)
    with pytest.raises(QueueFullError, match="2 events and assessments are already waiting"):
        raising.log(**QUESTION)
    assert dropping.dropped == 3 and "Dropped" in caplog.text
    blocked = threading.Thread(target=lambda: waiting.log(id="w-2", **QUESTION))
    blocked.start()
    network.is_cut = False
    blocked.join(20)
    assert not blocked.is_alive()
    client.close()
    ids = set(stream.events.values_list("key__external_id", flat=True))
    assert ids == {"r-0", "r-1", "d-0", "d-1", "w-0", "w-1", "w-2"}


def test_what_is_lost_by_closing_is_told(
    open_client: Open, stream: Stream, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    network.is_cut = True
    client = open_client()
    client.stream(stream.pk).log(**QUESTION)
    with pytest.raises(NotSentError, match="1 events"):
        client.close(0.0)
    assert "Closed with 1 events" in caplog.text
    client.close()


def test_a_child_process_sends_its_own_alone(open_client: Open, stream: Stream, network: Network) -> None:
    network.is_cut = True
    sending = open_client().stream(stream.pk, every=60)
    sending.log(id="of-the-parent", **QUESTION)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(sending._outbox._count()).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"0"
    network.is_cut = False
    sending.flush()
    assert stream.events.get().key.external_id == "of-the-parent"


def test_a_child_process_sends_over_sockets_of_its_own(open_client: Open, stream: Stream) -> None:
    client = open_client(transport=None)
    sending = client.stream(stream.pk)
    sending.log(id="before", **QUESTION)
    sending.flush()
    before = client._connection._http
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            is_own = client._connection._http is not before
            sending.log(id="of-the-child", **QUESTION)
            sending.flush(20)
            os.write(write, b"own" if is_own else b"shared")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    assert os.read(read, 10) == b"own"
    sending.log(id="after", **QUESTION)
    sending.flush()
    ids = set(stream.events.values_list("key__external_id", flat=True))
    assert ids == {"before", "of-the-child", "after"}


def test_direct_calls_return_what_was_taken(open_client: Open, stream: Stream) -> None:
    sending = open_client().stream(stream.pk)
    rows = [{"id": f"e-{number}", **QUESTION} for number in range(501)]
    assert sending.events(rows) == TakenEvents(501, 0, 0, [])
    taken = sending.events(
        [*rows[:500], {"id": "e-1", **QUESTION, "output": "No."}, {"id": "new", **QUESTION}]
    )
    assert (taken.stored, taken.known) == (1, 500)
    assert [(each.number, each.id) for each in taken.refused] == [(501, "e-1")]
    learned = [{"event": name, "name": "thumb", "value": 1} for name in ("e-1", "to-come")]
    told = sending.assessments([*learned, {"event": "e-1"}])
    assert (told.stored, told.waiting, told.refused[0].id) == (1, 1, "e-1")
    with pytest.raises(InvalidError, match="name"):
        sending.assessments([{"event": "e-1"}])
    with pytest.raises(ConflictError, match="other content"):
        sending.events([{"id": "e-1", **QUESTION, "output": "No."}])


def test_errors_tell_what_the_server_told(
    open_client: Open, stream: Stream, reviewer: User, project: Project
) -> None:
    event = [{"id": "e", **QUESTION}]
    with pytest.raises(InvalidError) as told:
        open_client().stream(stream.pk).events([{"id": "e"}])
    assert told.value.status == 400 and told.value.code == "invalid" and "messages" in str(told.value)
    assert any(name.startswith("events.0") for name in told.value.fields)
    for kind, client, number in (
        (NotSignedInError, open_client(token="eva_wrong"), stream.pk),
        (NotAllowedError, open_client(user=reviewer), stream.pk),
        (MissingError, open_client(), 999_999),
        (MissingError, open_client(project="elsewhere"), stream.pk),
    ):
        with pytest.raises(kind):
            client.stream(number).events(event)
    end_stream(stream=stream, by=None)
    with pytest.raises(ConflictError, match="has ended"):
        open_client().stream(stream.pk).events(event)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(429, json={"error": {"code": "throttled", "message": "Later."}}), ThrottledError),
        (httpx.Response(502, text="Bad gateway"), ServerError),
        (httpx.Response(200, text="<html>another product</html>"), UnreachableError),
        (httpx.ConnectError("refused"), UnreachableError),
    ],
)
def test_a_server_that_stays_away_is_told_after_a_while(
    answer: httpx.Response | Exception, kind: type[Exception]
) -> None:
    asked = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content)

    patience = Patience(first=0.001, longest=0.001, total=0.0025)
    client = Client("http://x", "eva_x", "p", transport=httpx.MockTransport(handle), patience=patience)
    with pytest.raises(kind):
        client.stream(1).events([{"id": "e"}])
    assert asked >= 3


def test_it_waits_as_long_as_it_is_asked_to() -> None:
    patience = Patience(first=1, longest=20, total=60)
    assert 0.5 <= patience.wait_of(1, None) <= 1
    assert 4 <= patience.wait_of(4, None) <= 8
    assert patience.wait_of(1, 7.0) == 7
    assert 10 <= patience.wait_of(1_000, 900.0) <= 20


def test_what_is_no_json_is_an_error_where_it_is_logged(open_client: Open, stream: Stream) -> None:
    sending = open_client().stream(stream.pk)
    with pytest.raises(ValueError, match="JSON"):
        sending.log(**QUESTION, assessments={"cost": float("nan")})
    with pytest.raises(TypeError):
        sending.log(**QUESTION, fields={"when": dt.datetime.now(dt.UTC)})
    sending.flush()
    assert stream.events.count() == 0
