"""Rows of a Parquet file as JSON objects, like those of other files. Pure."""

import datetime as dt
import json
import math
import struct
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from evalapp.imports.problems import FieldProblem, FileProblemError

LARGEST_ROW_GROUP = 2**30
# Small, because a text that the file stores once may be repeated in every row of the batch.
_BATCH = 100
_UNREADABLE = (pa.ArrowException, OSError, ValueError)
_ZIP_ERRORS = (zipfile.BadZipFile, RuntimeError, OSError, ValueError, EOFError, struct.error)
_JSON_TEXT = {b"evalapp": b"json"}


def as_json_text(name: str) -> pa.Field:
    """A column of JSON texts, which `parquet_objects` parses."""
    return pa.field(name, pa.string(), metadata=_JSON_TEXT)


def parquet_objects(
    stream: BinaryIO, *, most_fields: int, read: Callable[[int], None] | None = None
) -> Iterator[tuple[int, dict[str, Any] | FieldProblem]]:
    """Each row, without null fields, or its problem, with its number from 1. ``read`` gets the number of
    bytes read, once per row group.

    Raises FileProblemError for an unreadable file, more than ``most_fields`` columns, or too large row
    groups.
    """
    try:
        file = pq.ParquetFile(stream)
    except _UNREADABLE as error:
        raise FileProblemError(
            "The Parquet file is damaged or incomplete. Write it again, and upload the whole file."
        ) from error
    metadata = file.metadata
    if metadata.num_columns > most_fields:
        raise FileProblemError(f"The file has {metadata.num_columns:,} columns; {most_fields} is the limit.")
    sizes = [metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)]
    if any(size > LARGEST_ROW_GROUP for size in sizes):
        raise FileProblemError(
            f"A row group of the file is larger than {LARGEST_ROW_GROUP >> 30} GiB. Write it with smaller"
            " ones (row_group_size=10000)."
        )
    texts = {
        field.name for field in file.schema_arrow if _JSON_TEXT.items() <= (field.metadata or {}).items()
    }
    number = 0
    for group in range(metadata.num_row_groups):
        try:
            for batch in file.iter_batches(batch_size=_BATCH, row_groups=[group]):
                for row in batch.to_pylist():
                    number += 1
                    yield number, _object(row, texts)
        except _UNREADABLE as error:
            raise FileProblemError(
                f"The Parquet file cannot be read after row {number:,}. Write it again."
            ) from error
        if read is not None:
            columns = (metadata.row_group(group).column(n) for n in range(metadata.num_columns))
            read(sum(column.total_compressed_size for column in columns))


def zipped_objects(
    stream: BinaryIO, *, most_fields: int, read: Callable[[int], None] | None = None
) -> Iterator[tuple[int, dict[str, Any] | FieldProblem]]:
    """Rows, as in `parquet_objects`, of all Parquet files in an uncompressed zip, as datasets are exported,
    in order. Raises FileProblemError for any other zip.
    """
    number = 0
    try:
        with zipfile.ZipFile(stream) as folder:
            files = [each for each in folder.infolist() if each.filename.endswith(".parquet")]
            # Parquet is read by seeking, for which a compressed file would be unpacked repeatedly.
            if not files or any(each.compress_type != zipfile.ZIP_STORED for each in files):
                raise FileProblemError(
                    "The zip is not an exported dataset. Unpack it and upload what is inside."
                )
            for each in files:
                with folder.open(each) as file:
                    for _, found in parquet_objects(cast(BinaryIO, file), most_fields=most_fields, read=read):
                        number += 1
                        yield number, found
    except _ZIP_ERRORS as error:
        raise FileProblemError(
            "The zip is damaged, incomplete or locked. Upload the whole file again."
        ) from error


def _object(row: dict[str, Any], texts: set[str]) -> dict[str, Any] | FieldProblem:
    fields: dict[str, Any] = {}
    for name, value in row.items():
        try:
            plain = json.loads(value) if name in texts and value is not None else _json_value(value)
        except (TypeError, ValueError, RecursionError):
            kind = type(value).__name__
            return FieldProblem(
                name, f"A value of the type {kind} cannot be read.", "Write text, numbers, lists or structs."
            )
        if plain is not None:
            fields[name] = plain
    return fields


def _json_value(value: Any) -> Any:
    """The value as JSON types. Raises TypeError for bytes and other types without a JSON form."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _json_value(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_json_value(each) for each in value]
    raise TypeError
