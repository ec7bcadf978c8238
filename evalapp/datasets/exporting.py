"""Exports a version's rows as a file, streamed in batches: JSON Lines, CSV, Parquet, or a folder that Hugging
Face `datasets` loads.

Rows of the test split are never exported: they are held out, so that nothing is trained on them.
"""

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from django.db.models import F, Func, Q, TextChoices, TextField
from django.db.models.functions import Cast, JSONObject
from django.utils.text import slugify
from pyarrow.json import ParseOptions, ReadOptions, read_json

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError, NotAllowedError
from evalapp.datasets.conversation_files import FORMATS_OF_FILES, losses, written_row
from evalapp.datasets.formats import example_as_object
from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.datasets.queries import DOWNLOADABLE_SPLITS, examples_of
from evalapp.datasets.vault import with_originals
from evalapp.imports.parquet import as_json_text

_BATCH = 2_000
_CSV_BUFFER = 2**16
_CSV_COLUMNS = ("split", "system", "prompt", "reference", "label", "context", "group")
CARD_FILE = "README.md"
DATA_FOLDER = "data"
_JSON_LINES = "application/jsonl; charset=utf-8"
_TEXT_LIST = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        pa.field("split", pa.string()),
        pa.field("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        pa.field("references", _TEXT_LIST),
        pa.field("label", pa.string()),
        pa.field("context", pa.string()),
        pa.field("group", pa.string()),
        # Metadata fields differ from row to row, which Parquet columns cannot represent.
        as_json_text("metadata"),
        as_json_text("provenance"),
        pa.field("pairs", pa.list_(pa.struct([("chosen", pa.string()), ("rejected", pa.string())]))),
        pa.field("rated", pa.list_(pa.struct([("answer", pa.string()), ("good", pa.bool_())]))),
        as_json_text("conversation"),
    ]
)
# Sources of the schema's columns whose names differ from the table's.
_COLUMNS = {
    "group": F("group_key"),
    **{name: Cast(name, TextField()) for name in ("metadata", "provenance", "conversation")},
}


class FileFormat(TextChoices):
    JSONL = "jsonl", "JSON Lines"
    CSV = "csv", "CSV"
    PARQUET = "parquet", "Parquet"
    HF = "hf", "Hugging Face dataset (zip)"
    OPENAI_CHAT = "openai-chat", "OpenAI chat"
    OPENAI_RESPONSES = "openai-responses", "OpenAI Responses"
    ANTHROPIC = "anthropic", "Anthropic Messages"
    HF_CHAT = "hf-chat", "Hugging Face chat"
    OTEL = "otel", "OpenTelemetry GenAI"

    @property
    def is_of_messages(self) -> bool:
        """Whether it is JSON Lines with messages in another tool's format, which may lose something."""
        return self.value in FORMATS_OF_FILES

    @property
    def keeps(self) -> str:
        """What the file holds of each row, where that does not depend on the row."""
        return "Rows of one question with one answer" if self == FileFormat.CSV else "Everything"


class ExportedFile(NamedTuple):
    name: str
    content_type: str
    chunks: Iterator[bytes]


def exported(version: DatasetVersion, file_format: str, split: str = "") -> ExportedFile:
    """The file of one split, or of all but the test split. Raises InvalidError for an unknown format or
    split, and NotAllowedError for the test split.
    """
    if file_format not in FileFormat.values:
        raise InvalidError(
            f"There is no such format. Use one of {', '.join(FileFormat.values)}.", field="format"
        )
    if split and split not in Split.values:
        raise InvalidError(
            f"There is no split of that name. Use one of {', '.join(Split.values)}.", field="split"
        )
    _require_downloadable(split)
    splits = [split] if split else [each.value for each in DOWNLOADABLE_SPLITS if version.counts.get(each)]
    stem = f"{slugify(version.dataset.name) or 'dataset'}-v{version.number}{f'-{split}' if split else ''}"
    if FileFormat(file_format).is_of_messages:
        rows = examples_of(version, splits).iterator(chunk_size=_BATCH)
        lines = (written_row(row, file_format).fields for row in rows)
        return ExportedFile(f"{stem}-{file_format}.jsonl", _JSON_LINES, map(_json_line, lines))
    if file_format == FileFormat.HF:
        return ExportedFile(f"{stem}.zip", "application/zip", _hugging_face(version, splits))
    if file_format == FileFormat.PARQUET:
        return ExportedFile(f"{stem}.parquet", "application/vnd.apache.parquet", _parquet(version, splits))
    rows = examples_of(version, splits).iterator(chunk_size=_BATCH)
    if file_format == FileFormat.CSV:
        _require_fit_for_csv(version, splits)
        return ExportedFile(f"{stem}.csv", "text/csv; charset=utf-8", _csv(rows, _metadata_fields(version)))
    return ExportedFile(f"{stem}.jsonl", _JSON_LINES, map(_json_line, map(example_as_object, rows)))


