"""Argilla's records with their responses: what each user answered to each question. Pure.

{"id": "…", "fields": {…}, "metadata": {…}, "responses": {"accuracy": [{"value": 4, "user_id": "…"}]}}.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evalapp.imports.problems import FieldProblem
from evalapp.imports.source_rows import Source
from evalapp.ratings.formats.tasks import Task, TaskFormat
from evalapp.ratings.records import (
    ParsedRow,
    Record,
    RecordProblemError,
    Refusal,
    Texts,
    name_of,
    refused,
    storable,
)
from evalapp.ratings.spans import spans_of


class Argilla(TaskFormat):
    name = "argilla"
    label = "Argilla, records exported as JSON"
    advice = 'From Argilla, write the records with dataset.records.to_json("ratings.json").'

    def suits(self, source: Source, first: Mapping[str, Any]) -> bool:
        return isinstance(first.get("responses"), dict) and isinstance(first.get("fields"), dict)

    def fields(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields that reviewers saw, with the record's metadata."""
        parts = (row.get(name) for name in ("metadata", "fields"))
        return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}

    def read_reviews(self, given: Mapping[str, Any], task: Task, texts: Texts) -> ParsedRow:
        responses = given.get("responses")
        if not isinstance(responses, dict):
            problem = "The record has no responses."
            fix = "Export with dataset.records.to_json, responses included."
            return refused(task.row, FieldProblem("responses", problem, fix))
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
        for user, responses_of_user in by_user.items():
            try:
                records.append(_response_record(task, user, responses_of_user))
            except RecordProblemError as error:
                refusals.append(Refusal(error.problems))
        return ParsedRow(task.row, texts, records, refusals)


def _response_record(task: Task, user: str, responses: Sequence[tuple[str, Any]]) -> Record:
    candidate = task.candidate_for("")
    if candidate is None:
        raise RecordProblemError(
            FieldProblem("fields", "The record has several answers.", "Map one field as the answer.")
        )
    values: list[tuple[str, Any]] = []
    spans: list[Any] = []
    for question, value in responses:
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
