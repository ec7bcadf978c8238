"""Uploads in another encoding than UTF-8, as spreadsheets save them."""

import codecs
import re
from pathlib import Path

from evalapp.imports.files import PARQUET_SIGNATURE

WINDOWS = "Windows-1252"
_CHUNK = 2**20
# A letter of UTF-8: a file that has some is UTF-8 with damage, which its rows are told of.
_UTF8_LETTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
# Bytes that Windows-1252 does not use.
_UNUSED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def written_as_utf8(path: Path) -> str:
    """Write a file in Windows-1252 anew in UTF-8, in its place; "Windows-1252" then, and "" for a file that
    stays as it is.
    """
    if not _is_windows(path):
        return ""
    partial = path.with_suffix(".partial")
    with path.open("rb") as file, partial.open("wb") as written:
        while chunk := file.read(_CHUNK):
            written.write(chunk.decode("cp1252").encode())
    partial.replace(path)
    return WINDOWS


def _is_windows(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, last = True, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if not last and chunk.startswith(PARQUET_SIGNATURE):
                return False
            if b"\x00" in chunk or _UNUSED.search(chunk) or _UTF8_LETTER.search(last + chunk):
                return False
            last = chunk[-1:]
            if is_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
    return not is_utf8
