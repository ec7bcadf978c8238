"""Uploads in Windows-1252 instead of UTF-8, as spreadsheets save them."""

import codecs
import re
from pathlib import Path

from evalapp.imports.files import PARQUET_SIGNATURE

WINDOWS_1252 = "Windows-1252"
_CHUNK = 2**20
# A multibyte UTF-8 character: a file with one is damaged UTF-8, and its bad rows are reported.
_UTF8_LETTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
# Bytes without a character in Windows-1252.
_UNUSED_BYTES = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def convert_to_utf8(path: Path) -> str:
    """Convert a Windows-1252 file to UTF-8 in place; returns "Windows-1252", or "" if nothing was
    converted.
    """
    if not _is_windows(path):
        return ""
    partial = path.with_suffix(".partial")
    with path.open("rb") as file, partial.open("wb") as written:
        while chunk := file.read(_CHUNK):
            written.write(chunk.decode("cp1252").encode())
    partial.replace(path)
    return WINDOWS_1252


def _is_windows(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, last = True, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if not last and chunk.startswith(PARQUET_SIGNATURE):
                return False
            if b"\x00" in chunk or _UNUSED_BYTES.search(chunk) or _UTF8_LETTER.search(last + chunk):
                return False
            last = chunk[-1:]
            if is_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
    return not is_utf8
