"""Objects of JSON files as a stream: one a line, or the members of one list. Pure."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from evalapp.datasets.formats import FileProblemError, object_of
from evalapp.datasets.json_lists import MARK, BrokenListError, list_members
from evalapp.datasets.rows import LARGEST_ROW_BYTES, FieldProblem

Numbered = tuple[int, dict[str, Any] | FieldProblem]


def json_lines(stream: BinaryIO, *, read: Callable[[int], None] | None = None) -> Iterator[Numbered]:
    """The object of each line with its number, or what is wrong with it; empty lines are passed over."""
    number = 0
    while line := stream.readline(LARGEST_ROW_BYTES + 1):
        number += 1
        size = len(line)
        if size > LARGEST_ROW_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(2**20)
                size += len(line)
            yield number, _too_large()
        elif content := line.removeprefix(MARK).strip():
            yield number, object_of(content, is_cut=not line.endswith(b"\n"))
        if read is not None:
            read(size)


def json_list(stream: BinaryIO, *, read: Callable[[int], None] | None = None) -> Iterator[Numbered]:
    """The members of a list that is the whole file, counted from 1, without ever holding more than one.

    Raises FileProblemError where the file is no list, or ends before it does.
    """
    try:
        for number, content in enumerate(list_members(stream, read), start=1):
            yield number, _too_large() if len(content) > LARGEST_ROW_BYTES else object_of(content)
    except BrokenListError as error:
        raise FileProblemError(str(error)) from error


def _too_large() -> FieldProblem:
    return FieldProblem(
        "row",
        f"The row is larger than {LARGEST_ROW_BYTES >> 20} MiB.",
        "Shorten it, or look for a missing line break or closing quote.",
    )
