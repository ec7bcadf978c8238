"""Production events from a file or a request: every problem told at once, each event stored once."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID, uuid5

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.datasets.columns import COLUMNS, ColumnRole, read_csv
from evalapp.datasets.formats import Layout, ParsedRow, read_jsonl, reading_of
from evalapp.datasets.models import Split
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.splits import ByShares
from evalapp.datasets.vault import ENTRY, Vault
from evalapp.imports.files import CSV
from evalapp.imports.problems import FieldProblem, FileProblemError, ImportProblemsError, ProblemList
from evalapp.imports.source_rows import sniffed
from evalapp.monitoring.models import WEEK, ProductionEvent, Stream, WeeklySampleState
from evalapp.monitoring.services import lock_unended
from evalapp.runs.generation.answers import LONGEST_ANSWER

MOST_ROWS = 100_000
MOST_BYTES = 200 * 2**20
LONGEST_ID = 200
LONGEST_VERSION = 120
ID_FIELDS = ("id", "external_id")
OUTPUT_FIELDS = ("output", "answer", "response", "text")
VERSION_FIELDS = ("model_version", "model")
TIMESTAMP_FIELDS = ("at", "timestamp", "time", "moment")
_BATCH = 1_000
_EVENTS = UUID("5d0f3c1e-9b7a-4f53-8a64-1f0f5b0a7c21")
# An earlier answer is a mistake; the year 1 of some zones is stored, and cannot be read back.
_EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# Clocks of two machines differ a little; an answer of tomorrow is a mistake.
_AHEAD = dt.timedelta(minutes=5)
_LAYOUT = Layout(ByShares({Split.FEEDBACK: 1}), example='{"id": "…", "prompt": "…", "output": "…"}')


class ImportResult(NamedTuple):
    """``stored`` are new; ``known`` were here already, just the same. Of those stored ``not_reviewed`` lie in
    no week that is still to be sampled.
    """

    stored: int
    known: int
    not_reviewed: int = 0

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
                f"{self.not_reviewed:,} of them {'is' if self.not_reviewed == 1 else 'are'} before the"
                " first week or in a week that is already sampled, and will not be reviewed."
            )
        return " ".join(told)


def read_events(file: BinaryIO, name: str) -> Iterator[ParsedRow]:
    """The rows of a .jsonl or .csv file; everything but the prompt and the context stands in their metadata.

    Raises ImportProblemsError for a file that cannot be read.
    """
    try:
        source = sniffed(name, file)
        if source.file_format != CSV:
            yield from read_jsonl(file, _LAYOUT)
            return
        kept = (ColumnRole.PROMPT, ColumnRole.SYSTEM, ColumnRole.CONTEXT)
        guess = COLUMNS.guess(source.columns)
        mapping = {column: use if use in kept else ColumnRole.METADATA for column, use in guess.items()}
        if ColumnRole.PROMPT not in mapping.values():
            message = "No column is named “prompt”. Rename the column with the prompt."
            raise FileProblemError(message)  # noqa: TRY301 - one place turns these into the import's error
        yield from read_csv(file, _LAYOUT, mapping, source.delimiter)
    except FileProblemError as error:
        raise ImportProblemsError([str(error)]) from error


def events_of_request(rows: Iterable[Mapping[str, Any]]) -> Iterator[ParsedRow]:
    """The same of the objects of a request, numbered from 1."""
    for number, row in enumerate(rows, start=1):
        yield reading_of(number, row, _LAYOUT)


def import_events(*, stream: Stream, rows: Iterable[ParsedRow], by: User | None) -> ImportResult:
    """Store the events: all that are new, or, where a row has a problem, none.

    One that is here under its id is left alone where it is the same, and a problem where it is not. Raises
    ImportProblemsError with every problem of every row, ConflictError once the stream has ended.
    """
    problems = ProblemList()
    found: dict[str, ProductionEvent] = {}
    places: dict[str, int] = {}
    now = timezone.now()
    vault = Vault(stream.project) if stream.project.masks_personal_data else None
    count = 0
    for reading in rows:
        count += 1
        if count > MOST_ROWS:
            raise ImportProblemsError([f"There are more than {MOST_ROWS:,} rows. Import them in parts."])
        output, wrong = _output(stream, reading, now, vault)
        external_id = output.external_id if output is not None else ""
        if external_id and external_id in places:
            earlier = f"“{external_id}” is already in row {places[external_id]}."
            wrong.append(FieldProblem("id", earlier, "Keep one of them."))
        for each in wrong:
            problems.add(f"Row {reading.number}", each)
        if output is not None and not wrong:
            found[external_id] = output
        places.setdefault(external_id, reading.number)
    if not count:
        raise ImportProblemsError(["There are no rows. Each needs “id”, “prompt” and “output”."])
    with transaction.atomic():
        # One import of a stream after the other, so that what is new is decided once.
        going = lock_unended(stream)
        new = _new(stream, found, places, problems)
        if problems:
            raise problems.error()
        if vault is not None:
            vault.store()
        ProductionEvent.objects.bulk_create(new, batch_size=_BATCH)
        imported = ImportResult(len(new), len(found) - len(new), _never_drawn(going, new))
        record("stream.events_imported", by=by, obj=stream, project=stream.project, data=imported._asdict())
    return imported


def _new(
    stream: Stream, found: Mapping[str, ProductionEvent], places: Mapping[str, int], problems: ProblemList
) -> list[ProductionEvent]:
    """What is not here yet; adds a problem for each that is here with other content."""
    here: dict[str, str] = {}
    ids = list(found)
    for start in range(0, len(ids), _BATCH):
        chunk = stream.events.filter(external_id__in=ids[start : start + _BATCH])
        here |= dict(chunk.values_list("external_id", "content_hash"))
    for external_id, content_hash in here.items():
        if found[external_id].content_hash != content_hash:
            problem = f"“{external_id}” is already imported with other content, which is kept."
            fix = "Give the changed event an id of its own."
            problems.add(f"Row {places[external_id]}", FieldProblem("id", problem, fix))
    return [output for external_id, output in found.items() if external_id not in here]


def _never_drawn(stream: Stream, outputs: Sequence[ProductionEvent]) -> int:
    """How many lie before what is still to be sampled, and in no week that waits for its outputs."""
    next_begins_at = stream.next_sample_at - WEEK
    waiting = list(
        stream.weekly_samples.filter(state__in=[WeeklySampleState.DUE, WeeklySampleState.EMPTY]).values_list(
            "begins_at", "ends_at"
        )
    )
    timestamps = [each.happened_at for each in outputs if each.happened_at < next_begins_at]
    return sum(not any(start <= timestamp < end for start, end in waiting) for timestamp in timestamps)


def _output(
    stream: Stream, reading: ParsedRow, now: dt.datetime, vault: Vault | None
) -> tuple[ProductionEvent | None, list[FieldProblem]]:
    """The row's output with its problems; None where there is nothing to go by."""
    if reading.row is None:
        return None, list(reading.problems)
    row = reading.row
    fields = dict(row.metadata)
    problems: list[FieldProblem] = []
    external_id = _text(fields, ID_FIELDS, LONGEST_ID, problems, needed=True)
    text = _text(fields, OUTPUT_FIELDS, LONGEST_ANSWER, problems, needed=True)
    version = _text(fields, VERSION_FIELDS, LONGEST_VERSION, problems)
    timestamp, is_given = _timestamp(fields, now, problems)
    strata = fields.pop("strata", None)
    if isinstance(strata, dict):
        fields = {**fields, **strata}
    elif strata is not None:
        problem = "This must be an object of fields."
        problems.append(FieldProblem("strata", problem, 'Write {"topic": "loans"}.'))
    if vault is not None:
        external_id = vault.pseudonym_of(external_id)
        row, text, fields = _masked(row, text, fields, vault, token_of_event(stream, external_id))
    output = ProductionEvent(
        stream=stream,
        external_id=external_id,
        messages=list(row.messages),
        conversation=row.conversation,
        context=row.context,
        text=text,
        model_version=version,
        happened_at=timestamp,
        strata=fields,
        # Without a timestamp of its own a row is the same whenever it is sent.
        content_hash=_hash(row, text, version, timestamp.isoformat() if is_given else "", fields),
    )
    return output, problems


