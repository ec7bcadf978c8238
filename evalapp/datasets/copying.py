"""Stores rows by COPY, hashing and counting them on the way."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from django.db import connection

from evalapp.core.errors import InvalidError
from evalapp.datasets.rows import ExampleRow, row_problems, serialise

# Rows per COPY. Between batches the connection is free, so ``rows`` may itself be a query on it.
BATCH_ROWS = 5_000
# Sent in blocks, so that the server stores while the next rows are being serialised.
BLOCK_ROWS = 100
NULL = "\\N"

NumberedRow = tuple[int, ExampleRow]

_COPY = """
COPY evalapp_example (
    version_id, row_number, row_key, split, messages, "references", label, context, metadata, group_key,
    prompt_hash, content_hash, provenance, pairs, rated, conversation
) FROM STDIN
"""


class CopyResult(NamedTuple):
    """What a copy stored: rows per split, and the SHA-256 over every row's content hash in order."""

    counts: dict[str, int]
    content_hash: str

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


def copy_examples(
    version_id: int, rows: Iterable[ExampleRow], *, from_file: bool = False, is_first: bool = False
) -> CopyResult:
    """Store the rows as examples of the version, numbered from 1; call inside a transaction. ``is_first``:
    this is the dataset's first version, so a row's number is its key; otherwise rows without a key get none
    yet.

    ``from_file``: the rows come from a file reader. They have already passed ``row_problems``, and reading
    runs in parallel with the server's storing because it does not need this connection.
    Raises InvalidError naming the first bad row.
    """
    digest = hashlib.sha256()
    counts: Counter[str] = Counter()
    numbered = enumerate(rows, start=1)
    for batch in (numbered,) if from_file else _read_batches(numbered):
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            lines = _lines(version_id, batch, digest, counts, checked=from_file, is_first=is_first)
            while block := "".join(islice(lines, BLOCK_ROWS)):
                copy.write(block)
    return CopyResult(dict(counts), digest.hexdigest())


def _read_batches(numbered: Iterator[NumberedRow]) -> Iterator[list[NumberedRow]]:
    while batch := list(islice(numbered, BATCH_ROWS)):
        yield batch


def _lines(
    version_id: int,
    batch: Iterable[NumberedRow],
    digest: "hashlib._Hash",
    counts: Counter[str],
    *,
    checked: bool,
    is_first: bool,
) -> Iterator[str]:
    for number, row in batch:
        if not checked and (problems := row_problems(row)):
            raise InvalidError(f"Row {number:,}: {' '.join(str(problem) for problem in problems[:3])}")
        texts = serialise(row)
        digest.update(texts.content_hash.encode())
        counts[row.split] += 1
        columns = (
            version_id,
            number,
            number if is_first else NULL if row.row_key is None else row.row_key,
            row.split,
            json_column(texts.messages),
            json_column(texts.references),
            text_column(row.label),
            text_column(row.context),
            json_column(texts.metadata),
            text_column(row.group_key),
            texts.prompt_hash,
            texts.content_hash,
            json_column(texts.provenance),
            json_column(texts.pairs),
            json_column(texts.rated),
            json_column(texts.conversation) or NULL,
        )
        yield "\t".join(map(str, columns)) + "\n"


def json_column(text: str) -> str:
    """A JSON text escaped for COPY."""
    # JSON escapes control characters itself; only the backslash is special to COPY.
    return text.replace("\\", "\\\\") if "\\" in text else text


def text_column(text: str) -> str:
    """A text escaped for COPY."""
    if not text:
        return text
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
