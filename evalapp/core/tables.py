"""Tables for copies and reports: one set of rows as CSV for spreadsheets, as Markdown, and as text for
documents.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from evalapp.core.errors import MissingError
from evalapp.core.number_format import as_percent, as_text, digits_for
from evalapp.core.spreadsheets import csv_line
from evalapp.measure import Measure

Cell: TypeAlias = str | int | float | Measure | None
Source = TypeVar("Source")
Kind = Literal["text", "count", "number", "share", "p"]

NO_VALUE = "–"
# For estimates with intervals: "4 (3 to 5)" hides half a point of a five-point scale.
LEAST_DIGITS = 1
# The spreadsheet columns of a Measure.
_CSV_PARTS = ("", " low", " high", " n", " undefined because", " note")
_MARKDOWN_CHARACTERS = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")


class Column(NamedTuple):
    """``kind``: how numbers are written; ``is_measure``: cells are Measures, or None where not applicable.
    ``anchor``: the column's paragraph in `docs/measures.md`.
    """

    label: str
    kind: Kind = "text"
    is_measure: bool = False
    anchor: str = ""


class TextCell(NamedTuple):
    """A formatted cell: the number, and its n and note."""

    main: str
    beside: str = ""

    @property
    def together(self) -> str:
        return f"{self.main}; {self.beside}" if self.beside else self.main


@dataclass(frozen=True)
class Table:
    """``name``: as in its URL; ``note``: how the numbers were computed."""

    name: str
    title: str
    columns: list[Column]
    rows: list[list[Cell]] = field(default_factory=list)
    note: str = ""

    def words(self) -> list[list[TextCell]]:
        return [
            [in_words(cell, column) for cell, column in zip(row, self.columns, strict=True)]
            for row in self.rows
        ]


def in_words(cell: Cell, column: Column) -> TextCell:
    """A cell for people: "4.2 (3.9 to 4.5)" and "n = 20", or the reason if undefined."""
    if isinstance(cell, Measure):
        return _measure_in_words(cell, column.kind)
    if cell is None:
        return TextCell(NO_VALUE)
    if isinstance(cell, str):
        return TextCell(cell)
    return TextCell(_number(cell, column.kind))


def _measure_in_words(measure: Measure, kind: Kind) -> TextCell:
    if measure.value is None:
        return TextCell(
            measure.reason[:1].upper() + measure.reason[1:], f"n = {measure.n:,}" if measure.n else ""
        )
    beside = "; ".join(part for part in (f"n = {measure.n:,}", measure.note) if part)
    digits = max(LEAST_DIGITS, digits_for(measure.half_width))
    value, *ends = (_number(each, kind, digits) for each in (measure.value, measure.low, measure.high))
    if measure.low is None:
        return TextCell(value, beside)
    return TextCell(f"{value} ({ends[0]} to {ends[1]})", beside)


def _number(value: float | None, kind: Kind, digits: int | None = None) -> str:
    if value is None:
        return NO_VALUE
    if kind == "share":
        return as_percent(value)
    if kind == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return as_text(value, digits=digits)


def table_of(
    tables: Mapping[str, Callable[[Source], Table | None]], source: Source, name: str, *, owner: str
) -> Table:
    """The table of that name, filled from ``source``. Raises MissingError if the page has no such table, or
    the object, named by ``owner`` ("campaign"), no data for it.
    """
    build = tables.get(name)
    if build is None:
        raise MissingError(f"There is no table “{name[:40]}”. There is: {', '.join(tables)}.")
    table = build(source)
    if table is None:
        raise MissingError(f"This {owner} has no data for the table “{name}”.")
    return table


def csv_lines(table: Table) -> Iterator[str]:
    """The header and one record per row; a Measure takes six columns. No cell runs as a formula."""
    yield csv_line(
        f"{column.label}{part}"
        for column in table.columns
        for part in (_CSV_PARTS if column.is_measure else ("",))
    )
    for row in table.rows:
        cells = zip(row, table.columns, strict=True)
        yield csv_line(each for cell, column in cells for each in _csv_cells(cell, column))


def _csv_cells(cell: Cell, column: Column) -> list[Cell]:
    if not column.is_measure:
        assert not isinstance(cell, Measure)
        return [_rounded(cell) if isinstance(cell, float) else cell]
    if not isinstance(cell, Measure):
        return [""] * len(_CSV_PARTS)
    numbers = ("" if each is None else _rounded(each) for each in (cell.value, cell.low, cell.high))
    return [*numbers, cell.n, cell.reason, cell.note]


def _rounded(value: float) -> float:
    # Adding 0 turns a meaningless −0.0 into 0.0.
    return round(value, 6) + 0.0


def markdown(table: Table) -> str:
    """The table in GitHub's Markdown, numbers right-aligned; user text is escaped."""
    heads = [_escaped(column.label) for column in table.columns]
    rules = ["---" if column.kind == "text" else "---:" for column in table.columns]
    lines = [f"**{_escaped(table.title)}**", "", _line(heads), _line(rules)]
    lines += [_line([_escaped(words.together) for words in row]) for row in table.words()]
    if table.note:
        lines += ["", _escaped(table.note)]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return _MARKDOWN_CHARACTERS.sub(r"\\\1", " ".join(text.split()))
