"""Whole journeys without a mouse, and at every step the focus is seen.

The keys of the review screen one by one are in test_review_keyboard.py.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.reviews.models import Review
from evalapp.reviews.queries import answers_of
from evalapp.rubrics.models import Rubric
from tests.e2e.keyboard import Keyboard
from tests.factories import make_campaign, make_candidates, make_outputs, make_version

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PASSWORD = "nine plain words open the door"


@pytest.fixture
def keyboard(page: Page, live_server: Any) -> Keyboard:
    return Keyboard(page)


def enter(keyboard: Keyboard, address: str, person: User) -> None:
    """Through the door, as everybody."""
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])
    keyboard.page.goto(f"{address}/accounts/login/")
    keyboard.fill("E-mail address", person.email)
    keyboard.fill("Password", PASSWORD)
    keyboard._go("Enter")


def leave(keyboard: Keyboard) -> None:
    keyboard.to(".", tag="summary")
    while not keyboard.page.evaluate("document.activeElement.closest('details.menu') !== null"):
        keyboard.to(".", tag="summary")
    keyboard.press("Enter")
    keyboard.push("^Sign out$")
    if "logout" in keyboard.page.url:
        keyboard.push("Sign out")


def test_a_manager_makes_a_rubric_launches_compares_and_closes_and_a_reviewer_reviews_between(
    keyboard: Keyboard,
    project: Project,
    manager: User,
    reviewer: User,
    live_server: Any,
) -> None:
    version = make_version(project, rows=2)
    (one, two) = make_candidates(project, ["One model", "Two model"])
    make_outputs(version, {one: "Portfolio {n} holds 60% shares.", two: "You own {n}."})
    enter(keyboard, live_server.url, manager)
    _make_rubric(keyboard)
    _launch(keyboard, reviewer)
    campaign = Campaign.objects.get()
    assert campaign.state == CampaignState.OPEN
    assert str(campaign.rubric_version.rubric) == "Two questions"
    leave(keyboard)

    enter(keyboard, live_server.url, reviewer)
    _review(keyboard)
    leave(keyboard)

    enter(keyboard, live_server.url, manager)
    _compare_and_close(keyboard)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.CLOSED
    assert keyboard.steps > 100
    assert keyboard.unseen == []


def _make_rubric(keyboard: Keyboard) -> None:
    page = keyboard.page
    keyboard.follow("^Campaigns$")
    keyboard.follow("^Rubrics$")
    keyboard.follow("Create rubric")
    keyboard.fill("Name", "Two questions")
    _choose_no_template(keyboard)
    keyboard.push("Make|Create|Continue")
    if "/edit/" not in page.url:
        keyboard.follow("Add criteria|Edit criteria")
    # There is one to begin with.
    expect(page.locator("fieldset.criterion-editor")).to_have_count(1)
    keyboard.fill("^Name", "Tone", within="1\\.")
    keyboard.to("Add a yes|[Yy]es/no", tag="button")
    keyboard.press("Enter")
    expect(page.locator("fieldset.criterion-editor")).to_have_count(2)
    keyboard.fill("^Name", "Wrong", within="2\\.")
    # The preview follows the typing.
    expect(page.locator(".review-preview")).to_contain_text("Wrong")
    keyboard.push("^Save")
    rubric = Rubric.objects.get(name="Two questions")
    assert [each.name for each in rubric.versions.get().criteria.all()] == ["Tone", "Wrong"]


def _choose_no_template(keyboard: Keyboard) -> None:
    keyboard.to(".", tag="input")
    at = keyboard.focused
    if at["type"] == "radio":
        for _ in range(12):
            if re.search("[Ee]mpty|[Nn]othing|[Bb]lank", keyboard.focused["name"]):
                return
            keyboard.press("ArrowDown")
    raise AssertionError(f"no way to begin with an empty rubric: {at}")


def _launch(keyboard: Keyboard, reviewer: User) -> None:
    page = keyboard.page
    keyboard.follow("^Campaigns$")
    keyboard.follow("Create campaign")
    keyboard.fill("^Name", "By keyboard")
    keyboard.choose("^Dataset version", "Clients")
    keyboard.choose("^Split", "Feedback")
    keyboard.tick("One model")
    keyboard.tick("Two model")
    keyboard.choose("^Rubric", "Two questions")
    keyboard.tick(f"^{reviewer}$")
    keyboard.fill("Reviewers per item", "1")
    keyboard.press("Tab")
    expect(page.locator("#cost")).to_contain_text("2 items")
    keyboard.push("Save design")
    keyboard.push("Open campaign")
    expect(page.locator("main")).to_contain_text("0 of 4 reviews")


def _review(keyboard: Keyboard) -> None:
    page = keyboard.page
    if "/reviews/" not in page.url:
        keyboard.follow("^Review( |$)")
    keyboard.follow("Start reviewing")
    page.wait_for_selector("[data-review][data-ready]")
    for number in range(4):
        expect(page.locator("[data-progress=mine]")).to_have_text(str(number))
        assert keyboard.focused["type"] == "radio"
        keyboard.press("4")
        assert keyboard.focused["group"].startswith("Wrong")
        keyboard.press("0", "c")
        assert keyboard.focused["tag"] == "textarea"
        keyboard.type(f"Word {number}")
        keyboard.press("Escape")
        # The button by Tab for the first, the chord for the others.
        if number:
            keyboard.press("Control+Enter")
        else:
            keyboard.to("Submit and next", tag="button")
            keyboard.press("Enter")
    expect(page.locator("[data-end]")).to_be_visible()
    assert keyboard.focused["name"] == "My reviews"
    assert sorted(Review.objects.values_list("comment", flat=True)) == [f"Word {n}" for n in range(4)]
    assert answers_of(Review.objects.earliest("id")).scores == {"tone": 4, "wrong": 0}
    keyboard._go("Enter")


def _compare_and_close(keyboard: Keyboard) -> None:
    page = keyboard.page
    keyboard.follow("^Campaigns$")
    keyboard.follow("By keyboard")
    keyboard.follow("^See the results$")
    expect(page.get_by_role("heading", level=1)).to_contain_text("By keyboard")
    # Behind a figure stand its cases; and back.
    keyboard.follow(r"^\d")
    assert "/cases/" in page.url
    page.go_back()
    page.go_back()
    page.wait_for_load_state("networkidle")
    keyboard.to("^Close…$", tag="a")
    keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Close this campaign?")).to_be_visible()
    # By Escape nothing happens, and the focus is where it was.
    keyboard.press("Escape")
    assert keyboard.focused["name"] == "Close…"
    keyboard.press("Enter")
    keyboard.push("Close campaign")
    expect(page.locator("main")).to_contain_text("Closed")


def test_single_letter_keys_are_remapped_and_switched_off(
    keyboard: Keyboard,
    project: Project,
    reviewer: User,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    """WCAG 2.1.4: a letter of one's own works, the old one does not; off means off, and scores stay."""
    page = keyboard.page
    campaign = make_campaign(project, [reviewer], rows=2)
    sign_in(reviewer)
    page.goto(f"{live_server.url}/profile/")
    keyboard.fill("^Comment$", "k")
    keyboard.push("^Save$")

    def at_desk() -> None:
        page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
        page.wait_for_selector("[data-review][data-ready]")

    at_desk()
    assert page.locator("[data-key-for=comment] kbd").inner_text() == "k"
    keyboard.press("c")
    assert keyboard.focused["tag"] != "textarea"
    keyboard.press("k")
    assert keyboard.focused["tag"] == "textarea"
    keyboard.press("Escape", "?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("k")
    keyboard.press("Escape")

    page.goto(f"{live_server.url}/profile/")
    keyboard.to("Single-letter shortcuts")
    keyboard.press("Space")
    keyboard.push("^Save$")
    at_desk()
    assert page.locator("[data-key-for] kbd").count() == 0
    for letter in ("k", "c", "e", "s", "u", "r", "m", "n", "?"):
        keyboard.press(letter)
        assert keyboard.focused["type"] == "radio", letter
        assert page.get_by_role("dialog").count() == 0, letter
    keyboard.press("4")
    assert page.locator("[data-rubric] input:checked").count() == 1
    assert keyboard.unseen == []
