"""Nothing goes out that the operator did not allow, however the address is written or resolved."""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import requests

from evalapp.core import outgoing
from evalapp.core.outgoing import (
    GuardedSession,
    OutgoingFailedError,
    OutgoingRefusedError,
    checked_url,
    origin_of,
    send,
)
from run_directory.outgoing_policy import policy_of
from tests.receiver import Receiver, receiving

LOOPBACK = policy_of(["127.0.0.0/8"])
PUBLIC = policy_of(["*"])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "2002:a9fe:a9fe::",
        "2001:0:7f00:1::",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "192.0.0.9",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "::ffff:192.88.99.1",
        "2002:c058:6301::1",
        "192.175.48.1",
        "100::1",
        "100:0:0:1::1",
        "2001:1::1",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:20::1",
        "2001:30::1",
        "2002:808:808::1",
        "2620:4f:8000::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "5f00::1",
    ],
)
def test_an_address_that_is_not_public_is_refused_in_every_notation(address: str) -> None:
    assert PUBLIC.refusal_of("some.example", ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"],
)
def test_a_public_address_is_allowed_where_all_are(address: str) -> None:
    assert PUBLIC.refusal_of("some.example", ipaddress.ip_address(address)) == ""
    assert policy_of(["other.example"]).refusal_of("some.example", ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("words", "host", "address", "is_allowed"),
    [
        (["hooks.example"], "hooks.example", "8.8.8.8", True),
        (["hooks.example"], "hooks.example", "10.0.0.1", False),
        (["hooks.example"], "evil.example", "8.8.8.8", False),
        (["hooks.example"], "hooks.example.evil.org", "8.8.8.8", False),
        (["*.example"], "a.b.example", "8.8.8.8", True),
        (["*.example"], "example", "8.8.8.8", False),
        (["*.example"], "badexample", "8.8.8.8", False),
        (["10.2.0.0/16"], "anything", "10.2.3.4", True),
        (["10.2.0.0/16"], "anything", "10.3.3.4", False),
        (["10.2.0.0/16"], "anything", "::ffff:10.2.3.4", True),
        (["10.2.0.0/16"], "anything", "64:ff9b::a02:304", True),
        (["10.2.0.0/16"], "anything", "2002:a02:304::1", False),
        (["10.2.0.7"], "anything", "10.2.0.7", True),
        (["fd00::/32"], "anything", "fd00::1", True),
        ([], "hooks.example", "8.8.8.8", False),
    ],
)
def test_what_the_operator_names_is_what_is_allowed(words, host, address, is_allowed) -> None:
    assert (policy_of(words).refusal_of(host, ipaddress.ip_address(address)) == "") is is_allowed


@pytest.mark.parametrize(
    "word", ["0.0.0.0/0", "::/0", "10.0.0.0/7", "10.2.3.4/16", "a b", "http://x.example", "*."]
)
def test_a_word_of_the_setting_that_was_hardly_meant_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        policy_of([word])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "hooks.example",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "javascript:alert(1)",
        "https://",
        "https://user:pass@hooks.example/",
        "https://hooks.example@127.0.0.1/",
        "https://127.0.0.1\\@hooks.example/",
        "https://hooks.example:99999/",
        "https://hooks.example:0/",
        "https://hooks.example/a b",
        "https://hooks.example/\x00",
        "https://höoks.example/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "http://127.0.0.1/",
        "http://[nonsense/",
        "https://hooks.example/" + "x" * 2000,
    ],
)
def test_an_address_that_is_none_or_leads_inside_is_refused_by_its_field(address: str) -> None:
    with pytest.raises(OutgoingRefusedError) as refused:
        checked_url(address, allowed=PUBLIC)
    assert list(refused.value.fields) == ["url"]


def test_a_port_that_is_none_is_told_in_words_that_suit_any_address() -> None:
    with pytest.raises(OutgoingRefusedError, match=r"not a URL such as .*port is at most 65535") as caught:
        checked_url("http://127.0.0.1:99999/v1")
    assert "hooks" not in caught.value.message


