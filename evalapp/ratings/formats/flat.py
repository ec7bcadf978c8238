"""Tables of ratings (CSV, or JSONL with an object a row) into records. Pure."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from evalapp.imports.files import CSV
from evalapp.imports.mapping import FileLayout, Mapper, bare_name
from evalapp.imports.problems import FieldProblem
from evalapp.imports.source_rows import Source, SourceRow
from evalapp.ratings.formats.base import NAMES, ColumnRole, RatingsFormat
from evalapp.ratings.records import (
    LONGEST_COMMENT,
    UNNAMED_REVIEWER,
    ParsedRow,
    Record,
    RecordProblemError,
    Refusal,
    SpanMark,
    Texts,
    correction_of,
    example_of,
    name_of,
    refused,
    seconds_of,
    storable,
    text_of,
    timestamp_of,
)
from evalapp.ratings.spans import spans_of

Fields = Mapping[str, Any]
_NAME_ROLES = (ColumnRole.ITEM, ColumnRole.CANDIDATE, ColumnRole.REVIEWER, ColumnRole.CRITERION)
_SINGLE_ANSWER_ROLES = (ColumnRole.ANSWER, ColumnRole.CORRECTION, ColumnRole.SPANS)
_MOST_REMEMBERED = 10_000


FLAT = Mapper(
    names=NAMES,
    many=(ColumnRole.SCORE, ColumnRole.CANDIDATE_SCORE, ColumnRole.REFERENCE, ColumnRole.IGNORE),
    rest=ColumnRole.IGNORE,
    needed=[
        ((ColumnRole.ITEM, ColumnRole.PROMPT), "Choose the column with the item or its prompt."),
        (
            (ColumnRole.CANDIDATE, ColumnRole.CANDIDATE_SCORE),
            "Choose the column with the candidate whose answer was rated, or the candidates' columns.",
        ),
    ],
)


class JsonLines(RatingsFormat):
    name = "flat"
    label = "JSONL, one rating per line"
    example = (
        '{"item": "1", "candidate": "base", "reviewer": "mara@example.org", "criterion": "accuracy", '
        '"value": 4, "prompt": "What is due?", "answer": "The form."}'
    )
    advice = "The fields of a table, one object per line."
    mapper = FLAT

    def suits(self, source: Source, first: Fields) -> bool:
        return not source.is_list

    def guess(self, first: Fields) -> dict[str, str]:
        """A table without a column for the criterion has a column for each, if only the one called "rating",
        and one without a column for the candidate likewise, so what is left over is taken for scores there;
        "time" is a timestamp or a length as the first row says.
        """
        mapping = super().guess(first)
        for column, use in mapping.items():
            is_moment = use == ColumnRole.SECONDS and "-" in str(first.get(column, ""))[1:]
            if is_moment and ColumnRole.SUBMITTED not in mapping.values():
                mapping[column] = ColumnRole.SUBMITTED
        uses = set(mapping.values())
        if ColumnRole.PROMPT not in uses:
            # Items of a dataset have the groups of its rows.
            mapping |= {name: ColumnRole.IGNORE for name, use in mapping.items() if use == ColumnRole.GROUP}
        rest = ColumnRole.SCORE if ColumnRole.CRITERION not in uses else ColumnRole.CANDIDATE_SCORE
        if rest == ColumnRole.SCORE:
            # Such as one column "rating": it is the criterion.
            mapping |= {name: rest.value for name, use in mapping.items() if use == ColumnRole.VALUE}
        if ColumnRole.CRITERION not in uses or not {ColumnRole.CANDIDATE, ColumnRole.VALUE} & uses:
            unknown = (column for column, use in mapping.items() if use == ColumnRole.IGNORE)
            mapping |= dict.fromkeys((each for each in unknown if bare_name(each) not in NAMES), rest.value)
        return mapping

    def problem(self, mapping: Mapping[str, str]) -> str:
        uses = set(mapping.values())
        if problem := super().problem(mapping) or _group_problem(uses):
            return problem
        if ColumnRole.CANDIDATE_SCORE in uses:
            beside = sorted(
                uses & {*_SINGLE_ANSWER_ROLES, ColumnRole.CANDIDATE, ColumnRole.VALUE, ColumnRole.SCORE}
            )
            if beside:
                return (
                    f"Columns are the candidates, so there can be no {beside[0]} beside them; leave it out."
                )
            return "" if ColumnRole.CRITERION in uses else "Choose the column with the criterion."
        if ColumnRole.SCORE not in uses and not {ColumnRole.CRITERION, ColumnRole.VALUE} <= uses:
            return (
                "Choose the columns with the ratings: one for the criterion and one for its value, or a"
                " score column for each criterion."
            )
        if ColumnRole.SCORE in uses and ColumnRole.CRITERION in uses:
            return (
                "A column names the criterion, so there can be no score columns beside it; leave those out."
            )
        return ""

    def of_rows(self, rows: Iterator[SourceRow], layout: FileLayout) -> Iterator[ParsedRow]:
        reader = _Rows(layout.mapping)
        for number, fields, problem in rows:
            yield refused(number, problem) if problem else reader.reading_of(number, fields)


def _group_problem(uses: set[str]) -> str:
    if ColumnRole.GROUP not in uses or ColumnRole.PROMPT in uses:
        return ""
    return (
        "Items without a prompt in the file are rows of a dataset, which have their groups there; leave the"
        " group out."
    )


class Table(JsonLines):
    name = "csv"
    label = "Table (CSV), one rating per row"
    example = """item,candidate,reviewer,criterion,value,seconds,comment,prompt,answer
