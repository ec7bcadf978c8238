"""Checks over the whole file: duplicates, contradictions, missing texts, spans without a position."""

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection

from evalapp.datasets.models import DatasetVersion
from evalapp.imports.problems import FieldProblem, ProblemList
from evalapp.ratings.census import UNNAMED_LABEL
from evalapp.ratings.options import BY_FIELD, BY_PROMPT, RatingsOptions
from evalapp.ratings.plan import ImportPlan
from evalapp.ratings.records import UNNAMED_REVIEWER, SpanMark
from evalapp.ratings.spans import LocatedSpan, locate_span
from evalapp.ratings.staging import CopyBuffer

_ROWS_AT_ONCE = 500

_DUPLICATES = """
INSERT INTO ratings_refused
SELECT record FROM (
    SELECT record, row_number() OVER (
        PARTITION BY item, candidate, reviewer, criterion ORDER BY record) AS n
    FROM ratings_value WHERE criterion IS NOT NULL) AS numbered
WHERE n > 1
"""
_SELECT_DUPLICATES = """
SELECT v.line, v.place, v.candidate, v.reviewer, v.criterion, i.name,
    (SELECT min(line) FROM ratings_value f WHERE (f.item, f.candidate, f.reviewer, f.criterion) =
        (v.item, v.candidate, v.reviewer, v.criterion))
FROM (SELECT *, row_number() OVER (
        PARTITION BY item, candidate, reviewer, criterion ORDER BY record) AS n
      FROM ratings_value WHERE criterion IS NOT NULL) AS v
JOIN ratings_item i ON i.item = v.item
WHERE v.n > 1 ORDER BY v.record
"""
_CORRECTIONS = """
WITH first AS (
    SELECT DISTINCT ON (item, candidate, reviewer) item, candidate, reviewer, correction, line
    FROM ratings_value WHERE correction IS NOT NULL ORDER BY item, candidate, reviewer, record
), other AS (
    SELECT v.record, v.line, v.place, first.line AS earlier FROM ratings_value v
    JOIN first ON (first.item, first.candidate, first.reviewer) = (v.item, v.candidate, v.reviewer)
    WHERE v.correction IS NOT NULL AND v.correction <> first.correction
), refused AS (INSERT INTO ratings_refused SELECT record FROM other)
SELECT line, place, earlier FROM other ORDER BY record
"""
# Line ends differ between systems and spreadsheets, nothing else may.
_PROMPT = "md5(btrim(replace({}, E'\\r\\n', E'\\n'), E' \\n\\t\\r'))"
_FOUND_BY_ROW = """
SELECT i.item, e.id FROM ratings_item i JOIN evalapp_example e
  ON e.version_id = %(version)s AND e.row_number = CASE WHEN i.name ~ '^[0-9]{1,9}$' THEN i.name::int END
"""
_FOUND_BY_FIELD = """
SELECT i.item, e.id FROM ratings_item i JOIN evalapp_example e
  ON e.version_id = %(version)s AND e.metadata ->> %(field)s = i.name
"""
_FOUND_BY_PROMPT = f"""
SELECT i.item, e.id FROM ratings_item i LEFT JOIN ratings_prompt p ON p.item = i.item
JOIN evalapp_example e ON e.version_id = %(version)s
 AND {_PROMPT.format("e.messages -> -1 ->> 'content'")}
   = {_PROMPT.format("coalesce(p.messages -> -1 ->> 'content', i.name)")}
"""  # noqa: S608 - constants only; every value is a parameter
_EXAMPLES = """
CREATE TEMPORARY TABLE ratings_example ON COMMIT DROP AS
SELECT item, min(id) AS example_id, count(*) AS found FROM ({found}) AS matched GROUP BY item
"""
_NO_EXAMPLES = (
    "CREATE TEMPORARY TABLE ratings_example (item int, example_id bigint, found bigint) ON COMMIT DROP"
)
_UNKNOWN_ITEMS = """
SELECT i.line, i.name, coalesce(e.found, 0) FROM ratings_item i LEFT JOIN ratings_example e ON e.item = i.item
WHERE e.found IS DISTINCT FROM 1 AND EXISTS (SELECT 1 FROM ratings_value v WHERE v.item = i.item)
ORDER BY i.line
"""
_REFUSE_UNKNOWN_ITEMS = """
INSERT INTO ratings_refused SELECT v.record FROM ratings_value v
WHERE NOT EXISTS (SELECT 1 FROM ratings_example e WHERE e.item = v.item AND e.found = 1)
"""
_NO_PROMPT = """
SELECT i.line, i.name FROM ratings_item i
WHERE NOT EXISTS (SELECT 1 FROM ratings_prompt p WHERE p.item = i.item)
  AND EXISTS (SELECT 1 FROM ratings_value v WHERE v.item = i.item)
ORDER BY i.line
"""
_REFUSE_NO_PROMPT = """
INSERT INTO ratings_refused SELECT v.record FROM ratings_value v
WHERE NOT EXISTS (SELECT 1 FROM ratings_prompt p WHERE p.item = v.item)
"""
_STORED_ANSWERS = """
INSERT INTO ratings_answer (item, candidate, line, answer, output_id)
SELECT DISTINCT ON (pair.item, pair.candidate) pair.item, pair.candidate, 0, o.text, o.id
FROM (SELECT DISTINCT item, candidate FROM ratings_value) AS pair
JOIN ratings_example e ON e.item = pair.item AND e.found = 1
JOIN unnest(%(slots)s::int[], %(versions)s::bigint[]) AS c(candidate, version) ON c.candidate = pair.candidate
JOIN evalapp_output o ON o.candidate_id = c.version AND o.example_id = e.example_id AND o.sample_index = 0
WHERE NOT EXISTS (
    SELECT 1 FROM ratings_answer a WHERE a.item = pair.item AND a.candidate = pair.candidate)
ORDER BY pair.item, pair.candidate, o.id DESC
"""
_SAME_ANSWERS = """
UPDATE ratings_answer a SET output_id = (
    SELECT o.id FROM evalapp_output o
    WHERE o.candidate_id = c.version AND o.example_id = e.example_id AND o.sample_index = 0
        AND o.text = a.answer
    ORDER BY o.id DESC LIMIT 1)
FROM ratings_example e, unnest(%(slots)s::int[], %(versions)s::bigint[]) AS c(candidate, version)
WHERE a.output_id IS NULL AND e.item = a.item AND e.found = 1 AND c.candidate = a.candidate
"""
_NO_ANSWER = """
SELECT min(v.line), i.name, v.candidate FROM ratings_value v JOIN ratings_item i ON i.item = v.item
WHERE NOT EXISTS (SELECT 1 FROM ratings_answer a WHERE a.item = v.item AND a.candidate = v.candidate)
GROUP BY i.name, v.candidate ORDER BY 1
"""
_REFUSE_NO_ANSWER = """
INSERT INTO ratings_refused SELECT v.record FROM ratings_value v
WHERE NOT EXISTS (SELECT 1 FROM ratings_answer a WHERE a.item = v.item AND a.candidate = v.candidate)
"""
_SPANS = """
SELECT v.record, v.line, v.place, v.spans, a.answer FROM ratings_value v
JOIN ratings_answer a ON a.item = v.item AND a.candidate = v.candidate
WHERE v.spans IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ratings_refused r WHERE r.record = v.record)
  AND v.record > %s
ORDER BY v.record LIMIT %s
"""
_DROP_REFUSED = """
DELETE FROM ratings_value v WHERE EXISTS (SELECT 1 FROM ratings_refused r WHERE r.record = v.record)
"""


