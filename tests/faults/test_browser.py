"""A reviewer's page while the server or its database is down: it says so, tries again, and what was given
arrives once.
"""

import json
import os
import re
import signal
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, Request, Response, expect

from tests.faults.filling import Filled
from tests.faults.kills import DATABASE
from tests.installations import Running, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.verification]
PATIENCE_MS = 60_000


@pytest.fixture
def no_database(running: Running) -> Iterator[None]:
    """The database is killed, and stays down until the supervisor goes on."""
    os.kill(running.process.pid, signal.SIGSTOP)
    try:
        os.kill(running.pid(DATABASE), signal.SIGKILL)
        yield
    finally:
        os.kill(running.process.pid, signal.SIGCONT)


def sign_in(page: Page, running: Running, filled: Filled) -> None:
    (email, password) = next(iter(filled.people.items()))
    page.goto(f"{running.home.bind.url}/accounts/login/")
    page.locator("[name=login]").fill(email)
    page.locator("[name=password]").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


def test_a_review_given_while_the_database_is_down_is_retried_with_its_id_and_stored_once(
    page: Page, running: Running, request: pytest.FixtureRequest
) -> None:
    words = running.installation.run_module("tests.faults.filling", "1", "3", "1")
    filled = Filled(**json.loads(words))
    page.set_default_timeout(PATIENCE_MS)
    sign_in(page, running, filled)
    page.goto(f"{running.home.bind.url}/reviews/campaigns/{filled.campaign}/")
    page.wait_for_selector("[data-review][data-ready]")
    page.wait_for_load_state("networkidle")
    address = page.url
    sent: list[str] = []
    answered: list[tuple[int, str | None]] = []

    def note_request(each: Request) -> None:
        if each.method == "POST" and each.url.split("?")[0] == address:
            sent.append(each.post_data_json["client_id"])

    def note_answer(each: Response) -> None:
        if each.request.method == "POST" and each.url.split("?")[0] == address:
            answered.append((each.status, each.headers.get("retry-after")))

    page.on("request", note_request)
    page.on("response", note_answer)
    request.getfixturevalue("no_database")
    for key in ("4", "3", "5", "4", "0", "Control+Enter"):
        page.keyboard.press(key)
    state = page.locator("[data-state]")
    expect(state).to_contain_text("Not sent yet (1): will retry", timeout=PATIENCE_MS)

    os.kill(running.process.pid, signal.SIGCONT)
    expect(state).to_contain_text("Saved", timeout=PATIENCE_MS)
    assert len(set(sent)) == 1
    assert answered[0] == (503, "2")
    assert answered[-1][0] == 201
    assert {status for status, _ in answered[:-1]} == {503}
    eventually(running.is_up, 300, "everything runs again")
    with psycopg.connect(running.home.database_url) as connection:
        stored = connection.execute("SELECT client_id::text, revision FROM evalapp_review").fetchall()
        scores = connection.execute("SELECT count(*) FROM evalapp_score").fetchone()
    assert stored == [(sent[0], 1)]
    assert scores == (5,)


def test_a_review_given_while_the_server_restarts_arrives_once_and_so_does_what_was_typed(
    page: Page, running: Running
) -> None:
    words = running.installation.run_module("tests.faults.filling", "1", "3", "1")
    filled = Filled(**json.loads(words))
    page.set_default_timeout(PATIENCE_MS)
    sign_in(page, running, filled)
    page.goto(f"{running.home.bind.url}/reviews/campaigns/{filled.campaign}/")
    page.wait_for_selector("[data-review][data-ready]")
    page.wait_for_load_state("networkidle")
    state = page.locator("[data-state]")
    page.keyboard.press("c")
    page.keyboard.type("Before")
    expect(state).to_contain_text("Draft saved")
    assert running.stop()[0] == 0

    page.keyboard.type(" and while it was away")
    for key in ("Escape", "4", "3", "5", "4", "0", "Control+Enter"):
        page.keyboard.press(key)
    expect(state).to_contain_text("Not sent yet (1): will retry")
    # The next answer was there already. What the state says of its draft may be said before, or after, what
    # it says of the submission; so the answers of the server count.
    kept: list[str] = []
    page.on("response", lambda each: kept.append(each.url) if each.ok and "/draft/" in each.url else None)
    page.keyboard.press("c")
    page.keyboard.type("Into the next one")
    again = Running(running.installation)
    try:
        expect(state).to_contain_text(re.compile("[Ss]aved"), timeout=PATIENCE_MS)
        while not kept:
            page.wait_for_event("response", timeout=PATIENCE_MS)
        expect(state).not_to_contain_text("Not sent yet", timeout=PATIENCE_MS)
        with psycopg.connect(running.home.database_url) as connection:
            reviews = connection.execute("SELECT comment, revision FROM evalapp_review").fetchall()
            drafts = connection.execute("SELECT body->>'comment' FROM evalapp_draft").fetchall()
        assert reviews == [("Before and while it was away", 1)]
        assert drafts == [("Into the next one",)]
    finally:
        again.stop()
