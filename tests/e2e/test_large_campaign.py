"""A large campaign's pages in each of their states: before a job has computed anything,
meanwhile, and after.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.analysis.agreement import severity
from evalapp.analysis.stored import stored_results
from evalapp.analysis.tasks import compute
from evalapp.campaigns.models import Campaign
from tests.analysis.test_severity_page import said
from tests.e2e.looks import findings
from tests.factories import make_campaign, review_all, run_scoring

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("browser_bundle"),
]


@pytest.fixture
def campaign(
    project: Project, reviewer: User, other_reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> Campaign:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    monkeypatch.setattr(severity, "MOST_RATINGS", 10)
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=12)
    review_all(campaign, other_reviewer, said(0))
    run_scoring(campaign)
    return campaign


@pytest.mark.parametrize("name", ["", pytest.param("severity/", marks=pytest.mark.verification)])
def test_a_manager_has_the_figures_computed_by_keyboard(
    name: str,
    campaign: Campaign,
    live_server: Any,
    page: Page,
    sign_in: Callable[[User], object],
    manager: User,
    reviewer: User,
) -> None:
    sign_in(manager)
    address = f"{live_server.url}/projects/{campaign.project.slug}/results/{campaign.pk}/{name}"
    page.goto(address)
    expect(page.get_by_text("are not computed yet")).to_be_visible()
    assert findings(page, address) == []

    page.goto(address)
    page.get_by_role("button", name="Compute results").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("waits for its turn")).to_be_visible()
    assert findings(page, address) == []

    (job,) = campaign.project.jobs.filter(task=stored_results.COMPUTE_TASK)
    page.goto(address)
    compute(job.pk)
    # The bar asks how far it is, and the page comes again by itself when the job has ended.
    expect(page.get_by_text("no reviews since")).to_be_visible()
    review_all(campaign, reviewer, said(-1))
    page.reload()
    expect(page.get_by_text("24 reviews since")).to_be_visible()
    assert findings(page, address) == []