def check_stage(plan: ImportPlan, options: RatingsOptions, log: ProblemList) -> tuple[int, int]:
    """Find all that is wrong over the records in the tables, take those records out, and say how many, and
    how many marked parts do not stand in their answers.

    Leaves ``ratings_example`` (item → example, for a dataset of the project), the outputs that are there
    already in ``ratings_answer``, and ``ratings_span``.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUPLICATES)
        if cursor.rowcount:
            _log_duplicates(plan, log)
        _log_corrections(log)
        _find_items(plan.dataset_version, options, log)
        _find_answers(plan, log)
        cursor.execute("ANALYZE ratings_refused")
        cursor.execute("SELECT count(DISTINCT record) FROM ratings_refused")
        refused = int(cursor.fetchone()[0])
        cursor.execute(_DROP_REFUSED)
    return refused, _locate_spans(plan, log)


def _rows(statement: str, parameters: Any = None) -> Iterator[tuple[Any, ...]]:
    """The rows of a query of problems. They are few, or the log stops keeping them."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from rows


def _label(plan: ImportPlan, slot: int) -> str:
    return str(plan.candidates[slot])


def _log_duplicates(plan: ImportPlan, log: ProblemList) -> None:
    for line, place, candidate, reviewer, criterion, item, earlier in _rows(_SELECT_DUPLICATES):
        name = plan.criteria[criterion].name
        rater = plan.reviewers[reviewer]
        where = f"row {earlier:,} already" if earlier != line else "the same row"
        answer = f"the answer of “{_label(plan, candidate)}” to item “{item}”"
        problem = f"“{rater}” rated {name} of {answer} in {where}."
        fix = "Keep one of the two."
        if rater == UNNAMED_REVIEWER:
            fix = "Choose the column with the reviewer, or keep one of the two."
        log.add(line, FieldProblem(f"{place}{name}", problem, fix))