def exported_splits(version: DatasetVersion, splits: Sequence[str] = ()) -> list[str]:
    """These splits, or all, of which the version has rows; never the test split. Raises NotAllowedError for
    the test split, and InvalidError where no row is left.
    """
    for split in splits:
        _require_downloadable(split)
    found = [
        each.value
        for each in DOWNLOADABLE_SPLITS
        if version.counts.get(each) and (not splits or each in splits)
    ]
    if not found:
        raise InvalidError(
            "The version has no rows of these splits; the test split is held out. Choose others.",
            field="splits",
        )
    return found


def write_folder(version: DatasetVersion, splits: list[str], folder: Path) -> Iterator[int]:
    """Write the folder that Hugging Face `datasets` loads, yielding the number of rows written after each
    batch. Earlier content of the folder is replaced.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / DATA_FOLDER).mkdir(parents=True)
    (folder / CARD_FILE).write_text(card(version, splits))
    rows = 0
    for split in splits:
        with (folder / data_file(split)).open("wb") as file:
            for written in _write_parquet(version, [split], file):
                rows += written
                yield rows


def data_file(split: str) -> str:
    """The path of a split's rows in the folder."""
    return f"{DATA_FOLDER}/{split}-00000-of-00001.parquet"


def _require_downloadable(split: str) -> None:
    if split and split not in DOWNLOADABLE_SPLITS:
        raise NotAllowedError(
            "The test split is held out: a copy could end up in training data and make every score on it"
            " meaningless. Export another split."
        )


def losses_of(version: DatasetVersion, file_format: str) -> dict[str, int]:
    """How many rows of an export in a message format lose each part; the rows are those of `exported`. Raises
    InvalidError for another format.
    """
    if file_format not in FORMATS_OF_FILES:
        raise InvalidError(f"Use one of {', '.join(FORMATS_OF_FILES)}.", field="format")
    rows = examples_of(version, list(DOWNLOADABLE_SPLITS)).iterator(chunk_size=_BATCH)
    return losses(rows, file_format)


def exported_with_originals(version: DatasetVersion, *, by: User) -> ExportedFile:
    """JSON Lines of all but the test split, with placeholders of masked rows replaced by their originals. The
    audit log records the user. Raises InvalidError as `vault.originals_of` does.
    """
    rows_out = sum(version.counts.get(split, 0) for split in DOWNLOADABLE_SPLITS)
    record(
        "dataset.exported_unmasked",
        by=by,
        obj=version,
        project=version.dataset.project,
        data={"rows": rows_out},
    )
    stem = f"{slugify(version.dataset.name) or 'dataset'}-v{version.number}-originals"
    rows = examples_of(version, list(DOWNLOADABLE_SPLITS)).iterator(chunk_size=_BATCH)
    objects = with_originals(version.dataset.project, rows)
    return ExportedFile(f"{stem}.jsonl", _JSON_LINES, map(_json_line, objects))


def _json_line(value: Any) -> bytes:
    return _json(value).encode() + b"\n"


def _require_fit_for_csv(version: DatasetVersion, splits: list[str]) -> None:
    """Raises InvalidError where a row holds more than one question with one answer."""
    rows = examples_of(version, splits)
    is_conversation = Q(messages__2__isnull=False) | (
        Q(messages__1__isnull=False) & ~Q(messages__0__role="system")
    )
    has_more = Q(references__1__isnull=False) | ~Q(pairs=[]) | ~Q(rated=[]) | Q(conversation__isnull=False)
    count = rows.filter(is_conversation | has_more).count()
    if count:
        raise InvalidError(
            f"A CSV row has one question and one answer, and {count:,} rows have several messages,"
            " references, preferences, or more than text. Export JSON Lines or Parquet."
        )


