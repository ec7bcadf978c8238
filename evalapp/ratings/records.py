"""The content of a file of ratings in any format: texts of items, and records of ratings. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from evalapp.core.names import has_visible
from evalapp.datasets.formats import Layout, reading_of
from evalapp.datasets.models import Split
from evalapp.datasets.rows import ExampleRow
from evalapp.imports.problems import FieldProblem, RowProblemError, text_problems
from evalapp.rubrics.kinds.values import RawValue

LONGEST_NAME = 120
LONGEST_COMMENT = 20_000
LONGEST_TEXT = 200_000
MOST_SECONDS = 24 * 3600.0
MOST_SPANS = 200


class SpanMark(NamedTuple):
    """A marked part of an answer: its words, where the file gives them its place in code points, and what
    was said about it. ``field`` is where it stands in the file.
    """

    text: str
    start: int | None = None
    end: int | None = None
    label: str = ""
    comment: str = ""
    field: str = ""


UNNAMED_REVIEWER = "Unnamed reviewer"
"""Whose ratings those of a table without a column for the reviewer are, such as averages over people."""


class ScaleEnds(NamedTuple):
    """A scale as a file tells it, its ends in points."""

    minimum: int
    maximum: int
    lower_is_better: bool = False
    steps_per_point: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What one reviewer said about one answer, or a part of that: one row, one nested review, one annotation.

    ``place`` is put before the names of fields in messages ("reviews[3]."). ``values``: criterion → value.
    ``scales``: criterion → its levels and direction, where the file says so.
    """

    row: int
    item: str
    candidate: str
    reviewer: str
    values: Sequence[tuple[str, RawValue]] = ()
    seconds: float | None = None
    submitted_at: datetime | None = None
    comment: str = ""
    correction: str | None = None
    spans: Sequence[SpanMark] = ()
    place: str = ""
    scales: Mapping[str, ScaleEnds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Texts:
    """What belongs to an item: its prompt and references as a row of a dataset (None where the file has no
    prompt here), and answers by candidate.
    """

    row: int
    item: str
    example: ExampleRow | None
    answers: Mapping[str, str] = field(default_factory=dict)


class Refusal(NamedTuple):
    """A record that cannot be read. ``record``: what of it can be, so that its other
    problems are told too.
    """

    problems: Sequence[FieldProblem]
    record: Record | None = None


class ParsedRow(NamedTuple):
    """A row of the file: its texts, its records, those that cannot be read, and remarks on what is read
    otherwise than it stands there.
    """

    row: int
    texts: Texts | None = None
    records: Sequence[Record] = ()
    refusals: Sequence[Refusal] = ()
    remarks: Sequence[FieldProblem] = ()


class RecordProblemError(RowProblemError):
    """Why a record cannot be read. ``record``: what of it can be."""

    def __init__(self, *problems: FieldProblem, record: Record | None = None) -> None:
        super().__init__(*problems)
        self.record = record


def refused(row: int, *problems: FieldProblem) -> ParsedRow:
    return ParsedRow(row, refusals=(Refusal(problems),))


def name_of(value: Any, name: str, *, what: str) -> str:
    """A name in a file (of an item, a candidate, a reviewer), which may be a number. Raises
    RecordProblemError.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise RecordProblemError(
            FieldProblem(name, f"The {what} is missing or not text.", "Write its name or number.")
        )
    text = " ".join(value.split())
    if not has_visible(text):
        raise RecordProblemError(FieldProblem(name, f"The {what} is empty.", "Write its name or number."))
    if len(text) > LONGEST_NAME:
        fix = f"Names have at most {LONGEST_NAME} characters: check which column is the {what}."
        raise RecordProblemError(FieldProblem(name, f"The {what} has {len(text):,} characters.", fix))
    return storable(text, name)


def storable(text: str, name: str, longest: int = LONGEST_TEXT) -> str:
    """The text, where a database can keep it. Raises RecordProblemError."""
    if problems := text_problems(name, text, longest):
        raise RecordProblemError(*problems)
    return text


def text_of(value: Any, name: str, longest: int = LONGEST_TEXT) -> str:
    """A text that may be missing (then empty). Raises RecordProblemError."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RecordProblemError(FieldProblem(name, "This is not text.", "Put text in double quotes."))
    return storable(value, name, longest)


def correction_of(value: Any, name: str) -> str | None:
    text = text_of(value, name)
    return text if has_visible(text) else None


def seconds_of(value: Any, name: str) -> float | None:
    """Seconds of work, a number or its text. Raises RecordProblemError for what is none, or over a day."""
    if value is None or value == "":
        return None
    try:
        seconds = float(value) if not isinstance(value, bool) else -1.0
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    # NaN compares as false, so it is refused as well.
    if not 0 <= seconds <= MOST_SECONDS:
        problem = f"“{str(value)[:40]}” is not a number of seconds from 0 to {MOST_SECONDS:,.0f}."
        raise RecordProblemError(FieldProblem(name, problem, "Write seconds, or leave it empty."))
    return round(seconds, 3)


def timestamp_of(value: Any, name: str) -> datetime | None:
    """A date and time in ISO 8601; without a zone it is taken for UTC. Raises RecordProblemError."""
    if value is None or value == "":
        return None
    try:
        timestamp = datetime.fromisoformat(value.strip())
        timestamp = timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)
        timestamp = timestamp.astimezone(UTC)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        problem = f"“{str(value)[:40]}” is not a date and time."
        fix = "Write it as 2025-03-31T14:05:00Z, or leave it empty."
        raise RecordProblemError(FieldProblem(name, problem, fix)) from error
    if not 1970 <= timestamp.year <= 2100:
        problem = f"The year {timestamp.year} cannot be right."
        raise RecordProblemError(FieldProblem(name, problem, "Write it as 2025-03-31T14:05:00Z."))
    # A day more, because a timestamp without a zone may be of one that is ahead.
    if timestamp > datetime.now(UTC) + timedelta(days=1):
        problem = f"“{str(value)[:40]}” is in the future."
        raise RecordProblemError(
            FieldProblem(name, problem, "Write the time of the rating, or leave it empty.")
        )
    return timestamp


def example_of(row: int, fields: Mapping[str, Any]) -> tuple[ExampleRow | None, list[FieldProblem]]:
    """The dataset row that these fields (``prompt`` or ``messages``, ``references``, ``context``,
    ``metadata``) make; or what is wrong with them. Reviewed rows belong to the feedback split.
    """
    reading = reading_of(row, {**fields, "split": Split.FEEDBACK.value}, Layout())
    return reading.row, reading.problems
