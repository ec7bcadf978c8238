"""Reads scores that were computed elsewhere from a file, line by line, in one pass."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from evalapp.imports.mapping import Mapper
from evalapp.imports.problems import FileProblemError, ImportProblemsError
from evalapp.imports.source_rows import sniff_source, source_rows

MOST_SCORES = 50_000
MOST_BYTES = 20 * 2**20
LONGEST_LINE = 64 * 2**10
# Sums of many values up to this size stay finite, and no score needs a larger one.
LARGEST_VALUE = 1e12
SCORES = Mapper(
    names={
        **{name: name for name in ("output", "item", "row", "candidate", "sample", "value")},
        "output_id": "output",
        "item_id": "item",
        "score": "value",
        "row_number": "row",
        "example": "row",
    },
    many=("",),
    rest="",
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
LONGEST_ID = 18
LONGEST_ITEM = 1_000


class GivenScore(NamedTuple):
    """One score of a file: its output by id, or by row and candidate.

    ``item``: the row's value of a metadata field; ``row``: its number in the run's dataset version.
    ``candidate``: its label. ``problem``: why the line has no usable score.
    """

    place: str
    value: float = 0.0
    output: int | None = None
    item: str = ""
    row: int | None = None
    candidate: str = ""
    sample: int = 0
    problem: str = ""


def read_scores(
    file: BinaryIO, name: str, *, item_field: str = "", candidates: Collection[str] = ()
) -> Iterator[GivenScore]:
    """Read a file with ``value`` and ``output``, or with ``value``, ``candidate`` and ``item`` or ``row``.

    Without ``value`` there is one column per candidate, named by its label, out of ``candidates``. A column
    named like ``item_field`` also counts as ``item``. Raises ImportProblemsError for a file that is unusable
    as a whole.
    """
    mapper = SCORES.with_names({item_field: "item"})
    try:
        source = sniff_source(name, file)
        if source.columns:
            _require_columns(source.columns, mapper, candidates)
        for row in source_rows(file, source, longest=LONGEST_LINE):
            place = f"{source.place} {row.number}"
            twice = mapper.twice(row.fields)
            if problem := str(row.problem or "") or (twice and f"{twice}; keep one."):
                yield GivenScore(place, problem=problem)
                continue
            fields = mapper.fields(row.fields)
            labels = [label for label in row.fields if label in candidates] if "value" not in fields else []
            if not labels:
                yield given_score(fields, place)
            for label in labels:
                if row.fields[label] not in (None, ""):
                    given = {**fields, "candidate": label, "value": row.fields[label]}
                    yield given_score(given, f"{place}, {label}")
    except FileProblemError as error:
        raise ImportProblemsError([str(error)]) from error


def _require_columns(columns: list[str], mapper: Mapper, candidates: Collection[str]) -> None:
    if twice := mapper.twice(columns):
        raise ImportProblemsError([f"{twice}. Keep one of the columns."])
    if "value" not in map(mapper.use_of, columns) and not set(columns) & set(candidates):
        found = ", ".join(columns)[:200]
        raise ImportProblemsError(
            [f"No column is named “value”, and none like a candidate (found: {found}). Rename yours."]
        )


def given_score(fields: Mapping[str, Any], place: str) -> GivenScore:
    """One score from the fields of a line; numbers may be text, as in a CSV file."""
    try:
        return GivenScore(
            place=place,
            value=_value(fields.get("value")),
            output=_whole_number(fields, "output"),
            item=_item(fields.get("item")),
            row=_whole_number(fields, "row"),
            candidate=_label(fields.get("candidate")),
            sample=_whole_number(fields, "sample") or 0,
        )
    except ValueError as error:
        return GivenScore(place, problem=f"{error}.")


def _item(given: Any) -> str:
    """Always text, the only type in a CSV file."""
    if given is None or given == "":
        return ""
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise ValueError("“item” is neither text nor a whole number; write the row's id as it is stored")  # noqa: TRY004 - a row's problem
    if len(text := str(given)) > LONGEST_ITEM:
        raise ValueError(f"“item” has more than {LONGEST_ITEM:,} characters")
    return text


def _label(given: Any) -> str:
    if given is not None and not isinstance(given, str):
        raise ValueError("“candidate” is not text; write the candidate's label")
    return given or ""


def _value(given: Any) -> float:
    if given is None or given == "":
        raise ValueError("there is no value; leave lines without a score out")
    if isinstance(given, str) and _NUMBER.fullmatch(given):
        given = float(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"the value {str(given)[:30]!r} is not a number; write one such as 0.83")  # noqa: TRY004 - a row's problem
    # Adding zero turns -0.0 into 0.0.
    return float(given) + 0.0


def _whole_number(fields: Mapping[str, Any], name: str) -> int | None:
    given = fields.get(name)
    if given is None or given == "":
        return None
    text = str(given)
    if isinstance(given, bool) or not text.isascii() or not text.isdecimal() or len(text) > LONGEST_ID:
        raise ValueError(f"“{name}” is {text[:20]!r}, not a whole number")
    return int(text)
