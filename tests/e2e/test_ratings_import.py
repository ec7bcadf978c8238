"""Ratings from elsewhere come in by hand: the pages work by keyboard, fit a phone, and axe finds nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from evalapp.accounts.models import Project, User
from evalapp.ratings.tasks import import_ratings
from tests.e2e.looks import findings
from tests.ratings.files import carried_out, imported, rating, ratings, received, table

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def uploads(settings: object, tmp_path: Path) -> Path:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)  # type: ignore[attr-defined]
    return tmp_path


def work_off(project: Project) -> None:
    """Do what the page has queued."""
    import_ratings(project.ratings_imports.latest("pk").job_id)  # type: ignore[arg-type]


def test_a_manager_brings_a_table_by_keyboard_alone(
    page: Page,
    project: Project,
    manager: User,
    live_server: Any,
    sign_in: Callable[[User], object],
    tmp_path: Path,
) -> None:
    file = tmp_path / "spring.csv"
    file.write_bytes(ratings())
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/campaigns/")
    page.get_by_role("link", name="Import ratings").press("Enter")
    page.get_by_role("link", name="Upload ratings").first.press("Enter")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload").press("Enter")
    page.get_by_role("button", name="Check file").press("Enter")
    page.wait_for_selector(".job-progress")
    work_off(project)
    page.reload()
    page.get_by_label("Name of the campaign").fill("Spring, by hand")
    page.get_by_label("Reviewers did not know").press("Space")
    page.get_by_label("Mara", exact=True).select_option(label="A recorded reviewer")
    page.get_by_role("button", name="Import as a closed campaign").press("Enter")
    page.wait_for_selector(".job-progress")
    work_off(project)
    page.reload()
    page.get_by_role("link", name="See the results", exact=True).press("Enter")
    page.wait_for_url("**/results/**")

    campaign = project.campaigns.get()
    assert (campaign.name, campaign.is_blind, campaign.reviews_total) == ("Spring, by hand", True, 8)


def test_the_pages_fit_and_axe_finds_nothing(
    page: Page,
    project: Project,
    manager: User,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    done = imported(project, manager, ratings(), file_name="a.csv")
    uploaded = received(project, manager, ratings(items=3), "b.csv")
    checked = received(project, manager, ratings(items=4) + table(rating(value=9))[60:], "c.csv")
    carried_out(checked, manager, checks_only=True)
    failed = received(project, manager, table(rating(), rating()), "d.csv")
    carried_out(failed, manager)
    sign_in(manager)
    base = f"{live_server.url}/projects/{project.slug}/campaigns/"
    found = []
    for path in (
        *("", "ratings/", "ratings/new/"),
        *(f"ratings/{each.pk}/" for each in (uploaded, checked, failed, done)),
        f"{done.campaign_id}/",
    ):
        found += findings(page, base + path)
    assert found == []
