"""From messy rows to a vetted version, a model of each version, and what the work did, in a browser."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.curation.tasks import check_health, publish_draft
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset
from evalapp.datasets.tasks import import_dataset
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion
from evalapp.runs.tasks import carry_out_generation, carry_out_training
from evalapp.scoring.tasks import score_run
from tests.e2e.test_data_health import work_off
from tests.form_addresses import run_form
from tests.runs.conftest import Behave, base, behave, model_folders

__all__ = ["base", "behave", "model_folders"]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

TRAIN = (
    ("How is a claim for hail reported?", "Send the form with a photograph of the damage."),
    ("Who pays for a burst pipe at home?", "The household policy, after the excess."),
    ("When is a stolen bicycle replaced?", "Four weeks after the police report."),
    ("May I choose the garage myself?", "As an AI language model, I cannot help with that."),
)
TEST = (
    ("How long may the repair of a window take?", "Two weeks in summer."),
    ("Is a tree that falls on the fence covered?", "Yes, from wind force eight on."),
    ("Where do I send the invoice of a plumber?", "To the address on your policy."),
)


@pytest.mark.usefixtures("behave", "browser_bundle")
def test_from_messy_rows_to_what_a_vetted_version_did_to_its_model(
    project: Project, engineer: User, base: ModelVersion, behave: Behave, live_server: Any, page: Page,
    sign_in: Callable[[User], object], tmp_path: Path,
) -> None:  # fmt: skip
    dataset = create_dataset(project=project, name="Claims", by=engineer)
    data = f"{live_server.url}/projects/{project.slug}/data/{dataset.pk}/"
    file = tmp_path / "messy.jsonl"
    rows = [{"prompt": p, "reference": r, "split": "train"} for p, r in TRAIN]
    rows += [{"prompt": p, "reference": r, "split": "test"} for p, r in TEST]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    sign_in(engineer)
    page.goto(f"{data}upload/")
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name="Upload", exact=False).click()
    page.get_by_role("button", name="Import into Claims").click()
    expect(page.locator(".job-progress")).to_be_visible()
    work_off(import_dataset)

    page.goto(f"{data}v1/")
    page.get_by_role("link", name="Health", exact=True).click()
    page.get_by_role("button", name="Check health").click()
    expect(page.locator(".job-progress")).to_be_visible()
    work_off(check_health)
    page.reload()
    page.get_by_role("link", name="Broken answers", exact=True).click()
    page.get_by_role("button", name="Apply to all open").click()
    expect(page.get_by_text("1 row put into the draft")).to_be_visible()
    page.get_by_role("link", name="Health", exact=True).first.click()
    page.get_by_role("link", name="Open draft").click()
    page.get_by_role("button", name="Create version").click()
    expect(page.locator(".job-progress")).to_be_visible()
    work_off(publish_draft)
    page.reload()
    page.get_by_role("link", name="Claims v2", exact=True).click()
    page.get_by_role("link", name="Diff", exact=True).click()
    expect(page.get_by_role("link", name="Removed 1")).to_be_visible()

    for number in (1, 2):
        page.goto(f"{data}v{number}/")
        page.get_by_role("link", name="Train on this version").click()
        page.get_by_label("Name", exact=True).fill(f"Trained on v{number}")
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("heading", name=f"Trained on v{number}")).to_be_visible()
        work_off(carry_out_training)

    vetted = DatasetVersion.objects.get(dataset=dataset, number=2)
    page.goto(live_server.url + run_form(project, "generation", dataset_version=vetted.pk))
    page.get_by_label("Name", exact=True).fill("Answers of both")
    for number in (1, 2):
        page.get_by_label(f"Trained on v{number}", exact=False).check()
    page.get_by_role("button", name="Generate outputs").click()
    expect(page.get_by_role("heading", name="Answers of both")).to_be_visible()
    work_off(carry_out_generation)
    work_off(score_run)
    assert not Job.objects.filter(state="queued").exists()

    page.goto(data)
    page.get_by_role("link", name="Progress").click()
    expect(page.get_by_role("columnheader", name="v1 4 rows")).to_be_visible()
    expect(page.get_by_role("columnheader", name="v2 3 rows")).to_be_visible()
    expect(page.get_by_role("row", name="ROUGE-L")).to_contain_text("3")
