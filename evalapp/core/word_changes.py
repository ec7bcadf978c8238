"""Word-by-word comparison of two texts with bounded work; used by every such comparison on the server."""

from collections.abc import Iterator
from typing import NamedTuple

from rapidfuzz.distance import Indel

MOST_PAIRS = 25_000_000
"""The greatest product of the two texts' word counts, without equal beginnings and ends, that is compared.
5,000 by 5,000 take about 5 ms and 4 MB for any words, so results need no cache.
"""
SAME, REMOVED, ADDED = "same", "removed", "added"


class WordChange(NamedTuple):
    """A run of words; ``kind``: "same", "removed" or "added"."""

    kind: str
    text: str


class WordChanges(NamedTuple):
    """Changes in reading order. ``is_too_long``: only equal beginnings and ends were compared; the rest is
    one removed and one added run.
    """

    changes: list[WordChange]
    is_too_long: bool = False


def word_changes(before: str, after: str) -> WordChanges:
    """The smallest set of removed and added words that turns one text into the other."""
    old, new = before.split(), after.split()
    start = _equal_at_the_start(old, new)
    end = _equal_at_the_start(old[start:][::-1], new[start:][::-1])
    old_middle, new_middle = old[start : len(old) - end], new[start : len(new) - end]
    is_too_long = len(old_middle) * len(new_middle) > MOST_PAIRS
    middle = (
        [(REMOVED, old_middle), (ADDED, new_middle)] if is_too_long else _changed_runs(old_middle, new_middle)
    )
    parts = [(SAME, old[:start]), *middle, (SAME, old[len(old) - end :])]
    return WordChanges([WordChange(kind, " ".join(words)) for kind, words in parts if words], is_too_long)


def _equal_at_the_start(old: list[str], new: list[str]) -> int:
    pairs = zip(old, new, strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))


def _changed_runs(old: list[str], new: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Runs in reading order, removed words before the added words that replace them."""
    removed: list[str] = []
    added: list[str] = []
    for step in Indel.opcodes(old, new):
        if step.tag == "equal":
            yield from ((REMOVED, removed), (ADDED, added))
            removed, added = [], []
            yield SAME, old[step.src_start : step.src_end]
        removed += old[step.src_start : step.src_end] if step.tag == "delete" else []
        added += new[step.dest_start : step.dest_end] if step.tag == "insert" else []
    yield from ((REMOVED, removed), (ADDED, added))
