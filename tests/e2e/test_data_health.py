"""A messy file becomes rows that one would sign, in a browser: upload, health, fixes, version, diff."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.curation.models import HealthCheck
from evalapp.curation.tasks import check_health, publish_draft
from evalapp.datasets.formats import example_as_object
from evalapp.datasets.models import DatasetImport
from evalapp.datasets.services import create_dataset
from evalapp.datasets.tasks import import_dataset
from evalapp.jobs.models import Job
from tests.curation.conftest import MESSY

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def work_off(task: Any) -> None:
    """What a worker would do with the one job that waits."""
    task(Job.objects.get(state="queued").pk)


def walk_to_the_second_row(page: Page) -> None:
    """By keys alone, open it, and come back."""
    rows = page.locator("tr[data-href]")
    rows.first.focus()
    for key in ("j", "ArrowDown", "k"):
        page.keyboard.press(key)
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Row 2")).to_be_visible()
    page.go_back()


def test_from_a_messy_file_to_a_version_that_accounts_for_each_row(
    project: Project, engineer: User, live_server: Any, page: Page, sign_in: Any, tmp_path: Path
) -> None:
    dataset = create_dataset(project=project, name="Help desk", by=engineer)
    file = tmp_path / "messy.jsonl"
    lines = (json.dumps(example_as_object(row)) for row in MESSY)
    file.write_text("\n".join(lines), encoding="utf-8")
    sign_in(engineer)
    page.goto(f"{live_server.url}/projects/{project.slug}/data/{dataset.pk}/upload/")
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name="Upload", exact=False).click()
    page.get_by_role("button", name="Import into Help desk").click()
    expect(page.locator(".job-progress")).to_be_visible()
    work_off(import_dataset)
    assert DatasetImport.objects.get().version is not None
    page.goto(f"{live_server.url}/projects/{project.slug}/data/{dataset.pk}/v1/")
    walk_to_the_second_row(page)
    page.get_by_role("link", name="Health", exact=True).click()
    page.get_by_role("button", name="Check health").click()
    expect(page.locator(".job-progress")).to_be_visible()
    work_off(check_health)
    page.reload()
    expect(page.get_by_role("row", name="Personal data")).to_contain_text("Mask")

    for kind, told in (
        ("Personal data", "1 row put into the draft"),
        ("Broken answers", "2 rows put into the draft"),
    ):
        page.get_by_role("link", name=kind, exact=True).click()
        page.get_by_role("button", name="Apply to all open").click()
        expect(page.get_by_text(told)).to_be_visible()
        page.get_by_role("link", name="Health", exact=True).first.click()
    page.get_by_role("link", name="Conflicting answers", exact=True).click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Reference").fill("Yes, up to 5,000 euros.")
    page.get_by_label("Reason").fill("as in the terms")
    page.get_by_role("button", name="Save in the draft").click()
    expect(page.get_by_text("Saved in the draft.")).to_be_visible()

    page.get_by_role("link", name="Health", exact=True).click()
    page.get_by_role("link", name="Open draft").click()
    expect(
        page.get_by_text("10 rows = 6 unchanged + 2 changed + 0 moved + 0 merged + 2 dropped")
    ).to_be_visible()
    expect(page.locator("ins", has_text="⟨NAME 1⟩").first).to_be_visible()
    page.get_by_label("Note").fill("First round")
    page.get_by_role("button", name="Create version").click()
    expect(page.locator(".job-progress")).to_be_visible()
    work_off(publish_draft)
    page.reload()
    page.get_by_role("link", name="Help desk v2", exact=True).click()
    page.get_by_role("link", name="Card", exact=True).click()
    expect(page.get_by_role("row", name="Dropped")).to_contain_text("Broken answers")
    page.get_by_role("link", name="Diff", exact=True).click()
    expect(page.get_by_role("link", name="Removed 2")).to_be_visible()
    expect(page.get_by_role("link", name="Changed 2")).to_be_visible()
    assert HealthCheck.objects.get().counts["personal_data"] == 1
