"""Narrows a week's estimates by a metric that is known for all its outputs."""

import datetime as dt
from collections.abc import Hashable
from typing import NamedTuple

from django.db.models import Sum

from evalapp.measure import Measure
from evalapp.monitoring.daily.counting import ASSESSED, NO_VALUE, values_of
from evalapp.monitoring.daily.models import ALL
from evalapp.monitoring.events.models import Assessment
from evalapp.monitoring.models import SampledOutput, SampleRole, WeeklySample
from evalapp.rubrics.models import Criterion
from evalapp.stats.ratings import Ratings
from evalapp.stats.weighted import SampleDesign
from evalapp.stats.weighted_prediction import MetricMean, predicted_score, predicted_share

LEAST_GAIN = 1.05
"""With a smaller gain, readers cannot tell the two intervals apart."""


class NarrowedEstimate(NamedTuple):
    """The estimate made more precise by ``metric``. ``gain``: how many times as many reviews the classical
    interval would need for the same width.
    """

    measure: Measure
    metric: str
    gain: float


def narrowed_estimate(
    week: WeeklySample, criterion: Criterion, ratings: Ratings, design: SampleDesign
) -> NarrowedEstimate | None:
    """The week's mean or rate, made more precise by the metric of the criterion's key figure.

    None if there is no such metric, it narrows nothing, or it is not known for all outputs: daily metrics are
    of UTC days, so the week must begin at midnight, and nearly all sampled outputs must be of its days.
    """
    metric = _metric_beside(week, criterion)
    everywhere = _means_of_all_outputs(week, metric, design) if metric else {}
    if not everywhere:
        return None
    known = _values_of_items(week, metric)
    if criterion.rules.has_mean:
        found = predicted_score(ratings, design, known, everywhere, bounds=criterion.rules.range)
    else:
        found = predicted_share(ratings, design, known, everywhere)
    measure, gain = found.estimate.measure, found.gain.value
    if measure.value is None or gain is None or gain < LEAST_GAIN:
        return None
    return NarrowedEstimate(measure, metric, gain)


def _metric_beside(week: WeeklySample, criterion: Criterion) -> str:
    figures = week.stream.key_figures.values()
    return next((each["metric"] for each in figures if each.get("criterion") == criterion.key), "")


def _means_of_all_outputs(
    week: WeeklySample, metric: str, design: SampleDesign
) -> dict[Hashable, MetricMean]:
    """The metric over all outputs, by stratum of the design; empty if the week does not consist of whole
    days.
    """
    begins, ends = (each.astimezone(dt.UTC) for each in (week.begins_at, week.ends_at))
    if begins.time() != dt.time() or ends.time() != dt.time():
        return {}
    days = week.stream.daily_metrics.filter(metric=metric, day__gte=begins.date(), day__lt=ends.date())
    is_stratified = set(design.sizes()) != {""}
    days = days.exclude(stratum=ALL) if is_stratified else days.filter(stratum=ALL)
    counted = days.order_by().values_list("stratum").annotate(outputs=Sum("n"), total=Sum("total"))
    return {
        "" if stratum in (ALL, NO_VALUE) else stratum: MetricMean(outputs, total / outputs)
        for stratum, outputs, total in counted
        if outputs
    }


def _values_of_items(week: WeeklySample, metric: str) -> dict[Hashable, float | None]:
    """The metric of each new output, by item of the week's campaign."""
    sampled = SampledOutput.objects.filter(
        weekly_sample=week, role=SampleRole.NEW, output__item_outputs__item__campaign=week.campaign
    )
    items = dict(sampled.values_list("key", "output__item_outputs__item"))
    if metric.startswith(ASSESSED):
        values = _assessed(list(items), metric.removeprefix(ASSESSED))
    else:
        events = list(week.stream.events.filter(key__in=items))
        of_events = zip(events, values_of(week.stream, events), strict=True)
        values = {event.pk: found.get(metric) for event, found in of_events}
    return {item: values.get(key) for key, item in items.items()}


def _assessed(keys: list[int], name: str) -> dict[int, float | None]:
    """The latest numeric assessment of the name, by key of the event."""
    rows = Assessment.objects.filter(key__in=keys, name=name, value__isnull=False)
    return dict(rows.order_by("happened_at", "pk").values_list("key", "value"))
