"""Reads rows of files and requests as production events, reporting every problem of every row. Stores
nothing.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID, uuid5

from evalapp.core.strict_json import MOST_DIGITS, strict_decoder
from evalapp.datasets.columns import COLUMNS, ColumnRole, read_csv
from evalapp.datasets.formats import Layout, ParsedRow, reading_of
from evalapp.datasets.models import Split
from evalapp.datasets.rows import ExampleRow, serialise
from evalapp.datasets.splits import ByShares
from evalapp.datasets.vault import ENTRY, Vault
from evalapp.imports.files import CSV
from evalapp.imports.json_objects import MOST_FIELDS, json_objects
from evalapp.imports.problems import (
    FieldProblem,
    FileProblemError,
    ImportProblemsError,
    RowProblemError,
    text_problems,
)
from evalapp.imports.source_rows import sniff_source
from evalapp.monitoring.events.assessments import NewAssessment, assessments_with_event
from evalapp.monitoring.events.models import LONGEST_ID
from evalapp.monitoring.events.times import time_of
from evalapp.monitoring.models import Stream
from evalapp.monitoring.trace_files import event_of, is_exported
from evalapp.runs.generation.answers import LONGEST_ANSWER

MOST_ROWS = 100_000
LONGEST_VERSION = 120
ID_FIELDS = ("id", "external_id")
OUTPUT_FIELDS = ("output", "answer", "response", "text")
VERSION_FIELDS = ("model", "model_version")
TIME_FIELDS = ("time", "at", "timestamp")
_EVENTS = UUID("5d0f3c1e-9b7a-4f53-8a64-1f0f5b0a7c21")
_LAYOUT = Layout(ByShares({Split.FEEDBACK: 1}), example='{"id": "…", "prompt": "…", "output": "…"}')
# Exports have times in nanoseconds since 1970.
_decoder = strict_decoder(most_fields=lambda: MOST_FIELDS, largest=10.0**MOST_DIGITS, most_digits=19)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as read from row ``number``; ``messages``, ``conversation`` (empty: none) and ``fields`` are
    JSON texts.
    """

    number: int
    external_id: str
    messages: str
    conversation: str
    context: str
    text: str
    model_version: str
    happened_at: dt.datetime
    fields: str
    content_hash: str
    assessments: Sequence[NewAssessment] = ()


class Refused(NamedTuple):
    """A row that is not a valid event: its number, its id if it has one, and its problem. ``hashes``: of the
    event stored under the id, and of this one.
    """

    number: int
    external_id: str
    problems: list[FieldProblem]
    hashes: tuple[str, str] | None = None


class SkippedRow(NamedTuple):
    """A row of a tracing tool's export that is not a model call."""

    number: int


@dataclass
class ReadEvents:
    """Events by their id, and the rows that are none. ``repeated``: number of rows that repeat an earlier
    one; ``passed_over``: rows of a tracing tool's export that are not model calls.
    """

    events: dict[str, NewEvent] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    repeated: int = 0
    passed_over: int = 0


def events_of_file(file: BinaryIO, name: str) -> Iterator[ParsedRow | SkippedRow]:
    """Events from the rows of a .jsonl, .csv or .parquet file, including exports of tracing tools.

    Everything but the prompt and the context is in the rows' metadata. Raises ImportProblemsError for a file
    that cannot be read.
    """
    try:
        source = sniff_source(name, file)
        if source.file_format != CSV:
            yield from _of_objects(file)
            return
        kept = (ColumnRole.PROMPT, ColumnRole.SYSTEM, ColumnRole.CONTEXT)
        guess = COLUMNS.guess(source.columns)
        mapping = {column: use if use in kept else ColumnRole.METADATA for column, use in guess.items()}
        if ColumnRole.PROMPT not in mapping.values():
            raise FileProblemError("No column is named “prompt”. Rename the column with the prompt.")  # noqa: TRY301 - one place turns these into the import's error
        yield from read_csv(file, _LAYOUT, mapping, source.delimiter)
    except FileProblemError as error:
        raise ImportProblemsError([str(error)]) from error


def _of_objects(file: BinaryIO) -> Iterator[ParsedRow | SkippedRow]:
    for number, found in json_objects(file, example=_LAYOUT.example, decoder=_decoder):
        if isinstance(found, FieldProblem):
            yield ParsedRow(number, None, [found])
        elif not is_exported(found):
            yield reading_of(number, found, _LAYOUT)
        else:
            try:
                event = event_of(found)
            except RowProblemError as error:
                yield ParsedRow(number, None, list(error.problems))
            else:
                yield SkippedRow(number) if event is None else reading_of(number, event, _LAYOUT)


def events_of_request(rows: Iterable[Mapping[str, Any]]) -> Iterator[ParsedRow]:
    """Events from the objects of a request, numbered from 1."""
    for number, row in enumerate(rows, start=1):
        yield reading_of(number, row, _LAYOUT)


