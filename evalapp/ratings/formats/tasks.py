"""Tasks of a labelling tool: fields of data that reviewers saw, one of which is the answer. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from evalapp.imports.mapping import FileLayout, Mapper
from evalapp.imports.problems import FieldProblem
from evalapp.ratings.formats.base import NAMES, ColumnRole, RatingsFormat
from evalapp.ratings.records import ParsedRow, RecordProblemError, Texts, example_of, name_of, storable

TASKS = Mapper(
    names=NAMES,
    many=(ColumnRole.ANSWER, ColumnRole.REFERENCE, ColumnRole.IGNORE),
    rest=ColumnRole.IGNORE,
    needed=[((ColumnRole.ANSWER,), "Choose the field with the rated answer.")],
)


class Task(NamedTuple):
    """``answers``: field → text; with a field for the candidate there is one, else each field is a
    candidate.
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


class TaskFormat(RatingsFormat):
    """A list of tasks, or one a line; ``read_reviews`` reads what reviewers said of one."""

    mapper = TASKS
    uses = (
        ColumnRole.ITEM,
        ColumnRole.CANDIDATE,
        ColumnRole.PROMPT,
        ColumnRole.ANSWER,
        ColumnRole.REFERENCE,
        ColumnRole.CONTEXT,
        ColumnRole.IGNORE,
    )

    def guess(self, first: Mapping[str, Any]) -> dict[str, str]:
        """Of several fields that are called like an answer the first; others a person may add."""
        mapping = super().guess(first)
        answers = [field for field, use in mapping.items() if use == ColumnRole.ANSWER]
        return mapping | dict.fromkeys(answers[1:], ColumnRole.IGNORE.value)

    def reading(self, row: int, fields: dict[str, Any], layout: FileLayout) -> ParsedRow:
        task, texts = _task(row, fields, self.fields(fields), layout.mapping)
        return self.read_reviews(fields, task, texts)

    def read_reviews(self, given: Mapping[str, Any], task: Task, texts: Texts) -> ParsedRow:
        raise NotImplementedError


def _task(
    row: int, given: Mapping[str, Any], data: Mapping[str, Any], mapping: Mapping[str, str]
) -> tuple[Task, Texts]:
    columns = {
        use: column for column, use in mapping.items() if use not in (ColumnRole.IGNORE, ColumnRole.ANSWER)
    }
    item_column = columns.get(ColumnRole.ITEM)
    named = data.get(item_column) if item_column else given.get("id", given.get("external_id"))
    item = str(row) if named is None else name_of(named, item_column or "id", what="item")
    answers = {
        column: storable(data[column], f"data.{column}")
        for column, use in mapping.items()
        if use == ColumnRole.ANSWER and isinstance(data.get(column), str)
    }
    candidate_column = columns.get(ColumnRole.CANDIDATE)
    if candidate_column:
        one = name_of(data.get(candidate_column), f"data.{candidate_column}", what="candidate")
        candidates = dict.fromkeys(answers, one)
    else:
        candidates = {column: column for column in answers}
    if not answers:
        shown = ", ".join(column for column, use in mapping.items() if use == ColumnRole.ANSWER)
        problem = f"The task has no text in {shown or 'any field'}."
        raise RecordProblemError(FieldProblem("data", problem, "Choose the field with the rated answer."))
    example = None
    if (prompt_column := columns.get(ColumnRole.PROMPT)) and data.get(prompt_column):
        references = [
            data[column]
            for column, use in mapping.items()
            if use == ColumnRole.REFERENCE and isinstance(data.get(column), str) and data[column]
        ]
        context = data.get(columns[ColumnRole.CONTEXT]) if ColumnRole.CONTEXT in columns else None
        fields = {"prompt": data[prompt_column], "references": references, "context": context or ""}
        example, problems = example_of(row, {**fields, "metadata": {"item": item}})
        if problems:
            raise RecordProblemError(*problems)
    task = Task(row, item, candidates, answers)
    return task, Texts(row, item, example, {candidates[column]: text for column, text in answers.items()})
