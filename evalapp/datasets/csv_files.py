"""CSV files into rows, by a mapping of columns. Pure; the same promises as ``formats``."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from evalapp.datasets.formats import MOST_FIELDS, FileProblemError, Layout, Reading, reading_of
from evalapp.datasets.rows import LARGEST_ROW_BYTES, FieldProblem
from evalapp.datasets.splits import ByField

DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}

# A cell longer than this is an error of the file; the module's own limit must not strike first.
csv.field_size_limit(LARGEST_ROW_BYTES * 2)


class Use(StrEnum):
    """What a column is for."""

    PROMPT = "prompt"
    SYSTEM = "system"
    REFERENCE = "reference"
    CONTEXT = "context"
    LABEL = "label"
    SPLIT = "split"
    GROUP = "group"
    METADATA = "metadata"
    IGNORE = "ignore"


ONE_COLUMN_ONLY = (Use.PROMPT, Use.SYSTEM, Use.CONTEXT, Use.LABEL, Use.SPLIT, Use.GROUP)

DEFAULT_NAMES: Mapping[str, Use] = {
    **dict.fromkeys(("prompt", "question", "input", "instruction", "user", "query"), Use.PROMPT),
    **dict.fromkeys(("system", "system_prompt"), Use.SYSTEM),
    **dict.fromkeys(
        ("completion", "reference", "answer", "output", "response", "target", "summary"), Use.REFERENCE
    ),
    **dict.fromkeys(("context", "facts", "document", "source"), Use.CONTEXT),
    **dict.fromkeys(("label", "class", "category"), Use.LABEL),
    "split": Use.SPLIT,
    **dict.fromkeys(("group", "group_key", "client"), Use.GROUP),
}


class Header(NamedTuple):
    columns: list[str]
    delimiter: str


def default_mapping(columns: Sequence[str]) -> dict[str, str]:
    """A guess by the columns' names: each use once, everything else kept as metadata."""
    mapping: dict[str, str] = {}
    for column in columns:
        use = DEFAULT_NAMES.get(column.strip().lower(), Use.METADATA)
        mapping[column] = Use.METADATA if use in mapping.values() else use
    return mapping


def mapping_problem(mapping: Mapping[str, str]) -> str:
    """Why this mapping of columns to uses cannot be used, or an empty text."""
    uses = list(mapping.values())
    if Use.PROMPT not in uses:
        return "Say which column holds the prompt."
    for use in ONE_COLUMN_ONLY:
        if uses.count(use) > 1:
            return f"Only one column can be the {use}; set the others to metadata or leave them out."
    return ""


