"""What the figures of a report are: the paragraphs of `docs/measures.md` on those that it shows, as plain
text.
"""

import re
from collections.abc import Container

from django.utils.text import slugify

from evalapp.analysis.views import NOTES

_SECTION = re.compile(r"^## (?P<title>.+)\n+(?P<text>[^\n]+)", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_EMPHASIS = re.compile(r"\*\*?|`")


def definitions(anchors: Container[str]) -> list[tuple[str, str]]:
    """Name and first paragraph of each measure whose anchor is asked for, in the order of the document."""
    return [
        (section["title"], _plain(section["text"]))
        for section in _SECTION.finditer(NOTES.read_text(encoding="utf-8"))
        if slugify(section["title"]) in anchors
    ]


def _plain(text: str) -> str:
    return _EMPHASIS.sub("", _LINK.sub(r"\1", text))
