"""Reads CSV files, and JSON objects with custom field names, into rows by a mapping. Pure; same guarantees as
``formats``.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any, BinaryIO

from evalapp.datasets.formats import Layout, ParsedRow, reading_of
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.splits import ByField
from evalapp.imports.json_objects import json_objects
from evalapp.imports.mapping import Mapper
from evalapp.imports.problems import FieldProblem
from evalapp.imports.source_rows import read_cells, read_header


class ColumnRole(StrEnum):
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


ONE_COLUMN_ONLY = (
    ColumnRole.PROMPT,
    ColumnRole.SYSTEM,
    ColumnRole.CONTEXT,
    ColumnRole.LABEL,
    ColumnRole.SPLIT,
    ColumnRole.GROUP,
)

DEFAULT_NAMES: Mapping[str, ColumnRole] = {
    **dict.fromkeys(
        ("prompt", "question", "input", "instruction", "user", "query", "frage", "anfrage"), ColumnRole.PROMPT
    ),
    **dict.fromkeys(("system", "system_prompt"), ColumnRole.SYSTEM),
    **dict.fromkeys(
        ("completion", "reference", "answer", "output", "response", "target", "summary"), ColumnRole.REFERENCE
    ),
    **dict.fromkeys(("antwort", "referenz", "zusammenfassung", "réponse", "reponse"), ColumnRole.REFERENCE),
    **dict.fromkeys(("context", "facts", "document", "source", "kontext", "contexte"), ColumnRole.CONTEXT),
    **dict.fromkeys(("label", "class", "category", "kategorie", "catégorie"), ColumnRole.LABEL),
    "split": ColumnRole.SPLIT,
    **dict.fromkeys(("group", "group_key", "client", "gruppe", "kunde", "groupe"), ColumnRole.GROUP),
}


COLUMNS = Mapper(
    names=DEFAULT_NAMES,
    many=(ColumnRole.REFERENCE, ColumnRole.METADATA, ColumnRole.IGNORE),
    rest=ColumnRole.METADATA,
    needed=[((ColumnRole.PROMPT,), "Choose the column with the prompt.")],
)


def read_csv(
    stream: BinaryIO,
    layout: Layout,
    mapping: Mapping[str, str],
    delimiter: str,
    *,
    read: Callable[[int], None] | None = None,
) -> Iterator[ParsedRow]:
    """Rows of a CSV file with a header row; ``read`` is called with the number of bytes of each line."""
    columns = read_header(stream, delimiter).columns
    stream.seek(0)
    uses = [ColumnRole(mapping.get(column, ColumnRole.METADATA)) for column in columns]
    for number, cells, problem in read_cells(stream, delimiter, read=read):
        if problem is not None:
            yield ParsedRow(number, None, [problem])
        else:
            yield _read_cells(number, cells, columns, uses, layout)


def read_mapped_json(
    stream: BinaryIO,
    layout: Layout,
    mapping: Mapping[str, str],
    *,
    read: Callable[[int], None] | None = None,
) -> Iterator[ParsedRow]:
    """Rows of a JSONL file or JSON list whose fields are mapped like columns; unmapped fields become
    metadata.
    """
    for number, found in json_objects(stream, read=read, example=layout.example):
        if isinstance(found, FieldProblem):
            yield ParsedRow(number, None, [found])
            continue
        columns = list(found)
        uses = [ColumnRole(mapping.get(column, ColumnRole.METADATA)) for column in columns]
        yield _read_cells(number, list(found.values()), columns, uses, layout)


def _read_cells(
    number: int, cells: list[Any], columns: list[str], uses: list[ColumnRole], layout: Layout
) -> ParsedRow:
    return reading_of(
        number,
        _fields(cells, columns, uses, layout),
        layout,
        file_name_of=lambda name: _column_of(name, cells, columns, uses, layout),
    )


def _column_of(
    name: str, cells: list[Any], columns: list[str], uses: list[ColumnRole], layout: Layout
) -> str:
    """The column from which an object's field ``name`` was filled, or the name itself."""
    references = [
        column
        for cell, column, use in zip(cells, columns, uses, strict=True)
        if use is ColumnRole.REFERENCE and _answers(cell)
    ]
    own = {f"references[{number}]": column for number, column in enumerate(references, start=1)}
    own |= {
        f"metadata.{column}": column
        for column, use in zip(columns, uses, strict=True)
        if use is ColumnRole.METADATA
    }
    fields = {layout.group_field: ColumnRole.GROUP, "messages": ColumnRole.PROMPT}
    if isinstance(layout.split_rule, ByField):
        fields[layout.split_rule.name] = ColumnRole.SPLIT
    fields |= {use.value: use for use in ONE_COLUMN_ONLY if use.value not in fields}
    own |= {field: columns[uses.index(use)] for field, use in fields.items() if use in uses}
    return own.get(name, name)


def _fields(cells: list[Any], columns: list[str], uses: list[ColumnRole], layout: Layout) -> dict[str, Any]:
    fields: dict[str, Any] = {"prompt": ""}
    references: list[Any] = []
    metadata: dict[str, Any] = {}
    for cell, column, use in zip(cells, columns, uses, strict=True):
        if use is ColumnRole.REFERENCE:
            references += _answers(cell)
        elif cell is None or cell == "" or use is ColumnRole.IGNORE:
            continue
        elif use is ColumnRole.METADATA:
            metadata[column] = cell
        elif use is ColumnRole.SPLIT:
            if isinstance(layout.split_rule, ByField):
                fields[layout.split_rule.name] = cell
        elif use is ColumnRole.GROUP:
            fields[layout.group_field] = cell
        else:
            fields[use.value] = cell
    return {**fields, "references": references, "metadata": metadata}


def _answers(cell: Any) -> list[Any]:
    """The answers in a cell or JSON field: one per element of a list."""
    if isinstance(cell, list):
        return cell
    return [] if cell is None or (isinstance(cell, str) and not cell.strip()) else [cell]


def unread_reference_field(rows: Collection[ExampleRow]) -> str:
    """A field named like a reference answer, if none of these rows has a reference; else ""."""
    if any(row.references for row in rows):
        return ""
    names = (
        name
        for row in rows
        for name, value in row.metadata.items()
        if value and COLUMNS.use_of(name) == ColumnRole.REFERENCE
    )
    return next(names, "")
