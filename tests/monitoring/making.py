"""Streams, production events, sampled and evaluated weeks, for tests."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_version
from evalapp.jobs.models import JobState
from evalapp.monitoring.events.reading import events_of_request
from evalapp.monitoring.events.storage import import_events
from evalapp.monitoring.models import WEEK, Stream, WeeklyMetric, WeeklySample, WeeklySampleState
from evalapp.monitoring.services import StreamPlan, create_stream
from evalapp.monitoring.tasks import sample_week
from evalapp.monitoring.weeks import open_due_weeks
from evalapp.runs.models import Output
from tests.factories import YES_NO, make_rubric, make_version, review_all

HOUR = dt.timedelta(hours=1)


def make_stream(
    project: Project, reviewers: Sequence[User], name: str = "Support chat", **plan: Any
) -> Stream:
    """A stream whose first week ended an hour ago, unless the plan says otherwise."""
    wanted = {
        "name": name,
        "rubric_version": plan.pop("rubric_version", None) or make_rubric(project, f"Rubric of {name}"),
        "reviewers": reviewers,
        "outputs_per_week": 5,
        "next_sample_at": timezone.now() - HOUR,
        "error_criterion": YES_NO,
        "seed": 7,
        **plan,
    }
    return create_stream(
        project=project, plan=StreamPlan(**wanted), site="https://evalapp.example", by=project.created_by
    )


def rows_of(count: int, at: dt.datetime, *, first: int = 1, **fields: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": f"out-{number}",
            "prompt": f"May I move {number}% into bonds?",
            "output": f"Yes, {number}% is fine.",
            "context": "The client holds 60% shares.",
            "model": "v3-secret",
            "time": at.isoformat(),
            "topic": "bonds" if number % 4 else "funds",
            **fields,
        }
        for number in range(first, first + count)
    ]


def send(stream: Stream, rows: Sequence[dict[str, Any]]) -> Any:
    return import_events(stream=stream, rows=events_of_request(rows), by=None)


def carry_out(week: WeeklySample) -> WeeklySample:
    """Sample the week as the worker would."""
    week.refresh_from_db()
    assert week.job is not None
    sample_week(week.job.pk)
    week.refresh_from_db()
    return week


def sampled_week(stream: Stream, count: int = 8) -> WeeklySample:
    """Events of the first week, sampled: its campaign is open."""
    send(stream, rows_of(count, timezone.now() - dt.timedelta(days=2)))
    assert open_due_weeks() == 1
    week = carry_out(stream.weekly_samples.get())
    assert week.job.state == JobState.SUCCEEDED, week.job.error
    return week


def campaign_of(week: WeeklySample) -> Campaign:
    assert week.campaign is not None
    return Campaign.objects.get(pk=week.campaign_id)


def review_week(week: WeeklySample, people: Sequence[User], **said: Any) -> None:
    """Everybody rates what they are offered; ``said`` maps the candidate's label through `review_all`."""
    campaign = campaign_of(week)
    label = week.stream.candidate.label
    for person in people:
        review_all(campaign, person, {label: said["answers"]} if said else {})


def evaluated_weeks(
    stream: Stream,
    values: Sequence[float | None],
    *,
    reviews: int = 40,
    key: str = "tone",
    rate: bool = False,
    lower_is_better: bool = False,
    error: Sequence[float] | None = None,
) -> list[WeeklySample]:
    """Evaluated weeks with these means as they were stored, each in a campaign of its own. ``error``: their
    standard errors, else 0.12.
    """
    last = stream.weekly_samples.select_related("campaign__dataset_version").last()
    data = last.campaign.dataset_version if last else make_version(stream.project, name=f"Data of {stream}")
    first = stream.weekly_samples.count()
    weeks = []
    for number, value in enumerate(values, start=first + 1):
        ends_at = stream.next_sample_at - (200 - number) * WEEK
        week = WeeklySample.objects.create(
            stream=stream,
            number=number,
            begins_at=ends_at - WEEK,
            ends_at=ends_at,
            state=WeeklySampleState.EVALUATED,
            evaluated_at=ends_at + WEEK,
            population=40,
            size=40,
            campaign=Campaign.objects.create(
                project=stream.project,
                name=f"{stream} {number}",
                rubric_version=stream.rubric_version,
                dataset_version=data,
                split="feedback",
                state="closed",
                opened_at=ends_at,
                closed_at=ends_at + WEEK,
            ),
        )
        week.campaign.candidates.create(model_version=stream.candidate, position=1)
        its_error = 0.12 if error is None else error[number - first - 1]
        WeeklyMetric.objects.create(
            weekly_sample=week,
            criterion_key=key,
            criterion_name=key.capitalize(),
            is_rate=rate,
            lower_is_better=lower_is_better,
            value=value,
            low=None if value is None else value - 0.24,
            high=None if value is None else value + 0.24,
            error=None if value is None else its_error,
            reviews=reviews,
            items=reviews,
            reason="no answers" if value is None else "",
            signature="weighted-mean",
        )
        weeks.append(week)
    return weeks


def make_feedback(stream: Stream, campaign: Campaign, *, rows: int = 1, **fields: Any) -> Any:
    """A dataset version as an export of the campaign's corrections leaves it."""
    name = f"Corrections {campaign.exports.count() + 1} of {campaign}"
    export = campaign.exports.create(project=stream.project, name=name, state="done")
    examples = [
        ExampleRow(
            split="train",
            messages=[{"role": "user", "content": f"May I, {export.pk}, {number}?"}],
            references=["You may."],
            provenance={"export": export.pk},
        )
        for number in range(rows)
    ]
    version = create_version(dataset=stream.dataset, rows=[*examples, *fields.get("kept", ())], by=None)
    export.dataset_version = version
    export.save()
    return version


def texts_of(campaign: Campaign) -> set[str]:
    return set(Output.objects.filter(item_outputs__item__campaign=campaign).values_list("text", flat=True))
