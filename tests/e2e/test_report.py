"""A report in a browser: one click, the files appear by themselves, and the page is whole
without a server.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.charts.theme import colour
from evalapp.reports.services import start_report
from evalapp.reports.tasks import write_report
from evalapp.reports.writing import report_folder
from tests.e2e.looks import findings
from tests.factories import answers, make_campaign, review_all, run_scoring

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("browser_bundle"),
]


@pytest.fixture
def campaign(
    project: Project, reviewer: User, other_reviewer: User, settings: Any, tmp_path: Path
) -> Campaign:
    settings.ARTIFACTS_FOLDER = tmp_path / "artifacts"
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=6)
    run_scoring(campaign)
    for person, shift in ((reviewer, 0), (other_reviewer, 1)):
        review_all(
            campaign,
            person,
            {("plain", n): answers(tone=3 + (n + shift) % 3, clarity=2 + n % 4) for n in range(1, 7)},
        )
    return campaign


def test_a_report_is_made_kept_and_read_offline(
    live_server: Any,
    page: Page,
    sign_in: Callable[[User], object],
    manager: User,
    campaign: Campaign,
    complaints: list[str],
    tmp_path: Path,
) -> None:
    sign_in(manager)
    comparison = f"{live_server.url}/projects/{campaign.project.slug}/results/{campaign.pk}/"
    assert findings(page, f"{comparison}reports/") == []
    assert findings(page, comparison) == []
    page.get_by_role("button", name="Create report", exact=True).press("Enter")
    expect(page.get_by_text("waits for its turn")).to_be_visible()
    report = campaign.reports.get()
    assert report.job is not None
    write_report(report.job.pk)
    # The page asks for itself while the job goes on.
    link = page.get_by_role("link", name="report.html")
    expect(link).to_be_visible()
    assert findings(page, page.url) == []
    with page.expect_download() as download:
        link.click()
    file = tmp_path / "report.html"
    download.value.save_as(file)

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert findings(page, file.as_uri()) == []
    assert asked == [file.as_uri()]
    assert page.locator("figure svg").count() >= 5
    # A document looks the same to every reader, its drawings on its own paper.
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == f"rgb({', '.join(str(part) for part in bytes.fromhex(colour('paper')[1:]))})"
    assert complaints == []


@pytest.mark.parametrize("width", [744, 816], ids=["A4", "Letter"])
def test_a_printed_page_holds_its_tables(
    width: int, page: Page, manager: User, campaign: Campaign, tmp_path: Path
) -> None:
    report = start_report(campaign=campaign, by=manager)
    assert report.job is not None
    write_report(report.job.pk)
    page.emulate_media(media="print")
    # Paper less the margins, at 96 dots an inch.
    page.set_viewport_size({"width": width - 121, "height": 900})
    page.goto((report_folder(report) / "report.html").as_uri())
    wide = page.evaluate(
        "[...document.querySelectorAll('table, svg')].filter(each => "
        "each.getBoundingClientRect().right > innerWidth + 1).map(each => each.textContent.slice(0, 80))"
    )
    assert wide == []
    assert page.evaluate("getComputedStyle(document.querySelector('tr')).breakInside") == "avoid"
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
