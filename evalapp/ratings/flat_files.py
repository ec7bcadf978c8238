"""Tables of ratings (CSV, or JSONL with an object a row) into records. Pure."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        self._prompts: dict[str, int] = {}
        self._answers: dict[tuple[str, str], int] = {}

    def reading_of(self, row: int, fields: Fields) -> Reading:
        try:
            record = self._record(row, fields)
            texts = self._texts(row, record, fields)
        except RecordProblemError as error:
            return Reading(row, refusals=(Refusal(error.problems),))
        return Reading(row, texts, (record,))

    def _get(self, fields: Fields, use: Use) -> Any:
        column = self._columns.get(use)
        return None if column is None else fields.get(column)

    def _record(self, row: int, fields: Fields) -> Record:
        problems: list[FieldProblem] = []

        def kept(read: Callable[..., Any], use: Use, *arguments: Any, **options: Any) -> Any:
            try:
                return read(self._get(fields, use), self._columns.get(use, use.value), *arguments, **options)
            except RecordProblemError as error:
                problems.extend(error.problems)
                return None

        item = kept(name_of, Use.ITEM, what="item") if Use.ITEM in self._columns else self._named(fields)
        record = Record(
            row=row,
            item=item or "",
            candidate=kept(name_of, Use.CANDIDATE, what="candidate") or "",
            reviewer=kept(name_of, Use.REVIEWER, what="reviewer") or "",
            seconds=kept(seconds_of, Use.SECONDS),
            submitted_at=kept(moment_of, Use.SUBMITTED),
            comment=kept(text_of, Use.COMMENT, LONGEST_COMMENT) or "",
            correction=kept(correction_of, Use.CORRECTION),
            spans=kept(_spans, Use.SPANS) or (),
            values=self._values(fields, problems),
        )
        if not (record.values or record.comment or record.correction or record.spans or problems):
            name = self._columns.get(Use.VALUE, "row")
            problems.append(FieldProblem(name, "There is no rating.", "Write the value, or remove the row."))
        if problems:
            raise RecordProblemError(*problems)
        return record

    def _values(self, fields: Fields, problems: list[FieldProblem]) -> Sequence[tuple[str, Any]]:
        try:
            if not self._scores:
                value = self._get(fields, Use.VALUE)
                name = self._columns.get(Use.VALUE, Use.VALUE.value)
                if value is None or value == "":
                    return ()
                criterion = name_of(
                    self._get(fields, Use.CRITERION), self._columns[Use.CRITERION], what="criterion"
                )
                return ((criterion, _value(value, name)),)
            given = ((column, fields.get(column)) for column in self._scores)
            return [(column, _value(value, column)) for column, value in given if value not in (None, "")]
        except RecordProblemError as error:
            problems.extend(error.problems)
            return ()

    def _named(self, fields: Fields) -> str:
        """A name for an item that has none of its own: the beginning of its prompt, and what tells it apart."""
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
