"""What a week says: weighted metrics, the control chart over weeks, and its alerts."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from django.db import Error, transaction
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.services import close_campaign
from evalapp.decisions.cycles import cycles_of
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.evaluation import evaluate, evaluate_due_weeks
from evalapp.monitoring.forms import StreamForm
from evalapp.monitoring.models import (
    Alert,
    SampledOutput,
    WeeklySample,
    WeeklySampleState,
)
from evalapp.monitoring.queries import followed_criteria
from evalapp.reviews.models import Review
from evalapp.rubrics.drafts import draft_of
from evalapp.rubrics.services import create_rubric, save_version
from tests.factories import YES_NO, answers, make_rubric, review_all
from tests.monitoring.making import (
    campaign_of,
    evaluated_weeks,
    make_stream,
    review_week,
    sampled_week,
)

SEED = 20260


def steady_weeks(count: int, *, shift: float = 0.0) -> list[float]:
    generator = np.random.default_rng(SEED)
    return (
        [float(4.2 + generator.normal(0, 0.12)) for _ in range(count)]
        if not shift
        else [float(4.2 - shift + generator.normal(0, 0.12)) for _ in range(count)]
    )


@pytest.mark.django_db
def test_a_week_is_judged_once_when_its_reviews_are_over(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    week = sampled_week(stream)
    assert evaluate_due_weeks() == 0
    review_week(week, [reviewer], answers=answers(tone=2, error=1))
    assert evaluate_due_weeks() == 0, "the last review can still be undone"
    Review.objects.update(submitted_at=timezone.now() - timezone.timedelta(minutes=11))
    assert evaluate_due_weeks() == 1
    assert evaluate_due_weeks() == 0 and not evaluate(week)
    week.refresh_from_db()
    assert (week.state, campaign_of(week).state) == (WeeklySampleState.EVALUATED, "closed")
    assert cycles_of(project) == [], "a week is no cycle: nothing new is decided on"
    found = {
        metric.criterion_key: (metric.value, metric.reviews, metric.is_rate) for metric in week.metrics.all()
    }
    assert found["tone"] == (2.0, 5, False)
    assert found[YES_NO] == (1.0, 5, True)
    with pytest.raises(Error), transaction.atomic():
        week.metrics.update(value=5)


@pytest.mark.django_db
def test_the_mean_of_a_week_is_weighted_by_how_likely_each_output_was(
    project: Project, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer], stratify_by="topic", outputs_per_week=4)
    week = sampled_week(stream, 16)
    campaign = campaign_of(week)
    # By stratum another chance: 4 of 16 are "funds", and each stratum gives its share.
    WeeklySample.objects.filter(pk=week.pk)
    label = stream.candidate.label
    by_row = {
        (label, sample.output.example.row_number): answers(
            tone=5 if sample.key.event.fields["topic"] == "funds" else 3
        )
        for sample in week.samples.select_related("output__example", "key__event")
    }
    review_all(campaign, reviewer, by_row)
    close_campaign(campaign=campaign, by=None)
    assert evaluate_due_weeks() == 1
    chances = {
        sample.key.event.fields["topic"]: sample.inclusion_probability
        for sample in SampledOutput.objects.select_related("key__event")
    }
    assert set(chances) == {"funds", "bonds"}
    assert week.metrics.get(criterion_key="tone").value == pytest.approx((4 * 5 + 12 * 3) / 16)


@pytest.mark.django_db
def test_a_planted_drift_alarms_and_a_steady_stream_does_not(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    weeks = evaluated_weeks(stream, steady_weeks(26))
    assert [alert for week in weeks for alert in raise_alerts(week)] == []
    assert followed_criteria(stream)[0].state == "steady"
    drifted = evaluated_weeks(stream, steady_weeks(10, shift=0.3))
    alerts = [alert for week in drifted for alert in raise_alerts(week)]
    assert [(alert.kind, alert.criterion_key) for alert in alerts] == [("drift", "tone")]
    assert alerts[0].weekly_sample.number <= 33 and alerts[0].value < alerts[0].limit
    assert followed_criteria(stream)[0].state == "drift"


@pytest.mark.django_db
def test_the_smoothed_line_is_the_average_that_the_limit_is_for(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], baseline_weeks=8)
    # The first week lies off, and the smoothed value of the baseline's weeks ends elsewhere than the
    # baseline's mean.
    evaluated_weeks(stream, [4.2] * 6 + [3.9, 3.9, 3.75, None, 3.9])
    (tone,) = followed_criteria(stream)
    assert tone.chart is not None
    averages = [point.average for point in tone.chart.points]
    assert averages[8] is not None and averages[:8] == [None] * 8
    assert tone.smoothed[8:] == [averages[8], averages[8], averages[10]]
    assert tone.smoothed[7] == pytest.approx(4.2 - 0.3 * 0.36)


@pytest.mark.django_db
def test_weeks_that_are_judged_do_not_move_the_limit_of_those_before(
    project: Project, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer], baseline_weeks=8)
    weeks = evaluated_weeks(stream, steady_weeks(10))
    (then,) = followed_criteria(stream)
    # Worse weeks vary more.
    evaluated_weeks(stream, [3.0] * 4, error=[0.4] * 4)
    (now,) = followed_criteria(stream)
    assert then.chart and now.chart
    assert now.chart.points[: len(weeks)] == then.chart.points


@pytest.mark.django_db
def test_a_baseline_without_a_single_error_is_judged_once_one_appears(
    project: Project, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer], baseline_weeks=8)
    weeks = evaluated_weeks(
        stream, [0.0] * 9 + [0.3, 0.3], key=YES_NO, rate=True, error=[0.0] * 9 + [0.07, 0.07]
    )
    (early,) = followed_criteria(stream, up_to=weeks[8])
    assert early.chart is None and "the baseline weeks do not vary" in early.reason
    (rate,) = followed_criteria(stream)
    assert rate.is_drifting


@pytest.mark.django_db
def test_few_reviews_are_never_judged(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    evaluated_weeks(stream, steady_weeks(14))
    weeks = evaluated_weeks(stream, [1.0, 1.0, 1.0], reviews=29)
    assert [alert for week in weeks for alert in raise_alerts(week)] == []
    assert followed_criteria(stream)[0].state == "not enough data"
    evaluated_weeks(stream, [None])
    assert followed_criteria(stream)[0].state == "not enough data"


@pytest.mark.django_db
def test_a_threshold_alerts_before_there_is_a_baseline(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    first, second = evaluated_weeks(stream, [4.3, 2.0])
    assert raise_alerts(first) == []
    (alert,) = raise_alerts(second)
    assert (alert.kind, alert.limit) == ("threshold", 4.0)
    assert alert.value == pytest.approx(4.3 + 0.2 * (2.0 - 4.3))
    assert "the smoothed mean of Tone is 3.84, under the threshold of 4.00" in alert.message


@pytest.mark.django_db
def test_one_very_bad_week_alerts_though_the_smoothed_figure_is_still_well(
    project: Project, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    first, second, third = evaluated_weeks(stream, [4.8, 3.2, 3.95])
    assert raise_alerts(first) == []
    (alert,) = raise_alerts(second)
    assert (alert.kind, alert.value, alert.limit) == ("threshold", 3.2, 4.0)
    metric = second.metrics.get()
    assert metric.high < 4.0
    assert (
        f"the week's own mean of Tone is 3.20 ({metric.low:.2f} to {metric.high:.2f}), under the threshold of"
        " 4.00" in alert.message
    )
    Alert.objects.all().delete()
    # An interval that reaches over the threshold proves nothing.
    assert raise_alerts(third) == []


@pytest.mark.django_db
def test_a_rate_alerts_on_its_upper_side(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={YES_NO: 0.05})
    (week,) = evaluated_weeks(stream, [0.2], key=YES_NO, rate=True)
    (alert,) = raise_alerts(week)
    assert "rate" in alert.message and "20%, over the threshold of 5%" in alert.message


@pytest.mark.django_db
def test_where_lower_is_better_a_rise_alerts_and_a_fall_does_not(project: Project, reviewer: User) -> None:
    drafts = [draft_of(each) for each in make_rubric(project).criteria.order_by("position")]
    turned = [
        (
            replace(each, lower_is_better=True, weight=Decimal(0), low_threshold=None)
            if each.key == "tone"
            else each
        )
        for each in drafts
    ]
    rubric = save_version(
        rubric=create_rubric(project=project, name="Turned", by=None), criteria=turned, by=None
    )
    stream = make_stream(project, [reviewer], rubric_version=rubric, thresholds={"tone": 4.4})
    form = StreamForm(None, project=project, rubric_version=rubric)
    assert [form.fields[f"threshold-{key}"].label for key in ("tone", "clarity")] == [
        "Tone: mean over",
        "Clarity: mean under",
    ]

    week = sampled_week(stream)
    review_week(week, [reviewer])
    close_campaign(campaign=campaign_of(week), by=None)
    evaluate_due_weeks()
    directions = dict(week.metrics.values_list("criterion_key", "lower_is_better"))
    assert directions == {key: key == "tone" for key in directions} and "tone" in directions

    steady = evaluated_weeks(stream, steady_weeks(26), lower_is_better=True)
    better = evaluated_weeks(stream, steady_weeks(10, shift=0.3), lower_is_better=True)
    assert [alert for each in [*steady, *better] for alert in raise_alerts(each)] == []
    worse = evaluated_weeks(stream, steady_weeks(20, shift=-0.8), lower_is_better=True)
    alerts = {alert.kind: alert.message for each in worse for alert in raise_alerts(each)}
    assert set(alerts) == {"drift", "threshold"}
    assert "over the threshold of 4.40" in alerts["threshold"] and "over the control limit" in alerts["drift"]
