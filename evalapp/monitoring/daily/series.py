"""A metric day by day, against limits from the days before. Pages, the API and the state read this."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from evalapp.metrics.registry import METRICS
from evalapp.monitoring.daily.counting import ASSESSED, EVENTS, OTHER
from evalapp.monitoring.daily.models import ALL, DailyMetric
from evalapp.monitoring.daily.sending import SENT
from evalapp.monitoring.daily.sums import Sums, sums_of
from evalapp.monitoring.daily.thresholds import NO_THRESHOLD, Threshold, thresholds_of
from evalapp.monitoring.models import Stream

DAYS = 84
"""The number of days that a page shows."""
BASELINE_DAYS = 28
FEWEST_BASELINE_DAYS = 7
FEWEST_VALUES = 30
"""A day with fewer values is shown but not tested."""
LIMIT_IN_DEVIATIONS = 3.0
# Standard deviation of normal values, in median absolute deviations.
_MAD_TO_DEVIATION = 1.4826
_SHARE_PREFIXES = ("rule:",)


class DayState(StrEnum):
    PAST = "past threshold"
    OUTSIDE = "outside limits"
    INSIDE = "inside limits"
    NOT_TESTED = "not tested"


class Limits(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Day:
    """``limits`` come from the `BASELINE_DAYS` days before; None if the day is not tested."""

    day: dt.date
    sums: Sums
    limits: Limits | None = None

    @property
    def is_outside(self) -> bool:
        mean = self.sums.mean
        if self.limits is None or mean is None:
            return False
        return not self.limits.low <= mean <= self.limits.high


@dataclass(frozen=True)
class Series:
    """A metric of a stream.

    ``label``: its displayed name; ``is_share``: its values are 0 or 1; ``is_count``: a day's value is a
    number of events, not a mean. ``threshold``: the project's, for all outputs.
    """

    metric: str
    label: str
    is_share: bool
    days: Sequence[Day]
    threshold: Threshold = NO_THRESHOLD

    @property
    def is_count(self) -> bool:
        return self.metric == EVENTS

    def value_of(self, sums: Sums) -> float | None:
        """The value shown for the sums: their mean, or the number for a count."""
        return sums.total if self.is_count else sums.mean

    def state_of(self, day: Day) -> DayState:
        """The day's state: the threshold, which people set, precedes the limits from the days before."""
        if day.sums.n >= FEWEST_VALUES and self.threshold.passed_by(day.sums.mean or 0.0) is not None:
            return DayState.PAST
        if day.limits is None:
            return DayState.NOT_TESTED
        return DayState.OUTSIDE if day.is_outside else DayState.INSIDE

    @property
    def last(self) -> Day | None:
        """The latest tested day, or else the latest day."""
        tested = [each for each in self.days if each.limits is not None] or self.days
        return tested[-1] if tested else None

    def of_whole_days(self, today: dt.date) -> "Series":
        """The series without today, which is not over, if there is an earlier day."""
        whole = [each for each in self.days if each.day < today]
        return replace(self, days=whole or self.days)

    def over(self, days: int, *, until: dt.date) -> Sums:
        """The sums of the ``days`` days that end with ``until``."""
        found = Sums()
        for each in self.days:
            if until - dt.timedelta(days=days) < each.day <= until:
                found.merge(each.sums)
        return found


def series_of(
    stream: Stream,
    *,
    since: dt.date,
    until: dt.date,
    metrics: Collection[str] | None = None,
    stratum: str = ALL,
) -> list[Series]:
    """The stream's metrics from ``since`` to ``until``, in the pages' order; all, or the named ones."""
    return series_of_streams([stream], since=since, until=until, metrics=metrics, stratum=stratum)[stream.pk]


