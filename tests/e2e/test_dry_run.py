"""From a filled-in form to a dry run, and from the dry run to the training, in a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run, RunKind
from evalapp.runs.tasks import carry_out_dry_run
from tests.e2e.looks import findings
from tests.form_addresses import run_form
from tests.runs.conftest import Behave, base, behave, model_folders, version

__all__ = ["base", "behave", "model_folders", "version"]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.mark.usefixtures("browser_bundle")
def test_an_engineer_looks_and_then_starts(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion,
    behave: Behave, live_server: Any, page: Page, sign_in: Callable[[User], object],
) -> None:  # fmt: skip
    sign_in(engineer)
    page.goto(live_server.url + run_form(project, "training"))
    page.get_by_label("Name", exact=True).fill("Spring")
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_role("heading", name="Dry run: Spring")).to_be_visible()
    carry_out_dry_run(Run.objects.get().job_id)

    # The page reloads by itself when the dry run has ended.
    expect(page.get_by_text("Trained on: 1 token")).to_be_visible()
    assert findings(page, page.url) == []
    expect(page.locator("figure[data-chart=lengths] svg")).to_be_visible()

    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="Spring", exact=True)).to_be_visible()
    assert Run.objects.filter(kind=RunKind.TRAINING).count() == 1
