"""Markdown helpers for a model card: escaped text and tables."""

import re
from collections.abc import Iterable, Sequence

_MARKS = re.compile(r"([\\`*_\[\]<>|#~&])")
_SPACES = re.compile(r"\s+")


def escaped(value: object) -> str:
    """Text that people wrote, as one line without Markdown or HTML meaning."""
    return _MARKS.sub(r"\\\1", _SPACES.sub(" ", str(value)).strip())


def code(value: str) -> str:
    return f"`{value}`" if value else "no hash"


def joined(words: Sequence[str]) -> str:
    return ", ".join(words)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the cells are Markdown already."""
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)])
