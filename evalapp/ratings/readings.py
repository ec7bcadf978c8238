"""Files of ratings: what kind an upload is, and its readings as its layout says. Pure but for the file."""

import csv
from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO

from evalapp.datasets.csv_files import read_header
from evalapp.datasets.files import CSV as CSV_NAME
from evalapp.datasets.files import recognise
from evalapp.datasets.formats import FileProblemError
from evalapp.datasets.json_lists import starts_list
from evalapp.datasets.rows import FieldProblem
from evalapp.ratings.flat_files import read_flat_lines, read_table
from evalapp.ratings.json_rows import Numbered, json_lines, json_list
from evalapp.ratings.layouts import ARGILLA, CSV, FLAT, LABEL_STUDIO, NESTED, FileLayout, default_mapping
from evalapp.ratings.nested_files import is_nested, read_nested
from evalapp.ratings.records import Reading
from evalapp.ratings.task_files import data_of, read_tasks


def first_layout(name: str, stream: BinaryIO) -> FileLayout:
    """What the file looks like. Raises FileProblemError where it holds nothing that is known."""
    head = stream.read(4096)
    stream.seek(0)
    if recognise(name, head) == CSV_NAME:
        header = read_header(stream)
        lines = csv.reader(head.decode(errors="replace").splitlines(), delimiter=header.delimiter)
        first_row = dict(zip(header.columns, next(islice(lines, 1, None), ()), strict=False))
        return FileLayout(CSV, header.delimiter, default_mapping(header.columns, CSV, first_row))
    is_list = starts_list(head)
    numbered: Iterator[Numbered] = json_list(stream) if is_list else json_lines(stream)
    first = next((found for _, found in numbered), None)
    if first is None:
        raise FileProblemError("The file holds no objects. Check that it was saved, and upload it again.")
    if isinstance(first, FieldProblem):
        raise FileProblemError(f"The first row cannot be read: {first.problem} {first.mend}")
    if isinstance(first.get("annotations", first.get("completions")), list):
        return FileLayout(LABEL_STUDIO, mapping=default_mapping(list(data_of(first)), LABEL_STUDIO))
    if isinstance(first.get("responses"), dict) and isinstance(first.get("fields"), dict):
        return FileLayout(ARGILLA, mapping=default_mapping(list(data_of(first)), ARGILLA))
    if is_list:
        raise FileProblemError(
            "The list holds neither Label Studio's tasks with their annotations nor Argilla's records with"
            " their responses. Export the project as JSON, or write one object a line."
        )
    if is_nested(first):
        return FileLayout(NESTED)
    return FileLayout(FLAT, mapping=default_mapping(list(first), FLAT, first))


def readings(
    stream: BinaryIO, layout: FileLayout, *, read: Callable[[int], None] | None = None
) -> Iterator[Reading]:
    """The file's rows in order; ``read`` gets the bytes passed. Raises FileProblemError."""
    if layout.file_format == CSV:
        return read_table(stream, layout, read=read)
    if layout.file_format == FLAT:
        return read_flat_lines(stream, layout, read=read)
    if layout.file_format == NESTED:
        return read_nested(stream, read=read)
    return read_tasks(stream, layout, read=read)
