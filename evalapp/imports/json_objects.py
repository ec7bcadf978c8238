"""Streams the JSON objects of a file: one per line, members of one list, or rows of Parquet, also of several
Parquet files in a zip. Pure.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from evalapp.core.strict_json import MOST_DIGITS, JsonProblemError, strict_decoder
from evalapp.imports.files import PARQUET_SIGNATURE, ZIP_SIGNATURE
from evalapp.imports.parquet import parquet_objects, zipped_objects
from evalapp.imports.problems import FieldProblem, FileProblemError

LARGEST_ROW_BYTES = 4 * 2**20
MOST_FIELDS = 500
"""Limit for columns of a table and fields of a JSON object, since pages list the use of each."""
EXAMPLE = '{"prompt": "…", "completion": "…"}'
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 4096
_CHUNK = 2**18
# A whole string, a bracket, or a lone quote. Possessive, so that no part is matched twice.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)
_decoder = strict_decoder(most_fields=lambda: MOST_FIELDS, largest=10.0**MOST_DIGITS)

Read = Callable[[int], None]
Numbered = tuple[int, dict[str, Any] | FieldProblem]


def json_objects(
    stream: BinaryIO,
    *,
    read: Read | None = None,
    example: str = EXAMPLE,
    longest: int = LARGEST_ROW_BYTES,
    decoder: json.JSONDecoder | None = None,
) -> Iterator[Numbered]:
    """Each object, or its problem, with its line number or its position in the list from 1; empty lines are
    skipped.

    ``read`` gets the number of bytes read, ``example`` is shown if a line is no object, ``decoder`` replaces
    the usual strict one. Raises FileProblemError for an incomplete list. The stream must be seekable.
    """
    begin = stream.tell()
    signature = stream.read(len(PARQUET_SIGNATURE))
    if signature == PARQUET_SIGNATURE:
        yield from parquet_objects(stream, most_fields=MOST_FIELDS, read=read)
        return
    if signature == ZIP_SIGNATURE:
        yield from zipped_objects(stream, most_fields=MOST_FIELDS, read=read)
        return
    stream.seek(begin)
    is_list = starts_list(stream.read(_HEAD_BYTES))
    stream.seek(begin)
    if is_list:
        for number, content in enumerate(_members(stream, read), start=1):
            yield (
                number,
                _too_large(longest)
                if len(content) > longest
                else object_of(content, example=example, decoder=decoder),
            )
        return
    number = 0
    while line := stream.readline(longest + 1):
        number += 1
        size = len(line)
        if size > longest:
            while line and not line.endswith(b"\n"):
                line = stream.readline(2**20)
                size += len(line)
            yield number, _too_large(longest)
        elif content := (line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line).strip():
            is_cut = not line.endswith(b"\n")
            yield number, object_of(content, is_cut=is_cut, example=example, decoder=decoder)
        if read is not None:
            read(size)


def object_of(
    content: bytes,
    *,
    is_cut: bool = False,
    example: str = EXAMPLE,
    decoder: json.JSONDecoder | None = None,
) -> dict[str, Any] | FieldProblem:
    """A line's JSON object, or its problem. ``is_cut``: the line does not end with a line break."""
    try:
        text = content.decode()
        value = (decoder or _decoder).decode(text)
    except UnicodeDecodeError as error:
        return FieldProblem(
            "row",
            f"Byte {error.start + 1:,} of the line (0x{content[error.start]:02X}) is not UTF-8.",
            "Save the file as UTF-8 (it may be Windows-1252 or Latin-1).",
        )
    except json.JSONDecodeError as error:
        fix = "Each line must be one whole JSON object."
        if is_cut and (error.pos >= len(text) - 1 or "Unterminated" in error.msg):
            fix = "The file may have been cut off here: save and upload the whole file again."
        elif "Unterminated" in error.msg or "control character" in error.msg:
            fix = 'A line break inside a text is written \\n, and a quote \\".'
        said = error.msg.removesuffix(" at")
        return FieldProblem("row", f"Not JSON: {said} at column {error.colno:,}.", fix)
    except RecursionError:
        return FieldProblem("row", "The row is nested too deeply to be read.", "Flatten it.")
    except JsonProblemError as error:
        return FieldProblem(error.field or "row", error.problem, error.fix)
    if not isinstance(value, dict):
        return FieldProblem("row", "The line is JSON, but not an object.", f"Write {example}.")
    return value


def starts_list(head: bytes) -> bool:
    return head.removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"[")


def _too_large(longest: int) -> FieldProblem:
    size = f"{longest >> 20} MiB" if longest >= 2**20 else f"{longest >> 10} KiB"
    return FieldProblem(
        "row",
        f"The row is larger than {size}.",
        "Shorten it, or look for a missing line break or closing quote.",
    )


def _members(stream: BinaryIO, read: Read | None) -> Iterator[bytes]:
    """Each member's bytes, holding at most one member in memory."""
    scan = _ListScan(_chunk(stream, read).removeprefix(BYTE_ORDER_MARK).lstrip())
    while True:
        yield from scan.members()
        if scan.is_over:
            return
        if len(scan.buffer) > 2 * LARGEST_ROW_BYTES:
            raise FileProblemError(
                f"A member of the list is larger than {LARGEST_ROW_BYTES >> 20} MiB. Shorten it, or look for "
                "a missing quote."
            )
        chunk = _chunk(stream, read)
        if not chunk:
            raise FileProblemError(
                "The list is incomplete: the file was cut off. Save and upload the whole file again."
            )
        scan.buffer += chunk


def _chunk(stream: BinaryIO, read: Read | None) -> bytes:
    chunk = stream.read(_CHUNK)
    if read is not None:
        read(len(chunk))
    return chunk


class _ListScan:
    """Finds the members of a list in a growing buffer, and drops what it has returned."""

    def __init__(self, head: bytes) -> None:
        self.buffer = head[1:]
        self.is_over = False
        self._position = 0
        self._depth = 0
        self._start: int | None = None

    def members(self) -> Iterator[bytes]:
        """The members that are complete in the buffer."""
        for token in _TOKEN.finditer(self.buffer, self._position):
            sign = token.group()
            if sign == b'"':
                break  # a string that continues beyond the buffer
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
