"""Evaluates a week once its reviews are over: stores its metrics and raises alerts."""

import datetime as dt
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.audit.services import record
from evalapp.campaigns.models import Assignment, AssignmentState, CampaignState, Purpose
from evalapp.campaigns.services import close_campaign
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.models import (
    SampledOutput,
    SampleRole,
    WeeklyMetric,
    WeeklySample,
    WeeklySampleState,
)
from evalapp.monitoring.narrowing import NarrowedEstimate, narrowed_estimate
from evalapp.monitoring.week_scores import ratings_of
from evalapp.rubrics.models import Criterion
from evalapp.stats.ratings import Ratings
from evalapp.stats.sample_allocation import NextReviews, next_reviews
from evalapp.stats.weighted import Drawn, SampleDesign, WeightedEstimate, weighted_score, weighted_share

QUIET_PERIOD = dt.timedelta(minutes=10)
"""After the last review of a week: so long it can still be undone or amended."""


def evaluate_due_weeks() -> int:
    """Evaluate every week whose campaign is closed, past its deadline, or complete and quiet; returns how
    many.
    """
    return sum(evaluate(week) for week in _finished_weeks())


def _finished_weeks() -> list[WeeklySample]:
    unfinished = Assignment.objects.filter(campaign=OuterRef("campaign"), purpose=Purpose.REVIEW).exclude(
        state=AssignmentState.SUBMITTED
    )
    now = timezone.now()
    weeks = WeeklySample.objects.filter(state=WeeklySampleState.OPEN).annotate(
        is_unfinished=Exists(unfinished), last_review=Max("campaign__reviews__submitted_at")
    )
    over = weeks.filter(
        Q(campaign__state=CampaignState.CLOSED)
        | Q(campaign__deadline__lte=now)
        | Q(is_unfinished=False, last_review__lte=now - QUIET_PERIOD)
    )
    # In order within a stream, because each week is compared with those before it.
    return list(over.select_related("stream__project", "campaign__project").order_by("stream_id", "number"))


@transaction.atomic
def evaluate(week: WeeklySample) -> bool:
    """Close the week's campaign, store its metrics and raise the alerts that follow; False if already
    evaluated.

    All in one transaction, so a week has metrics and alerts or neither.
    """
    if not WeeklySample.objects.filter(pk=week.pk, state=WeeklySampleState.OPEN).update(
        state=WeeklySampleState.EVALUATED, evaluated_at=Now()
    ):
        return False
    week.refresh_from_db(fields=["state", "evaluated_at"])
    campaign = week.campaign
    assert campaign is not None
    if campaign.state in (CampaignState.OPEN, CampaignState.PAUSED):
        close_campaign(campaign=campaign, by=None)
    WeeklyMetric.objects.bulk_create(metrics_of(week))
    alerts = raise_alerts(week)
    data = {"week": week.number, "alerts": [alert.pk for alert in alerts]}
    record("stream.week_evaluated", by=None, obj=week.stream, project=week.stream.project, data=data)
    return True


def metrics_of(week: WeeklySample) -> list[WeeklyMetric]:
    """The week's metrics, not stored: the mean of each scale and, where the rubric asks for it, the
    material-error rate.
    """
    assert week.campaign is not None
    scores = load_scores(week.campaign)
    design = _design(week)
    found = [_mean(week, scores, criterion, design) for criterion in scores.scales]
    error = _error_criterion(week)
    if error is not None and not error.rules.has_mean:
        found.append(_rate(week, scores, error, design))
    return found


class MoreReviews(NamedTuple):
    """How much a number of further reviews of a week like this one would narrow a criterion's interval, and
    from which strata they should come; or the ``reason`` why this cannot be estimated.
    """

    criterion: str
    is_rate: bool
    found: NextReviews | None
    reason: str = ""


def more_reviews(week: WeeklySample) -> list[MoreReviews]:
    """For the criteria of the stream's key figures, as reviewed so far."""
    if week.campaign is None:
        return []
    chosen = {each.get("criterion") for each in week.stream.key_figures.values()}
    criteria = Criterion.objects.filter(version=week.campaign.rubric_version_id, key__in=chosen)
    scores, design = load_scores(week.campaign), _design(week)
    found = []
    for criterion in criteria.order_by("position"):
        ratings = _ratings_in_design(ratings_of(week, scores, criterion), design)
        bounds = criterion.rules.range if criterion.rules.has_mean else None
        further = next_reviews(ratings, design, bounds=bounds)
        is_rate = bounds is None
        if isinstance(further, str):
            found.append(MoreReviews(criterion.name, is_rate, None, further))
        else:
            found.append(MoreReviews(criterion.name, is_rate, further))
    return found


def _design(week: WeeklySample) -> SampleDesign:
    """The sample's design by item of the week's campaign; without anchors, which are not of the week."""
    new = SampledOutput.objects.filter(
        weekly_sample=week, role=SampleRole.NEW, output__item_outputs__item__campaign=week.campaign
    )
    drawn: dict[Hashable, Drawn] = {
        item: Drawn(stratum, probability)
        for item, stratum, probability in new.values_list(
            "output__item_outputs__item", "stratum", "inclusion_probability"
        )
        if probability is not None
    }
    return SampleDesign(drawn, {str(name): int(count) for name, count in week.strata.items()})


def _ratings_in_design(ratings: Ratings, design: SampleDesign) -> Ratings:
    return ratings.among(np.array([item in design.drawn for item in ratings.items], dtype=bool))


def _error_criterion(week: WeeklySample) -> Criterion | None:
    assert week.campaign is not None
    criteria = Criterion.objects.filter(version=week.campaign.rubric_version_id)
    return criteria.filter(key=week.stream.error_criterion).first() if week.stream.error_criterion else None


def _mean(
    week: WeeklySample, scores: CampaignScores, criterion: Criterion, design: SampleDesign
) -> WeeklyMetric:
    ratings = _ratings_in_design(ratings_of(week, scores, criterion), design)
    found = weighted_score(ratings, design, bounds=criterion.rules.range)
    return _metric(week, criterion, found, len(ratings), narrowed_estimate(week, criterion, ratings, design))


def _rate(
    week: WeeklySample, scores: CampaignScores, criterion: Criterion, design: SampleDesign
) -> WeeklyMetric:
    ratings = _ratings_in_design(ratings_of(week, scores, criterion), design)
    found = weighted_share(ratings, design, name="material-error-rate")
    return _metric(week, criterion, found, len(ratings), narrowed_estimate(week, criterion, ratings, design))


def _metric(
    week: WeeklySample,
    criterion: Criterion,
    found: WeightedEstimate,
    reviews: int,
    narrower: NarrowedEstimate | None,
) -> WeeklyMetric:
    measure = found.measure
    metric = WeeklyMetric(
        weekly_sample=week,
        criterion_key=criterion.key,
        criterion_name=criterion.name,
        is_rate=not criterion.rules.has_mean,
        lower_is_better=criterion.lower_is_better,
        value=measure.value,
        low=measure.low,
        high=measure.high,
        error=found.error,
        reviews=reviews,
        items=measure.n,
        reason=measure.reason,
        note=measure.note,
        signature=measure.signature,
    )
    if narrower is not None:
        metric.narrowed_by = narrower.metric
        metric.narrowed_value = narrower.measure.value
        metric.narrowed_low, metric.narrowed_high = narrower.measure.low, narrower.measure.high
    return metric
