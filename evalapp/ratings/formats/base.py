"""The base class of formats of ratings, and the roles of their columns. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, BinaryIO, ClassVar

from evalapp.imports.files import JSONL
from evalapp.imports.json_objects import Read
from evalapp.imports.mapping import FileLayout, Mapper
from evalapp.imports.source_rows import Source, SourceRow, source_rows
from evalapp.ratings.records import ParsedRow, RecordProblemError, refused


class ColumnRole(StrEnum):
    """What a column, or a field of a task's data, is for."""

    ITEM = "item"
    CANDIDATE = "candidate"
    REVIEWER = "reviewer"
    CRITERION = "criterion"
    VALUE = "value"
    SCORE = "score"
    CANDIDATE_SCORE = "candidate_score"
    SECONDS = "seconds"
    SUBMITTED = "submitted_at"
    COMMENT = "comment"
    CORRECTION = "correction"
    SPANS = "spans"
    PROMPT = "prompt"
    ANSWER = "answer"
    REFERENCE = "reference"
    CONTEXT = "context"
    GROUP = "group"
    IGNORE = "ignore"


NAMES: Mapping[str, ColumnRole] = {
    **dict.fromkeys(
        ("item", "item_id", "id", "example", "row", "row_number", "question_id"), ColumnRole.ITEM
    ),
    **dict.fromkeys(("candidate", "model", "system", "model_name", "model_version"), ColumnRole.CANDIDATE),
    **dict.fromkeys(
        ("reviewer", "rater", "annotator", "user", "evaluator", "worker", "judge", "email"),
        ColumnRole.REVIEWER,
    ),
    **dict.fromkeys(("criterion", "dimension", "aspect", "metric"), ColumnRole.CRITERION),
    **dict.fromkeys(("value", "rating", "score"), ColumnRole.VALUE),
    **dict.fromkeys(("seconds", "time", "lead_time", "duration"), ColumnRole.SECONDS),
    **dict.fromkeys(("submitted_at", "created_at", "timestamp", "date"), ColumnRole.SUBMITTED),
    **dict.fromkeys(("comment", "comments", "note", "notes", "feedback"), ColumnRole.COMMENT),
    **dict.fromkeys(("correction", "corrected", "rewrite"), ColumnRole.CORRECTION),
    **dict.fromkeys(("spans", "highlights"), ColumnRole.SPANS),
    **dict.fromkeys(("prompt", "question", "input", "instruction", "query"), ColumnRole.PROMPT),
    **dict.fromkeys(("answer", "output", "response", "completion", "summary", "text"), ColumnRole.ANSWER),
    **dict.fromkeys(("reference", "expected", "gold"), ColumnRole.REFERENCE),
    **dict.fromkeys(("context", "document", "facts", "passage", "source"), ColumnRole.CONTEXT),
    **dict.fromkeys(("group", "group_key", "client", "conversation"), ColumnRole.GROUP),
}


class RatingsFormat:
    """A format of files of ratings: how one is recognised, what may be chosen for it, and how it is read."""

    name: ClassVar[str]
    """As the API and the stored options call it."""
    label: ClassVar[str]
    """As pages call it."""
    example: ClassVar[str] = ""
    """What a file looks like, for the page of the upload; and a sentence on how to come by one:"""
    advice: ClassVar[str] = ""
    source_format: ClassVar[str] = JSONL
    """"csv" or "jsonl" (objects of JSON, a line or a list of them)."""
    mapper: ClassVar[Mapper | None] = None
    """What the fields of a row may be for; None where the format itself says it."""
    uses: ClassVar[Sequence[ColumnRole]] = tuple(ColumnRole)

    def suits(self, source: Source, first: Mapping[str, Any]) -> bool:
        """Whether a file with this first row is of this format. Formats are asked in their order."""
        raise NotImplementedError

    def fields(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields of a row that are mapped."""
        return row

    def guess(self, first: Mapping[str, Any]) -> dict[str, str]:
        """Field → use, by the names of the first row's fields."""
        return self.mapper.guess(self.fields(first), allowed=self.uses) if self.mapper else {}

    def problem(self, mapping: Mapping[str, str]) -> str:
        """Why files cannot be read with this mapping, or an empty text."""
        if self.mapper is None:
            return ""
        if unknown := sorted(set(mapping.values()) - set(ColumnRole)):
            return f"There is no use “{unknown[0]}”. Use one of {', '.join(ColumnRole)}."
        return self.mapper.problem(mapping)

    def readings(
        self, stream: BinaryIO, layout: FileLayout, *, read: Read | None = None
    ) -> Iterator[ParsedRow]:
        """The file's rows in order; ``read`` gets the bytes passed. Raises FileProblemError."""
        yield from self.of_rows(
            source_rows(stream, Source(self.source_format, layout.delimiter), read=read), layout
        )

    def of_rows(self, rows: Iterator[SourceRow], layout: FileLayout) -> Iterator[ParsedRow]:
        for number, fields, problem in rows:
            try:
                yield refused(number, problem) if problem else self.reading(number, fields, layout)
            except RecordProblemError as error:
                yield refused(number, *error.problems)

    def reading(self, row: int, fields: dict[str, Any], layout: FileLayout) -> ParsedRow:
        """What one row says. Raises RecordProblemError."""
        raise NotImplementedError
