"""Counts every event and assessment into the daily metrics, once each, in batches, as they arrive."""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from django.db import OperationalError, connection, transaction
from django.db.models import Max
from psycopg.errors import LockNotAvailable

from evalapp.core.errors import InvalidError
from evalapp.metrics.metric import Options
from evalapp.metrics.registry import METRICS
from evalapp.metrics.rules import Rule
from evalapp.monitoring.daily.models import ALL, LONGEST_METRIC, LONGEST_STRATUM, DailyMetric
from evalapp.monitoring.daily.sums import Sums, sums_of
from evalapp.monitoring.events.models import Assessment, EventKey, ProductionEvent
from evalapp.monitoring.locks import lock_stream
from evalapp.monitoring.models import Stream
from evalapp.scoring.scoring_job import row_of
from evalapp.scoring.services import read_rule

BATCH = 2_000
MOST_SECONDS = 50.0
"""The time after which a turn stops; the next one continues."""
EVENTS = "events"
COMPUTED = ("words", "repetition", "unsupported_numbers", "novel_bigrams", "refusal", "other_language")
"""Automatic metrics that need no reference, computed for every event."""
ASSESSED = "assessed:"
"""Prefix of the name of an assessment."""
MOST_STRATA = 200
OTHER = "other"
NO_VALUE = "none"
MOST_ASSESSED = 100
LOCK_WAIT = "200ms"
_COUNTING_LOCK = 20_005

Cell = tuple[dt.date, str, str]
"""Day, stratum, metric."""


class Progress(NamedTuple):
    """Keys up to which a stream's events and assessments are counted."""

    events: int
    assessments: int


def count_everywhere() -> int:
    """Count what arrived since the last call, for at most `MOST_SECONDS`; returns how many events and
    assessments.

    A worker runs it every minute; of two workers, one skips the streams that the other is counting.
    """
    until = time.monotonic() + MOST_SECONDS
    counted = 0
    for stream in Stream.objects.select_related("project").order_by("pk"):
        while done := count_batch(stream):
            counted += done
            if time.monotonic() > until:
                return counted
    return counted


def count_batch(stream: Stream) -> int:
    """Count the next events, or without any the next assessments, in one transaction; returns how many."""
    settled = _settled_progress(stream)
    if settled is None:
        return 0
    with transaction.atomic():
        if not take_counting_lock(stream):
            return 0
        marks = Stream.objects.filter(pk=stream.pk).values_list("counted_events", "counted_assessments")
        so_far = Progress(*marks.get())
        cells: dict[Cell, Sums] = defaultdict(Sums)
        if settled.events > so_far.events:
            done, last = _events(stream, so_far.events, settled.events, cells)
            mark = {"counted_events": last}
        else:
            done, last = _assessments(stream, so_far.assessments, settled.assessments, cells)
            mark = {"counted_assessments": last}
        if done:
            _store(stream, cells)
            Stream.objects.filter(pk=stream.pk).update(**mark)
    return done


def _settled_progress(stream: Stream) -> Progress | None:
    """The greatest keys below which no further row can be stored; None if nothing is new, or while a large
    file is being stored.
    """
    marks = Stream.objects.filter(pk=stream.pk).values_list("counted_events", "counted_assessments").first()
    if marks is None or _newest(stream) == Progress(*marks):
        return None
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Senders of events wait for this lock: keep it too short to be noticed.
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT])
            lock_stream(stream)
            cursor.execute("SELECT set_config('lock_timeout', '0', true)")
            return _newest(stream)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        return None


def _newest(stream: Stream) -> Progress:
    events = EventKey.objects.filter(stream=stream).aggregate(key=Max("pk"))["key"]
    assessments = Assessment.objects.filter(stream=stream).aggregate(key=Max("pk"))["key"]
    return Progress(events or 0, assessments or 0)


