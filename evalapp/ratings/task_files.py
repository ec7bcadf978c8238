"""Lists of annotated tasks, as Label Studio and Argilla export them in JSON, into records. Pure.

Label Studio: {"id": 1, "data": {…}, "annotations": [{"completed_by": 5, "lead_time": 12.5, "result": [
{"from_name": "accuracy", "to_name": "answer", "type": "rating", "value": {"rating": 4}}]}]}.
Argilla: {"id": "…", "fields": {…}, "metadata": {…}, "responses": {"accuracy": [{"value": 4, "user_id":
"…"}]}}.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from evalapp.datasets.rows import FieldProblem
from evalapp.ratings.annotations import Annotation, annotation_of
from evalapp.ratings.json_rows import json_lines, json_list
from evalapp.ratings.layouts import ARGILLA, FileLayout, Use
from evalapp.ratings.records import (
    Reading,
    Record,
    RecordProblemError,
    Refusal,
    Texts,
    example_of,
    moment_of,
    name_of,
    refused,
    seconds_of,
    storable,
)
from evalapp.ratings.spans import spans_of


class _Task(NamedTuple):
    """``answers``: field → text; with a field for the candidate there is one, else each field
    is a candidate.
    """

    row: int
    item: str
    candidates: Mapping[str, str]
    answers: Mapping[str, str]

    def candidate_for(self, field: str) -> str | None:
        """The candidate whose answer the field holds; the only one stands for any name."""
        if field in self.candidates:
            return self.candidates[field]
        return next(iter(self.candidates.values())) if len(self.candidates) == 1 else None


def data_of(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields that a task shows: Label Studio's data, or Argilla's fields with its metadata."""
    if isinstance(task.get("data"), dict):
        return dict(task["data"])
    merged: dict[str, Any] = {}
    for name in ("metadata", "fields"):
        part = task.get(name)
        merged |= part if isinstance(part, dict) else {}
    return merged


def read_tasks(
    stream: BinaryIO, layout: FileLayout, *, read: Callable[[int], None] | None = None
) -> Iterator[Reading]:
    """The tasks of a list, or of one a line. Raises FileProblemError where the list is not whole."""
    is_list = _starts_as_list(stream)
    found_tasks = json_list(stream, read=read) if is_list else json_lines(stream, read=read)
    read_said = _responses if layout.file_format == ARGILLA else _annotations
    for number, found in found_tasks:
        if isinstance(found, FieldProblem):
            yield refused(number, found)
            continue
        try:
            task, texts = _task(number, found, layout)
            yield read_said(found, task, texts)
        except RecordProblemError as error:
            yield refused(number, *error.problems)


def _starts_as_list(stream: BinaryIO) -> bool:
    head = stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    stream.seek(0)
    return head.startswith(b"[")


def _task(row: int, given: Mapping[str, Any], layout: FileLayout) -> tuple[_Task, Texts]:
    data = data_of(given)
    columns = {use: column for column, use in layout.mapping.items() if use not in (Use.IGNORE, Use.ANSWER)}
    item_column = columns.get(Use.ITEM)
    named = data.get(item_column) if item_column else given.get("id", given.get("external_id"))
    item = str(row) if named is None else name_of(named, item_column or "id", what="item")
    answers = {
        column: storable(data[column], f"data.{column}")
        for column, use in layout.mapping.items()
        if use == Use.ANSWER and isinstance(data.get(column), str)
    }
    candidate_column = columns.get(Use.CANDIDATE)
    if candidate_column:
        one = name_of(data.get(candidate_column), f"data.{candidate_column}", what="candidate")
        candidates = dict.fromkeys(answers, one)
    else:
        candidates = {column: column for column in answers}
    if not answers:
        shown = ", ".join(column for column, use in layout.mapping.items() if use == Use.ANSWER)
        problem = f"The task has no text in {shown or 'any field'}."
        raise RecordProblemError(FieldProblem("data", problem, "Say which field holds the rated answer."))
    example = None
    if (prompt_column := columns.get(Use.PROMPT)) and data.get(prompt_column):
        references = [
            data[column]
            for column, use in layout.mapping.items()
            if use == Use.REFERENCE and isinstance(data.get(column), str) and data[column]
        ]
        context = data.get(columns[Use.CONTEXT]) if Use.CONTEXT in columns else None
        fields = {"prompt": data[prompt_column], "references": references, "context": context or ""}
        example, problems = example_of(row, {**fields, "metadata": {"item": item}})
        if problems:
            raise RecordProblemError(*problems)
    task = _Task(row, item, candidates, answers)
    return task, Texts(row, item, example, {candidates[column]: text for column, text in answers.items()})


