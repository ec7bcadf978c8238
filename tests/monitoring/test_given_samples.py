"""A week's sample that an application drew itself, and sent with its probabilities."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.evaluation import evaluate
from evalapp.monitoring.models import Stream
from evalapp.monitoring.weeks import open_due_weeks
from tests.api.conftest import Program, problem_in, program_of
from tests.factories import answers, review_all
from tests.monitoring.making import HOUR, campaign_of, carry_out, make_stream, rows_of

pytestmark = pytest.mark.django_db

STRATA = {"funds": 90_000_000, "bonds": 10_000_000}


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer], stratify_by="topic")


@pytest.fixture
def program(engineer: User) -> Program:
    return program_of(engineer)


def body_of(stream: Stream, **changes: Any) -> dict[str, Any]:
    """Ten outputs of funds and ten of bonds, of the stream's next week."""
    rows = rows_of(20, stream.next_sample_at - dt.timedelta(days=2))
    return {
        "ends_at": stream.next_sample_at.isoformat(),
        "strata": STRATA,
        "outputs": [
            {"event": row, "stratum": stratum, "probability": 10 / STRATA[stratum]}
            for row, stratum in zip(rows, ["funds", "bonds"] * 10, strict=True)
        ],
        **changes,
    }


def test_estimates_are_those_of_the_whole_week(
    project: Project, program: Program, stream: Stream, reviewer: User
) -> None:
    address = f"projects/{project.slug}/streams/{stream.pk}/samples/"
    sent = body_of(stream)
    made = program.post(address, sent)
    assert made.status_code == 201
    assert (made.json()["state"], made.json()["size"]) == ("open", 20)
    assert made.json()["population"] == 100_000_000
    week = stream.weekly_samples.get()
    said = {
        (stream.candidate.label, sample.output.example.row_number): answers(tone=5)
        if sample.stratum == "funds"
        else answers(tone=1)
        for sample in week.samples.select_related("output__example")
    }
    review_all(campaign_of(week), reviewer, said)
    assert evaluate(week)
    tone = week.metrics.get(criterion_key="tone")
    assert tone.value == pytest.approx(0.9 * 5 + 0.1 * 1)
    stream.refresh_from_db()
    later = body_of(stream, ends_at=sent["ends_at"])
    assert "has been sampled already" in problem_in(program.post(address, later), 409)["message"]


def test_a_week_that_was_found_empty_takes_it(project: Project, program: Program, stream: Stream) -> None:
    sent = body_of(stream)
    assert open_due_weeks() == 1
    week = carry_out(stream.weekly_samples.get())
    assert week.state == "empty"
    made = program.post(f"projects/{project.slug}/streams/{stream.pk}/samples/", sent)
    assert (made.status_code, made.json()["number"], made.json()["state"]) == (201, 1, "open")


@pytest.mark.parametrize(
    ("place", "value", "status", "words"),
    [
        ("strata", {"funds": 90}, 400, "“bonds” is not among the strata"),
        ("strata", {"funds": 90_000_000, "bonds": 9}, 400, "10 outputs were drawn of 9"),
        (
            "strata",
            {"funds": 90_000, "bonds": 10_000_000},
            400,
            "stand for 90,000,000, but the stratum has 90,000",
        ),
        ("ends_at", "2031-01-06T00:00:00Z", 409, "is not over yet"),
        ("ends_at", "2020-01-06T00:00:00Z", 409, "No week of “Support chat” ends at"),
        ("probability", 0, 400, "above 0 and at most 1"),
        ("id", "out-2", 400, "An id is given twice"),
        ("time", "2020-01-06T00:00:00Z", 400, "not of the week"),
        ("output", "", 400, "cannot be stored"),
    ],
)
def test_what_cannot_be_taken_is_told_and_nothing_is_stored(
    project: Project, program: Program, stream: Stream, place: str, value: Any, status: int, words: str
) -> None:
    sent = body_of(stream)
    first = sent["outputs"][0]
    for holder in (first["event"], first, sent):
        if place in holder:
            holder[place] = value
            break
    answer = program.post(f"projects/{project.slug}/streams/{stream.pk}/samples/", sent)
    assert words in problem_in(answer, status)["message"], answer.json()
    assert not stream.weekly_samples.exists() and not stream.event_keys.exists()
    stream.refresh_from_db()
    assert stream.next_sample_at < timezone.now() + HOUR
