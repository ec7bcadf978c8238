"""Stores each event once."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.datasets.copying import NULL, json_column, text_column
from evalapp.datasets.formats import ParsedRow
from evalapp.datasets.vault import Vault
from evalapp.imports.problems import FieldProblem, ProblemList
from evalapp.monitoring.events.assessments import store_assessments
from evalapp.monitoring.events.months import ensure_partition
from evalapp.monitoring.events.reading import NewEvent, Refused, SkippedRow, read_events
from evalapp.monitoring.locks import share_unended_stream
from evalapp.monitoring.models import LATE_PERIOD, WEEK, Stream, WeeklySampleState

_BATCH = 5_000
# Sent in batches, so that the server stores while the next ones are being written.
_BLOCK = 100
_KEYS = """
INSERT INTO evalapp_eventkey (stream_id, external_id, content_hash, happened_at)
SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::timestamptz[])
ON CONFLICT (stream_id, external_id) DO NOTHING RETURNING external_id, id
"""
_SELECT_STORED = (
    "SELECT external_id, content_hash FROM evalapp_eventkey WHERE stream_id = %s AND external_id = ANY(%s)"
)
_COPY = """
COPY evalapp_productionevent (
    key_id, stream_id, happened_at, messages, conversation, context, text, model_version, fields
) FROM STDIN
"""


@dataclass
class TakenEvents:
    """``stored`` are new; ``known`` were stored before, identical. ``not_reviewed``: the stored ones that no
    sample can include. ``refused`` are invalid, or differ from the event stored under their id.
    ``passed_over``: rows of a tracing tool's export that are not model calls.
    """

    stored: int = 0
    known: int = 0
    not_reviewed: int = 0
    refused: list[Refused] = field(default_factory=list)
    passed_over: int = 0

    @property
    def message(self) -> str:
        def counted(count: int, verb: str) -> str:
            return (
                f"{count:,} event{'' if count == 1 else 's'}"
                f" {verb if count == 1 else verb.replace('is', 'are')}"
            )

        told = [f"{counted(self.stored, 'is')} stored."]
        if self.known:
            told.append(f"{self.known:,} {'was' if self.known == 1 else 'were'} already imported.")
        if self.not_reviewed:
            told.append(
                f"{self.not_reviewed:,} of them {'is' if self.not_reviewed == 1 else 'are'} from before the"
                " first week or too late to be sampled, and will not be reviewed."
            )
        if self.passed_over:
            is_one = self.passed_over == 1
            rows = "row is not a model call and was" if is_one else "rows are not model calls and were"
            told.append(f"{self.passed_over:,} {rows} skipped.")
        return " ".join(told)


def store_new_events(*, stream: Stream, rows: Iterable[ParsedRow]) -> TakenEvents:
    """Store new valid events and report the others. An event already stored under an id is left alone. Raises
    ConflictError once the stream has ended.
    """
    with transaction.atomic():
        return _store_new(stream, rows)


def import_events(*, stream: Stream, rows: Iterable[ParsedRow | SkippedRow], by: User | None) -> TakenEvents:
    """Store all new events of a file, or none if any row has a problem.

    Raises ImportProblemsError with every problem of every row, ConflictError once the stream has ended.
    """
    with transaction.atomic():
        taken = _store_new(stream, rows)
        if taken.refused:
            problems = ProblemList()
            for refused in sorted(taken.refused, key=lambda each: each.number):
                for each in refused.problems:
                    problems.add(f"Row {refused.number}", each)
            raise problems.error()
        counts = {"stored": taken.stored, "known": taken.known, "not_reviewed": taken.not_reviewed}
        record("stream.events_imported", by=by, obj=stream, project=stream.project, data=counts)
    return taken


def _store_new(stream: Stream, rows: Iterable[ParsedRow | SkippedRow]) -> TakenEvents:
    now = timezone.now()
    vault = Vault(stream.project) if stream.project.masks_personal_data else None
    read = read_events(stream, rows, now=now, vault=vault)
    fed = share_unended_stream(stream)
    if vault is not None:
        vault.store()
    ensure_partition(now)
    taken = TakenEvents(known=read.repeated, refused=read.refused, passed_over=read.passed_over)
    # In one order, so that two senders of the same ids cannot deadlock.
    ordered = (read.events[external_id] for external_id in sorted(read.events))
    while batch := list(islice(ordered, _BATCH)):
        new = _store(stream, batch, taken)
        taken.stored += len(new)
        taken.not_reviewed += _count_never_sampled(fed, new)
        store_assessments(stream, [each for event in batch for each in event.assessments])
    return taken


def _store(stream: Stream, events: Sequence[NewEvent], taken: TakenEvents) -> list[NewEvent]:
    """Store and return the events whose ids are new; count the others as known or refused."""
    with connection.cursor() as cursor:
        cursor.execute(
            _KEYS,
            [
                stream.pk,
                [each.external_id for each in events],
                [each.content_hash for each in events],
                [each.happened_at for each in events],
            ],
        )
        keys: dict[str, int] = dict(cursor.fetchall())
        new = [each for each in events if each.external_id in keys]
        others = [each for each in events if each.external_id not in keys]
        if others:
            cursor.execute(_SELECT_STORED, [stream.pk, [each.external_id for each in others]])
            _compare(others, dict(cursor.fetchall()), taken)
        if new:
            with cursor.copy(_COPY) as copy:
                lines = _lines(stream, new, keys)
                while block := "".join(islice(lines, _BLOCK)):
                    copy.write(block)
    return new


def _compare(events: Sequence[NewEvent], hashes: Mapping[str, str], taken: TakenEvents) -> None:
    for event in events:
        stored = hashes[event.external_id]
        if stored == event.content_hash:
            taken.known += 1
            continue
        told = f"“{event.external_id}” is already imported with other content, which is kept."
        fix = "Give the changed event an id of its own, and send later feedback as an assessment."
        taken.refused.append(
            Refused(
                event.number,
                event.external_id,
                [FieldProblem("id", told, fix)],
                (stored, event.content_hash),
            )
        )


def _lines(stream: Stream, events: Sequence[NewEvent], keys: Mapping[str, int]) -> Iterator[str]:
    for each in events:
        yield (
            f"{keys[each.external_id]}\t{stream.pk}\t{each.happened_at.isoformat()}\t"
            f"{json_column(each.messages)}\t{json_column(each.conversation) or NULL}\t"
            f"{text_column(each.context)}\t{text_column(each.text)}\t{text_column(each.model_version)}\t"
            f"{json_column(each.fields)}\n"
        )


def _count_never_sampled(stream: Stream, events: Sequence[NewEvent]) -> int:
    """How many no sample will include: they are from before the next week to be sampled, and their week
    neither waits to be sampled nor was sampled so recently that late outputs are in the next sample.
    """
    next_begins_at = stream.next_sample_at - WEEK
    times = [each.happened_at for each in events if each.happened_at < next_begins_at]
    if not times:
        return 0
    earliest = next_begins_at - LATE_PERIOD
    due = Q(state=WeeklySampleState.DUE)
    recent = Q(state=WeeklySampleState.EMPTY) | Q(last_key__isnull=False)
    weeks: list[tuple[dt.datetime, dt.datetime, str]] = list(
        stream.weekly_samples.filter(due | recent & Q(ends_at__gt=earliest)).values_list(
            "begins_at", "ends_at", "state"
        )
    )
    return sum(
        not any(
            start <= time < end and (state == WeeklySampleState.DUE or time >= earliest)
            for start, end, state in weeks
        )
        for time in times
    )
