"""Each request leaves one line: when, from where, by whom, what, and how it was answered."""

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, RequestFactory

from evalapp.accounts.models import Project, User
from evalapp.core.client_address import client_address
from evalapp.web_protocol import BODY_ANNOUNCED
from tests.api.conftest import program_of

pytestmark = pytest.mark.django_db

LINE = re.compile(
    r'(?P<client>\S+) user=(?P<user>\S+) request=(?P<id>[\w-]+) "(?P<method>\S+) (?P<path>\S+)"'
    r" (?P<status>\d{3}) (?P<bytes>\S+) \d+ms"
)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    told = [each.getMessage() for each in caplog.records if each.name == "evalapp.access"]
    return [LINE.fullmatch(line).groupdict() for line in told]  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def _from_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "evalapp.access")


def test_a_page_is_logged_with_its_reader(
    caplog: pytest.LogCaptureFixture,
    client_for: Callable[[User | None], Client],
    owner: User,
    project: Project,
) -> None:
    path = f"/projects/{project.slug}/settings/members/"
    page = client_for(owner).get(path)
    (line,) = lines(caplog)
    assert line == {
        "client": "127.0.0.1",
        "user": str(owner.pk),
        "id": page["X-Request-ID"],
        "method": "GET",
        "path": path,
        "status": "200",
        "bytes": str(len(page.content)),
    }


def test_a_program_is_logged_by_whose_token_it_has(caplog: pytest.LogCaptureFixture, owner: User) -> None:
    program_of(owner).get("/api/v1/me/")
    (line,) = lines(caplog)
    assert (line["user"], line["status"]) == (str(owner.pk), "200")


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing/", "404"), ("/healthz", "200"), ("/profile/", "302"), ("/%00/", "400")]
)
def test_whoever_is_not_signed_in_has_a_line_as_well(
    path: str, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Client().get(path)
    (line,) = lines(caplog)
    assert (line["user"], line["status"]) == ("-", status)
    assert line["id"] == answer["X-Request-ID"]


def test_to_log_asks_for_nobody(
    caplog: pytest.LogCaptureFixture,
    owner: User,
    client_for: Callable[[User | None], Client],
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    """What needs no reader reads no session: the health check answers while others wait."""
    browser = client_for(owner)
    with django_assert_num_queries(0):
        browser.get("/healthz")
    assert lines(caplog)[-1]["user"] == "-"


def test_a_large_body_that_the_server_asks_about_first_is_one_line(
    caplog: pytest.LogCaptureFixture,
    client_for: Callable[[User | None], Client],
    owner: User,
    project: Project,
) -> None:
    browser, path = client_for(owner), f"/projects/{project.slug}/settings/"
    announcements: list[dict[str, Any]] = [{BODY_ANNOUNCED: True}, {}]
    for announced in announcements:
        browser.post(path, {"name": "Summaries", "description": "x" * 70_000}, **announced)
    (line,) = lines(caplog)
    # What was thrown away is not told; the request itself is, here with its refusal of so long a text.
    assert (line["method"], line["status"]) == ("POST", "400")


def test_no_path_writes_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    Client().get('/nothing%0a127.0.0.1 user=1" 200/\u2028ünder/')
    (line,) = lines(caplog)
    assert line["path"].isascii()


def test_each_request_has_an_id_of_its_own_that_no_client_chooses(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        Client(headers={"X-Request-ID": "chosen-by-me"}).get("/nothing/")
    first, second = lines(caplog)
    assert len({first["id"], second["id"], "chosen-by-me"}) == 3


def test_the_proxys_id_is_kept(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.TRUSTED_PROXY = ("127.0.0.1",)
    for given in ("of-the-proxy-17", "x", 'forged" 200'):
        Client(headers={"X-Request-ID": given}).get("/nothing/")
    first, *others = (line["id"] for line in lines(caplog))
    assert first == "of-the-proxy-17"
    assert not {"x", 'forged" 200'} & set(others)


def test_the_client_behind_the_proxy_is_logged(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.TRUSTED_PROXY = ("127.0.0.1",)
    Client(headers={"X-Forwarded-For": "10.9.9.9, 192.0.2.1"}).get("/nothing/")
    assert lines(caplog)[0]["client"] == "192.0.2.1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("192.0.2.7", "", (), "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", (), "192.0.2.7"),
        # Whoever reaches the server past the proxy says what they like.
        ("192.0.2.7", "198.51.100.1", ("10.0.0.1",), "192.0.2.7"),
        ("10.0.0.1", "198.51.100.1", ("10.0.0.1",), "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", ("10.0.0.1",), "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.9", ("10.0.0.0/8",), "198.51.100.1"),
        ("10.0.0.1", "", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "not an address", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, nonsense", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", ("10.0.0.1",), "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", ("10.0.0.1",), "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", ("10.0.0.1",), "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", ("10.0.0.1",), "198.51.100.1"),
        ("", "198.51.100.1", ("10.0.0.1",), ""),
    ],
)
def test_nobody_but_the_trusted_proxy_says_where_a_request_comes_from(
    peer: str, forwarded: str, trusted: tuple[str, ...], client: str, settings: Any
) -> None:
    settings.TRUSTED_PROXY = trusted
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR=peer)
    assert client_address(request) == client
