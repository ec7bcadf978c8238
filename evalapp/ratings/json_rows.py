"""Objects of JSON files as a stream: one a line, or the members of one list. Pure."""

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from evalapp.datasets.formats import FileProblemError, object_of
from evalapp.datasets.rows import LARGEST_ROW_BYTES, FieldProblem

Numbered = tuple[int, dict[str, Any] | FieldProblem]

_CHUNK = 2**18
# A text as a whole, or a bracket. The text's end is looked for without ever trying a part of it twice.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)
_MARK = b"\xef\xbb\xbf"


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
        elif content := line.removeprefix(_MARK).strip():
            yield number, object_of(content, is_cut=not line.endswith(b"\n"))
        if read is not None:
            read(size)


def json_list(stream: BinaryIO, *, read: Callable[[int], None] | None = None) -> Iterator[Numbered]:
    """The members of a list that is the whole file, counted from 1, without ever holding more than one.

    Raises FileProblemError where the file is no list, or ends before it does.
    """
    for number, content in enumerate(_members(stream, read), start=1):
        yield number, _too_large() if len(content) > LARGEST_ROW_BYTES else object_of(content)


def _members(stream: BinaryIO, read: Callable[[int], None] | None) -> Iterator[bytes]:
    scan = _ListScan(_chunk(stream, read).removeprefix(_MARK).lstrip())
    while True:
        yield from scan.members()
        if scan.is_over:
            return
        if len(scan.buffer) > 2 * LARGEST_ROW_BYTES:
            raise FileProblemError(
                f"A member of the list is larger than {LARGEST_ROW_BYTES >> 20} MiB. Shorten it, or look for a "
                "missing quote."
            )
        chunk = _chunk(stream, read)
        if not chunk:
            raise FileProblemError(
                "The list has no end: the file was cut off. Save and upload it again, whole."
            )
        scan.buffer += chunk


def _chunk(stream: BinaryIO, read: Callable[[int], None] | None) -> bytes:
    chunk = stream.read(_CHUNK)
    if read is not None:
        read(len(chunk))
    return chunk


class _ListScan:
    """Finds the members of a list in a buffer that grows; what has been handed out is dropped from it."""

    def __init__(self, head: bytes) -> None:
        if not head.startswith(b"["):
            raise FileProblemError("The file is no JSON list. Export it again as JSON, whole.")
        self.buffer = head[1:]
        self.is_over = False
        self._position = 0
        self._depth = 0
        self._start: int | None = None

    def members(self) -> Iterator[bytes]:
        """Those that are whole in the buffer."""
        for token in _TOKEN.finditer(self.buffer, self._position):
            sign = token.group()
            if sign == b'"':
                break  # a text whose end is not there yet
            self._position = token.end()
            if sign in (b"{", b"["):
                self._start = token.start() if self._depth == 0 else self._start
                self._depth += 1
            elif sign in (b"}", b"]"):
                if self._depth == 0:
                    self.is_over = True
                    return
                self._depth -= 1
                if self._depth == 0 and self._start is not None:
                    yield self.buffer[self._start : self._position]
                    self._start = None
        kept = self._position if self._start is None else self._start
        self.buffer = self.buffer[kept:]
        self._position -= kept
        self._start = None if self._start is None else 0


def _too_large() -> FieldProblem:
    return FieldProblem(
        "row",
        f"The row is larger than {LARGEST_ROW_BYTES >> 20} MiB.",
        "Shorten it, or look for a missing line break or closing quote.",
    )