def read_events(
    stream: Stream, rows: Iterable[ParsedRow | SkippedRow], *, now: dt.datetime, vault: Vault | None
) -> ReadEvents:
    """All rows as events, with personal data masked if a ``vault`` is given.

    An id that repeats within the rows is refused, unless the row is an exact repetition. Raises
    ImportProblemsError for too many rows, and for none.
    """
    found = ReadEvents()
    count = 0
    for reading in rows:
        count += 1
        if count > MOST_ROWS:
            raise ImportProblemsError([f"There are more than {MOST_ROWS:,} rows. Import them in parts."])
        if isinstance(reading, SkippedRow):
            found.passed_over += 1
            continue
        event = _event(stream, reading, now, vault)
        if isinstance(event, Refused):
            found.refused.append(event)
            continue
        earlier = found.events.setdefault(event.external_id, event)
        if earlier is event:
            continue
        if earlier.content_hash == event.content_hash:
            found.repeated += 1
            continue
        repeated = f"“{event.external_id}” is already in row {earlier.number}."
        problem = FieldProblem("id", repeated, "Keep one of them.")
        found.refused.append(
            Refused(event.number, event.external_id, [problem], (earlier.content_hash, event.content_hash))
        )
    if not count:
        raise ImportProblemsError(["There are no rows. Each needs “id”, “prompt” and “output”."])
    return found


def token_of_event(stream: Stream, external_id: str) -> UUID:
    """The name of the event's vault entry, for streams whose personal data are masked."""
    return uuid5(_EVENTS, f"{stream.pk} {external_id}")


def _event(stream: Stream, reading: ParsedRow, now: dt.datetime, vault: Vault | None) -> NewEvent | Refused:
    if reading.row is None:
        return Refused(reading.number, "", list(reading.problems))
    row = reading.row
    fields = dict(row.metadata)
    problems: list[FieldProblem] = []
    external_id = _text(fields, ID_FIELDS, LONGEST_ID, problems, needed=True)
    text = _text(fields, OUTPUT_FIELDS, LONGEST_ANSWER, problems, needed=True)
    version = _text(fields, VERSION_FIELDS, LONGEST_VERSION, problems)
    happened_at, is_given = _time(fields, now, problems)
    assessed, wrong = assessments_with_event(
        fields.pop("assessments", None), external_id, happened_at, is_dated=is_given
    )
    problems += wrong
    own = fields.pop("fields", None)
    if isinstance(own, dict):
        fields |= own
    elif own is not None:
        problems.append(
            FieldProblem("fields", "This must be an object of fields.", 'Write {"topic": "loans"}.')
        )
    if problems:
        return Refused(reading.number, external_id, problems)
    if vault is not None:
        external_id = vault.pseudonym_of(external_id)
        row, text, fields = _masked(row, text, fields, vault, token_of_event(stream, external_id))
        assessed = [each.masked(external_id, vault) for each in assessed]
    written = serialise(replace(row, metadata={}))
    its_fields = _encode(fields) if fields else "{}"
    # Without a time of its own, a row has the same hash whenever it is sent.
    whole = [row.context, text, version, happened_at.isoformat() if is_given else ""]
    hashed = f"{written.messages}{_encode(whole)}{its_fields}{written.conversation}"
    return NewEvent(
        number=reading.number,
        external_id=external_id,
        messages=written.messages,
        conversation=written.conversation,
        context=row.context,
        text=text,
        model_version=version,
        happened_at=happened_at,
        fields=its_fields,
        content_hash=hashlib.sha256(hashed.encode()).hexdigest(),
        assessments=assessed,
    )


def _masked(
    row: ExampleRow, text: str, fields: dict[str, Any], vault: Vault, token: UUID
) -> tuple[ExampleRow, str, dict[str, Any]]:
    """The event's row, text and fields, with personal data replaced by placeholders."""
    whole = replace(row, references=[text], metadata=fields, provenance={ENTRY: str(token)})
    masked = vault.masked(whole)
    text = masked.references[0] if masked.references else text
    return replace(masked, references=(), provenance={}), text, dict(masked.metadata)


def _text(
    fields: dict[str, Any],
    names: Sequence[str],
    longest: int,
    problems: list[FieldProblem],
    *,
    needed: bool = False,
) -> str:
    """Remove the first of the named fields that exists from the fields, and return it."""
    name = next((each for each in names if fields.get(each) not in (None, "")), names[0])
    value = fields.pop(name, None)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        if needed:
            problems.append(FieldProblem(name, "The value is missing.", "Give each row one."))
        return ""
    problems += text_problems(name, value, longest)
    return value if isinstance(value, str) else ""


def _time(fields: dict[str, Any], now: dt.datetime, problems: list[FieldProblem]) -> tuple[dt.datetime, bool]:
    """The time of the output (now, if the row gives none), and whether the row gives one."""
    name = next((each for each in TIME_FIELDS if fields.get(each) not in (None, "")), "")
    if not name:
        return now, False
    time, problem = time_of(name, fields.pop(name), now)
    if problem is not None:
        problems.append(problem)
    return time, True
