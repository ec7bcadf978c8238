"""Retention: every night, data that a project keeps only for a number of days are removed.

What a review, a weekly sample, a version or a decision is based on stays.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.db import OperationalError, models, transaction
from django.db.models import Exists, Min, OuterRef, Q
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.accounts.retention import Kept
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError
from evalapp.data_protection.models import Erasure, ErasureState
from evalapp.data_protection.services import discard
from evalapp.jobs.models import FINAL_STATES, JobEvent
from evalapp.monitoring.events.models import EventKey
from evalapp.monitoring.events.months import drop_month, months_before, newest_by_stream
from evalapp.monitoring.models import LATE_PERIOD, WEEK, Stream, WeeklySample, WeeklySampleState
from evalapp.monitoring.weeks import are_late
from evalapp.reviews.models import Draft

AT_ONCE = 1_000
PENDING_ERASURES_KEPT = dt.timedelta(days=30)
"""How long an unconfirmed search keeps the person's texts, encrypted."""

logger = logging.getLogger(__name__)
Rows = models.QuerySet[Any]


def apply_retention_everywhere() -> None:
    """Remove expired data of every project. A failure in one is logged, and retried the next night."""
    _drop_old_months()
    for project in Project.objects.exclude(retention={}).order_by("pk"):
        try:
            apply_retention(project)
        except Exception:  # any error is logged, and the other projects continue
            logger.exception("Retention of project %s failed and is tried again the next night", project.pk)
    _discard_old_searches()


def apply_retention(project: Project) -> dict[str, int]:
    """Remove a project's expired data in batches, and record the numbers by kind in the audit log."""
    now = timezone.now()
    removed: Counter[str] = Counter()
    try:
        for kind in Kept:
            if days := project.retention.get(kind):
                for rows in _OLD[kind](project, now, now - dt.timedelta(days=days)):
                    removed[kind] += _removed(rows)
    finally:
        # Also records what was removed before an error.
        if +removed:
            data = {"removed": dict(removed), "days": project.retention}
            record("project.retention_applied", by=None, obj=project, project=project, data=data)
    return dict(+removed)


def _drop_old_months() -> None:
    """Drop whole months of events that no project keeps any longer.

    Their keys, and the rest of other months, are removed in batches afterwards. A month in use is retried
    another night.
    """
    now = timezone.now()
    # Late events of a week may still be sampled (see `_old_events`).
    for month in months_before((now - LATE_PERIOD - 2 * WEEK).date()):
        newest = newest_by_stream(month)
        streams = Stream.objects.filter(pk__in=newest).select_related("project")
        if newest and all(newest[each.pk] < _kept_since(each, now) for each in streams):
            try:
                drop_month(month)
            except OperationalError as error:
                logger.warning("The events of %s are dropped another night: %s", month, error)


def _kept_since(stream: Stream, now: dt.datetime) -> dt.datetime:
    """Time before which events are not kept."""
    days = stream.project.retention.get(Kept.PRODUCTION_EVENTS)
    if not days:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    return min(now - dt.timedelta(days=days), _next_week_begins(stream, now))


def _removed(rows: Rows) -> int:
    count = 0
    while True:
        with transaction.atomic():
            # Locked and queried again, to keep rows that were sampled or changed meanwhile.
            keys = list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
            locked = rows.model._default_manager.select_for_update().filter(pk__in=keys)
            list(locked.order_by("pk").values_list("pk", flat=True))
            gone = list(rows.filter(pk__in=keys).values_list("pk", flat=True))
            rows.model._default_manager.filter(pk__in=gone).delete()
        count += len(gone)
        if len(keys) < AT_ONCE or not gone:
            return count


def _old_events(project: Project, now: dt.datetime, before: dt.datetime) -> Iterator[Rows]:
    to_sample = WeeklySample.objects.filter(
        Q(state=WeeklySampleState.DUE) | Q(state=WeeklySampleState.EMPTY, ends_at__gt=now - LATE_PERIOD),
        stream=OuterRef("stream"),
        begins_at__lte=OuterRef("happened_at"),
        ends_at__gt=OuterRef("happened_at"),
    )
    for stream in Stream.objects.filter(project=project).order_by("pk"):
        begins_at = _next_week_begins(stream, now)
        events = EventKey.objects.filter(
            stream=stream, happened_at__lt=min(before, begins_at), samples=None
        ).exclude(Exists(to_sample))
        if stream.ended_at is None:
            due = stream.weekly_samples.filter(state=WeeklySampleState.DUE).aggregate(first=Min("begins_at"))
            events = events.exclude(are_late(stream, due["first"] or begins_at))
        yield events


def _next_week_begins(stream: Stream, now: dt.datetime) -> dt.datetime:
    """Start of the period whose events may still be sampled."""
    if stream.ended_at is not None:
        return now
    begins = stream.next_sample_at - WEEK
    # Weeks that pass while a stream is paused are never sampled.
    return max(begins, now - WEEK) if stream.paused_at is not None else begins


def _old_drafts(project: Project, now: dt.datetime, before: dt.datetime) -> Iterator[Rows]:
    yield Draft.objects.filter(campaign__project=project, saved_at__lt=before)
    # The models belong to a package beside this one. A published draft records where its version comes from.
    drafts = apps.get_model("evalapp", "DatasetDraft")._default_manager
    edits = apps.get_model("evalapp", "RowEdit")._default_manager
    touched = edits.filter(draft=OuterRef("pk"), edited_at__gte=before)
    yield (
        drafts.filter(base__dataset__project=project, created_at__lt=before)
        .exclude(state="published")
        .filter(Q(job=None) | Q(job__state__in=FINAL_STATES))
        .exclude(Exists(touched))
    )


def _old_logs(project: Project, now: dt.datetime, before: dt.datetime) -> Iterator[Rows]:
    yield JobEvent.objects.filter(
        job__project=project, job__state__in=FINAL_STATES, job__finished_at__lt=before
    )


_OLD: Mapping[Kept, Callable[[Project, dt.datetime, dt.datetime], Iterator[Rows]]] = {
    Kept.PRODUCTION_EVENTS: _old_events,
    Kept.DRAFTS: _old_drafts,
    Kept.JOB_LOGS: _old_logs,
}


def _discard_old_searches() -> None:
    old = Erasure.objects.exclude(state__in=[ErasureState.DONE, ErasureState.DISCARDED])
    for erasure in old.filter(created_at__lt=timezone.now() - PENDING_ERASURES_KEPT):
        try:
            discard(erasure=erasure, by=None)
        except ConflictError:
            continue  # its job is queued or running
