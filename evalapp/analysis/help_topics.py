"""Explanations of every statistic, from `docs/measures.md`, one topic for each of its headings."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils.text import slugify

NOTES = Path(settings.BASE_DIR) / "docs" / "measures.md"
_HEADING = re.compile(r"^(#{1,2}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(#([\w-]+)\)")


class Topic(NamedTuple):
    """A statistic, or a group of them if ``group`` is empty; ``text`` is Markdown."""

    key: str
    title: str
    text: str
    group: str

    @property
    def summary(self) -> str:
        """The first paragraph."""
        return self.text.partition("\n\n")[0]


@cache
def topics() -> dict[str, Topic]:
    """All topics by key, in the order of the document; the first is the document's introduction."""
    parts = _HEADING.split(NOTES.read_text(encoding="utf-8"))[1:]
    found: dict[str, Topic] = {}
    group = ""
    for marks, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        key = slugify(title)
        is_group = marks == "#"
        found[key] = Topic(key, title, text.strip(), "" if is_group else group)
        group = key if is_group else group
    return found


def members_of(group: Topic) -> list[Topic]:
    return [each for each in topics().values() if each.group == group.key]


def with_links(text: str, start: str) -> str:
    """The text with its links pointing to the topics' pages below ``start``."""
    return _LINK.sub(rf"]({start}\1/)", text)