1,base,mara@example.org,accuracy,4,31,,"What is due?","The form."
1,base,mara@example.org,tone,2,,too formal,,"""
    advice = "Each text is needed only once. A table with a column for each criterion works too."
    source_format = CSV

    def suits(self, source: Source, first: Fields) -> bool:
        return True


class _Rows:
    """Reads rows by a mapping, and remembers which texts have been seen, so that each is handed on once and
    another text of the same name is told.
    """

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._columns = {use: column for column, use in mapping.items() if use != ColumnRole.IGNORE}
        self._candidates = [column for column, use in mapping.items() if use == ColumnRole.CANDIDATE_SCORE]
        self._scores = [column for column, use in mapping.items() if use == ColumnRole.SCORE]
        self._references = [column for column, use in mapping.items() if use == ColumnRole.REFERENCE]
        # Names repeat from row to row: each is looked at once.
        self._names: dict[ColumnRole, dict[str, str]] = {use: {} for use in _NAME_ROLES}
        self._readers = [
            (use, self._columns[use], read) for use, read in _READERS.items() if use in self._columns
        ]
        self._prompts: dict[str, int] = {}
        self._groups: dict[str, Any] = {}
        self._answers: dict[tuple[str, str], int] = {}

    def reading_of(self, row: int, fields: Fields) -> ParsedRow:
        problems: list[FieldProblem] = []
        record: Record | None = None
        texts: Texts | None = None
        try:
            record = self._record(row, fields, problems)
            texts = None if problems else self._texts(row, record, fields)
        except RecordProblemError as error:
            problems.extend(error.problems)
        if record is None or problems:
            return ParsedRow(row, refusals=(Refusal(problems, None if self._candidates else record),))
        return ParsedRow(row, texts, self._by_candidate(record) if self._candidates else (record,))

    def _by_candidate(self, record: Record) -> list[Record]:
        """A row of a table with a column for each candidate: its values are theirs, its seconds went to all
        of them.
        """
        seconds = None if record.seconds is None else record.seconds / len(record.values)
        return [
            replace(record, candidate=candidate, values=[(record.candidate, value)], seconds=seconds)
            for candidate, value in record.values
        ]

    def _get(self, fields: Fields, use: ColumnRole) -> Any:
        column = self._columns.get(use)
        return None if column is None else fields.get(column)

    def _record(self, row: int, fields: Fields, problems: list[FieldProblem]) -> Record:
        """What can be read of the row; what cannot is told in ``problems``."""
        has_item = ColumnRole.ITEM in self._columns
        item = self._name(ColumnRole.ITEM, fields, problems) if has_item else self._name_from_prompt(fields)
        # Where columns are the candidates, one name serves all of a row's values: that of the criterion.
        named = ColumnRole.CRITERION if self._candidates else ColumnRole.CANDIDATE
        candidate = self._name(named, fields, problems)
        is_named = ColumnRole.REVIEWER in self._columns
        reviewer = self._name(ColumnRole.REVIEWER, fields, problems) if is_named else UNNAMED_REVIEWER
        values_of_roles: dict[str, Any] = {}
        for use, column, read in self._readers:
            value = fields.get(column)
            if value is None or value == "":
                continue
            try:
                values_of_roles[use] = read(value, column)
            except RecordProblemError as error:
                problems.extend(error.problems)
        values = self._values(fields, problems)
        if not (values or problems or (values_of_roles.keys() & _TEXT_ROLES and not self._candidates)):
            name = self._columns.get(ColumnRole.VALUE, "row")
            problems.append(
                FieldProblem(name, "The rating is missing.", "Write the value, or remove the row.")
            )
        return Record(row, item, candidate, reviewer, values, **values_of_roles)

    def _name(self, use: ColumnRole, fields: Fields, problems: list[FieldProblem]) -> str:
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
        columns = self._candidates or self._scores
        if not columns:
            value = self._get(fields, ColumnRole.VALUE)
            if value is None or value == "":
                return ()
            criterion = self._name(ColumnRole.CRITERION, fields, problems)
            given = [(criterion, value, self._columns[ColumnRole.VALUE])]
        else:
            given = [(column, fields.get(column), column) for column in columns]
        values: list[tuple[str, Any]] = []
        for criterion, value, column in given:
            if value is None or value == "":
                continue
            try:
                values.append((criterion, _value(value, column)))
            except RecordProblemError as error:
                problems.extend(error.problems)
        return values

    def _name_from_prompt(self, fields: Fields) -> str:
        """A name for an item that has none of its own: the beginning of its prompt, and what
        tells it apart.
        """
        prompt = self._get(fields, ColumnRole.PROMPT)
        text = " ".join(prompt.split()) if isinstance(prompt, str) else json.dumps(prompt)
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
        return (
            name_of(f"{text[:60]} ({digest})", self._columns[ColumnRole.PROMPT], what="prompt")
            if text
            else ""
        )

    def _group(self, item: str, fields: Fields) -> Any:
        """The item's group, which a row may leave out. Raises RecordProblemError for another one."""
        group = self._get(fields, ColumnRole.GROUP)
        if isinstance(group, str):
            # A cell's blanks would make one client two.
            group = group.strip()
        if group is None or group == "":
            return self._groups.get(item)
        known = self._groups.setdefault(item, group)
        if known != group:
            problem = f"Item “{item}” has another group in an earlier row, “{str(known)[:40]}”."
            raise RecordProblemError(
                FieldProblem(self._columns[ColumnRole.GROUP], problem, "Give an item one group.")
            )
        return group

    def _texts(self, row: int, record: Record, fields: Fields) -> Texts | None:
        """The texts of the row that were not seen before. Raises RecordProblemError for another text."""
        prompt = self._get(fields, ColumnRole.PROMPT)
        answer = self._get(fields, ColumnRole.ANSWER)
        if not prompt and not answer:
            return None
        example = None
        answers: dict[str, str] = {}
        if prompt:
            references = [fields[column] for column in self._references if fields.get(column)]
            context = self._get(fields, ColumnRole.CONTEXT) or ""
            shape = hash(repr((prompt, references, context)))
            group = self._group(record.item, fields)
            known = self._prompts.get(record.item)
            if known is None:
                given = {"prompt": prompt, "references": references, "context": context, "group": group}
                example, problems = example_of(row, {**given, "metadata": {"item": record.item}})
                if problems:
                    raise RecordProblemError(*problems)
                self._prompts[record.item] = shape
            elif known != shape:
                problem = f"Item “{record.item}” has another prompt, reference or context in an earlier row."
                raise RecordProblemError(
                    FieldProblem(
                        self._columns[ColumnRole.PROMPT], problem, "Give the other text another item."
                    )
                )
        if answer:
            name = self._columns[ColumnRole.ANSWER]
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
                        name,
                        problem,
                        "Each candidate has one answer to an item; give the other one another name.",
                    )
                )
        return Texts(row, record.item, example, answers) if example or answers else None


def _value(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return storable(value.strip(), name, LONGEST_COMMENT)
    if not isinstance(value, bool | int | float):
        raise RecordProblemError(
            FieldProblem(
                name, "This is neither a number nor a word.", "Write one value: 4, yes, or the option."
            )
        )
    return value


def _spans(value: Any, name: str) -> Sequence[SpanMark]:
    """Spans of a cell: a JSON list, or words alone."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise RecordProblemError(
                FieldProblem(name, "The spans are not a JSON list.", 'Write [{"text": "…", "label": "…"}].')
            ) from error
    return spans_of(value, name)


# How the fields of a record that may be empty are read; their uses bear the names of its attributes.
_READERS: Mapping[ColumnRole, Callable[[Any, str], Any]] = {
    ColumnRole.SECONDS: seconds_of,
    ColumnRole.SUBMITTED: timestamp_of,
    ColumnRole.COMMENT: partial(text_of, longest=LONGEST_COMMENT),
    ColumnRole.CORRECTION: correction_of,
    ColumnRole.SPANS: _spans,
}
_TEXT_ROLES = {ColumnRole.COMMENT, ColumnRole.CORRECTION, ColumnRole.SPANS}
