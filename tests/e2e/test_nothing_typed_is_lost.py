"""Nothing typed is lost: each way in which a reviewer's work could vanish, in a real browser.

The restart of the whole server is in tests/faults/test_browser.py, which has a server of its own.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import BrowserContext, Error, Page, Route, expect

from evalapp.accounts.models import User
from evalapp.campaigns.leases import return_lapsed_assignments
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.queries import answers_of
from tests.campaigns.making import make_open_campaign, make_team
from tests.installations import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PASSWORD = "nine plain words open the door"
WORDS = "Half a thought about the tone"


class Desk:
    """A reviewer's browser at the first answer of a campaign."""

    def __init__(self, page: Page, address: str, campaign: Campaign, people: list[User]) -> None:
        self.page, self.address, self.campaign = page, address, campaign
        self.person, self.other = people

    def open(self, page: Page | None = None, url: str = "") -> Page:
        page = page or self.page
        page.goto(url or f"{self.address}/reviews/campaigns/{self.campaign.key}/")
        page.wait_for_selector("[data-review][data-ready]")
        page.wait_for_load_state("networkidle")
        return page


@pytest.fixture
def desk(page: Page, live_server: Any, sign_in: Callable[[User], object]) -> Iterator[Desk]:
    project, people = make_team(2)
    campaign = make_open_campaign(project, people, rows=4, candidates=2, overlap=1)
    people[0].set_password(PASSWORD)
    people[0].save(update_fields=["password"])
    sign_in(people[0])
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield Desk(page, live_server.url, campaign, people)
    assert problems == []


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def write(page: Page, words: str = WORDS) -> None:
    press(page, "4", "2", "c")
    page.keyboard.type(words)


def rate_the_rest_and_submit(page: Page) -> None:
    # Two criteria have their score by `write`.
    press(page, "Escape", "3", "5", "0", "Control+Enter")


def say(page: Page, words: str | re.Pattern[str], **options: Any) -> None:
    expect(page.locator("[data-state]")).to_contain_text(words, **options)


def comment_of_draft() -> str:
    return str(Draft.objects.get().body["comment"])


def comment_of(page: Page) -> str:
    return page.locator("[data-comment]").input_value()


def test_a_crash_of_the_tab(desk: Desk) -> None:
    page = desk.open()
    at = page.url
    # Nothing reaches the server: what is back afterwards is what the browser kept at the last key.
    page.route("**/draft/", lambda route: route.abort())
    write(page)
    # The browser ends the page's own process: nothing of the page runs any more, no farewell either.
    with contextlib.suppress(Error):
        page.goto("chrome://crash", timeout=5_000)

    again = desk.open(page.context.new_page(), at)

    assert comment_of(again) == WORDS
    assert again.locator("[data-rubric] input:checked").count() == 2
    assert not Draft.objects.exists()
    say(again, "Draft saved")
    assert Draft.objects.get().body["comment"] == WORDS


@pytest.mark.parametrize(("choice", "kept"), [("Keep this one", "first"), ("Use the other", "second")])
def test_two_tabs_with_different_drafts(desk: Desk, choice: str, kept: str) -> None:
    first = desk.open()
    second = desk.open(first.context.new_page(), first.url)
    write(second, "From the second tab")
    say(second, "Draft saved")
    first.bring_to_front()

    write(first, "From the first tab")

    expect(first.get_by_text("A newer draft of this item was saved in another tab.")).to_be_visible()
    # Neither is gone before the person has chosen.
    assert comment_of(first) == "From the first tab"
    assert Draft.objects.get().body["comment"] == "From the second tab"
    first.get_by_role("button", name=choice).click()
    expect(first.locator("[data-comment]")).to_have_value(f"From the {kept} tab")
    first.locator("[data-comment]").press("End")
    first.keyboard.type(".")
    eventually(
        lambda: comment_of_draft() == f"From the {kept} tab.", 300, "the chosen draft is on the server"
    )


def test_two_tabs_that_both_submit(desk: Desk) -> None:
    first = desk.open()
    at = first.url
    second = desk.open(first.context.new_page(), at)
    first.bring_to_front()
    write(first, "From the first tab")
    rate_the_rest_and_submit(first)
    say(first, "Saved")
    second.bring_to_front()

    write(second, "From the second tab")
    rate_the_rest_and_submit(second)

    expect(second.get_by_text("You have already submitted this item")).to_be_visible()
    assert Review.objects.get().comment == "From the first tab"
    # What the second tab said is there when the review is opened again, and can replace the first.
    second.get_by_role("link", name="Open item").click()
    second.wait_for_selector(".notice-info")
    second.wait_for_selector("[data-review][data-ready]")
    expect(second.locator("[data-comment]")).to_have_value("From the second tab")
    press(second, "Control+Enter")
    say(second, "Saved")
    review = Review.objects.get()
    assert (review.comment, review.revision) == ("From the second tab", 2)


