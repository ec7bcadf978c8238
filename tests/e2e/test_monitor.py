"""From production events to an alert and a retrain, in a browser: create, import, review, be
alerted, decide.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.monitoring.evaluation import evaluate_due_weeks
from evalapp.monitoring.models import Stream, WeeklySample
from evalapp.monitoring.weeks import open_due_weeks
from tests.factories import answers, make_rubric
from tests.monitoring.making import HOUR, campaign_of, carry_out, make_feedback, review_week, rows_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("browser_bundle"),
]


def test_a_manager_goes_from_an_import_to_an_alert_and_its_incident(
    project: Project,
    manager: User,
    reviewer: User,
    live_server: Any,
    page: Page,
    sign_in: Any,
    complaints: list[str],
    tmp_path: Path,
) -> None:
    make_rubric(project)
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/data/")
    page.get_by_role("link", name="Monitor", exact=True).click()
    page.get_by_role("link", name="Create stream").first.click()
    page.get_by_label("Name", exact=True).fill("Support chat")
    page.get_by_label("Outputs per week").fill("30")
    page.get_by_label("End of the first week").fill((timezone.now() - HOUR).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label(reviewer.name, exact=True).check()
    page.get_by_label("Tone: mean under").fill("4")
    page.get_by_role("button", name="Create stream").click()
    expect(page.get_by_role("heading", name="Support chat", exact=True)).to_be_visible()

    file = tmp_path / "outputs.jsonl"
    rows = rows_of(40, timezone.now() - 30 * HOUR)
    file.write_text("\n".join(json.dumps(row) for row in [*rows, {"id": "bad", "prompt": "Why?"}]))
    page.get_by_role("link", name="Import events").first.click()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Import events").click()
    expect(page.get_by_text("Row 41: output: The value is missing.")).to_be_visible()
    file.write_text("\n".join(json.dumps(row) for row in rows))
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Import events").click()
    expect(page.get_by_text("40 events are stored.")).to_be_visible()

    assert open_due_weeks() == 1
    week = carry_out(WeeklySample.objects.get())
    page.reload()
    expect(page.get_by_role("cell", name="30 of 40")).to_be_visible()
    review_week(week, [reviewer], answers=answers(tone=2))
    page.get_by_role("link", name="Reviews", exact=True).click()
    page.get_by_role("link", name="Close…").click()
    page.get_by_role("button", name="Close campaign").click()
    expect(page.get_by_text("Closed: its reviews cannot be changed any more.")).to_be_visible()
    assert evaluate_due_weeks() == 1

    stream = Stream.objects.get()
    page.goto(f"{live_server.url}/projects/{project.slug}/monitor/{stream.pk}/")
    expect(page.locator(".stream-chart svg").first).to_be_visible()
    page.get_by_role("link", name="Incident since week 1").click()
    # Of one week nobody can tell whether the model or the reviewers changed.
    page.get_by_text("Evidence").first.click()
    expect(page.get_by_text("Asked last with week 1.").first).to_be_visible()
    make_feedback(stream, campaign_of(week))
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged: no reminders")).to_be_visible()
    page.get_by_role("button", name="Accept and set up training").click()
    expect(page.get_by_text("Accepted. Check the settings")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Support chat, retrained")
    assert stream.incidents.get().training_data is not None
    # The file with a problem is answered 400, which the browser reports as a failed load.
    assert [each for each in complaints if "400 (Bad Request)" not in each] == []
