"""The definitions in a report: the paragraphs of `docs/measures.md` on its statistics, as plain text."""

import re
from collections.abc import Container

from evalapp.analysis.help_topics import topics

_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_EMPHASIS = re.compile(r"\*\*?|`")


def definitions(anchors: Container[str]) -> list[tuple[str, str]]:
    """Name and first paragraph of each measure whose anchor is asked for, in the order of the document."""
    return [
        (topic.title, _plain(topic.summary))
        for topic in topics().values()
        if topic.group and topic.key in anchors
    ]


def _plain(text: str) -> str:
    return _EMPHASIS.sub("", _LINK.sub(r"\1", text))
