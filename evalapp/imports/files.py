"""The format of an upload, from its name and first bytes, and its storage until it is imported."""

import os
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

from evalapp.core.errors import InvalidError
from evalapp.imports.problems import FileProblemError

JSONL, CSV = "jsonl", "csv"
PARQUET_SIGNATURE = b"PAR1"
ZIP_SIGNATURE = b"PK\x03\x04"
FORMATS_BY_ENDING = {
    ".jsonl": JSONL, ".ndjson": JSONL, ".json": JSONL, ".parquet": JSONL, ".zip": JSONL, ".csv": CSV,
    ".tsv": CSV,
}  # fmt: skip
ACCEPTED_ENDINGS = ", ".join(FORMATS_BY_ENDING)
HEAD_BYTES = 4096
DAYS_UPLOADS_ARE_KEPT = 7
DAYS_NAMELESS_FILES_ARE_KEPT = 1
"""Files without a row in the database: uploads still arriving, or the rest of one after a crash."""


_SIGNATURES = {
    b"\x1f\x8b": "is compressed (gzip). Unpack it and upload what is inside",
    ZIP_SIGNATURE: "is a zip file or an Excel workbook. Unpack it, or save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook. Save the sheet as CSV (UTF-8)",
    b"BZh": "is compressed (bzip2). Unpack it and upload what is inside",
    b"\xfd7zXZ": "is compressed (xz). Unpack it and upload what is inside",
    b"\x28\xb5\x2f\xfd": "is compressed (zstd). Unpack it and upload what is inside",
    b"%PDF": "is a PDF. Export its rows as CSV or JSONL",
    b"\xff\xfe": "is UTF-16. Save it as UTF-8",
    b"\xfe\xff": "is UTF-16. Save it as UTF-8",
}


def format_by_name(name: str) -> str:
    """``jsonl`` (JSON, or Parquet, also in a zip, with the same objects as rows) or ``csv``, by the file's
    ending; raises FileProblemError for any other.
    """
    ending = Path(name.lower()).suffix
    if ending not in FORMATS_BY_ENDING:
        shown = f"ends in {ending}" if ending else "has no ending"
        raise FileProblemError(f"The file's name {shown}. Upload one of {ACCEPTED_ENDINGS}.")
    return FORMATS_BY_ENDING[ending]


def recognise_format(name: str, head: bytes) -> str:
    """``jsonl`` (JSON objects, one per line or in one list) or ``csv``, if the name and the first bytes
    agree.

    Raises FileProblemError that says what the file is instead, and what to do.
    """
    named = format_by_name(name)
    if name.lower().endswith(".zip") and head.startswith(ZIP_SIGNATURE):
        return named
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise FileProblemError(f"The file {what}.")
    is_parquet = head.startswith(PARQUET_SIGNATURE)
    if is_parquet != name.lower().endswith(".parquet"):
        what = (
            "is a Parquet file. Rename it to .parquet"
            if is_parquet
            else "is not a Parquet file. Write it again"
        )
        raise FileProblemError(f"The file {what}, and upload it again.")
    if is_parquet:
        return named
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise FileProblemError("The file is empty. Check that it was saved, and upload it again.")
    if head.count(b"\x00") * 4 > len(head):
        raise FileProblemError("The file is UTF-16 or binary, not text. Save it as UTF-8.")
    if named == JSONL and not text.startswith((b"{", b"[")):
        raise FileProblemError(
            "The first line is not a JSON object. A JSONL file has one object per line; "
            "for a table use the ending .csv."
        )
    if named == CSV and text.startswith((b'{"', b"{ ")):
        raise FileProblemError("The file is JSON, not CSV. Rename it to .jsonl and upload it again.")
    return named


def upload_folder() -> Path:
    return Path(settings.FILE_UPLOAD_TEMP_DIR)


def new_stored_name() -> str:
    """A new name for an upload on the server, independent of the person's file name."""
    return f"import-{uuid.uuid4().hex}.upload"


def stored_path(stored_name: str) -> Path:
    return upload_folder() / stored_name


def open_stored(stored_name: str) -> BinaryIO:
    """Open an upload. Raises FileProblemError if the file no longer exists."""
    try:
        return stored_path(stored_name).open("rb")
    except FileNotFoundError as error:
        raise FileProblemError("The uploaded file was removed. Upload it again.") from error


@contextmanager
def stored_upload(upload: "UploadedFile[Any]") -> Iterator[str]:
    """Store the upload and yield its name on the server; the file is removed if the block fails.

    Turns the block's FileProblemError into InvalidError.
    """
    stored_name = new_stored_name()
    try:
        _store(upload, stored_path(stored_name))
        yield stored_name
    except BaseException as error:
        for path in upload_folder().glob(f"{Path(stored_name).stem}.*"):
            path.unlink(missing_ok=True)
        if isinstance(error, FileProblemError):
            raise InvalidError(str(error), field="file") from error
        raise


def _store(upload: "UploadedFile[Any]", path: Path) -> None:
    """Move or write the upload to its path; a file at that path is always complete."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if isinstance(upload, TemporaryUploadedFile):
        Path(upload.temporary_file_path()).replace(path)
        return
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_old_uploads(named_of: Callable[[Collection[str]], Collection[str]]) -> None:
    """Remove expired files; ``named_of`` returns those of the given names that a row has.

    Several uploads may do this at once, so any file may already be gone.
    """
    now = time.time()
    ages: dict[Path, float] = {}
    for pattern in ("import-*", "tmp*.upload*"):
        for path in upload_folder().glob(pattern):
            with suppress(FileNotFoundError):
                ages[path] = (now - path.stat().st_mtime) / 86_400
    old = [path for path, age in ages.items() if age > DAYS_NAMELESS_FILES_ARE_KEPT]
    named = set(named_of([path.name for path in old]))
    for path in old:
        if path.name not in named or ages[path] > DAYS_UPLOADS_ARE_KEPT:
            path.unlink(missing_ok=True)


class RefusingUploadHandler(FileUploadHandler):
    """Runs first and checks the name and the first chunk of a file; accepted files pass to the next handler.

    After a refusal ``problem`` says why, and the rest of the body is read and discarded, so that the browser
    can show the response.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.problem = ""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        try:
            format_by_name(self.file_name or "")
        except FileProblemError as error:
            self._refuse(error)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if start == 0:
            try:
                recognise_format(self.file_name or "", raw_data[:HEAD_BYTES])
            except FileProblemError as error:
                self._refuse(error)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The next handler returns the file."""

    def _refuse(self, error: FileProblemError) -> None:
        self.problem = str(error)
        raise StopUpload(connection_reset=False) from error