def take_counting_lock(stream: Stream) -> bool:
    """Whether this transaction holds the stream's counting lock, so that nobody else counts until it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s::integer)", [_COUNTING_LOCK, stream.pk])
        return bool(cursor.fetchone()[0])


def _events(stream: Stream, after: int, up_to: int, cells: dict[Cell, Sums]) -> tuple[int, int]:
    """Add the next events to the cells; returns how many, and the key of the last."""
    following = ProductionEvent.objects.filter(stream=stream, key__gt=after, key__lte=up_to)
    events = list(following.order_by("key")[:BATCH])
    strata = _Strata(stream)
    for event, values in zip(events, values_of(stream, events), strict=True):
        _add(cells, event.happened_at.date(), strata.of(event), {EVENTS: 1.0, **values})
    # The last keys may belong to events that have been removed.
    return (len(events), events[-1].pk) if len(events) == BATCH else (max(1, len(events)), up_to)


def values_of(stream: Stream, events: Sequence[ProductionEvent]) -> list[dict[str, float]]:
    """The automatic metrics and rule checks of each event, by name, without undefined ones."""
    rows = [
        row_of(
            each.text,
            messages=each.messages,
            conversation=each.conversation,
            context=each.context,
            fields=each.fields,
        )
        for each in events
    ]
    values: list[dict[str, float]] = [{} for _ in events]
    for name in COMPUTED:
        measures = METRICS[name].engine.begin([name], Options()).score(rows)
        for found, measure in zip(values, measures, strict=True):
            if (value := measure[name].value) is not None:
                found[name] = value
    rules = list(_rules(stream))
    for row, found in zip(rows, values, strict=True):
        for name, rule in rules:
            if (passed := rule.check(row).passed) is not None:
                found[name] = float(passed)
    return values


def _rules(stream: Stream) -> Iterator[tuple[str, Rule]]:
    for rule_check in stream.project.rule_checks.filter(is_active=True):
        # A rule that cannot be read is reported where it is edited.
        with suppress(InvalidError):
            yield rule_check.metric, read_rule(rule_check.name, rule_check.kind, rule_check.params)


def _assessments(stream: Stream, after: int, up_to: int, cells: dict[Cell, Sums]) -> tuple[int, int]:
    """Add the next assessments to the cells; returns how many, and the key of the last.

    Of several assessments of one event under one name, the latest counts.
    """
    following = Assessment.objects.filter(stream=stream, pk__gt=after, pk__lte=up_to)
    batch = list(following.order_by("pk")[:BATCH])
    if not batch:
        return 0, after
    last = batch[-1].pk
    keys = {each.key_id for each in batch}
    events = ProductionEvent.objects.filter(key__in=keys).only("key", "happened_at", "fields").in_bulk()
    latest: dict[tuple[int, str], tuple[Assessment | None, Assessment | None]] = {}
    every = Assessment.objects.filter(
        key__in=keys, name__in={each.name for each in batch}, value__isnull=False, pk__lte=last
    )
    for each in every.order_by("happened_at", "pk"):
        before, _ = latest.get((each.key_id, each.name), (None, None))
        latest[each.key_id, each.name] = (each if each.pk <= after else before, each)
    strata, names = _Strata(stream), _AssessmentNames(stream)
    for (key, name), (before, now) in latest.items():
        event = events.get(key)
        if event is None or before is now:
            continue
        day, stratum, metric = event.happened_at.date(), strata.of(event), names.of(name)
        if before is not None and before.value is not None:
            _add(cells, day, stratum, {metric: before.value}, times=-1)
        if now is not None and now.value is not None:
            _add(cells, day, stratum, {metric: now.value})
    return len(batch), last


def _add(
    cells: dict[Cell, Sums], day: dt.date, stratum: str | None, values: Mapping[str, float], times: int = 1
) -> None:
    for name, value in values.items():
        cells[day, ALL, name].add(value, times)
        if stratum is not None:
            cells[day, stratum, name].add(value, times)


class _CappedNames:
    """The metric names that a stream has; names beyond ``most`` are counted together."""

    most: int

    def __init__(self, known: Iterable[str]) -> None:
        self._known = set(known)

    def name(self, name: str) -> str:
        if name not in self._known:
            if len(self._known) >= self.most:
                return OTHER
            self._known.add(name)
        return name


class _Strata(_CappedNames):
    most = MOST_STRATA

    def __init__(self, stream: Stream) -> None:
        self._field = stream.stratify_by
        found = stream.daily_metrics.filter(metric=EVENTS).exclude(stratum=ALL) if self._field else None
        super().__init__(found.values_list("stratum", flat=True).distinct() if found is not None else ())

    def of(self, event: ProductionEvent) -> str | None:
        """The event's stratum; None if the stream has none."""
        if not self._field:
            return None
        value = event.fields.get(self._field)
        text = "" if value is None else str(value)[:LONGEST_STRATUM]
        return self.name(text or NO_VALUE)


class _AssessmentNames(_CappedNames):
    most = MOST_ASSESSED

    def __init__(self, stream: Stream) -> None:
        found = stream.daily_metrics.filter(stratum=ALL, metric__startswith=ASSESSED)
        super().__init__(found.values_list("metric", flat=True).distinct())

    def of(self, name: str) -> str:
        return self.name(f"{ASSESSED}{name}"[:LONGEST_METRIC])


def _store(stream: Stream, cells: Mapping[Cell, Sums]) -> None:
    """Add the cells to the stored metrics; the caller must be the only one counting the stream."""
    days = {day for day, _, _ in cells}
    stored = {
        (each.day, each.stratum, each.metric): each
        for each in stream.daily_metrics.filter(day__in=days)
        if (each.day, each.stratum, each.metric) in cells
    }
    rows = []
    for (day, stratum, metric), sums in cells.items():
        if (earlier := stored.get((day, stratum, metric))) is not None:
            sums.merge(sums_of(earlier.n, earlier.total, earlier.squares, earlier.buckets))
        rows.append(
            DailyMetric(
                stream=stream,
                day=day,
                stratum=stratum,
                metric=metric,
                n=sums.n,
                total=sums.total,
                squares=sums.squares,
                buckets=sums.stored_buckets(),
            )
        )
    DailyMetric.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["stream", "metric", "stratum", "day"],
        update_fields=["n", "total", "squares", "buckets"],
    )
