"""Assessments of events, sent with the event or later: read, and stored beside the event, which stays
unchanged.
"""

import datetime as dt
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from evalapp.datasets.vault import Vault
from evalapp.imports.problems import FieldProblem, text_problems
from evalapp.monitoring.events.models import (
    LONGEST_ASSESSMENT_NAME,
    LONGEST_ID,
    EventKey,
)
from evalapp.monitoring.events.times import time_of
from evalapp.monitoring.locks import lock_stream, share_unended_stream
from evalapp.monitoring.models import Stream
from evalapp.runs.generation.answers import LONGEST_ANSWER

WAITING_PERIOD = dt.timedelta(days=1)
"""How long an assessment waits for its event."""
MOST_WITH_EVENT = 50
_BATCH = 1_000
_KNOWN_FIELDS = frozenset({"event", "name", "value", "time", "source"})


@dataclass(frozen=True, slots=True)
class NewAssessment:
    """Has either ``value`` or ``text``. ``is_dated``: the sender gave its time."""

    external_id: str
    name: str
    value: float | None
    text: str
    happened_at: dt.datetime
    source: str = ""
    is_dated: bool = True

    @property
    def digest(self) -> str:
        """SHA-256 of all fields; without a time from the sender it is the same whenever the assessment is
        sent.
        """
        time = self.happened_at.isoformat() if self.is_dated else ""
        whole = [self.external_id, self.name, self.value, self.text, time, self.source]
        return hashlib.sha256(json.dumps(whole, ensure_ascii=False).encode()).hexdigest()

    def masked(self, external_id: str, vault: Vault) -> "NewAssessment":
        return replace(self, external_id=external_id, text=vault.masked_text(self.text) if self.text else "")


class RefusedAssessment(NamedTuple):
    number: int
    problems: list[FieldProblem]


class TakenAssessments(NamedTuple):
    """``stored`` are new; ``known`` were stored before; ``waiting`` belong to events that have not arrived,
    and are kept for a day.
    """

    stored: int
    known: int
    waiting: int
    refused: list[RefusedAssessment]


@dataclass
class _ReadAssessments:
    assessments: list[NewAssessment] = field(default_factory=list)
    refused: list[RefusedAssessment] = field(default_factory=list)


def assessments_with_event(
    given: Any, external_id: str, happened_at: dt.datetime, *, is_dated: bool
) -> tuple[list[NewAssessment], list[FieldProblem]]:
    """The assessments sent with an event, as an object of values by name, and the problems with them."""
    if given is None:
        return [], []
    if not isinstance(given, dict) or len(given) > MOST_WITH_EVENT:
        problem = f"This must be an object of at most {MOST_WITH_EVENT} values."
        return [], [FieldProblem("assessments", problem, 'Write {"latency_seconds": 0.8}.')]
    found, problems = [], []
    for name, value in given.items():
        number, text, wrong = _value(f"assessments.{name[:40]}", value)
        problems += [*text_problems("assessments", name, LONGEST_ASSESSMENT_NAME, needs_words=True), *wrong]
        found.append(NewAssessment(external_id, name, number, text, happened_at, is_dated=is_dated))
    return found, problems


def store_new_assessments(*, stream: Stream, rows: Iterable[Mapping[str, Any]]) -> TakenAssessments:
    """Store new valid assessments and report the others. Raises ConflictError once the stream has ended."""
    now = timezone.now()
    vault = Vault(stream.project) if stream.project.masks_personal_data else None
    read = _ReadAssessments()
    for number, row in enumerate(rows, start=1):
        found = _assessment(row, now)
        if isinstance(found, list):
            read.refused.append(RefusedAssessment(number, found))
        elif vault is None:
            read.assessments.append(found)
        else:
            read.assessments.append(found.masked(vault.pseudonym_of(found.external_id), vault))
    with transaction.atomic():
        share_unended_stream(stream)
        stored, waiting = store_assessments(stream, read.assessments)
    return TakenAssessments(stored, len(read.assessments) - stored - waiting, waiting, read.refused)


def store_assessments(stream: Stream, assessments: Sequence[NewAssessment]) -> tuple[int, int]:
    """Store those not yet stored; returns how many were new, and how many of the others now wait for their
    event.

    Call it inside a transaction that feeds the stream.
    """
    stored = waiting = 0
    for start in range(0, len(assessments), _BATCH):
        batch = assessments[start : start + _BATCH]
        ids = {each.external_id for each in batch}
        keys = dict(
            EventKey.objects.filter(stream=stream, external_id__in=ids).values_list("external_id", "pk")
        )
        here = [(keys[each.external_id], each) for each in batch if each.external_id in keys]
        stored += _insert(_INSERT_ASSESSMENTS, stream, here)
        absent = [(each.external_id, each) for each in batch if each.external_id not in keys]
        waiting += _insert(_INSERT_WAITING, stream, absent)
    return stored, waiting