def series_of_streams(
    streams: Sequence[Stream],
    *,
    since: dt.date,
    until: dt.date,
    metrics: Collection[str] | None = None,
    stratum: str = ALL,
) -> dict[int, list[Series]]:
    """As `series_of`, by stream id."""
    first = since - dt.timedelta(days=BASELINE_DAYS)
    rows = DailyMetric.objects.filter(stream__in=streams, stratum=stratum, day__gte=first, day__lte=until)
    if metrics is not None:
        rows = rows.filter(metric__in=metrics)
    found: dict[int, dict[str, list[DailyMetric]]] = {stream.pk: defaultdict(list) for stream in streams}
    for row in rows.order_by("day"):
        found[row.stream_id][row.metric].append(row)
    return {stream.pk: _series(stream, found[stream.pk], since) for stream in streams}


def _series(stream: Stream, by_metric: Mapping[str, list[DailyMetric]], since: dt.date) -> list[Series]:
    labels, thresholds = labels_of(stream, by_metric), thresholds_of(stream)
    return [
        Series(name, labels[name], _is_share(found), _days(found, since), thresholds.get(name, NO_THRESHOLD))
        for name, found in sorted(by_metric.items(), key=lambda pair: _sort_key(pair[0]))
    ]


def labels_of(stream: Stream, names: Iterable[str]) -> dict[str, str]:
    """The displayed names of the metrics."""
    rules = {each.metric: each.name for each in stream.project.rule_checks.all()}
    return {name: _label(name, rules.get(name)) for name in names}


def _label(name: str, rule: str | None) -> str:
    if name == EVENTS:
        return "Events"
    if name == OTHER:
        return "Other assessments"
    if name.startswith(ASSESSED):
        return name.removeprefix(ASSESSED).replace("_", " ").capitalize()
    if name.startswith(SENT):
        return f"{name.removeprefix(SENT)} (sent)"
    if name in METRICS:
        return METRICS[name].label
    return f"Rule: {rule}" if rule else "Rule that was deleted" if name.startswith(_SHARE_PREFIXES) else name


def _sort_key(name: str) -> tuple[int, str]:
    """Sort key: events first, then what users said, automatic metrics, rules."""
    if name == EVENTS:
        return 0, ""
    if name.startswith(ASSESSED):
        return 1, name
    return (2, f"{METRICS[name].order:04}") if name in METRICS else (3, name)


def _is_share(rows: Sequence[DailyMetric]) -> bool:
    # Only for zeros and ones does the sum of squares equal the sum.
    return (
        rows[0].metric != EVENTS
        and not rows[0].metric.startswith(SENT)
        and all(
            math.isclose(each.total, each.squares, abs_tol=1e-9) and 0 <= each.total <= each.n
            for each in rows
        )
    )


def _days(rows: Sequence[DailyMetric], since: dt.date) -> list[Day]:
    sums = {each.day: sums_of(each.n, each.total, each.squares, each.buckets) for each in rows}
    counts = rows[0].metric == EVENTS
    return [
        Day(day, found, None if counts else _limits(day, found, sums))
        for day, found in sums.items()
        if day >= since
    ]


def _limits(day: dt.date, found: Sums, sums: dict[dt.date, Sums]) -> Limits | None:
    """Shewhart limits at three standard deviations of daily means, estimated from the spread of the days
    before about their median; never narrower than sampling error alone allows for the day's number of values.
    """
    before = [
        each
        for number in range(1, BASELINE_DAYS + 1)
        if (each := sums.get(day - dt.timedelta(days=number))) is not None and each.n >= FEWEST_VALUES
    ]
    if found.n < FEWEST_VALUES or len(before) < FEWEST_BASELINE_DAYS:
        return None
    means = [each.total / each.n for each in before]
    # Medians, so that one bad day does not widen the limits of later days.
    centre = median(means)
    between = _MAD_TO_DEVIATION * median(abs(mean - centre) for mean in means)
    within = sum(each.squares - each.total**2 / each.n for each in before)
    chance = math.sqrt(max(0.0, within) / sum(each.n - 1 for each in before) / found.n)
    # The centre is itself estimated, from these days only.
    reach = LIMIT_IN_DEVIATIONS * max(between, chance) * math.sqrt(1 + 1 / len(means))
    return Limits(centre - reach, centre + reach)
