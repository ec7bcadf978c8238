"""The formats of ratings that can be imported: a module each, entered here. Nothing else lists them."""

from collections.abc import Iterator
from typing import BinaryIO

from evalapp.imports.files import CSV
from evalapp.imports.json_objects import Read
from evalapp.imports.mapping import FileLayout
from evalapp.imports.problems import FileProblemError
from evalapp.imports.source_rows import DELIMITERS, sniff_source, source_rows
from evalapp.ratings.formats.argilla import Argilla
from evalapp.ratings.formats.base import RatingsFormat
from evalapp.ratings.formats.flat import JsonLines, Table
from evalapp.ratings.formats.label_studio import LabelStudio
from evalapp.ratings.formats.nested import Nested
from evalapp.ratings.records import ParsedRow

FORMATS: tuple[RatingsFormat, ...] = (Table(), LabelStudio(), Argilla(), Nested(), JsonLines())
"""A file is of the first of these that it suits."""


def format_named(name: str) -> RatingsFormat | None:
    return next((each for each in FORMATS if each.name == name), None)


def choices() -> list[tuple[str, str]]:
    return [(each.name, each.label) for each in FORMATS]


def recognise_layout(name: str, stream: BinaryIO) -> FileLayout:
    """What the file looks like. Raises FileProblemError where it holds nothing that is known."""
    source = sniff_source(name, stream)
    first = next(source_rows(stream, source), None)
    if first is None or first.problem:
        if source.file_format == CSV:
            # What is wrong with its rows is told when they are read.
            first = None
        elif first is None:
            raise FileProblemError("The file has no objects. Check that it was saved, and upload it again.")
        else:
            raise FileProblemError(f"The first row cannot be read: {first.problem}")
    fields = dict.fromkeys(source.columns, "") | (first.fields if first else {})
    for each in FORMATS:
        if each.source_format == source.file_format and each.suits(source, fields):
            return FileLayout(each.name, source.delimiter or ",", each.guess(fields))
    known = "; ".join(each.label for each in FORMATS if each.source_format == source.file_format)
    raise FileProblemError(
        f"The file has none of the supported formats: {known}. Export the project as JSON, or write one"
        " object per line."
    )


def layout_problems(layout: FileLayout) -> dict[str, list[str]]:
    """What cannot stay, by field; empty where the file can be read so."""
    chosen = format_named(layout.file_format)
    if chosen is None:
        return {"file_format": [f"Use one of {', '.join(each.name for each in FORMATS)}."]}
    if chosen.source_format == CSV and layout.delimiter not in DELIMITERS:
        return {"delimiter": ["Choose comma, semicolon, tab or bar."]}
    problem = chosen.problem(layout.mapping)
    return {"mapping": [problem]} if problem else {}


def readings(stream: BinaryIO, layout: FileLayout, *, read: Read | None = None) -> Iterator[ParsedRow]:
    """The file's rows in order; ``read`` gets the bytes passed. Raises FileProblemError."""
    chosen = format_named(layout.file_format)
    if chosen is None:
        raise FileProblemError(f"There is no format “{layout.file_format}” any more. Upload the file again.")
    return chosen.readings(stream, layout, read=read)