def test_without_a_word_of_the_operator_nothing_goes_out(settings) -> None:
    settings.OUTGOING_ALLOWED = ()
    with pytest.raises(OutgoingRefusedError, match="EVALAPP_OUTGOING_ALLOWED"):
        checked_url("https://hooks.example/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
def test_other_spellings_of_loopback_are_refused_when_they_are_used(host: str, receiver: Receiver) -> None:
    port = receiver.server.server_port
    with pytest.raises((OutgoingRefusedError, OutgoingFailedError)):
        send(f"http://{host}:{port}/", body=b"", headers={}, allowed=PUBLIC)
    assert receiver.calls == []


def test_a_name_is_resolved_once_and_the_judged_address_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        asked.append(host)
        place = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port))]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", rebinding)
    answer = send(
        f"http://hooks.example:{receiver.server.server_port}/hook",
        body=b"hello",
        headers={},
        allowed=LOOPBACK,
    )
    assert (answer.status, asked) == (200, ["hooks.example"])
    assert receiver.calls[0].headers["Host"] == f"hooks.example:{receiver.server.server_port}"


def test_a_name_that_is_public_and_private_at_once_is_refused(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port)) for place in ("8.8.8.8", "127.0.0.1")
        ]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", both)
    with pytest.raises(OutgoingRefusedError, match="not public"):
        send("http://hooks.example/", body=b"", headers={}, allowed=PUBLIC)
    assert receiver.calls == []


def test_tls_asks_for_the_name_and_not_for_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[object] = []

    def wrap(self: ssl.SSLContext, *args: object, **options: object) -> object:
        names.append(options["server_hostname"])
        raise ssl.SSLError("stop here")

    with receiving() as receiver:
        place = ("127.0.0.1", receiver.server.server_port)
        monkeypatch.setattr(
            outgoing.socket,
            "getaddrinfo",
            lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place)],
        )
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
        with pytest.raises(OutgoingFailedError, match="TLS"):
            send("https://hooks.example/", body=b"", headers={}, allowed=LOOPBACK)
    assert names == ["hooks.example"]


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.answer, receiver.location = 302, receiver.url.replace("/hook", "/elsewhere")
    answer = send(receiver.url, body=b"{}", headers={}, allowed=LOOPBACK)
    assert (answer.status, answer.location) == (302, receiver.location)
    assert [call.path for call in receiver.calls] == ["/hook"]


@pytest.mark.parametrize("behaviour", ["drip", "silence"])
def test_time_is_for_the_whole_answer_however_it_drips(behaviour: str, receiver: Receiver) -> None:
    receiver.answer = behaviour
    began = time.monotonic()
    with pytest.raises(OutgoingFailedError, match=r"within|time"):
        send(receiver.url, body=b"", headers={}, seconds=0.5, allowed=LOOPBACK)
    # A dripping answer would last ten seconds, by reads that each wait for a moment only.
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("behaviour", ["cut", "nonsense"])
def test_what_is_no_answer_is_told_in_words(behaviour: str, receiver: Receiver) -> None:
    receiver.answer = behaviour
    with pytest.raises(OutgoingFailedError, match=r"^The connection broke"):
        send(receiver.url, body=b"", headers={}, allowed=LOOPBACK)


def test_nobody_listening_and_an_unknown_name_are_told_apart() -> None:
    with pytest.raises(OutgoingFailedError, match="No server listens there"):
        send("http://127.0.0.1:9/", body=b"", headers={}, allowed=LOOPBACK)
    with pytest.raises(OutgoingFailedError, match="not known"):
        send("http://no-such-host.invalid/", body=b"", headers={}, allowed=PUBLIC)


def test_of_a_large_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.body = b"\x00" + b"y" * 5_000_000
    answer = send(receiver.url, body=b"", headers={}, most_bytes=100, allowed=LOOPBACK)
    assert answer.text == "\ufffd" + "y" * 99


def test_a_session_judges_every_hop_and_caps_what_it_reads(receiver: Receiver) -> None:
    session = GuardedSession(LOOPBACK, seconds=2, most_bytes=1000)
    assert session.get(receiver.url).text == "thanks"
    receiver.answer, receiver.location = 302, "http://169.254.169.254/latest/meta-data/"
    with pytest.raises(requests.ConnectionError, match="not public"):
        session.get(receiver.url)
    receiver.answer, receiver.location, receiver.body = 200, "", b"z" * 5000
    with pytest.raises(requests.ConnectionError, match="larger than"):
        session.get(receiver.url)


def test_a_session_uses_no_proxy_of_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert GuardedSession(LOOPBACK).get(receiver.url).status_code == 200


def test_what_may_be_shown_of_an_address_holds_no_secret_of_its_path() -> None:
    assert origin_of("https://hooks.example:8443/T0/secret?key=1") == "https://hooks.example:8443"