def _annotations(given: Mapping[str, Any], task: _Task, texts: Texts) -> Reading:
    annotations = given.get("annotations", given.get("completions"))
    if not isinstance(annotations, list):
        problem = "The task has no annotations."
        mend = "Export the project as JSON (not as JSON-MIN, which leaves out who said what)."
        return refused(task.row, FieldProblem("annotations", problem, mend))
    records: list[Record] = []
    refusals: list[Refusal] = []
    remarks: list[FieldProblem] = []
    for number, each in enumerate(annotations, start=1):
        place = f"annotations[{number}]"
        try:
            annotation = annotation_of(each, place, task.answers)
            remarks.extend(annotation.remarks)
            if not annotation.is_skipped:
                records.extend(_records(annotation, each, task, place))
        except RecordProblemError as error:
            refusals.append(Refusal(error.problems))
    return Reading(task.row, texts, records, refusals, remarks)


def _records(annotation: Annotation, given: Mapping[str, Any], task: _Task, place: str) -> Iterator[Record]:
    """One record for each answer that the annotation speaks of; what names none goes to the only one."""
    seconds = seconds_of(given.get("lead_time"), f"{place}.lead_time")
    submitted = moment_of(given.get("created_at"), f"{place}.created_at")
    fields = list(annotation.said)
    if not fields:
        raise RecordProblemError(
            FieldProblem(place, "The annotation says nothing that is read.", "Rate it, or remove it.")
        )
    for field in fields:
        said = annotation.said[field]
        candidate = task.candidate_for(field)
        if candidate is None:
            known = ", ".join(task.candidates)
            problem = f"“{field[:60]}” is none of the answers ({known})."
            raise RecordProblemError(FieldProblem(f"{place}.result", problem, "Map the field that it names."))
        yield Record(
            row=task.row,
            item=task.item,
            candidate=candidate,
            reviewer=annotation.reviewer,
            values=said.values,
            seconds=None if seconds is None else seconds / len(fields),
            submitted_at=submitted,
            comment="\n".join(said.comments),
            correction=said.correction,
            spans=said.spans,
            place=f"{place}.",
            scales=said.scales,
        )


def _responses(given: Mapping[str, Any], task: _Task, texts: Texts) -> Reading:
    """Argilla: what each user answered to each question."""
    responses = given.get("responses")
    if not isinstance(responses, dict):
        problem = "The record has no responses."
        mend = "Export with dataset.records.to_json, responses included."
        return refused(task.row, FieldProblem("responses", problem, mend))
    by_user: dict[str, list[tuple[str, Any]]] = {}
    refusals: list[Refusal] = []
    for question, answers in responses.items():
        for number, each in enumerate(answers if isinstance(answers, list) else [], start=1):
            place = f"responses.{question}[{number}]"[:80]
            try:
                fields = each if isinstance(each, dict) else {}
                user = name_of(fields.get("user_id"), f"{place}.user_id", what="reviewer")
                by_user.setdefault(user, []).append((question, fields.get("value")))
            except RecordProblemError as error:
                refusals.append(Refusal(error.problems))
    records: list[Record] = []
    for user, said in by_user.items():
        try:
            records.append(_response_record(task, user, said))
        except RecordProblemError as error:
            refusals.append(Refusal(error.problems))
    return Reading(task.row, texts, records, refusals)


def _response_record(task: _Task, user: str, said: Sequence[tuple[str, Any]]) -> Record:
    candidate = task.candidate_for("")
    if candidate is None:
        raise RecordProblemError(
            FieldProblem("fields", "Several answers stand in one record.", "Map one field as the answer.")
        )
    values: list[tuple[str, Any]] = []
    spans: list[Any] = []
    for question, value in said:
        if (
            isinstance(value, list)
            and value
            and all(isinstance(each, dict) and "start" in each for each in value)
        ):
            spans.extend(spans_of(value, f"responses.{question}"[:80]))
        elif isinstance(value, list):
            texts = [each.get("value", "") if isinstance(each, dict) else each for each in value]
            values.append((question, "; ".join(map(str, texts))))
        elif isinstance(value, str):
            values.append((question, storable(value.strip(), question[:80])))
        elif value is not None:
            values.append((question, value))
    return Record(
        row=task.row,
        item=task.item,
        candidate=candidate,
        reviewer=user,
        values=values,
        spans=spans,
        place="responses.",
    )
