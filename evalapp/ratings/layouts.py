"""What the fields of a file are for: uses of columns, guessed from their names, and the
file's layout. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from evalapp.datasets.csv_files import DELIMITERS

CSV, FLAT, NESTED, LABEL_STUDIO, ARGILLA = "csv", "flat", "nested", "label_studio", "argilla"
FORMATS = {
    CSV: "Table (CSV), a rating a row",
    FLAT: "JSONL, a rating a line",
    NESTED: "JSONL, an item a line with its answers and reviews",
    LABEL_STUDIO: "Label Studio, exported as JSON",
    ARGILLA: "Argilla, records exported as JSON",
}
MAPPED = (CSV, FLAT, LABEL_STUDIO, ARGILLA)
"""Formats whose fields have names of the team's own, so that somebody says what each is."""


class Use(StrEnum):
    """What a column, or a field of a task's data, is for."""

    ITEM = "item"
    CANDIDATE = "candidate"
    REVIEWER = "reviewer"
    CRITERION = "criterion"
    VALUE = "value"
    SCORE = "score"
    SECONDS = "seconds"
    SUBMITTED = "submitted_at"
    COMMENT = "comment"
    CORRECTION = "correction"
    SPANS = "spans"
    PROMPT = "prompt"
    ANSWER = "answer"
    REFERENCE = "reference"
    CONTEXT = "context"
    IGNORE = "ignore"


MANY = (Use.SCORE, Use.REFERENCE, Use.IGNORE)
_TASK_USES = (Use.ITEM, Use.CANDIDATE, Use.PROMPT, Use.ANSWER, Use.REFERENCE, Use.CONTEXT, Use.IGNORE)
_DEFAULT: Mapping[str, Use] = {
    **dict.fromkeys(("item", "item_id", "id", "example", "row", "row_number", "question_id"), Use.ITEM),
    **dict.fromkeys(("candidate", "model", "system", "model_name", "model_version"), Use.CANDIDATE),
    **dict.fromkeys(
        ("reviewer", "rater", "annotator", "user", "evaluator", "worker", "judge", "email"), Use.REVIEWER
    ),
    **dict.fromkeys(("criterion", "dimension", "aspect", "metric"), Use.CRITERION),
    **dict.fromkeys(("value", "rating", "score"), Use.VALUE),
    **dict.fromkeys(("seconds", "time", "lead_time", "duration"), Use.SECONDS),
    **dict.fromkeys(("submitted_at", "created_at", "timestamp", "date"), Use.SUBMITTED),
    **dict.fromkeys(("comment", "comments", "note", "notes", "feedback"), Use.COMMENT),
    **dict.fromkeys(("correction", "corrected", "rewrite"), Use.CORRECTION),
    **dict.fromkeys(("spans", "highlights"), Use.SPANS),
    **dict.fromkeys(("prompt", "question", "input", "instruction", "query"), Use.PROMPT),
    **dict.fromkeys(("answer", "output", "response", "completion", "summary", "text"), Use.ANSWER),
    **dict.fromkeys(("reference", "expected", "gold"), Use.REFERENCE),
    **dict.fromkeys(("context", "document", "facts", "passage", "source"), Use.CONTEXT),
}


def default_mapping(
    columns: Sequence[str], file_format: str, first: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """A guess by the columns' names, and by the ``first`` row where "time" may mean a moment or a length:
    each use once. A table without a column for the criterion has a column for each, so what is left over is
    taken for scores there.
    """
    allowed = _TASK_USES if file_format in (LABEL_STUDIO, ARGILLA) else tuple(Use)
    mapping: dict[str, str] = {}
    for column in columns:
        use = _DEFAULT.get(column.strip().casefold().replace(" ", "_"), Use.IGNORE)
        taken = use not in MANY and use in mapping.values()
        mapping[column] = Use.IGNORE if taken or use not in allowed else use
    for column, taken_for in mapping.items():
        is_moment = taken_for == Use.SECONDS and "-" in str((first or {}).get(column, ""))[1:]
        if is_moment and Use.SUBMITTED not in mapping.values():
            mapping[column] = Use.SUBMITTED
    if file_format in (CSV, FLAT) and Use.CRITERION not in mapping.values():
        for column, taken_for in mapping.items():
            if taken_for in (Use.IGNORE, Use.VALUE) and column.strip().casefold() not in _DEFAULT:
                mapping[column] = Use.SCORE
    return mapping


@dataclass(frozen=True)
class FileLayout:
    """How to read a file. ``mapping``: column or field → use."""

    file_format: str = FLAT
    delimiter: str = ","
    mapping: Mapping[str, str] = field(default_factory=dict)

    def problems(self) -> dict[str, list[str]]:
        """What cannot stay, by field; empty where the file can be read so."""
        if self.file_format not in FORMATS:
            return {"file_format": [f"Use one of {', '.join(FORMATS)}."]}
        if self.file_format == CSV and self.delimiter not in DELIMITERS:
            return {"delimiter": ["Choose comma, semicolon, tab or bar."]}
        if self.file_format in MAPPED and (problem := self._mapping_problem()):
            return {"mapping": [problem]}
        return {}

    def _mapping_problem(self) -> str:
        uses = list(self.mapping.values())
        if unknown := sorted(set(uses) - set(Use)):
            return f"There is no use “{unknown[0]}”. Use one of {', '.join(Use)}."
        many = MANY if self.file_format in (CSV, FLAT) else (*MANY, Use.ANSWER)
        for use in Use:
            if use not in many and uses.count(use) > 1:
                return f"Only one column can be the {use}; leave the others out."
        if self.file_format in (LABEL_STUDIO, ARGILLA):
            return "" if Use.ANSWER in uses else "Say which field holds the answer that was rated."
        return _table_problem(uses)


def _table_problem(uses: Sequence[str]) -> str:
    """What a table lacks, or an empty text."""
    missing = (
        (not {Use.REVIEWER} & set(uses), "Say which column names the reviewer."),
        (not {Use.ITEM, Use.PROMPT} & set(uses), "Say which column names the item, or holds its prompt."),
        (not {Use.CANDIDATE} & set(uses), "Say which column names the candidate whose answer was rated."),
    )
    for is_missing, problem in missing:
        if is_missing:
            return problem
    has_pair = Use.CRITERION in uses and Use.VALUE in uses
    if Use.SCORE not in uses and not has_pair:
        return (
            "Say which columns hold the ratings: one for the criterion with one for its value, or a "
            "score column for each criterion."
        )
    if Use.SCORE in uses and Use.CRITERION in uses:
        return "A column names the criterion, so there can be no score columns beside it; leave those out."
    return ""
