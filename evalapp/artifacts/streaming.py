"""Downloads of large files: archives packed while they are sent, and resumable files."""

import hashlib
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from evalapp.core.errors import MissingError
from evalapp.core.http import attached

SUMS_FILE = "SHA256SUMS"
_BLOCK = 2**20
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
# The earliest time that zip can store; it makes archives of equal content identical.
_TIME = (1980, 1, 1, 0, 0, 0)


class Entry(NamedTuple):
    """A file of an archive: its name and its content or path."""

    name: str
    content: bytes | Path


class _Outlet:
    """Write target of the zip; buffers only what has not been sent yet."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, content: bytes) -> int:
        self._waiting += content
        return len(content)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def zip_blocks(entries: Sequence[Entry], *, folder: str) -> Iterator[bytes]:
    """Yield the archive in blocks of about a megabyte, with all files in one folder and their SHA-256 as the
    last file.

    Not compressed: weights hardly shrink, and compression would take minutes.
    """
    outlet, sums = _Outlet(), []
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # type: ignore[call-overload]  # write-only file object
        for entry in entries:
            digest = hashlib.sha256()
            with archive.open(_info(f"{folder}/{entry.name}"), "w", force_zip64=True) as target:
                for block in _blocks_of(entry):
                    digest.update(block)
                    target.write(block)
                    yield outlet.take()
            sums.append(f"{digest.hexdigest()}  {entry.name}\n")
        archive.writestr(_info(f"{folder}/{SUMS_FILE}"), "".join(sums))
    yield outlet.take()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.external_attr = 0o644 << 16
    return info


def _blocks_of(entry: Entry) -> Iterator[bytes]:
    if isinstance(entry.content, bytes):
        yield entry.content
        return
    with entry.content.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def archive_response(entries: Sequence[Entry], *, stem: str) -> StreamingHttpResponse:
    """Response with a zip; ``stem`` is the name of the archive and of its folder."""
    blocks = zip_blocks(entries, folder=stem)
    return attached(StreamingHttpResponse(blocks, content_type="application/zip"), f"{stem}.zip")


def file_response(
    request: HttpRequest, path: Path, *, filename: str, etag: str
) -> HttpResponse | StreamingHttpResponse:
    """A file, or the part in a Range header, so that an interrupted download can continue.

    ``etag`` is the hash of the content. Raises MissingError when the file no longer exists.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise MissingError(
            "The file is not on this server's disk any more. Restore it from a backup."
        ) from error
    size = path.stat().st_size
    start, end = _asked_for(request, size, etag)
    if start > end and size:
        file.close()
        refused = HttpResponse(status=416)
        refused["Content-Range"] = f"bytes */{size}"
        return refused
    is_part = (start, end) != (0, size - 1)
    response = StreamingHttpResponse(
        _part_of(file, start, end), status=206 if is_part else 200, content_type="application/octet-stream"
    )
    response["Content-Length"] = str(end - start + 1)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = f'"{etag}"'
    if is_part:
        response["Content-Range"] = f"bytes {start}-{end}/{size}"
    return attached(response, filename)


def _asked_for(request: HttpRequest, size: int, etag: str) -> tuple[int, int]:
    """First and last requested byte; the whole file without a single valid range or if the content has
    changed.
    """
    whole = (0, size - 1)
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if found is None or request.headers.get("If-Range", f'"{etag}"') != f'"{etag}"':
        return whole
    start = int(found[1])
    return start, min(int(found[2]), size - 1) if found[2] else size - 1


def _part_of(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        left = end - start + 1
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
