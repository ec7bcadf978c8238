"""Clients that nobody knows take their time, or send more than anybody asked for: the others are answered."""

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.slow_clients import CROWDS, measure
from evalapp.web_protocol import UNASKED_BODY_BYTES
from tests.attacks.slow_site import LONG_BYTES, Site, read_answer, read_answers, site
from tests.installations import eventually

CLIENTS = 100
THREADS = 2 * 4
_PATIENCE_SECONDS = 60
HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\n"
FORM = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"


@pytest.fixture(scope="module")
def slow_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("slow")) as running:
        yield running


@pytest.fixture
def kept() -> Iterator[contextlib.ExitStack]:
    """Connections that stay open until the end of the test."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    "begun",
    ["", "GET / HT", HEAD + "X-Slow: a", FORM + "Content-Length: 50000\r\n\r\na", HEAD + "\r\n"],
    ids=["silent", "request line", "headers", "body", "idle after its answer"],
)
def test_clients_that_send_slowly_hold_no_thread(
    slow_site: Site, kept: contextlib.ExitStack, begun: str
) -> None:
    for _ in range(CLIENTS):
        kept.enter_context(slow_site.send(begun))
    slow_site.answers()


@pytest.mark.parametrize("path", ["/long", "/file"])
def test_clients_that_read_slowly_hold_no_thread(
    slow_site: Site, kept: contextlib.ExitStack, path: str
) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    readers = [kept.enter_context(slow_site.send(request, receives=4096)) for _ in range(3 * THREADS)]
    for reader in readers:
        assert reader.recv(1)
    slow_site.answers()


def test_clients_that_read_streams_slowly_let_others_work(
    slow_site: Site, kept: contextlib.ExitStack
) -> None:
    """What is written while it is sent needs a thread for each; those are not the ones that answer."""
    request = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(5 * THREADS):
        kept.enter_context(slow_site.send(request, receives=4096))
    slow_site.answers()


@pytest.mark.parametrize("path", ["/long", "/file", "/stream"])
def test_a_client_that_pauses_gets_all_of_its_answer(slow_site: Site, path: str) -> None:
    with slow_site.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n", receives=4096) as reader:
        slow_site.answers(1)
        assert read_answer(reader) == (200, b"x" * LONG_BYTES)


def test_health_answers_while_every_thread_is_stuck(tmp_path: Path, kept: contextlib.ExitStack) -> None:
    with site(tmp_path) as running:
        stuck = [
            kept.enter_context(running.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            for _ in range(3 * THREADS)
        ]
        # Which process takes a connection is chance; one at least has more than it has threads.
        eventually(lambda: running.waiting()["waiting"], _PATIENCE_SECONDS, "every thread of one is stuck")
        for _ in range(20):
            assert running.waiting()["at_work"] <= 4
        running.gate.touch()
        assert [read_answer(each)[0] for each in stuck] == [200] * len(stuck)


def test_a_large_body_is_refused_before_it_comes(slow_site: Site) -> None:
    """Only its headers were sent: the answer cannot have waited for the rest."""
    with slow_site.send(FORM + f"Content-Length: {10 * 2**30}\r\n\r\n") as talk:
        assert read_answer(talk) == (413, b"not wanted")
    with slow_site.send(FORM + f"Content-Length: {10 * 2**30}\r\nExpect: 100-continue\r\n\r\n") as talk:
        assert talk.recv(12) == b"HTTP/1.1 413"


def test_a_large_body_that_is_wanted_arrives_whole(slow_site: Site) -> None:
    body = bytes(range(256)) * 2**14
    head = FORM + f"X-Signed-In: yes\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    with slow_site.send(head) as talk:
        assert talk.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        talk.sendall(body[:70_000])
        slow_site.answers(1)
        talk.sendall(body[70_000:] + (HEAD + "\r\n").encode())
        # The next request on the same connection begins where the body ended.
        told, following = map(json.loads, read_answers(talk, 2))
        assert (told["sha256"], following["bytes"]) == (hashlib.sha256(body).hexdigest(), 0)


def test_a_body_without_a_length_is_not_read(slow_site: Site) -> None:
    with slow_site.send(FORM + "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n") as talk:
        status, told = read_answer(talk)
        assert (status, json.loads(told)["chunked"], json.loads(told)["bytes"]) == (200, True, 0)


def test_a_body_of_which_the_application_was_not_asked_is_small(slow_site: Site) -> None:
    body = b"a" * UNASKED_BODY_BYTES
    status, told = slow_site.ask("/", "POST", body)
    assert (status, json.loads(told)["bytes"]) == (200, len(body))
    assert slow_site.ask("/", "POST", body + b"a")[0] == 413


def test_requests_that_come_together_are_answered_in_their_order(slow_site: Site) -> None:
    posts = [f"{FORM}Content-Length: {length}\r\n\r\n{'a' * length}" for length in (0, 3, 70_000, 5)]
    posts[2] = posts[2].replace("\r\n\r\n", "\r\nX-Signed-In: yes\r\n\r\n")
    with slow_site.send("".join(posts)) as talk:
        assert [json.loads(body)["bytes"] for body in read_answers(talk, len(posts))] == [0, 3, 70_000, 5]


@pytest.mark.parametrize("length", [UNASKED_BODY_BYTES, 70_000, 4 * 2**20])
def test_what_the_application_left_of_a_body_is_not_the_next_request(slow_site: Site, length: int) -> None:
    head = f"POST /unread HTTP/1.1\r\nHost: localhost\r\nX-Signed-In: yes\r\nContent-Length: {length}\r\n\r\n"
    with slow_site.send(head + "a" * length + HEAD + "\r\n") as talk:
        assert read_answers(talk, 2)[0] == b"unread"


def test_a_body_too_long_to_be_passed_over_ends_the_connection_by_its_answer(slow_site: Site) -> None:
    head = (
        f"POST /unread HTTP/1.1\r\nHost: localhost\r\nX-Signed-In: yes\r\nContent-Length: {5 * 2**20}\r\n\r\n"
    )
    with slow_site.send(head + "a" * 5 * 2**20) as talk:
        response = http.client.HTTPResponse(talk)
        response.begin()
        assert (response.status, response.headers["Connection"]) == (200, "close")


def test_a_request_that_waited_is_not_begun_for_a_client_that_has_gone(
    tmp_path: Path, kept: contextlib.ExitStack
) -> None:
    with site(tmp_path, "--workers", "1", "--threads", "1", SLOW_SITE_PATIENT_SECONDS="0") as running:
        stuck = kept.enter_context(running.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        eventually(lambda: running.waiting()["at_work"], _PATIENCE_SECONDS, "the thread is stuck")
        for _ in range(5):
            running.send("GET /note HTTP/1.1\r\nHost: localhost\r\n\r\n").close()
        eventually(lambda: running.waiting()["waiting"] == 5, _PATIENCE_SECONDS, "the others wait")
        staying = kept.enter_context(running.send("GET /note HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        eventually(lambda: running.waiting()["waiting"] == 6, _PATIENCE_SECONDS, "the last one waits, too")
        running.gate.touch()
        assert read_answer(stuck)[0] == 200
        assert read_answer(staying)[0] == 200
        assert (tmp_path / "noted").read_text() == "x"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("GET / HTTP/1.1\r\n" + "X-Long: a\r\n" * 10_000, 431),
        (f"GET /{'a' * 9000} HTTP/1.1\r\n\r\n", 414),
        ("nonsense\r\n\r\n", 400),
        (FORM + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
    ids=["headers too long", "address too long", "no HTTP", "two lengths"],
)
def test_what_is_no_request_is_told_so_and_cut_off(slow_site: Site, sent: str, status: int) -> None:
    with slow_site.send(sent) as talk:
        assert read_answer(talk)[0] == status
        assert talk.recv(1) == b""


def test_a_request_that_does_not_end_is_told_so_and_cut_off(tmp_path: Path) -> None:
    with site(tmp_path, SLOW_SITE_HEAD_SECONDS="0.2") as running:
        with running.send(HEAD + "X-Slow: ") as talk:
            assert read_answer(talk)[0] == 408
            assert talk.recv(1) == b""
        with running.connect() as silent:
            assert silent.recv(1) == b""


def test_more_connections_than_can_be_kept_make_room_for_who_asks(
    tmp_path: Path, kept: contextlib.ExitStack
) -> None:
    """A limit that only stopped accepting would be the next way to silence the site."""
    with site(tmp_path, "--worker-connections", "20") as running:
        first = [kept.enter_context(running.send(HEAD + "X-Slow: a")) for _ in range(10)]
        for _ in range(CLIENTS):
            kept.enter_context(running.send(HEAD + "X-Slow: a"))
            running.answers(1)
        assert any(_is_closed(each) for each in first)


def _is_closed(talk: socket.socket) -> bool:
    talk.setblocking(False)
    try:
        return talk.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_who_stops_the_server_waits_for_what_has_begun_and_for_nobody_slow(
    tmp_path: Path, kept: contextlib.ExitStack
) -> None:
    with site(tmp_path) as running:
        at_work = kept.enter_context(running.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        eventually(
            lambda: any(running.waiting()["at_work"] for _ in range(4)), _PATIENCE_SECONDS, "it has begun"
        )
        for _ in range(CLIENTS):
            kept.enter_context(running.send(HEAD + "X-Slow: a"))
        running.process.terminate()
        eventually(
            lambda: "Handling signal: term" in running.log.read_text(), _PATIENCE_SECONDS, "it shall stop"
        )
        running.gate.touch()
        assert read_answer(at_work)[0] == 200
        assert running.process.wait(_PATIENCE_SECONDS) == 0


def test_the_benchmark_of_slow_clients_runs(slow_site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    measure(slow_site.port, clients=8, seconds=0.3)
    lines = capsys.readouterr().out.splitlines()
    counts = [line for line in lines if line.startswith("beside ")]
    assert len(counts) == 1 + len(CROWDS)
    assert all(" 0 without" in line for line in counts), lines
