"""A scale of many levels, typed; and the letters that a person chose for themselves."""

import pytest
from playwright.sync_api import expect

from evalapp.reviews.models import Review
from evalapp.reviews.queries import answers_of
from evalapp.rubrics.drafts import CriterionDraft, TagDraft
from evalapp.rubrics.services import create_rubric, save_version
from tests.campaigns.making import make_open_campaign, make_team
from tests.factories import make_campaign

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(page, live_server, sign_in):
    project, (person,) = make_team(1)
    version = save_version(
        rubric=create_rubric(project=project, name="Percent", by=project.created_by),
        criteria=[
            CriterionDraft(
                name="Quality", minimum=0, maximum=100, low_threshold=20, tags=(TagDraft("vague"),),
                level_descriptions={"0": "Useless."}, allows_not_applicable=True,
            ),
            CriterionDraft(name="Tone"),
            CriterionDraft(name="Length", minimum=-10, maximum=10, is_required=False, low_threshold=None),
        ],
        by=project.created_by,
    )  # fmt: skip
    campaign = make_campaign(project, [person], rows=3, rubric_version=version, texts={"formal": "Dear you."})
    sign_in(person)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    yield page
    assert problems == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_a_number_is_typed_and_enter_moves_on(desk):
    page = desk
    press(page, "8", "5", "Enter", "4", "-", "3", "Enter", "Control+Enter")
    expect(page.locator("[data-state]")).to_contain_text("Saved")
    assert answers_of(Review.objects.get()).scores == {"quality": 85, "tone": 4, "length": -3}
    # The next one begins empty, in the number.
    expect(page.get_by_label("Quality, 0 to 100")).to_have_value("")
    assert page.evaluate("document.activeElement.name") == "criterion-quality"


def test_a_low_number_asks_for_reasons_once_it_is_typed(desk):
    page = desk
    reason = page.get_by_label("vague")
    press(page, "8")
    expect(reason).to_be_hidden()
    press(page, "Backspace", "1", "5", "Enter")
    expect(reason).to_be_visible()
    press(page, "a", "3", "Control+Enter")
    expect(page.locator("[data-state]")).to_contain_text("Saved")
    assert answers_of(Review.objects.get()).tags == {"quality": ["vague"]}


@pytest.mark.parametrize("typed", ["101", "3.5", "-1"])
def test_what_is_no_level_is_asked_for_again(desk, typed):
    page = desk
    page.keyboard.type(typed)
    press(page, "Enter", "4", "Control+Enter")
    expect(page.get_by_text("Type a whole number from 0 to 100.")).to_be_visible()
    assert page.evaluate("document.activeElement.name") == "criterion-quality"
    assert not Review.objects.exists()


def test_letters_are_keys_in_a_number_too(desk):
    page = desk
    press(page, "7", "n", "4", "Control+Enter")
    expect(page.locator("[data-state]")).to_contain_text("Saved")
    assert answers_of(Review.objects.get()).scores == {"quality": "na", "tone": 4}


def test_letters_are_chosen_in_the_profile_and_two_of_one_are_refused(page, live_server, sign_in):
    project, (person,) = make_team(1)
    campaign = make_open_campaign(project, [person], rows=4, candidates=1, overlap=1)
    sign_in(person)
    page.goto(f"{live_server.url}/profile/")
    page.get_by_label("Comment").fill("k")
    page.get_by_label("Flag the item for the manager").fill("K")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("“k” is already taken by “Comment”.")).to_be_visible()
    page.get_by_label("Flag the item for the manager").fill("5")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Number keys give scores; choose another key.")).to_be_visible()
    page.get_by_label("Flag the item for the manager").fill("z")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    # The old letters do nothing, the new ones stand beside their controls.
    press(page, "c", "f")
    assert page.evaluate("document.activeElement.tagName") != "TEXTAREA"
    expect(page.locator("#flag")).to_be_hidden()
    expect(page.get_by_role("link", name="Flag z")).to_be_visible()
    press(page, "z")
    expect(page.locator("#flag")).to_be_visible()
    press(page, "Escape", "k")
    assert page.evaluate("document.activeElement.name") == "comment"