def match_waiting() -> int:
    """Attach waiting assessments to events that have arrived, and count those older than a day as unmatched;
    returns how many were attached. Run by the scheduler.
    """
    given = 0
    for stream in Stream.objects.filter(waiting_assessments__isnull=False).distinct().order_by("pk"):
        with transaction.atomic():
            lock_stream(stream)
            with connection.cursor() as cursor:
                cursor.execute(_ATTACH_WAITING, [stream.pk])
                given += cursor.rowcount
            old = stream.waiting_assessments.filter(received_at__lt=timezone.now() - WAITING_PERIOD)
            count, _ = old.delete()
            if count:
                Stream.objects.filter(pk=stream.pk).update(
                    unmatched_assessments=F("unmatched_assessments") + count
                )
    return given


_INSERT = """
INSERT INTO evalapp_{table} (stream_id, digest, {event}, name, value, text, source, happened_at)
SELECT %s, * FROM unnest(
    %s::text[], %s::{type}[], %s::text[], %s::float8[], %s::text[], %s::text[], %s::timestamptz[])
ON CONFLICT (stream_id, digest) DO NOTHING
"""
_INSERT_ASSESSMENTS = _INSERT.format(table="assessment", event="key_id", type="bigint")
_INSERT_WAITING = _INSERT.format(table="waitingassessment", event="external_id", type="text")
_ATTACH_WAITING = """
WITH gone AS (
    DELETE FROM evalapp_waitingassessment AS waiting USING evalapp_eventkey AS key
    WHERE waiting.stream_id = %s AND key.stream_id = waiting.stream_id
        AND key.external_id = waiting.external_id
    RETURNING waiting.stream_id, key.id AS key_id, waiting.name, waiting.value, waiting.text, waiting.source,
        waiting.happened_at, waiting.received_at, waiting.digest
)
INSERT INTO evalapp_assessment
    (stream_id, key_id, name, value, text, source, happened_at, received_at, digest)
SELECT * FROM gone ON CONFLICT (stream_id, digest) DO NOTHING
"""


def _insert(statement: str, stream: Stream, assessments: Sequence[tuple[int | str, NewAssessment]]) -> int:
    """Insert the assessments whose digest is not stored; returns how many were new. ``assessments``: with the
    event's key or id.

    Inserted in order of digests, so that two senders of the same assessments cannot deadlock.
    """
    if not assessments:
        return 0
    columns = zip(
        *sorted(
            (each.digest, event, each.name, each.value, each.text, each.source, each.happened_at)
            for event, each in {each.digest: (event, each) for event, each in assessments}.values()
        ),
        strict=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [stream.pk, *map(list, columns)])
        return int(cursor.rowcount)


def _assessment(row: Mapping[str, Any], now: dt.datetime) -> NewAssessment | list[FieldProblem]:
    problems = [
        FieldProblem(name[:40], "This field is not known.", f"Use {', '.join(sorted(_KNOWN_FIELDS))}.")
        for name in row
        if name not in _KNOWN_FIELDS
    ]
    external_id = row.get("event")
    if isinstance(external_id, int) and not isinstance(external_id, bool):
        external_id = str(external_id)
    problems += text_problems("event", external_id, LONGEST_ID, needs_words=True)
    problems += text_problems("name", row.get("name"), LONGEST_ASSESSMENT_NAME, needs_words=True)
    source = row.get("source", "")
    problems += text_problems("source", source, LONGEST_ASSESSMENT_NAME)
    number, text, wrong = _value("value", row.get("value"))
    problems += wrong
    is_dated = row.get("time") not in (None, "")
    time, problem = time_of("time", row["time"], now) if is_dated else (now, None)
    if problem is not None:
        problems.append(problem)
    if problems:
        return problems
    return NewAssessment(str(external_id), row["name"], number, text, time, source, is_dated)


def _value(name: str, value: Any) -> tuple[float | None, str, Sequence[FieldProblem]]:
    """A number (yes is 1, no is 0), or else a text."""
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value), "", ()
    if isinstance(value, str):
        return None, value, text_problems(name, value, LONGEST_ANSWER, needs_words=True)
    problem = FieldProblem(name, "This is not a number, truth value or text.", "Write one of these.")
    return None, "", [problem]
