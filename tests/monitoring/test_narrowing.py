"""Weekly estimates that a metric of all outputs makes narrower."""

import datetime as dt

import numpy as np
import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.daily.counting import count_everywhere
from evalapp.monitoring.evaluation import evaluate
from evalapp.monitoring.models import WEEK, WeeklyMetric
from evalapp.monitoring.weeks import open_due_weeks
from tests.cast import client_of
from tests.factories import answers, review_all
from tests.monitoring.making import campaign_of, carry_out, make_stream, rows_of, send

pytestmark = pytest.mark.django_db

OUTPUTS, SAMPLED = 240, 40


def evaluated(
    project: Project,
    reviewer: User,
    ends_at: dt.datetime,
    *,
    metric: str = "words",
    stratify_by: str = "",
    late: int = 0,
) -> WeeklyMetric:
    """A week in which tone follows the number of words of the output; ``late`` outputs are of other weeks."""
    random = np.random.default_rng(5)
    stream = make_stream(
        project,
        [reviewer],
        outputs_per_week=SAMPLED,
        next_sample_at=ends_at - WEEK if late else ends_at,
        stratify_by=stratify_by,
        key_figures={"satisfaction": {"criterion": "tone", "metric": metric}},
    )
    if late:
        before = ends_at - 1.5 * WEEK
        send(stream, rows_of(5, before, first=8000))
        open_due_weeks()
        carry_out(stream.weekly_samples.get(number=1))
        send(stream, rows_of(late, before, first=9000))
    rows = rows_of(OUTPUTS, ends_at - WEEK / 2)
    words = random.integers(2, 60, OUTPUTS)
    for row, count in zip(rows, words, strict=True):
        row["output"] = " ".join(f"word{place}" for place in range(count))
    send(stream, rows)
    count_everywhere()
    open_due_weeks()
    week = carry_out(stream.weekly_samples.latest("number"))
    assert (week.population, week.late) == (OUTPUTS + late, late)
    said = {
        (stream.candidate.label, sample.output.example.row_number): answers(
            tone=int(np.clip(round(5 - len(sample.output.text.split()) / 15 + random.normal(0, 0.2)), 1, 5))
        )
        for sample in week.samples.select_related("output__example")
    }
    review_all(campaign_of(week), reviewer, said)
    assert evaluate(week)
    return week.metrics.get(criterion_key="tone")


def midnight() -> dt.datetime:
    return timezone.now().astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize("stratify_by", ["", "topic"])
def test_a_metric_that_goes_with_the_scores_narrows_them(
    project: Project, reviewer: User, manager: User, stratify_by: str
) -> None:
    found = evaluated(project, reviewer, midnight(), stratify_by=stratify_by)
    assert found.narrowed_by == "words"
    low, high = found.narrowed_low, found.narrowed_high
    assert found.low is not None and found.high is not None and low is not None and high is not None
    assert high - low < 0.7 * (found.high - found.low)
    page = client_of(manager).get(f"/projects/{project.slug}/monitor/{found.weekly_sample.stream_id}/").text
    assert "with the metric of all outputs" in page


@pytest.mark.parametrize("metric", ["refusal", ""])
def test_a_metric_that_says_nothing_changes_nothing(project: Project, reviewer: User, metric: str) -> None:
    found = evaluated(project, reviewer, midnight(), metric=metric)
    assert (found.narrowed_by, found.narrowed_value) == ("", None)
    assert found.value is not None


def test_daily_metrics_do_not_describe_a_sample_with_late_outputs(project: Project, reviewer: User) -> None:
    assert evaluated(project, reviewer, midnight(), late=24).narrowed_by == ""


def test_a_week_that_is_not_of_whole_days_has_no_metric_of_its_outputs(
    project: Project, reviewer: User
) -> None:
    found = evaluated(project, reviewer, midnight() - dt.timedelta(hours=5))
    assert found.narrowed_by == ""
