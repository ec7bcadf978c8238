"""Streams for machines: created, fed again and again without harm, and read week by week."""

import datetime as dt

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.daily.counting import count_everywhere
from evalapp.monitoring.models import WEEK
from evalapp.monitoring.weeks import open_due_weeks
from tests.api.conftest import Program, problem_in, program_of
from tests.factories import YES_NO, make_rubric
from tests.monitoring.making import (
    campaign_of,
    carry_out,
    evaluated_weeks,
    make_feedback,
    make_stream,
    rows_of,
    send,
)

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
    rows = {"events": rows_of(3, timezone.now())}
    sender = program_of(engineer)
    assert sender.post(f"{start}{stream['id']}/events/", rows).json() == {
        "stored": 3,
        "known": 0,
        "not_reviewed": 0,
        "refused": [],
    }
    again = sender.post(f"{start}{stream['id']}/events/", rows)
    assert (again.status_code, again.json()) == (
        201,
        {"stored": 0, "known": 3, "not_reviewed": 0, "refused": []},
    )
    rows["events"][0]["output"] = "No."
    taken = sender.post(f"{start}{stream['id']}/events/", rows).json()
    (refused,) = taken["refused"]
    assert (taken["stored"], taken["known"], refused["number"], refused["id"]) == (0, 2, 1, "out-1")
    assert "other content" in refused["problems"][0] and len(set(refused["hashes"])) == 2
    alone = {"events": rows["events"][:1]}
    problem = problem_in(sender.post(f"{start}{stream['id']}/events/", alone), 409)
    assert all(each in problem["message"] for each in ("other content", *refused["hashes"]))
    assert program.get(f"{start}{stream['id']}/").json()["events"] == 3


def test_a_stream_is_ended_once_and_for_all(project: Project, program: Program, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    address = f"projects/{project.slug}/streams/{stream.pk}/"
    assert program.get(address).json()["ended_at"] is None
    ended = program.post(f"{address}end/").json()
    assert ended["ended_at"] is not None and ended == program.get(address).json()
    rows = {"events": rows_of(1, timezone.now())}
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
    assert (alert["kind"], alert["cause"]) == ("threshold", "cannot_tell")
    assert "too few reviewed weeks" in alert["cause_reason"]


def test_an_incident_is_worked_on(project: Project, program: Program, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [3.5])
    raise_alerts(week)
    start = f"projects/{project.slug}/incidents/"
    assert program.get(f"{start}?state=recovered").json()["results"] == []
    assert program.get(f"{start}?stream={stream.pk + 1}").json()["results"] == []
    (incident,) = program.get(f"{start}?stream={stream.pk}&state=open").json()["results"]
    assert (incident["opened_in"], incident["cause"], len(incident["alerts"])) == (1, "cannot_tell", 1)
    assert [(each["kind"], each["mail_state"]) for each in incident["notices"]] == [("opened", "off")]
    own = f"{start}{incident['id']}/"
    assert program.post(f"{own}acknowledge/").json()["acknowledged_by"] == "Manager"
    assert "already" in problem_in(program.post(f"{own}acknowledge/"), 409)["message"]
    nothing = {"dataset_version": 1}
    assert (
        "Export the corrections" in problem_in(program.post(f"{own}training-data/", nothing), 409)["message"]
    )
    version = make_feedback(stream, campaign_of(week))
    taken = program.post(f"{own}training-data/", {"dataset_version": version.pk}).json()
    assert (taken["training_data"], taken["weeks"]) == (version.pk, [{"week": 1, "rows": 1}])
    assert "No event" in problem_in(program.post(f"{own}second-review/"), 409)["message"]
    send(stream, rows_of(6, week.begins_at))
    asked = program.post(f"{own}second-review/")
    assert asked.status_code == 201 and asked.json()["second_review"]
    problem_in(program.post(f"{own}close/", {"reason": " "}), 400)
    assert program.post(f"{own}close/", {"reason": "A holiday."}).json()["state"] == "closed"
    assert program.get(own).json()["reason"] == "A holiday."


def test_daily_metrics_are_read_and_sent(
    project: Project, program: Program, engineer: User, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer], stratify_by="topic")
    address = f"projects/{project.slug}/streams/{stream.pk}/daily-metrics/"
    today = timezone.now().date()
    send(stream, rows_of(4, timezone.now(), assessments={"latency_seconds": 2.0}))
    count_everywhere()
    found = program.get(f"{address}?metric=assessed:latency_seconds").json()
    (series,) = found["metrics"]
    (day,) = series["days"]
    assert (series["label"], day["day"], day["n"], day["mean"]) == ("Latency seconds", f"{today}", 4, 2.0)
    assert day["median"] == pytest.approx(2, rel=0.02) and not day["is_outside"]
    funds = program.get(f"{address}?metric=events&stratum=funds").json()["metrics"]
    assert funds[0]["days"][0]["n"] == 1
    assert (
        program.get(f"{address}?from={today - dt.timedelta(days=9)}&to={today - WEEK}").json()["metrics"]
        == []
    )
    problem_in(program.get(f"{address}?from=1800-01-01"), 400)
    body = {"metrics": [{"day": f"{today}", "metric": "cost", "n": 1_000, "mean": 0.02, "deviation": 0.01}]}
    sender = program_of(engineer)
    assert sender.post(address, body).json() == {"stored": 1}
    body["metrics"][0]["mean"] = 0.03
    assert sender.post(address, body).json() == {"stored": 1}
    ((sent,),) = (each["days"] for each in program.get(f"{address}?metric=sent:cost").json()["metrics"])
    assert (sent["n"], sent["mean"]) == (1_000, pytest.approx(0.03))
    assert sent["deviation"] == pytest.approx(0.01, abs=1e-6)
    twice = {"metrics": body["metrics"] * 2}
    assert "given twice" in problem_in(sender.post(address, twice), 400)["message"]
    body["metrics"][0]["day"] = f"{today + 9 * dt.timedelta(days=1)}"
    assert "is in the future" in problem_in(sender.post(address, body), 400)["message"]


def test_a_stream_is_changed_paused_and_drawn(project: Project, program: Program, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.2})
    address = f"projects/{project.slug}/streams/{stream.pk}/"
    assert "No week waits" in problem_in(program.post(f"{address}draw/"), 409)["message"]
    assert open_due_weeks() == 1
    carry_out(stream.weekly_samples.get())
    assert program.post(f"{address}draw/").status_code == 202
    assert stream.weekly_samples.get().state == "due"
    before = program.get(address).json()
    changed = program.patch(address, {"outputs_per_week": 12}).json()
    assert changed == {**before, "outputs_per_week": 12}
    assert list(stream.stream_reviewers.values_list("user", flat=True)) == [reviewer.pk]
    paused = program.patch(address, {"paused": True}).json()
    assert paused["paused_at"] is not None and paused["outputs_per_week"] == 12
    assert program.patch(address, {"paused": False}).json()["paused_at"] is None
    assert "tone" in str(problem_in(program.patch(address, {"thresholds": {"tone": 9}}), 400)["fields"])
