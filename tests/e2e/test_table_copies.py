"""A table is copied by one click or key, and opened where there is no script."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from tests.factories import answers, make_campaign, review_all

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign(project: Project, reviewer: User) -> Campaign:
    campaign = make_campaign(project, [reviewer], rows=3)
    review_all(campaign, reviewer, {"plain": answers(tone=5)})
    return campaign


def test_a_table_is_copied_as_csv_and_markdown(
    live_server: Any,
    context: BrowserContext,
    page: Page,
    sign_in: Callable[[User], object],
    manager: User,
    campaign: Campaign,
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{campaign.project.slug}/results/{campaign.pk}/who-is-better/")
    people = page.get_by_role("region", name="Reviewer scores")
    copies = people.locator(".table-copies").first
    copies.get_by_role("link", name="CSV").click()
    expect(copies.get_by_role("link", name="CSV copied")).to_be_visible()
    copied: str = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Candidate,Accuracy (1–5),Accuracy (1–5) low")
    copies.get_by_role("link", name="Markdown").press("Enter")
    expect(copies.get_by_role("link", name="Markdown copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("**Reviewer scores**")


def test_without_scripts_a_table_is_opened(
    live_server: Any,
    browser: Any,
    page: Page,
    sign_in: Callable[[User], object],
    manager: User,
    campaign: Campaign,
) -> None:
    sign_in(manager)
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(page.context.cookies())
    plain = context.new_page()
    plain.goto(f"{live_server.url}/projects/{campaign.project.slug}/results/{campaign.pk}/who-is-better/")
    people = plain.get_by_role("region", name="Reviewer scores")
    people.get_by_role("link", name="Markdown").first.click()
    expect(plain.get_by_text("| Candidate |")).to_be_visible()
    plain.go_back()
    with plain.expect_download() as download:
        people.get_by_role("link", name="CSV", exact=True).first.click()
    assert download.value.suggested_filename == f"people-{campaign.pk}.csv"
    context.close()
