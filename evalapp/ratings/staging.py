"""The records of a file in temporary tables, from which the database makes everything else.

So memory does not grow with the file, duplicates and missing texts are found by queries, and a failed
import leaves nothing. The tables belong to the transaction and go with it.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection

from evalapp.datasets.rows import ExampleRow, serialise
from evalapp.imports.problems import FieldProblem, ProblemList
from evalapp.ratings.plan import ImportPlan
from evalapp.ratings.records import ParsedRow, Record, Texts
from evalapp.rubrics.kinds.values import ValueProblemError

BATCH_ROWS = 5_000

# They go with the transaction; but one that lies in another goes only with that.
_TABLES = """
DROP TABLE IF EXISTS pg_temp.ratings_item, pg_temp.ratings_prompt, pg_temp.ratings_answer,
    pg_temp.ratings_value,
    pg_temp.ratings_refused, pg_temp.ratings_span, pg_temp.ratings_example, pg_temp.ratings_used,
    pg_temp.ratings_candidate, pg_temp.ratings_person, pg_temp.ratings_criterion, pg_temp.ratings_entry,
    pg_temp.ratings_review;
CREATE TEMPORARY TABLE ratings_item (item int, name text, line int) ON COMMIT DROP;
CREATE TEMPORARY TABLE ratings_prompt (item int, line int, messages jsonb, refs jsonb, context text,
    metadata jsonb, group_key text) ON COMMIT DROP;
CREATE TEMPORARY TABLE ratings_answer (item int, candidate int, line int, answer text, output_id bigint)
    ON COMMIT DROP;
CREATE TEMPORARY TABLE ratings_value (record int, line int, place text, item int, candidate int, reviewer int,
    criterion int, level smallint, words text, seconds float, submitted_at timestamptz, comment text,
    correction text, spans text) ON COMMIT DROP;
CREATE TEMPORARY TABLE ratings_refused (record int) ON COMMIT DROP;
CREATE TEMPORARY TABLE ratings_span (record int, start_at int, end_at int, label text, words text,
    comment text,
    criterion int, level int)
    ON COMMIT DROP;
