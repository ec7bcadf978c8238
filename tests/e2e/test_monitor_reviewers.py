"""A stream whose reviewer has become harsher, in the browser: from the cause to a calibration round."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from tests.monitoring.reviewed_weeks import WEEKS, first_harsher, nobody, review_weeks, watch

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_a_harsher_reviewer_leads_to_a_calibration_and_not_to_training(
    project: Project,
    manager: User,
    reviewer: User,
    engineer: User,
    live_server: Any,
    page: Page,
    sign_in: Any,
) -> None:
    watched = watch(project, [reviewer, engineer])
    review_weeks(watched, range(1, WEEKS + 1), of_model=nobody, of_reviewers=first_harsher, seed=5)
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/")
    page.get_by_role("link", name="Support chat: Tone got worse").click()
    incident = page.url
    expect(page.get_by_text("do not retrain")).to_be_visible()
    expect(page.get_by_role("heading", name="Cause One reviewer")).to_be_visible()
    expect(page.get_by_role("heading", name="Training")).to_have_count(0)

    page.get_by_role("link", name="severity").click()
    expect(page.get_by_role("rowheader", name="Reviewer 2")).to_be_visible()
    page.goto(incident)
    page.get_by_role("link", name="New campaign with calibration").click()
    page.get_by_label("Name").first.fill("Calibration in spring")
    page.get_by_text("Review quality: gold, repeats, calibration").click()
    expect(page.get_by_label("Items of a calibration round")).to_have_value("8")
    page.get_by_role("button", name="Save design").click()
    expect(page.get_by_role("heading", name="Calibration in spring")).to_be_visible()
    draft = Campaign.objects.get(name="Calibration in spring")
    assert (draft.calibration_items, draft.overlap, draft.reviewers.count()) == (8, 2, 2)
    assert draft.candidates.get().model_version_id == watched.stream.candidate_id

    page.goto(incident)
    page.get_by_text("Close incident…").click()
    page.get_by_label("Reason for closing the incident").fill("The levels are agreed on again.")
    page.get_by_role("button", name="Close with this reason").click()
    expect(page.get_by_text("Closed, with your reason.")).to_be_visible()
