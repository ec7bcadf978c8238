"""Streams for machines: created, fed again and again without harm, and read week by week."""

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.alerts import raise_alerts
from tests.api.conftest import Program, problem_in, program_of
from tests.factories import YES_NO, make_rubric
from tests.monitoring.making import evaluated_weeks, make_stream, rows_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(manager: User) -> Program:
    return program_of(manager)


def test_a_stream_is_watched_and_fed(
    project: Project, program: Program, reviewer: User, engineer: User
) -> None:
    start = f"projects/{project.slug}/streams/"
    body = {
        "name": "Support chat",
        "rubric_version": make_rubric(project).pk,
        "reviewers": [reviewer.pk],
        "outputs_per_week": 40,
        "next_sample_at": timezone.now().isoformat(),
        "error_criterion": YES_NO,
        "thresholds": {"tone": 4.2},
    }
    made = program.post(start, body)
    assert made.status_code == 201, made.content
    stream = made.json()
    assert (stream["thresholds"], stream["events"]) == ({"tone": 4.2}, 0)
    refused = problem_in(program.post(start, {**body, "name": "Other", "thresholds": {"tone": 9}}), 400)
    assert "threshold-tone" in refused["fields"]
    rows = {"rows": rows_of(3, timezone.now())}
    sender = program_of(engineer)
    assert sender.post(f"{start}{stream['id']}/events/", rows).json() == {
        "stored": 3,
        "known": 0,
        "not_reviewed": 0,
    }
    again = sender.post(f"{start}{stream['id']}/events/", rows)
    assert (again.status_code, again.json()) == (201, {"stored": 0, "known": 3, "not_reviewed": 0})
    rows["rows"][0]["output"] = "No."
    problem = problem_in(sender.post(f"{start}{stream['id']}/events/", rows), 400)
    assert "other content" in problem["message"]
    assert program.get(f"{start}{stream['id']}/").json()["events"] == 3


def test_a_stream_is_ended_once_and_for_all(project: Project, program: Program, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    address = f"projects/{project.slug}/streams/{stream.pk}/"
    assert program.get(address).json()["ended_at"] is None
    ended = program.post(f"{address}end/").json()
    assert ended["ended_at"] is not None and ended == program.get(address).json()
    rows = {"rows": rows_of(1, timezone.now())}
    for way, body in (("end", {}), ("events", rows)):
        assert "has ended" in problem_in(program.post(f"{address}{way}/", body), 409)["message"]


def test_the_weeks_are_read(project: Project, program: Program, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    first, _second, _ = evaluated_weeks(stream, [3.5, None, 3.4])
    raise_alerts(first)
    start = f"projects/{project.slug}/streams/{stream.pk}"
    metrics = program.get(f"{start}/metrics/?criterion=tone").json()["results"]
    assert [(metric["week"], metric["value"], metric["is_enough"]) for metric in metrics] == [
        (1, 3.5, True),
        (2, None, False),
        (3, 3.4, True),
    ]
    assert metrics[1]["reason"] == "no answers" and metrics[0]["low"] < 3.5 < metrics[0]["high"]
    assert program.get(f"{start}/metrics/?criterion=clarity").json()["results"] == []
    weeks = program.get(f"{start}/weeks/?limit=2").json()["results"]
    assert [week["number"] for week in weeks] == [3, 2]
    (alert,) = program.get(f"{start}/alerts/").json()["results"]
    assert (alert["cause"], alert["acknowledged_at"], alert["mail_state"]) == ("threshold", None, "off")
    done = program.post(f"{start}/alerts/{alert['id']}/acknowledge/")
    assert done.json()["acknowledged_by"] == "Manager"
    assert "already" in problem_in(program.post(f"{start}/alerts/{alert['id']}/acknowledge/"), 409)["message"]
    (proposal,) = program.get(f"{start}/proposals/").json()["results"]
    assert (proposal["alert"], proposal["state"]) == (alert["id"], "proposed")
