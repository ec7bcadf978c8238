"""Tables for copies and reports: one set of rows, as CSV for a spreadsheet, as Markdown and as words for a
document.
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

NOTHING = "–"
# Of an estimate with its ends: "4 (3 to 5)" hides half a point of a five-point scale.
LEAST_DIGITS = 1
# How a Measure becomes cells of a spreadsheet.
_PARTS = ("", " low", " high", " n", " undefined because", " note")
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")


class Column(NamedTuple):
    """``kind`` says how numbers are written; ``is_measure``: its cells are Measures, or None where one has no
    meaning. ``anchor`` is the paragraph of `docs/measures.md` on it.
    """

    label: str
    kind: Kind = "text"
    is_measure: bool = False
    anchor: str = ""


class TextCell(NamedTuple):
    """A cell for readers: the number, and what it rests on."""

    main: str
    beside: str = ""

    @property
    def together(self) -> str:
        return f"{self.main}; {self.beside}" if self.beside else self.main


@dataclass(frozen=True)
class Table:
    """``name`` is what its URL is called; ``note`` says how the numbers came about."""

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
    """A cell as people read it: "4.2 (3.9 to 4.5)" and "n = 20", or why there is none."""
    if isinstance(cell, Measure):
        return _measure_in_words(cell, column.kind)
    if cell is None:
        return TextCell(NOTHING)
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
        return NOTHING
    if kind == "share":
        return as_percent(value)
    if kind == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return as_text(value, digits=digits)


def table_of(
    tables: Mapping[str, Callable[[Source], Table | None]], source: Source, name: str, *, whose: str
) -> Table:
    """The table of that name, filled from ``source``. Raises MissingError where the page has none, or this
    campaign (or the like: ``whose``) nothing to fill it with.
    """
    build = tables.get(name)
    if build is None:
        raise MissingError(f"There is no table “{name[:40]}”. There is: {', '.join(tables)}.")
    table = build(source)
    if table is None:
        raise MissingError(f"This {whose} has no data for the table “{name}”.")
    return table


def csv_lines(table: Table) -> Iterator[str]:
    """The header and a record a row; a Measure takes six columns. Nothing in it runs as a formula."""
    yield csv_line(
        f"{column.label}{part}"
        for column in table.columns
        for part in (_PARTS if column.is_measure else ("",))
    )
    for row in table.rows:
        cells = zip(row, table.columns, strict=True)
        yield csv_line(each for cell, column in cells for each in _plain(cell, column))


def _plain(cell: Cell, column: Column) -> list[Cell]:
    if not column.is_measure:
        assert not isinstance(cell, Measure)
        return [_rounded(cell) if isinstance(cell, float) else cell]
    if not isinstance(cell, Measure):
        return [""] * len(_PARTS)
    numbers = ("" if each is None else _rounded(each) for each in (cell.value, cell.low, cell.high))
    return [*numbers, cell.n, cell.reason, cell.note]


def _rounded(value: float) -> float:
    # Of −0.0 nobody knows what it means; a sum with 0 has no such sign.
    return round(value, 6) + 0.0


def markdown(table: Table) -> str:
    """A table as GitHub's Markdown reads it, numbers at the right; what people wrote stays text."""
    heads = [_inert(column.label) for column in table.columns]
    rules = ["---" if column.kind == "text" else "---:" for column in table.columns]
    lines = [f"**{_inert(table.title)}**", "", _line(heads), _line(rules)]
    lines += [_line([_inert(words.together) for words in row]) for row in table.words()]
    if table.note:
        lines += ["", _inert(table.note)]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _inert(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
