"""From a campaign to a signed gate, in a browser, without a script: write it, apply it, evaluate, sign,
download.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from evalapp.accounts.models import Project, User
from evalapp.dossier import check
from evalapp.registry.models import ModelVersion
from tests.factories import answers, make_campaign, review_all

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_a_manager_goes_from_a_campaign_to_a_signed_gate(
    project: Project,
    manager: User,
    reviewer: User,
    engineer: User,
    live_server: Any,
    browser: Browser,
    page: Page,
    sign_in: Any,
    tmp_path: Path,
) -> None:
    campaign = make_campaign(project, [reviewer, engineer], rows=12, split="test")
    sign_in(manager)
    plain = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    page = plain.new_page()
    page.goto(f"{live_server.url}/projects/{project.slug}/campaigns/")
    page.get_by_role("link", name="Gates", exact=True).click()
    page.get_by_role("link", name="Create gate").first.click()
    page.get_by_label("Name", exact=True).fill("Release")
    page.get_by_label("Tone: Mean at least (lower bound)").fill("3.5")
    page.get_by_label("No test prompt in the training data").uncheck()
    page.get_by_role("button", name="Save gate").click()
    expect(page.get_by_role("heading", name="Release v1")).to_be_visible()

    page.goto(f"{live_server.url}/projects/{project.slug}/campaigns/{campaign.pk}/")
    page.get_by_role("link", name="Apply a gate before the first review").click()
    page.get_by_role("button", name="Apply gate").click()
    expect(
        page.get_by_text("The gate is frozen and evaluated once, when all planned reviews are in")
    ).to_be_visible()
    for person in (reviewer, engineer):
        review_all(campaign, person, {"plain": answers(tone=5)})
    page.reload()
    expect(page.get_by_text("Not evaluated yet.")).to_be_visible()
    page.get_by_label("Candidate", exact=True).select_option("plain")
    page.get_by_role("button", name="Evaluate gate").click()
    expect(page.get_by_text("The one condition is met.")).to_be_visible()
    page.get_by_role("link", name="Sign…").click()
    page.get_by_label("Release", exact=True).check()
    page.get_by_label("Note").fill("The advisers agree.")
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_role("heading", name="plain: release")).to_be_visible()
    seal = page.get_by_label("Seal").input_value()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download dossier").click()
    file = tmp_path / "dossier.jsonl"
    waiting.value.save_as(file)
    assert check(file.read_text(encoding="utf-8").splitlines(), seal=seal).problem == ""
    assert ModelVersion.objects.get(label="plain").alias == "champion"
    plain.close()
