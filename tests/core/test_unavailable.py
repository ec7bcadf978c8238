"""While the database or the broker is away: 503 with Retry-After, wherever the request meets the gap."""

from collections.abc import Callable

import psycopg
import psycopg.errors
import pytest
import redis.exceptions
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.db import OperationalError, connections
from django.http import HttpRequest
from django.test import Client

from evalapp.accounts.models import User
from evalapp.api.operations import ApiView
from evalapp.core.middleware import UNAVAILABLE_MESSAGE
from tests.api.conftest import problem_in, program_of

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}


@pytest.fixture
def client(reviewer: User, client_for: Callable[[User | None], Client]) -> Client:
    browser = client_for(reviewer)
    browser.raise_request_exception = False
    return browser


@pytest.fixture
def no_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise psycopg.OperationalError("the server is not there")

    connection = connections["default"]
    connection.close()
    monkeypatch.setattr(connection, "get_new_connection", refuse)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/reviews/", id="a page"),
        pytest.param("/accounts/login/", id="the door"),
        pytest.param("/no/such/page/", id="the page that says there is none"),
    ],
)
@pytest.mark.usefixtures("no_database")
def test_a_page_says_that_it_will_be_back(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert UNAVAILABLE_MESSAGE in answer.text


@pytest.mark.parametrize("path", ["/reviews/", "/api/v1/me/", "/no/such/page/"])
@pytest.mark.usefixtures("no_database")
def test_a_script_is_told_in_its_own_words(client: Client, path: str) -> None:
    answer = client.get(path, headers={**JSON, "Authorization": "Bearer eva_of-nobody"})
    if path.startswith("/no/"):
        # It needs no database to be answered.
        assert answer.status_code == 404
        return
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json()["error"]["code"] == "unavailable"


@pytest.mark.usefixtures("no_database")
def test_a_form_of_another_session_is_not_a_fault_of_ours(client: Client) -> None:
    client.handler.enforce_csrf_checks = True
    answer = client.post("/reviews/keys/", {"enabled": "on"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


def test_a_session_that_cannot_be_written_is_tried_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    """The view is over by then, and the database goes away in the middleware."""

    def refuse(*args: object, **options: object) -> None:
        raise psycopg.OperationalError("the server is not there")

    monkeypatch.setattr(SessionStore, "save", refuse)
    settings.SESSION_SAVE_EVERY_REQUEST = True
    answer = client.get("/reviews/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


def test_a_session_for_which_there_is_no_room_is_told_as_that(
    client: Client, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise psycopg.errors.DiskFull("could not extend file")

    monkeypatch.setattr(SessionStore, "save", refuse)
    settings.SESSION_SAVE_EVERY_REQUEST = True
    answer = client.get("/reviews/")
    assert (answer.status_code, "disk of the database is full" in answer.text) == (507, True)


def test_a_cache_that_is_away_is_no_fault_of_ours(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise redis.exceptions.ConnectionError("the broker is not there")

    monkeypatch.setattr(type(cache._connections["default"]), "get", refuse)
    answer = client.get("/healthz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    parts = {"healthy": False, "database": True, "cache": False}
    assert answer.json().items() >= parts.items()


def test_a_fault_of_ours_stays_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(request: HttpRequest) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("evalapp.reviews.views.campaign_reviewers_of", break_down)
    answer = client.get("/reviews/")
    assert answer.status_code == 500
    assert "An error occurred on the server" in answer.text


@pytest.mark.parametrize("is_raw", [False, True], ids=["as Django tells it", "as the driver does"])
def test_a_full_disk_of_the_database_is_told_as_one(
    client: Client, reviewer: User, monkeypatch: pytest.MonkeyPatch, is_raw: bool
) -> None:
    def refuse(*args: object, **options: object) -> None:
        full = psycopg.errors.DiskFull("could not extend file")
        if is_raw:
            raise full
        raise OperationalError("could not extend file") from full

    program = program_of(reviewer)
    monkeypatch.setattr("evalapp.reviews.views.campaign_reviewers_of", refuse)
    page = client.get("/reviews/")
    assert (page.status_code, "Retry-After" in page) == (507, False)
    assert "The disk of the database is full" in page.text and "free space" in page.text
    monkeypatch.setattr(ApiView, "page", refuse)
    problem = problem_in(program.get("/api/v1/projects/"), 507)
    assert (problem["code"], "disk of the database is full" in problem["message"]) == ("no_room", True)
