"""A web request does not wait for the database for ever, and is told why it ended."""

from collections.abc import Callable
from typing import Any

import psycopg
import psycopg.errors
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

import evalapp.wsgi  # noqa: F401 - the web's own entrance
from evalapp.accounts.models import User
from evalapp.api.operations import ApiView
from evalapp.core import web_timeouts
from evalapp.core.middleware import LOCKED_MESSAGE, SLOW_MESSAGE
from evalapp.core.web_timeouts import WebConnection, allow_long_statements
from evalapp.env import database_settings, environment
from tests.api.conftest import problem_in, program_of

pytestmark = pytest.mark.django_db(transaction=True)


def connect() -> WebConnection:
    parameters = connection.get_connection_params()
    return WebConnection.connect(**parameters)


def shown(own: psycopg.Connection[Any], name: str) -> str:
    found = own.execute(f"SHOW {name}").fetchone()
    assert found
    return str(found[0])


def test_connections_of_the_web_have_limits_and_those_of_jobs_have_none() -> None:
    with connect() as own:
        assert (shown(own, "statement_timeout"), shown(own, "lock_timeout")) == ("1min", "10s")
        own.rollback()
        assert shown(own, "statement_timeout") == "1min"
    pool = connection.settings_dict["OPTIONS"]["pool"]
    assert pool["connection_class"] is WebConnection
    assert "connection_class" not in database_settings(environment().database_url)["OPTIONS"]["pool"]


def test_nothing_is_set_behind_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting would stay with a connection that a job is given next."""
    monkeypatch.setattr(web_timeouts, "is_behind_pooler", lambda own: True)
    with connect() as own:
        assert shown(own, "statement_timeout") == "0"


def test_a_statement_and_a_wait_end(monkeypatch: pytest.MonkeyPatch, reviewer: User) -> None:
    monkeypatch.setattr(web_timeouts, "STATEMENT_SECONDS", 1)
    with connect() as own, pytest.raises(psycopg.errors.QueryCanceled):
        own.execute("SELECT pg_sleep(600)")
    monkeypatch.setattr(web_timeouts, "STATEMENT_SECONDS", 60)
    monkeypatch.setattr(web_timeouts, "LOCK_SECONDS", 1)
    with transaction.atomic(), connect() as own:
        User.objects.select_for_update().get(pk=reviewer.pk)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            own.execute("SELECT 1 FROM evalapp_user WHERE id = %s FOR UPDATE", [reviewer.pk])


def test_what_takes_its_time_may() -> None:
    with transaction.atomic():
        allow_long_statements()
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)


@pytest.mark.parametrize(
    ("cause", "message"),
    [(psycopg.errors.QueryCanceled, SLOW_MESSAGE), (psycopg.errors.LockNotAvailable, LOCKED_MESSAGE)],
)
def test_a_request_that_was_ended_says_why(
    reviewer: User,
    client_for: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
    cause: type[Exception],
    message: str,
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OperationalError("ended") from cause("ended")

    program = program_of(reviewer)
    client = client_for(reviewer)
    monkeypatch.setattr("evalapp.reviews.views.campaign_reviewers_of", refuse)
    page = client.get("/reviews/")
    assert (page.status_code, page["Retry-After"]) == (503, "2")
    assert message in page.text
    monkeypatch.setattr(ApiView, "page", refuse)
    assert problem_in(program.get("/api/v1/projects/"), 503)["message"] == message
