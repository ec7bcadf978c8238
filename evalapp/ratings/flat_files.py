"""Tables of ratings (CSV, or JSONL with an object a row) into records. Pure."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO

from evalapp.datasets.csv_files import read_cells, read_header
from evalapp.datasets.rows import FieldProblem
from evalapp.ratings.json_rows import json_lines
from evalapp.ratings.layouts import FileLayout, Use
from evalapp.ratings.records import (
    LONGEST_COMMENT,
    Reading,
    Record,
    RecordProblemError,
    Refusal,
    SpanMark,
    Texts,
    correction_of,
    example_of,
    moment_of,
    name_of,
    seconds_of,
    storable,
    text_of,
)
from evalapp.ratings.spans import spans_of

Fields = Mapping[str, Any]
_NAMED = (Use.ITEM, Use.CANDIDATE, Use.REVIEWER, Use.CRITERION)
_MOST_REMEMBERED = 10_000


def read_table(
    stream: BinaryIO, layout: FileLayout, *, read: Callable[[int], None] | None = None
) -> Iterator[Reading]:
    """The rows of a CSV file. Raises FileProblemError where it has no usable header."""
    columns = read_header(stream, layout.delimiter).columns
    stream.seek(0)
    rows = _Rows(layout.mapping)
    for number, cells, problem in read_cells(stream, layout.delimiter, read=read):
        if problem is not None:
            yield Reading(number, refusals=(Refusal((problem,)),))
        else:
            yield rows.reading_of(number, dict(zip(columns, cells, strict=True)))


def read_flat_lines(
    stream: BinaryIO, layout: FileLayout, *, read: Callable[[int], None] | None = None
) -> Iterator[Reading]:
    """The lines of a JSONL file with an object a row."""
    rows = _Rows(layout.mapping)
    for number, found in json_lines(stream, read=read):
        if isinstance(found, FieldProblem):
            yield Reading(number, refusals=(Refusal((found,)),))
        else:
            yield rows.reading_of(number, found)


class _Rows:
    """Reads rows by a mapping, and remembers which texts have been seen, so that each is handed on once and
    another text of the same name is told.
    """

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._columns = {use: column for column, use in mapping.items() if use != Use.IGNORE}
        self._scores = [column for column, use in mapping.items() if use == Use.SCORE]
        self._references = [column for column, use in mapping.items() if use == Use.REFERENCE]
        # Names repeat from row to row: each is looked at once.
        self._names: dict[Use, dict[str, str]] = {use: {} for use in _NAMED}
        self._said = [(use, self._columns[use], read) for use, read in _SAID.items() if use in self._columns]
        self._prompts: dict[str, int] = {}
        self._answers: dict[tuple[str, str], int] = {}

    def reading_of(self, row: int, fields: Fields) -> Reading:
        problems: list[FieldProblem] = []
        record: Record | None = None
        texts: Texts | None = None
        try:
            record = self._record(row, fields, problems)
            texts = None if problems else self._texts(row, record, fields)
        except RecordProblemError as error:
            problems.extend(error.problems)
        if record is None or problems:
            return Reading(row, refusals=(Refusal(problems, record),))
        return Reading(row, texts, (record,))

    def _get(self, fields: Fields, use: Use) -> Any:
        column = self._columns.get(use)
        return None if column is None else fields.get(column)

    def _record(self, row: int, fields: Fields, problems: list[FieldProblem]) -> Record:
        """What can be read of the row; what cannot is told in ``problems``."""
        has_item = Use.ITEM in self._columns
        item = self._name(Use.ITEM, fields, problems) if has_item else self._named(fields)
        candidate = self._name(Use.CANDIDATE, fields, problems)
        reviewer = self._name(Use.REVIEWER, fields, problems)
        said: dict[str, Any] = {}
        for use, column, read in self._said:
            value = fields.get(column)
            if value is None or value == "":
                continue
            try:
                said[use] = read(value, column)
            except RecordProblemError as error:
                problems.extend(error.problems)
        values = self._values(fields, problems)
        if not (values or said.keys() & _WORDS or problems):
            name = self._columns.get(Use.VALUE, "row")
            problems.append(FieldProblem(name, "There is no rating.", "Write the value, or remove the row."))
        return Record(row, item, candidate, reviewer, values, **said)

    def _name(self, use: Use, fields: Fields, problems: list[FieldProblem]) -> str:
        column = self._columns.get(use, use.value)
        raw = fields.get(column)
        known = self._names[use]
        if type(raw) is str and (found := known.get(raw)) is not None:
            return found
        try:
            name = name_of(raw, column, what=use.value)
        except RecordProblemError as error:
            problems.extend(error.problems)
            return ""
        if type(raw) is str and len(known) < _MOST_REMEMBERED:
            known[raw] = name
        return name

    def _values(self, fields: Fields, problems: list[FieldProblem]) -> Sequence[tuple[str, Any]]:
        if not self._scores:
            value = self._get(fields, Use.VALUE)
            if value is None or value == "":
                return ()
            criterion = self._name(Use.CRITERION, fields, problems)
            given = [(criterion, value, self._columns[Use.VALUE])]
        else:
            given = [(column, fields.get(column), column) for column in self._scores]
        values: list[tuple[str, Any]] = []
        for criterion, value, column in given:
            if value is None or value == "":
                continue
            try:
                values.append((criterion, _value(value, column)))
            except RecordProblemError as error:
                problems.extend(error.problems)
        return values

    def _named(self, fields: Fields) -> str:
        """A name for an item that has none of its own: the beginning of its prompt, and what
        tells it apart.
        """
        prompt = self._get(fields, Use.PROMPT)
        text = " ".join(prompt.split()) if isinstance(prompt, str) else json.dumps(prompt)
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
        return name_of(f"{text[:60]} ({digest})", self._columns[Use.PROMPT], what="prompt") if text else ""

    def _texts(self, row: int, record: Record, fields: Fields) -> Texts | None:
        """The texts of the row that were not seen before. Raises RecordProblemError for another text."""
        prompt = self._get(fields, Use.PROMPT)
        answer = self._get(fields, Use.ANSWER)
        if not prompt and not answer:
            return None
        example = None
        answers: dict[str, str] = {}
        if prompt:
            references = [fields[column] for column in self._references if fields.get(column)]
            context = self._get(fields, Use.CONTEXT) or ""
            shape = hash(repr((prompt, references, context)))
            known = self._prompts.get(record.item)
            if known is None:
                given = {"prompt": prompt, "references": references, "context": context}
                example, problems = example_of(row, {**given, "metadata": {"item": record.item}})
                if problems:
                    raise RecordProblemError(*problems)
                self._prompts[record.item] = shape
            elif known != shape:
                problem = f"Item “{record.item}” has another prompt, reference or context in an earlier row."
                raise RecordProblemError(
                    FieldProblem(self._columns[Use.PROMPT], problem, "Give the other text another item.")
                )
        if answer:
            name = self._columns[Use.ANSWER]
            if not isinstance(answer, str):
                raise RecordProblemError(
                    FieldProblem(name, "This is not text.", "Put text in double quotes.")
                )
            key = (record.item, record.candidate)
            known = self._answers.get(key)
            if known is None:
                answers[record.candidate] = storable(answer, name)
                self._answers[key] = hash(answer)
            elif known != hash(answer):
                problem = (
                    f"“{record.candidate}” has another answer to item “{record.item}” in an earlier row."
                )
                raise RecordProblemError(
                    FieldProblem(
                        name, problem, "Each candidate has one answer to an item; name the other apart."
                    )
                )
        return Texts(row, record.item, example, answers) if example or answers else None


def _value(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return storable(value.strip(), name, LONGEST_COMMENT)
    if not isinstance(value, bool | int | float):
        raise RecordProblemError(
            FieldProblem(name, "This is no number and no word.", "Write one value: 4, yes, or the option.")
        )
    return value


def _spans(value: Any, name: str) -> Sequence[SpanMark]:
    """Spans of a cell: a JSON list, or words alone."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise RecordProblemError(
                FieldProblem(name, "The spans are no JSON list.", 'Write [{"text": "…", "label": "…"}].')
            ) from error
    return spans_of(value, name)


# How the fields of a record that may be empty are read; their uses bear the names of its attributes.
_SAID: Mapping[Use, Callable[[Any, str], Any]] = {
    Use.SECONDS: seconds_of,
    Use.SUBMITTED: moment_of,
    Use.COMMENT: partial(text_of, longest=LONGEST_COMMENT),
    Use.CORRECTION: correction_of,
    Use.SPANS: _spans,
}
_WORDS = {Use.COMMENT, Use.CORRECTION, Use.SPANS}
