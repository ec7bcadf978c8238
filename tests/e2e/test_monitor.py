"""From production events to an incident and out of it, in a browser: import, review, be alerted, decide, go
on to a better model or back to the one before, and recover.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.monitoring.evaluation import evaluate_due_weeks
from evalapp.monitoring.models import Stream, WeeklySample
from evalapp.monitoring.weeks import open_due_weeks
from tests.factories import answers, make_candidates, make_rubric
from tests.monitoring.making import (
    HOUR,
    campaign_of,
    carry_out,
    evaluated_weeks,
    make_feedback,
    make_stream,
    review_week,
    rows_of,
    send,
)

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
    expect(page.get_by_text("Last examined with week 1.").first).to_be_visible()
    make_feedback(stream, campaign_of(week))
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged: no reminders")).to_be_visible()
    page.get_by_role("button", name="Accept and set up training").click()
    expect(page.get_by_text("Accepted. Check the settings")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Support chat, retrained")
    assert stream.incidents.get().training_data is not None
    # The file with a problem is answered 400, which the browser reports as a failed load.
    assert [each for each in complaints if "400 (Bad Request)" not in each] == []


def test_an_incident_leads_to_a_second_review_a_deployment_and_recovery(
    project: Project,
    manager: User,
    engineer: User,
    reviewer: User,
    live_server: Any,
    page: Page,
    sign_in: Any,
) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0}, follows_champion=False)
    old, new = make_candidates(project, ["letters v1", "letters v2"])
    (week,) = evaluated_weeks(stream, [3.0])
    record_deployment(stream=stream, version=old, started_at=week.begins_at, by=engineer)
    send(stream, rows_of(8, week.begins_at + HOUR))
    raise_alerts(week)
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/monitor/{stream.pk}/")
    page.get_by_role("link", name="Incident since week 1").click()
    page.get_by_role("button", name="Choose rows").click()
    expect(page.get_by_text("Let the candidates answer them")).to_be_visible()
    expect(page.get_by_role("link", name="Support chat in production")).to_be_visible()
    incident = page.url
    # An engineer puts the new version into service.
    record_deployment(stream=stream, version=new, note="Shorter letters", by=engineer)
    for each in evaluated_weeks(stream, [4.5, 4.4, 4.6]):
        raise_alerts(each)
    page.goto(incident)
    expect(page.get_by_text("letters v2 has served since")).to_be_visible()
    expect(page.get_by_text("Recovered", exact=True)).to_be_visible()
    page.get_by_role("link", name="Support chat", exact=True).first.click()
    expect(page.get_by_role("heading", name="Incidents")).to_be_visible()
    expect(page.get_by_role("link", name="Incident since week 1")).to_have_count(0)


def test_an_incident_leads_to_a_roll_back_and_is_closed_for_a_reason(
    project: Project,
    manager: User,
    engineer: User,
    reviewer: User,
    live_server: Any,
    page: Page,
    sign_in: Any,
) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0}, follows_champion=False)
    old, new = make_candidates(project, ["letters v1", "letters v2"])
    first, second = evaluated_weeks(stream, [4.5, 2.9])
    record_deployment(stream=stream, version=old, started_at=first.begins_at, by=engineer)
    record_deployment(stream=stream, version=new, started_at=second.begins_at, by=engineer)
    raise_alerts(second)
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/")
    page.get_by_role("link", name="Support chat: Tone got worse").click()
    incident = page.url
    page.get_by_role("link", name="roll back").first.click()
    page.get_by_label("Reason").fill("Tone fell with the new version.")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("“letters v1” serves “Support chat” again.")).to_be_visible()
    page.goto(incident)
    expect(page.get_by_text("Tone fell with the new version.")).to_be_visible()
    page.get_by_text("Close incident…").click()
    page.get_by_label("Reason for closing the incident").fill(
        "Rolled back; the next version comes in spring."
    )
    page.get_by_role("button", name="Close with this reason").click()
    expect(page.get_by_text("Closed, with your reason.")).to_be_visible()
    expect(page.get_by_text("by Manager: Rolled back; the next version comes in spring.")).to_be_visible()
