"""What kind of file an upload is, seen from its name and first bytes, and where uploads are kept."""

import uuid
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from evalapp.datasets.formats import FileProblemError
from evalapp.datasets.json_lists import starts_list

JSONL, CSV = "jsonl", "csv"
ENDINGS = {".jsonl": JSONL, ".ndjson": JSONL, ".json": JSONL, ".csv": CSV, ".tsv": CSV}
ACCEPTED = ", ".join(ENDINGS)
HEAD_BYTES = 4096

_SIGNATURES = {
    b"\x1f\x8b": "is compressed (gzip). Unpack it and upload what is inside",
    b"PK\x03\x04": "is a zip file or an Excel workbook. Unpack it, or save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook. Save the sheet as CSV (UTF-8)",
    b"PAR1": "is a Parquet file. Convert it to JSONL first",
    b"BZh": "is compressed (bzip2). Unpack it and upload what is inside",
    b"\xfd7zXZ": "is compressed (xz). Unpack it and upload what is inside",
    b"\x28\xb5\x2f\xfd": "is compressed (zstd). Unpack it and upload what is inside",
    b"%PDF": "is a PDF. Export its rows as CSV or JSONL",
    b"\xff\xfe": "is UTF-16. Save it as UTF-8",
    b"\xfe\xff": "is UTF-16. Save it as UTF-8",
}


def format_by_name(name: str) -> str:
    """``jsonl`` or ``csv`` by the file's ending; raises FileProblemError for any other."""
    ending = Path(name.lower()).suffix
    if ending not in ENDINGS:
        shown = f"ends in {ending}" if ending else "has no ending"
        raise FileProblemError(f"The file's name {shown}. Upload one of {ACCEPTED}.")
    return ENDINGS[ending]


def recognise(name: str, head: bytes) -> str:
    """``jsonl`` (objects of JSON, one a line or in one list) or ``csv``, when the name and the first bytes
    agree.

    Raises FileProblemError saying what the file is instead, and what to do.
    """
    named = format_by_name(name)
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise FileProblemError(f"The file {what}.")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise FileProblemError("The file is empty. Check that it was saved, and upload it again.")
    if head.count(b"\x00") * 4 > len(head):
        raise FileProblemError("The file is UTF-16 or binary, not text. Save it as UTF-8.")
    if named == JSONL and not text.startswith((b"{", b"[")):
        raise FileProblemError(
            "The first line is no JSON object. A JSONL file has one object per line; "
            "for a table use the ending .csv."
        )
    if named == CSV and text.startswith((b'{"', b"{ ")):
        raise FileProblemError("The file holds JSON, not CSV. Rename it to .jsonl and upload it again.")
    return named


def require_lines(head: bytes) -> None:
    """For a reader of lines: raises FileProblemError where the file is one JSON list."""
    if starts_list(head):
        raise FileProblemError(
            "The file is one JSON list. Write one object per line instead (for instance with "
            "`jq -c '.[]' file.json > file.jsonl`)."
        )


def upload_folder() -> Path:
    return Path(settings.FILE_UPLOAD_TEMP_DIR)


def new_stored_name(file_format: str) -> str:
    """The server's own name for an upload; nothing of the person's file name goes into it."""
    return f"import-{uuid.uuid4().hex}.{file_format}"


def stored_path(stored_name: str) -> Path:
    return upload_folder() / stored_name


def open_stored(stored_name: str) -> BinaryIO:
    """Raises FileProblemError where the file is not there any more."""
    try:
        return stored_path(stored_name).open("rb")
    except FileNotFoundError as error:
        raise FileProblemError("The uploaded file is not there any more. Upload it again.") from error