def _log_corrections(log: ProblemList) -> None:
    for line, place, earlier in _rows(_CORRECTIONS):
        problem = f"The same reviewer corrected the same answer differently in row {earlier:,}."
        log.add(line, FieldProblem(f"{place}correction", problem, "Keep one of the two."))


def _find_items(version: DatasetVersion | None, options: RatingsOptions, log: ProblemList) -> None:
    with connection.cursor() as cursor:
        if version is None:
            cursor.execute(_NO_EXAMPLES)
            for line, name in _rows(_NO_PROMPT):
                problem = f"The prompt of item “{name}” is not in the file."
                fix = "Add its prompt to one of its rows, or choose the dataset version with it."
                log.add(line, FieldProblem("prompt", problem, fix))
            cursor.execute(_REFUSE_NO_PROMPT)
            return
        found = {BY_FIELD: _FOUND_BY_FIELD, BY_PROMPT: _FOUND_BY_PROMPT}.get(options.items_by, _FOUND_BY_ROW)
        cursor.execute(_EXAMPLES.format(found=found), {"version": version.pk, "field": options.item_field})
        cursor.execute("ANALYZE ratings_example")
        what = {BY_FIELD: f"the {options.item_field}", BY_PROMPT: "the prompt"}.get(
            options.items_by, "the row number"
        )
        for line, name, count in _rows(_UNKNOWN_ITEMS):
            several = f"{count:,} rows of {version} have {what} “{name}”, so it names none of them."
            problem = several if count else f"{version} has no row with {what} “{name}”."
            log.add(line, FieldProblem("item", problem, "Correct the item, or leave its rows out."))
        cursor.execute(_REFUSE_UNKNOWN_ITEMS)


def _find_answers(plan: ImportPlan, log: ProblemList) -> None:
    stored = {slot: each.pk for slot, each in enumerate(plan.candidates) if not isinstance(each, str)}
    with connection.cursor() as cursor:
        if plan.dataset_version is not None and stored:
            parameters = {"slots": list(stored), "versions": list(stored.values())}
            cursor.execute(_SAME_ANSWERS, parameters)
            cursor.execute(_STORED_ANSWERS, parameters)
        cursor.execute("CREATE INDEX ON ratings_answer (item, candidate)")
        cursor.execute("ANALYZE ratings_answer")
        for line, item, candidate in _rows(_NO_ANSWER):
            problem = f"The answer of “{_label(plan, candidate)}” to item “{item}” is missing."
            fix = "Add it to one of its rows, or map the candidate to one whose answers are here."
            log.add(line, FieldProblem("answer", problem, fix))
        cursor.execute(_REFUSE_NO_ANSWER)


def _locate_spans(plan: ImportPlan, log: ProblemList) -> int:
    """Look for every marked part in its answer; those that are not there keep their words, and are told.
    Which criterion and label each is stays empty where the rubric has none for it.
    """
    buffer = CopyBuffer("ratings_span", "record, start_at, end_at, label, words, comment, criterion, level")
    last = missing = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_SPANS, [last, _ROWS_AT_ONCE])
            rows = cursor.fetchall()
        for record, line, place, spans, answer in rows:
            for fields in json.loads(spans):
                found = locate_span(answer, SpanMark(*fields))
                if not found.is_found:
                    missing += 1
                    _log_missing_span(log, line, place, found)
                words = found.mark.text or answer[found.start : found.end]
                label = (found.mark.label or UNNAMED_LABEL).strip().casefold()
                target = plan.span_labels.get(label, (None, None)) if found.is_found else (None, None)
                marking = (found.mark.label, words, found.mark.comment)
                buffer.add(record, found.start, found.end, *marking, *target)
            last = record
        if len(rows) < _ROWS_AT_ONCE:
            break
    buffer.flush()
    return missing


def _log_missing_span(log: ProblemList, line: int, place: str, found: LocatedSpan) -> None:
    shown = found.mark.text if len(found.mark.text) <= 60 else f"{found.mark.text[:59]}…"
    problem = f"{found.problem}: “{shown}”." if shown else f"{found.problem}."
    fix = "It is kept as text, without a position in the answer."
    field = found.mark.field if found.mark.field.startswith(place) else f"{place}{found.mark.field}"
    log.add(line, FieldProblem(field, problem, fix), is_refusal=False)
