"""The rows of an upload in any format: a table with a header row (CSV), JSON Lines, or one JSON list.
Pure.
"""

import csv
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from evalapp.imports.files import CSV, HEAD_BYTES, recognise_format
from evalapp.imports.json_objects import (
    BYTE_ORDER_MARK,
    EXAMPLE,
    LARGEST_ROW_BYTES,
    MOST_FIELDS,
    Read,
    json_objects,
    starts_list,
)
from evalapp.imports.problems import FieldProblem, FileProblemError, is_fine

DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}

# A longer cell is an error of the file; csv's own limit must not apply first.
csv.field_size_limit(LARGEST_ROW_BYTES * 2)


class Source(NamedTuple):
    """How to read a file. ``columns``: of a table; ``is_list``: the JSON is one list."""

    file_format: str
    delimiter: str = ""
    columns: list[str] = []
    is_list: bool = False

    @property
    def place(self) -> str:
        """The word for a row in messages."""
        return "Row" if self.file_format == CSV else "Line"


class SourceRow(NamedTuple):
    """A row of the file. ``number``: the line (JSONL), the position in the list, or the spreadsheet row (CSV;
    the header is 1). With a ``problem``, ``fields`` are invalid.
    """

    number: int
    fields: dict[str, Any]
    problem: FieldProblem | None = None


def sniff_source(name: str, stream: BinaryIO) -> Source:
    """The format of the file, by its name and beginning; the stream is rewound. Raises FileProblemError."""
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    file_format = recognise_format(name, head)
    if file_format != CSV:
        return Source(file_format, is_list=starts_list(head))
    header = read_header(stream)
    stream.seek(0)
    return Source(CSV, header.delimiter, header.columns)


def source_rows(
    stream: BinaryIO,
    source: Source,
    *,
    read: Read | None = None,
    example: str = EXAMPLE,
    longest: int = LARGEST_ROW_BYTES,
) -> Iterator[SourceRow]:
    """The file's rows in order; ``read`` gets the number of bytes read. Raises FileProblemError."""
    if source.file_format != CSV:
        for number, found in json_objects(stream, read=read, example=example, longest=longest):
            if isinstance(found, FieldProblem):
                yield SourceRow(number, {}, found)
            else:
                yield SourceRow(number, found)
        return
    columns = read_header(stream, source.delimiter).columns
    stream.seek(0)
    for number, cells, problem in read_cells(stream, source.delimiter, read=read):
        yield SourceRow(number, {} if problem else dict(zip(columns, cells, strict=True)), problem)


class Header(NamedTuple):
    columns: list[str]
    delimiter: str


def read_header(stream: BinaryIO, delimiter: str = "") -> Header:
    """The column names from the first row, and the delimiter, detected unless given.

    Raises FileProblemError without a header, for an empty or repeated name, or too many columns.
    """
    lines = _lines(stream, None)
    try:
        first = next(lines, "")
    except _LineTooLongError as error:
        raise FileProblemError(
            f"The first line is larger than {LARGEST_ROW_BYTES >> 20} MiB. Check that the file is CSV."
        ) from error
    chosen = delimiter or max(DELIMITERS, key=first.count)
    try:
        columns = next(csv.reader(_with_first(first, lines), delimiter=chosen, strict=True), [])
    except (csv.Error, _LineTooLongError) as error:
        raise FileProblemError(f"The header row is not CSV: {error}. Save the file as CSV again.") from error
    columns = [column.strip() for column in columns]
    if not any(columns):
        raise FileProblemError("The first row is empty. It must name the columns.")
    if len(columns) > MOST_FIELDS:
        raise FileProblemError(f"The file has {len(columns):,} columns; {MOST_FIELDS} is the limit.")
    for position, column in enumerate(columns, start=1):
        if not column:
            raise FileProblemError(f"Column {position} of the first row has no name. Give each column one.")
        if columns.count(column) > 1:
            raise FileProblemError(f"Two columns are named “{column[:40]}”. Rename one of them.")
        if not is_fine(column, LARGEST_ROW_BYTES):
            raise FileProblemError(
                f"The name of column {position} is not readable text. Save the file as UTF-8."
            )
    return Header(columns, chosen)


def first_cells(stream: BinaryIO, delimiter: str, *, rows: int) -> list[list[str]]:
    """The cells of the first rows after the header, for display; fewer if the rest is not valid CSV."""
    found: list[list[str]] = []
    reader = csv.reader(_lines(stream, None), delimiter=delimiter, strict=True)
    try:
        next(reader, None)
        found.extend(cells for cells in islice(reader, rows) if cells)
    except (csv.Error, _LineTooLongError):
        pass
    return [[cell.encode("utf-8", "replace").decode() for cell in cells] for cells in found]


class Cells(NamedTuple):
    """A row of a CSV file; with a ``problem``, ``cells`` are invalid."""

    number: int
    cells: list[str]
    problem: FieldProblem | None = None


def read_cells(
    stream: BinaryIO, delimiter: str, *, read: Callable[[int], None] | None = None
) -> Iterator[Cells]:
    """The rows after the header, each with as many cells as the header, or with its problem."""
    reader = csv.reader(_lines(stream, read), delimiter=delimiter, strict=True)
    number = columns = 0
    try:
        for cells in reader:
            number += 1
            if number == 1:
                columns = len(cells)
            elif cells:
                yield Cells(
                    number, cells, _uneven_row_problem(cells, columns) if len(cells) != columns else None
                )
    except csv.Error as error:
        yield Cells(number + 1, [], _not_csv(error))
    except _LineTooLongError:
        yield Cells(number + 1, [], _unclosed(f"A line is larger than {LARGEST_ROW_BYTES >> 20} MiB"))


def _uneven_row_problem(cells: list[str], columns: int) -> FieldProblem:
    return FieldProblem(
        "row",
        f"The row has {len(cells):,} cell{'s' * (len(cells) != 1)}, the header {columns:,}.",
        "Put a cell with the delimiter or a line break in double quotes.",
    )


class _LineTooLongError(Exception):
    pass


def _lines(stream: BinaryIO, read: Callable[[int], None] | None) -> Iterator[str]:
    first = True
    while line := stream.readline(LARGEST_ROW_BYTES + 1):
        if len(line) > LARGEST_ROW_BYTES:
            raise _LineTooLongError
        if read is not None:
            read(len(line))
        if first:
            line = line.removeprefix(BYTE_ORDER_MARK)
            first = False
        # Bytes that are not UTF-8 stay recognisable, so that messages can name their row and column.
        yield line.decode("utf-8", "surrogateescape")


def _with_first(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _not_csv(error: csv.Error) -> FieldProblem:
    text = str(error)
    if "field larger than" in text or "unexpected end of data" in text:
        return _unclosed("A double quote is opened and never closed")
    if "new-line character" in text:
        return FieldProblem(
            "row",
            "The file ends its lines with a lone carriage return.",
            "Save it with LF or CRLF line ends.",
        )
    return FieldProblem(
        "row",
        f"Not CSV: {text}.",
        'Reading stops here: put such cells in double quotes, with "" for a quote.',
    )


def _unclosed(what: str) -> FieldProblem:
    return FieldProblem(
        "row",
        f"{what}: from here on the rows cannot be separated.",
        "Close the quote (a quote inside a cell is written twice), or upload the whole file if it was cut"
        " off.",
    )
