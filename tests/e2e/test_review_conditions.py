"""Questions that open and close while a reviewer answers, with the keyboard alone."""

import pytest
from playwright.sync_api import expect

from evalapp.reviews.models import Review
from evalapp.reviews.queries import answers_of
from evalapp.rubrics.drafts import Condition, CriterionDraft
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.services import create_rubric, save_version
from tests.campaigns.making import make_team
from tests.factories import make_campaign

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(page, live_server, sign_in):
    project, (person,) = make_team(1)
    rubric = create_rubric(project=project, name="With conditions", by=project.created_by)
    version = save_version(
        rubric=rubric,
        criteria=[
            CriterionDraft(name="Tone", examples={"1": "Dear Sir or Madam."}),
            CriterionDraft(
                name="Error",
                kind="category",
                minimum=1,
                maximum=2,
                low_threshold=None,
                options=(Option("too formal"), Option("rude", True)),
                visible_if=Condition("tone", (1, 2)),
            ),
            CriterionDraft(
                name="In words", kind="text", minimum=0, maximum=1, low_threshold=None, is_required=False
            ),
            CriterionDraft(name="Clarity"),
            CriterionDraft(
                name="Why",
                kind="text",
                minimum=0,
                maximum=1,
                low_threshold=None,
                visible_if=Condition("clarity", (1, 2)),
            ),
        ],
        by=project.created_by,
    )
    campaign = make_campaign(project, [person], rows=2, rubric_version=version, texts={"formal": "Dear you."})
    sign_in(person)
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    return page


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_a_question_opens_with_the_answer_that_calls_for_it(desk):
    page = desk
    error = page.get_by_role("group", name="Error")
    expect(error).to_be_hidden()

    press(page, "2")

    expect(error).to_be_visible()
    press(page, "2", "4", "Control+Enter")
    expect(page.locator("[data-state]")).to_contain_text("Saved")
    assert answers_of(Review.objects.get()).scores == {"tone": 2, "error": 2, "clarity": 4}
    expect(error).to_be_hidden()


def test_an_answer_to_a_question_that_closed_again_is_not_sent(desk):
    page = desk
    press(page, "1", "1", "4", "Shift+Tab", "Shift+Tab", "Shift+Tab", "5")
    expect(page.get_by_role("group", name="Error")).to_be_hidden()
    press(page, "Control+Enter")
    expect(page.locator("[data-state]")).to_contain_text("Saved")
    assert answers_of(Review.objects.get()).scores == {"tone": 5, "clarity": 4}


def test_words_are_written_and_kept_without_the_mouse(desk):
    page = desk
    # A text that need not be written does not stand in the way of figures; one that must is come to.
    press(page, "4", "2")
    page.keyboard.type("12 words, 3 too many.")
    press(page, "Shift+Tab", "Shift+Tab")
    page.keyboard.type("By the way.")
    page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    expect(page.get_by_label("Why", exact=True)).to_have_value("12 words, 3 too many.")
    press(page, "Control+Enter")
    expect(page.locator("[data-state]")).to_contain_text("Saved")
    said = answers_of(Review.objects.get())
    assert said.scores == {"tone": 4, "clarity": 2}
    assert said.texts == {"why": "12 words, 3 too many.", "in-words": "By the way."}
    expect(page.get_by_label("In words", exact=True)).to_have_value("")


def test_a_text_that_must_be_written_is_asked_for(desk):
    page = desk
    press(page, "4", "2", "Control+Enter")
    expect(page.get_by_text("Write a few words.")).to_be_visible()
    assert page.evaluate("document.activeElement.name") == "text-why"
    page.keyboard.type("Muddled.")
    press(page, "Escape", "Control+Enter")
    expect(page.locator("[data-state]")).to_contain_text("Saved")
