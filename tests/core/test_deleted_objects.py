"""A write that meets the deletion of its project, or another write, answers in words; never 500."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import psycopg.errors
import pytest
from django.db import OperationalError, connection
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.core.middleware import DEADLOCK_MESSAGE
from evalapp.decisions.deletion import delete_project
from tests.access_objects import make_world
from tests.access_urls import kwargs_of
from tests.cast import BACKEND, make_project, make_user
from tests.test_access import ROUTES

pytestmark = pytest.mark.django_db(transaction=True)

WRITES: list[tuple[str, dict[str, Any]]] = [
    ("campaign_pause", {}),
    ("campaign_close", {}),
    ("model_alias", {"alias": "champion"}),
    ("project_settings", {"name": "Another name", "description": "", "population": "panel"}),
    ("rubric_rename", {"name": "Another name", "description": ""}),
    ("api_campaign_pause", {}),
    ("api_model_alias", {"alias": "champion"}),
    ("api_model_imported", {"label": "Answers of May"}),
    ("api_dataset_versions", {"note": "", "rows": [{"split": "train", "prompt": "A", "reference": "B"}]}),
    ("api_export_row_decide", {"decision": "accepted"}),
]


@contextmanager
def deleted_before_the_first_write(project: Project, by: User) -> Iterator[list[str]]:
    """Delete the project, on another connection, when a request first writes or locks; what
    was then asked.
    """
    met: list[str] = []

    def delete() -> None:
        delete_project(project=project, typed_name=project.name, by=by)
        connection.close()

    def first(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        is_write = sql.startswith(("UPDATE", "INSERT")) or " UPDATE" in sql
        is_ours = "evalapp_" in sql and "evalapp_apitoken" not in sql
        if not met and ((is_write and is_ours) or "pg_advisory" in sql):
            met.append(sql)
            thread = Thread(target=delete)
            thread.start()
            thread.join(20)
        return execute(sql, *rest)

    with connection.execute_wrapper(first):
        yield met


@pytest.mark.parametrize(("route", "data"), WRITES, ids=[route for route, _ in WRITES])
def test_a_write_is_told_that_its_project_was_deleted_meanwhile(
    route: str, data: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    owner, reviewer = make_user("owner"), make_user("reviewer")
    project = make_project("Summaries", owner=owner, reviewer=reviewer)
    world = make_world(project, reviewer=reviewer)
    names = next(list(each.kwargs) for each in ROUTES if each.name == route)
    address = reverse(route, kwargs=kwargs_of(route, names, world))
    browser = Client(raise_request_exception=False)
    browser.force_login(owner, backend=BACKEND)
    headers = {}
    if route.startswith("api_"):
        headers["Authorization"] = f"Bearer {create_api_token(user=owner, name='Test', by=owner).secret}"

    with deleted_before_the_first_write(project, owner) as met:
        if headers:
            answer = browser.post(address, data, "application/json", headers=headers)
        else:
            answer = browser.post(address, data)

    assert met, answer.content
    assert not Project.objects.exists()
    assert answer.status_code == 409, answer.content
    assert "was deleted in the meantime, so nothing was stored" in answer.text
    assert any(record.exc_info and "answered 409" in record.message for record in caplog.records)


def test_two_who_crossed_are_told_so_and_not_that_the_database_is_away(
    client_for: Callable[[User | None], Client], reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cross(request: HttpRequest) -> None:
        raise OperationalError("deadlock detected") from psycopg.errors.DeadlockDetected("deadlock detected")

    monkeypatch.setattr("evalapp.reviews.views.campaign_reviewers_of", cross)
    answer = client_for(reviewer).get("/reviews/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert DEADLOCK_MESSAGE in answer.text
    told = client_for(reviewer).get("/reviews/", headers={"Accept": "application/json"}).json()
    assert told["error"] == {"code": "unavailable", "message": DEADLOCK_MESSAGE, "fields": {}}