def read_header(stream: BinaryIO, delimiter: str = "") -> Header:
    """The first row: the columns' names, and the delimiter (found from it where none is given).

    Raises FileProblemError: no header, an empty or repeated name, too many columns.
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
        columns = next(csv.reader(_again(first, lines), delimiter=chosen, strict=True), [])
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
        if "\x00" in column or not _is_text(column):
            raise FileProblemError(
                f"The name of column {position} is not readable text. Save the file as UTF-8."
            )
    return Header(columns, chosen)


def first_cells(stream: BinaryIO, delimiter: str, *, rows: int) -> list[list[str]]:
    """The cells of the first rows under the header, for people; fewer where the rest is not CSV."""
    found: list[list[str]] = []
    reader = csv.reader(_lines(stream, None), delimiter=delimiter, strict=True)
    try:
        next(reader, None)
        found.extend(cells for cells in islice(reader, rows) if cells)
    except (csv.Error, _LineTooLongError):
        pass
    return [[cell.encode("utf-8", "replace").decode() for cell in cells] for cells in found]


def read_csv(
    stream: BinaryIO,
    layout: Layout,
    mapping: Mapping[str, str],
    delimiter: str,
    *,
    read: Callable[[int], None] | None = None,
) -> Iterator[Reading]:
    """Rows of a CSV file with a header row; ``read`` gets the bytes of each line."""
    columns = read_header(stream, delimiter).columns
    stream.seek(0)
    uses = [Use(mapping.get(column, Use.METADATA)) for column in columns]
    for number, cells, problem in read_cells(stream, delimiter, read=read):
        if problem is not None:
            yield Reading(number, None, [problem])
        else:
            yield _read_cells(number, cells, columns, uses, layout)


class Cells(NamedTuple):
    """A row of a CSV file; where there is a ``problem``, its cells say nothing."""

    number: int
    cells: list[str]
    problem: FieldProblem | None = None


def read_cells(
    stream: BinaryIO, delimiter: str, *, read: Callable[[int], None] | None = None
) -> Iterator[Cells]:
    """The rows under the header, each with as many cells as that has, or with what is wrong with it."""
    reader = csv.reader(_lines(stream, read), delimiter=delimiter, strict=True)
    number = columns = 0
    try:
        for cells in reader:
            number += 1
            if number == 1:
                columns = len(cells)
            elif cells:
                yield Cells(number, cells, _uneven(cells, columns) if len(cells) != columns else None)
    except csv.Error as error:
        yield Cells(number + 1, [], _not_csv(error))
    except _LineTooLongError:
        yield Cells(number + 1, [], _unclosed(f"A line is larger than {LARGEST_ROW_BYTES >> 20} MiB"))


def _uneven(cells: list[str], columns: int) -> FieldProblem:
    return FieldProblem(
        "row",
        f"The row has {len(cells):,} cell{'s' * (len(cells) != 1)}, the header {columns:,}.",
        "A cell that holds the delimiter or a line break must stand in double quotes.",
    )


def _read_cells(
    number: int, cells: list[str], columns: list[str], uses: list[Use], layout: Layout
) -> Reading:
    return reading_of(
        number,
        lambda: _fields(cells, columns, uses, layout),
        layout,
        file_name_of=lambda name: _column_of(name, cells, columns, uses, layout),
    )


def _column_of(name: str, cells: list[str], columns: list[str], uses: list[Use], layout: Layout) -> str:
    """The column that holds what an object's field ``name`` was filled from, or the name itself."""
    references = [
        column
        for cell, column, use in zip(cells, columns, uses, strict=True)
        if use is Use.REFERENCE and cell.strip()
    ]
    own = {f"references[{number}]": column for number, column in enumerate(references, start=1)}
    own |= {
        f"metadata.{column}": column for column, use in zip(columns, uses, strict=True) if use is Use.METADATA
    }
    fields = {layout.group_field: Use.GROUP, "messages": Use.PROMPT}
    if isinstance(layout.split_rule, ByField):
        fields[layout.split_rule.name] = Use.SPLIT
    fields |= {use.value: use for use in ONE_COLUMN_ONLY if use.value not in fields}
    own |= {field: columns[uses.index(use)] for field, use in fields.items() if use in uses}
    return own.get(name, name)


def _fields(cells: list[str], columns: list[str], uses: list[Use], layout: Layout) -> dict[str, Any]:
    fields: dict[str, Any] = {"prompt": ""}
    references: list[str] = []
    metadata: dict[str, str] = {}
    for cell, column, use in zip(cells, columns, uses, strict=True):
        if use is Use.METADATA:
            if cell:
                metadata[column] = cell
        elif use is Use.REFERENCE:
            if cell.strip():
                references.append(cell)
        elif use is Use.SPLIT:
            if isinstance(layout.split_rule, ByField):
                fields[layout.split_rule.name] = cell
        elif use is Use.GROUP:
            fields[layout.group_field] = cell
        elif use is not Use.IGNORE:
            fields[use.value] = cell
    return {**fields, "references": references, "metadata": metadata}


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
            line = line.removeprefix(b"\xef\xbb\xbf")
            first = False
        # A byte that is no UTF-8 stays recognisable, so that its row and column can be named.
        yield line.decode("utf-8", "surrogateescape")


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_csv(error: csv.Error) -> FieldProblem:
    text = str(error)
    if "field larger than" in text or "unexpected end of data" in text:
        return _unclosed("A double quote is opened and never closed")
    if "new-line character" in text:
        return FieldProblem(
            "row", "The file ends its lines with a lone carriage return.", "Save it with usual line ends."
        )
    return FieldProblem(
        "row",
        f"Not CSV: {text}.",
        'Reading stops here: put such cells in double quotes, with "" for a quote.',
    )


def _unclosed(what: str) -> FieldProblem:
    return FieldProblem(
        "row",
        f"{what}: from here on the rows cannot be told apart.",
        "Close the quote (a quote inside a cell is written twice), or upload the whole file if it was cut"
        " off.",
    )
