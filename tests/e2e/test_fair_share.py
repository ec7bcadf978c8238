"""A page that fetched ahead what somebody else got meanwhile goes past it by itself."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Assignment
from evalapp.reviews.models import Review
from tests.campaigns.making import make_open_campaign
from tests.campaigns.test_allocation import fill, next_for

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_what_was_fetched_ahead_and_went_to_somebody_else_is_not_left_on_the_screen(
    project: Project,
    reviewer: User,
    other_reviewer: User,
    live_server: Any,
    page: Page,
    sign_in: Callable[[User], object],
    complaints: list[str],
) -> None:
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=3, candidates=1, overlap=1)
    sign_in(reviewer)
    with page.expect_response(lambda answer: "?assignment=" in answer.url):
        page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    assert Assignment.objects.filter(reviewer=reviewer).count() == 2
    # The other does the third, and then gets what this page has fetched ahead.
    fill(campaign, other_reviewer, next_for(campaign, other_reviewer))
    taken = next_for(campaign, other_reviewer)
    for group in page.locator("[data-rubric] fieldset[data-criterion]").all():
        radio = group.locator("input[type=radio]").first
        if radio.count():
            radio.check(force=True)
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-end-title]")).to_have_text("Nothing available right now")
    expect(page.get_by_text("That item was given to a reviewer without any")).to_be_visible()
    assert Review.objects.get(reviewer=reviewer).assignment_id != taken.assignment.id
    assert complaints == []
