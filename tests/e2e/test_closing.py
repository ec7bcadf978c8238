"""The closing question by keyboard alone, and the pages on quality as they look."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.campaigns.services import close_campaign
from evalapp.reviews.models import ClosingAnswer
from tests.closing_campaign import OTHER, TUNED, make_tuned_campaign
from tests.e2e.looks import findings
from tests.factories import answers, review_all

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_a_reviewer_answers_by_keyboard_and_is_not_asked_again(
    project: Project,
    reviewer: User,
    live_server: Any,
    page: Page,
    sign_in: Callable[[User], object],
    complaints: list[str],
) -> None:
    campaign = make_tuned_campaign(project, [reviewer], rows=3)
    review_all(campaign, reviewer, {})
    close_campaign(campaign=campaign, by=project.created_by)
    sign_in(reviewer)
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.get_by_role("link", name="Answer question").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Which of these do you think came from a tuned model?"
    )
    assert findings(page, page.url) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for text in range(1, 7):
        group = page.get_by_role("group", name=f"Text {text} was written by")
        group.get_by_role("radio").first.focus()
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Send my guesses").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Thank you. Your guesses are stored.")).to_be_visible()
    assert set(ClosingAnswer.objects.values_list("belief", flat=True)) == {1}
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    expect(page.get_by_text("One last question")).to_have_count(0)
    assert complaints == []


def test_a_campaign_that_is_closed_meanwhile_leads_to_the_question_from_home(
    project: Project, reviewer: User, live_server: Any, page: Page, sign_in: Callable[[User], object]
) -> None:
    campaign = make_tuned_campaign(project, [reviewer], rows=1)
    review_all(campaign, reviewer, {})
    sign_in(reviewer)
    page.goto(f"{live_server.url}/reviews/")
    question = page.get_by_role("link", name="Answer question")
    expect(question).to_have_count(0)
    close_campaign(campaign=campaign, by=project.created_by)
    page.reload()
    question.click()
    expect(page.get_by_role("button", name="Skip")).to_be_visible()


def test_the_campaigns_page_fetches_its_agreement_and_leads_to_hints(
    project: Project,
    reviewer: User,
    other_reviewer: User,
    manager: User,
    live_server: Any,
    page: Page,
    sign_in: Callable[[User], object],
) -> None:
    campaign = make_tuned_campaign(project, [reviewer, other_reviewer], rows=12)
    varied = {(label, row): answers(tone=1 + row % 4) for label in (TUNED, OTHER) for row in range(1, 13)}
    review_all(campaign, reviewer, varied, seconds_active=25.0)
    review_all(campaign, other_reviewer, {}, seconds_active=0.6)
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/campaigns/{campaign.pk}/")
    expect(page.get_by_role("heading", name="Agreement so far")).to_be_visible()
    expect(page.locator("section.agreement tbody tr")).to_have_count(5)
    page.get_by_role("link", name="Agreement and hints").click()
    expect(page.locator(".hints > li").first).to_be_visible()
    assert findings(page, page.url) == []
    for path in ("quality", "progress"):
        assert (
            findings(page, f"{live_server.url}/projects/{project.slug}/campaigns/{campaign.pk}/{path}/") == []
        )