def test_ten_minutes_offline(desk: Desk) -> None:
    page = desk.page
    page.clock.install()
    desk.open()
    page.context.set_offline(True)
    write(page)
    page.clock.run_for(3_000)
    say(page, "Offline")
    rate_the_rest_and_submit(page)
    say(page, "Not sent yet (1)")
    # The next one was there already; what is written into it stays as well.
    write(page, "Written offline, too")
    page.clock.run_for(10 * 60_000)
    say(page, re.compile("Not sent yet|Offline"))
    assert comment_of(page) == "Written offline, too"
    assert not Review.objects.exists() and not Draft.objects.exists()

    page.context.set_offline(False)
    page.clock.run_for(40_000)

    expect(page.locator("[data-progress=mine]")).to_have_text("1")
    expect(page.locator("[data-state]")).not_to_contain_text(re.compile("Not sent yet|Offline"))
    review = eventually(Review.objects.first, 300, "the review has arrived")
    assert review.comment == WORDS
    assert answers_of(review).scores["accuracy"] == 4
    draft = eventually(Draft.objects.first, 300, "the draft of the next one has arrived")
    assert draft.body["comment"] == "Written offline, too"
    # Ten minutes without a sign of life are no time at work.
    assert review.seconds_active < 120 and draft.body["seconds_active"] < 120


def test_a_session_that_expired(desk: Desk, context: BrowserContext) -> None:
    page = desk.open()
    Session.objects.all().delete()

    write(page)
    say(page, "You are signed out; your draft is kept in this browser")
    rate_the_rest_and_submit(page)
    say(page, "Not sent yet (1): you are signed out")
    assert not Review.objects.exists() and not Draft.objects.exists()
    # As the page says: in another tab, by the form, which gives the browser new cookies.
    door = context.new_page()
    door.goto(f"{desk.address}/accounts/login/")
    door.get_by_label("E-mail address").fill(desk.person.email)
    door.get_by_label("Password").fill(PASSWORD)
    press(door, "Enter")
    door.wait_for_url(lambda url: "/accounts/login/" not in url)
    door.close()

    page.bring_to_front()

    say(page, "Saved", timeout=60_000)
    assert Review.objects.get().comment == WORDS
    # And the page works on as before.
    expect(page.locator("[data-form]")).to_be_visible()
    write(page, "After signing in")
    say(page, "Draft saved")
    assert comment_of_draft() == "After signing in"


def end_the_lease(desk: Desk) -> None:
    held = Assignment.objects.filter(state=AssignmentState.IN_PROGRESS, reviewer=desk.person)
    held.update(lease_expires_at=timezone.now() - timedelta(hours=1))
    return_lapsed_assignments(campaign=desk.campaign)


def stop_drafts(page: Page) -> None:
    """A draft would renew the lease; so none goes out, as from a tab that the browser has put to sleep."""

    def refuse(route: Route) -> None:
        route.abort()

    page.route("**/draft/", refuse)


def test_a_lease_that_ended_and_nobody_took_the_assignment(desk: Desk) -> None:
    page = desk.open()
    stop_drafts(page)
    write(page)
    end_the_lease(desk)

    rate_the_rest_and_submit(page)

    say(page, "Saved")
    assert Review.objects.get().comment == WORDS


def test_a_lease_that_ended_and_somebody_else_has_the_assignment(desk: Desk) -> None:
    page = desk.open()
    stop_drafts(page)
    at = page.url
    key = re.search(r"/reviews/([0-9a-f-]{36})/", at)
    write(page)
    press(page, "Escape", "3", "5", "0", "e", "Control+End")
    page.keyboard.type(" My own words.")
    end_the_lease(desk)
    assert key is not None
    Assignment.objects.filter(key=key[1], state=AssignmentState.AVAILABLE).update(
        state=AssignmentState.IN_PROGRESS,
        reviewer=desk.other,
        lease_expires_at=timezone.now() + timedelta(minutes=30),
    )

    press(page, "Control+Enter")

    expect(page.get_by_text("This item is no longer assigned to you")).to_be_visible()
    assert not Review.objects.exists()
    page.get_by_role("link", name="See my answers").click()
    expect(page.locator("main")).to_contain_text("This item was given to another reviewer")
    expect(page.locator("main")).to_contain_text(WORDS)
    expect(page.locator("main")).to_contain_text("My own words.")
    page.get_by_role("link", name="Continue reviewing").click()
    page.wait_for_selector("[data-review][data-ready]")
    assert page.url != at