"""


class CopyBuffer:
    """Lines for one table, sent by COPY when there are enough of them."""

    def __init__(self, table: str, columns: str) -> None:
        self._statement = f"COPY {table} ({columns}) FROM STDIN"
        self._lines: list[str] = []

    def add(self, *values: Any) -> None:
        self._lines.append("\t".join([_field(value) for value in values]))
        if len(self._lines) >= BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            with connection.cursor() as cursor, cursor.copy(self._statement) as copy:
                copy.write("\n".join(self._lines) + "\n")
            self._lines = []


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else str(value)
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text


class Stage:
    """Takes readings into the tables. ``records_read`` counts also those that were refused."""

    def __init__(self, plan: ImportPlan, log: ProblemList) -> None:
        self.records_read = 0
        self.records_refused = 0
        self._plan = plan
        self._log = log
        self._items: dict[str, int] = {}
        self._prompts: dict[int, int] = {}
        self._answers: dict[tuple[int, int], int] = {}
        self._told: set[str] = set()
        self._item_buffer = CopyBuffer("ratings_item", "item, name, line")
        self._prompt_buffer = CopyBuffer(
            "ratings_prompt", "item, line, messages, refs, context, metadata, group_key"
        )
        self._answer_buffer = CopyBuffer("ratings_answer", "item, candidate, line, answer")
        self._value_buffer = CopyBuffer(
            "ratings_value",
            "record, line, place, item, candidate, reviewer, criterion, level, words, seconds, submitted_at, "
            "comment, correction, spans",
        )
        with connection.cursor() as cursor:
            cursor.execute(_TABLES)

    def stage(self, readings: Iterable[ParsedRow]) -> Iterator[int]:
        """Stage the readings; yields the number of records after each of them."""
        for reading in readings:
            self._stage_row(reading)
            yield self.records_read
        for buffer in (self._item_buffer, self._prompt_buffer, self._answer_buffer, self._value_buffer):
            buffer.flush()
        with connection.cursor() as cursor:
            cursor.execute("CREATE INDEX ON ratings_value (item, candidate, reviewer)")
            for table in ("item", "prompt", "answer", "value"):
                cursor.execute(f"ANALYZE ratings_{table}")

    def _stage_row(self, reading: ParsedRow) -> None:
        for refusal in reading.refusals:
            self.records_read += 1
            self.records_refused += 1
            others = self._problems_of(refusal.record) if refusal.record is not None else []
            for problem in (*refusal.problems, *others):
                self._log.add(reading.row, problem)
        for remark in reading.remarks:
            self._log.add(reading.row, remark, is_refusal=False)
        conflict = self._take_texts(reading.texts) if reading.texts is not None else None
        for record in reading.records:
            self.records_read += 1
            problems = [conflict] if conflict else self._take_record(record)
            if problems:
                self.records_refused += 1
                for problem in problems:
                    self._log.add(record.row, problem)

    def _item(self, name: str, line: int) -> int:
        item = self._items.get(name)
        if item is None:
            item = self._items[name] = len(self._items)
            self._item_buffer.add(item, name, line)
        return item

    def _take_texts(self, texts: Texts) -> FieldProblem | None:
        """Keep what is new; a problem where another text of the same name is there already."""
        item = self._item(texts.item, texts.row)
        if texts.example is not None and (problem := self._take_prompt(item, texts, texts.example)):
            return problem
        for name, answer in texts.answers.items():
            candidate = self._plan.candidate_names.slots.get(name)
            if candidate is None:
                continue
            known = self._answers.get((item, candidate))
            if known is None:
                self._answers[item, candidate] = hash(answer)
                self._answer_buffer.add(item, candidate, texts.row, answer)
            elif known != hash(answer):
                return FieldProblem(
                    name,
                    f"“{name}” has another answer to item “{texts.item}” earlier in the file.",
                    "Each candidate has one answer to an item: give the other answer, or the item, another"
                    " name.",
                )
        return None

    def _take_prompt(self, item: int, texts: Texts, example: ExampleRow) -> FieldProblem | None:
        written = serialise(example)
        shape = hash((written.messages, written.references, example.context))
        known = self._prompts.get(item)
        if known is None:
            self._prompts[item] = shape
            self._prompt_buffer.add(
                item,
                texts.row,
                written.messages,
                written.references,
                example.context,
                written.metadata,
                example.group_key,
            )
        elif known != shape:
            return FieldProblem(
                "prompt",
                f"Item “{texts.item}” has another prompt, reference or context earlier in the file.",
                "Give the other text another item.",
            )
        return None

    def _take_record(self, record: Record) -> list[FieldProblem]:
        """Stage a record, or say why not."""
        plan = self._plan
        problems = self._unknown_names(record)
        values = self._values(record, problems)
        if problems:
            return problems
        candidate = plan.candidate_names.slots[record.candidate]
        reviewer = plan.reviewer_names.slots[record.reviewer]
        if not (values or record.comment or record.correction or record.spans):
            self._leave_out(record)
            return []
        spans = None
        if record.spans:
            spans = json.dumps([list(mark) for mark in record.spans])
        line = (record.row, record.place, self._item(record.item, record.row), candidate, reviewer)
        rest = (record.seconds, record.submitted_at, record.comment or None, record.correction, spans)
        for criterion, level, words in values or [(None, None, None)]:
            self._value_buffer.add(self.records_read, *line, criterion, level, words, *rest)
            rest = (None, record.submitted_at, None, None, None)
        return []

    def _unknown_names(self, record: Record) -> list[FieldProblem]:
        plan = self._plan
        problems = []
        for what, name, names in (
            ("candidate", record.candidate, plan.candidate_names),
            ("reviewer", record.reviewer, plan.reviewer_names),
        ):
            if name not in names.slots:
                why = names.refused.get(name, f"This {what} is not in the plan.")
                problems.append(FieldProblem(f"{record.place}{what}", why, ""))
        return problems

    def _problems_of(self, record: Record) -> list[FieldProblem]:
        """What else is wrong with a record that cannot be used anyway. Names that no other record has were
        not counted, so nothing is known of them; an empty one has been told.
        """
        refused = (self._plan.candidate_names.refused, self._plan.reviewer_names.refused)
        names = zip((record.candidate, record.reviewer), refused, ("candidate", "reviewer"), strict=True)
        problems = [
            FieldProblem(f"{record.place}{what}", known[name], "")
            for name, known, what in names
            if name in known
        ]
        self._values(record, problems)
        return problems

    def _leave_out(self, record: Record) -> None:
        """All that the record says is left out as somebody chose; told once a criterion."""
        self.records_refused += 1
        for name, _ in record.values:
            if name not in self._told:
                self._told.add(name)
                problem = f"“{name}” is left out, as chosen; so is every other value of it."
                self._log.add(
                    record.row, FieldProblem(f"{record.place}{name}", problem, ""), is_refusal=False
                )

    def _values(
        self, record: Record, problems: list[FieldProblem]
    ) -> list[tuple[int | None, int | None, str | None]]:
        found: list[tuple[int | None, int | None, str | None]] = []
        for name, raw in record.values:
            slot = self._plan.criterion_slots.get(name)
            if slot is None:
                if name in self._plan.criterion_refused:
                    why = self._plan.criterion_refused[name]
                    problems.append(FieldProblem(f"{record.place}{name}", why, ""))
                continue
            try:
                level = self._plan.readers[slot](raw)
            except ValueProblemError as error:
                problems.append(FieldProblem(f"{record.place}{name}", error.problem, error.fix))
            else:
                found.append((slot, level.value, level.words))
        return found
