"""The members of a JSON list that is a whole file, as a stream. Pure; nothing else of the product is known
here.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from evalapp.datasets.rows import LARGEST_ROW_BYTES

_CHUNK = 2**18
# A text as a whole, or a bracket. The text's end is looked for without ever trying a part of it twice.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)
MARK = b"\xef\xbb\xbf"


class BrokenListError(Exception):
    """The file is no list, or ends before it does; the message says what to do."""


def starts_list(head: bytes) -> bool:
    return head.removeprefix(MARK).lstrip().startswith(b"[")


def list_members(stream: BinaryIO, read: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Each member's bytes, without ever holding more than one. Raises BrokenListError."""
    scan = _ListScan(_chunk(stream, read).removeprefix(MARK).lstrip())
    while True:
        yield from scan.members()
        if scan.is_over:
            return
        if len(scan.buffer) > 2 * LARGEST_ROW_BYTES:
            raise BrokenListError(
                f"A member of the list is larger than {LARGEST_ROW_BYTES >> 20} MiB. Shorten it, or look for"
                " a missing quote."
            )
        chunk = _chunk(stream, read)
        if not chunk:
            raise BrokenListError(
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
            raise BrokenListError("The file is no JSON list. Export it again as JSON, whole.")
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