def _masked(
    row: ExampleRow, text: str, fields: dict[str, Any], vault: Vault, token: UUID
) -> tuple[ExampleRow, str, dict[str, Any]]:
    """The event's row, text and fields with placeholders for personal data."""
    whole = replace(row, references=[text], metadata=fields, provenance={ENTRY: str(token)})
    masked = vault.masked(whole)
    return masked, masked.references[0] if masked.references else text, dict(masked.metadata)


def token_of_event(stream: Stream, external_id: str) -> UUID:
    """The name of its vault entry, where personal data are masked in it."""
    return uuid5(_EVENTS, f"{stream.pk} {external_id}")


def _text(
    fields: dict[str, Any],
    names: Sequence[str],
    longest: int,
    problems: list[FieldProblem],
    *,
    needed: bool = False,
) -> str:
    """Take the first of the fields that is there out of them."""
    name = next((each for each in names if fields.get(each) not in (None, "")), names[0])
    value = fields.pop(name, None)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        if needed:
            problems.append(FieldProblem(name, "The value is missing.", "Give each row one."))
        return ""
    if not isinstance(value, str):
        problems.append(FieldProblem(name, "This is not text.", "Put it in double quotes."))
        return ""
    if len(value) > longest:
        problem = f"It has {len(value):,} characters; the limit is {longest:,}."
        problems.append(FieldProblem(name, problem, "Shorten it."))
        return value[:longest]
    return value


def _timestamp(
    fields: dict[str, Any], now: dt.datetime, problems: list[FieldProblem]
) -> tuple[dt.datetime, bool]:
    """When the output was given (now, where the row does not say), and whether the row says."""
    name = next((each for each in TIMESTAMP_FIELDS if fields.get(each) not in (None, "")), "")
    if not name:
        return now, False
    value = fields.pop(name)
    try:
        timestamp = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        timestamp = None
    if timestamp is None:
        problem = f"“{str(value)[:40]}” is not a timestamp."
        problems.append(FieldProblem(name, problem, "Write 2026-01-31T14:05:00Z."))
        return now, False
    if timestamp.tzinfo is None:
        timestamp = timestamp.replace(tzinfo=dt.UTC)
    if timestamp > now + _AHEAD:
        problem = f"{timestamp.isoformat()} is in the future."
        problems.append(FieldProblem(name, problem, "Check the clock or the time zone."))
    elif timestamp < _EARLIEST:
        problem = f"“{value[:40]}” is before 1970."
        problems.append(FieldProblem(name, problem, "Check the clock or the year."))
    return timestamp, True


def _hash(row: ExampleRow, text: str, version: str, timestamp: str, fields: Mapping[str, Any]) -> str:
    whole = [[dict(each) for each in row.messages], row.context, text, version, timestamp, dict(fields)]
    if row.conversation is not None:
        whole.append(row.conversation)
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