def _metadata_fields(version: DatasetVersion) -> list[str]:
    fields = Example.objects.filter(version=version).annotate(
        field=Func("metadata", function="jsonb_object_keys", output_field=TextField())
    )
    return sorted(fields.values_list("field", flat=True).distinct())


def _csv(rows: Iterable[Example], fields: list[str]) -> Iterator[bytes]:
    """CSV with a column for each metadata field; values other than text are written as JSON."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(
        [*_CSV_COLUMNS, *(f"metadata.{each}" if each in _CSV_COLUMNS else each for each in fields)]
    )
    for row in rows:
        texts = {message["role"]: message["content"] for message in row.messages}
        values = (row.metadata.get(each, "") for each in fields)
        writer.writerow(
            [row.split, texts.get("system", ""), texts["user"], next(iter(row.references), ""), row.label,
             row.context, row.group_key,
             *(value if isinstance(value, str) else _json(value) for value in values)]
        )  # fmt: skip
        if buffer.tell() > _CSV_BUFFER:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


class _Chunks(io.RawIOBase):
    """A writable file object whose content so far can be taken away in chunks."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _parquet(version: DatasetVersion, splits: list[str]) -> Iterator[bytes]:
    chunks = _Chunks()
    for _ in _write_parquet(version, splits, chunks):
        yield chunks.take()
    yield chunks.take()


def _write_parquet(version: DatasetVersion, splits: list[str], file: Any) -> Iterator[int]:
    """Write the rows of these splits as Parquet, yielding the number of rows after each batch."""
    # JSON goes from the database to pyarrow as text; building Python objects would take most of the time.
    values = JSONObject(**{name: _COLUMNS.get(name, F(name)) for name in SCHEMA.names})
    rows = examples_of(version, splits).annotate(line=Cast(values, TextField()))
    lines = rows.values_list("line", flat=True).iterator(chunk_size=_BATCH)
    parsing = ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore")
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        while batch := list(islice(lines, _BATCH)):
            text = "\n".join(batch).encode()
            reading = ReadOptions(use_threads=False, block_size=len(text))
            table = read_json(io.BytesIO(text), reading, parsing)
            writer.write_table(table.cast(SCHEMA))
            yield len(batch)


def _hugging_face(version: DatasetVersion, splits: list[str]) -> Iterator[bytes]:
    """A zip of README.md, which is the dataset's card, and one Parquet file for each split."""
    chunks = _Chunks()
    with zipfile.ZipFile(chunks, "w", zipfile.ZIP_STORED) as folder:
        folder.writestr(CARD_FILE, card(version, splits))
        for split in splits:
            with folder.open(data_file(split), "w", force_zip64=True) as file:
                for _ in _write_parquet(version, [split], file):
                    yield chunks.take()
    yield chunks.take()


def card(version: DatasetVersion, splits: list[str]) -> str:
    """The dataset card: metadata for Hugging Face, then a description of the version for people."""
    head = {
        "pretty_name": f"{version.dataset.name} v{version.number}",
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": data_file(split)} for split in splits],
            }
        ],
    }
    held_out = version.counts.get(Split.TEST, 0)
    counts = ", ".join(f"{version.counts[split]:,} {split}" for split in splits)
    left_out = f" {held_out:,} test rows are held out and not part of this copy." if held_out else ""
    origin = version.parent or version.source or "rows"
    lines = [
        f"# {version}",
        version.dataset.description,
        f"Licence: {version.dataset.licence}" if version.dataset.licence else "",
        version.note,
        f"Rows: {counts}.{left_out}",
        f"Created {version.created_at:%d %B %Y} from {origin}.",
        f"Content (SHA-256 of all rows): `{version.content_hash}`.",
        "It contains answers of simulated reviewers." if version.is_simulated else "",
    ]
    yaml_head = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"---\n{yaml_head}---\n\n" + "\n\n".join(line for line in lines if line) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
