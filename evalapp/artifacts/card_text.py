"""Markdown of a model card: escaped text and tables."""

import re
from collections.abc import Iterable, Sequence

_MARKS = re.compile(r"([\\`*_\[\]<>|#~&])")
_SPACES = re.compile(r"\s+")


def escaped(value: object) -> str:
    """What somebody wrote, as one line that Markdown and HTML read as plain words."""
    return _MARKS.sub(r"\\\1", _SPACES.sub(" ", str(value)).strip())


def code(value: str) -> str:
    return f"`{value}`" if value else "no hash"


def joined(words: Sequence[str]) -> str:
    return ", ".join(words)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are Markdown already."""
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)])
