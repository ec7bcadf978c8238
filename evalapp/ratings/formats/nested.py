"""JSONL with an item a line, its answers and the reviews of them, into records. Pure.

{"id": "7", "question": "…", "references": ["…"], "outputs": {"base": "…", "tuned": "…"},
"reviews": [{"system": "base", "reviewer": "r1", "accuracy": 4, "comment": "…", "spans": [{"text": "…"}]}]}
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from evalapp.datasets.rows import ExampleRow
from evalapp.imports.mapping import FileLayout
from evalapp.imports.problems import FieldProblem
from evalapp.imports.source_rows import Source
from evalapp.ratings.formats.base import RatingsFormat
from evalapp.ratings.records import (
    LONGEST_COMMENT,
    ParsedRow,
    Record,
    RecordProblemError,
    Refusal,
    Texts,
    correction_of,
    example_of,
    name_of,
    seconds_of,
    storable,
    text_of,
    timestamp_of,
)
from evalapp.ratings.spans import spans_of
from evalapp.rubrics.kinds.values import RawValue

ITEM = ("id", "item", "item_id", "question_id")
PROMPT = ("messages", "prompt", "question", "input", "instruction", "query")
CONTEXT = ("context", "document", "passage", "source")
GROUP = ("group", "group_key", "client", "conversation")
REFERENCES = ("references", "reference")
OUTPUTS = ("outputs", "answers", "candidates", "responses")
REVIEWS = ("reviews", "ratings")
CANDIDATE = ("system", "candidate", "model", "output")
REVIEWER = ("reviewer", "annotator", "rater", "user", "evaluator")
SECONDS = ("seconds", "time", "lead_time", "seconds_active")
SUBMITTED = ("submitted_at", "created_at", "timestamp")
COMMENT = ("comment", "comments", "note")
CORRECTION = ("correction", "corrected")
SPANS = ("spans", "highlights")
SCORES = ("scores", "ratings", "criteria", "values")
RANKS_FIELD = "ranks"


class _Item(NamedTuple):
    row: int
    name: str
    answers: Mapping[str, str]


class Nested(RatingsFormat):
    name = "nested"
    label = "JSONL, one item per line with its answers and reviews"
    example = (
        '{"id": "1", "question": "What is due?", "outputs": {"base": "The form.", "tuned": "The form, by '
        'Friday."}, "reviews": [{"system": "base", "reviewer": "Mara", "accuracy": 4, "comment": "no date", '
        '"spans": [{"text": "The form."}]}]}'
    )

    def suits(self, source: Source, first: Mapping[str, Any]) -> bool:
        has_reviews = any(isinstance(first.get(name), list) for name in REVIEWS)
        return (
            not source.is_list
            and has_reviews
            and any(isinstance(first.get(name), dict | list) for name in OUTPUTS)
        )

    def reading(self, row: int, fields: dict[str, Any], layout: FileLayout) -> ParsedRow:
        item = _item(row, fields)
        example = _example(row, fields, item.name)
        reviews = _list(fields, REVIEWS)
        records: list[Record] = []
        refusals: list[Refusal] = []
        remarks: list[FieldProblem] = []
        for number, review in enumerate(reviews, start=1):
            try:
                records.append(_record(item, review, f"reviews[{number}]", remarks))
            except RecordProblemError as error:
                refusals.append(Refusal(error.problems, error.record))
        return ParsedRow(row, Texts(row, item.name, example, item.answers), records, refusals, remarks)


def _first_given(fields: Mapping[str, Any], names: Sequence[str]) -> tuple[str, Any]:
    """The first of the names that is there, and its value."""
    return next(((name, fields[name]) for name in names if fields.get(name) is not None), (names[0], None))


def _list(line: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    name, value = _first_given(line, names)
    if not isinstance(value, list) or not value:
        raise RecordProblemError(
            FieldProblem(name, "The item has no list of reviews.", f'Write "{name}": [{{…}}].')
        )
    return value


def _item(row: int, line: Mapping[str, Any]) -> _Item:
    name, value = _first_given(line, ITEM)
    item = str(row) if value is None else name_of(value, name, what="item")
    name, outputs = _first_given(line, OUTPUTS)
    if isinstance(outputs, list):
        outputs = {
            str(_first_given(each, CANDIDATE)[1]): _first_given(each, ("text", "output", "answer"))[1]
            for each in outputs
            if isinstance(each, dict)
        }
    if not isinstance(outputs, dict):
        raise RecordProblemError(
            FieldProblem(name, "The item has no answers.", 'Write "outputs": {"candidate": "its answer"}.')
        )
    problems = [
        FieldProblem(f"{name}.{candidate}"[:80], "This is not text.", "Put text in double quotes.")
        for candidate, text in outputs.items()
        if not isinstance(text, str)
    ]
    if problems:
        raise RecordProblemError(*problems)
    answers = {
        name_of(candidate, name, what="candidate"): storable(text, f"{name}.{candidate}"[:80])
        for candidate, text in outputs.items()
    }
    return _Item(row, item, answers)


def _example(row: int, line: Mapping[str, Any], item: str) -> ExampleRow | None:
    name, prompt = _first_given(line, PROMPT)
    if prompt is None:
        return None
    references = _first_given(line, REFERENCES)[1]
    taken = {*ITEM, *PROMPT, *CONTEXT, *REFERENCES, *OUTPUTS, *REVIEWS}
    rest = {key: value for key, value in line.items() if key not in taken}
    group = next((rest.pop(name) for name in GROUP if name in rest), None)
    fields = {
        "messages" if name == "messages" else "prompt": prompt,
        "references": [references] if isinstance(references, str) else references,
        "context": _first_given(line, CONTEXT)[1],
        "group": group,
        "metadata": {**rest, "item": item},
    }
    example, problems = example_of(row, fields)
    if problems:
        raise RecordProblemError(*problems)
    return example


def _record(item: _Item, review: Any, place: str, remarks: list[FieldProblem]) -> Record:
    if not isinstance(review, dict):
        raise RecordProblemError(FieldProblem(place, "This is not a review.", 'Write {"reviewer": "…", …}.'))
    problems: list[FieldProblem] = []

    def read_or_note(read: Callable[..., Any], names: Sequence[str], *arguments: Any, **options: Any) -> Any:
        name, value = _first_given(review, names)
        try:
            return read(value, f"{place}.{name}", *arguments, **options)
        except RecordProblemError as error:
            problems.extend(error.problems)
            return None

    candidate = read_or_note(name_of, CANDIDATE, what="candidate")
    if candidate is None and len(item.answers) == 1 and _first_given(review, CANDIDATE)[1] is None:
        problems.pop()
        candidate = next(iter(item.answers))
    record = Record(
        row=item.row,
        item=item.name,
        candidate=candidate or "",
        reviewer=read_or_note(name_of, REVIEWER, what="reviewer") or "",
        seconds=read_or_note(seconds_of, SECONDS),
        submitted_at=read_or_note(timestamp_of, SUBMITTED),
        comment=read_or_note(text_of, COMMENT, LONGEST_COMMENT) or "",
        correction=read_or_note(correction_of, CORRECTION),
        spans=read_or_note(spans_of, SPANS) or (),
        values=_values(review, place, problems, remarks),
        place=f"{place}.",
    )
    if not (record.values or record.comment or record.correction or record.spans or problems):
        problems.append(FieldProblem(place, "The review is empty.", "Give it a value, or remove it."))
    if problems:
        raise RecordProblemError(*problems, record=record)
    return record


_KNOWN = frozenset((*CANDIDATE, *REVIEWER, *SECONDS, *SUBMITTED, *COMMENT, *CORRECTION, *SPANS, "id"))


def _values(
    review: Mapping[str, Any], place: str, problems: list[FieldProblem], remarks: list[FieldProblem]
) -> list[tuple[str, RawValue]]:
    """Criteria of a review: what is no other field of it, and the members of an object in it, whose name they
    bear ("ranks: accuracy") unless that says no more than scores.
    """
    values: list[tuple[str, RawValue]] = []
    for name, value in review.items():
        if name in _KNOWN or value is None:
            continue
        if isinstance(value, dict):
            group = "" if name in SCORES else f"{name}: "
            inner = {f"{group}{key}": each for key, each in value.items() if each is not None}
        else:
            inner = {name: value}
        for criterion, given in inner.items():
            if isinstance(given, dict | list):
                problem = f"“{criterion[:60]}” is neither a value nor an object of values, so it is not read."
                remarks.append(
                    FieldProblem(f"{place}.{name}"[:80], problem, "Write one value per criterion.")
                )
                continue
            try:
                named = name_of(criterion, f"{place}.{name}"[:80], what="criterion")
                if isinstance(given, str):
                    words = storable(given.strip(), f"{place}.{criterion}"[:80], LONGEST_COMMENT)
                    values.extend([(named, words)] if words else [])
                else:
                    values.append((named, given))
            except RecordProblemError as error:
                problems.extend(error.problems)
    return values
