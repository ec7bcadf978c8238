"""Search for phrases in time linear in the text."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import re2

from evalapp.metrics.rows import Span, well_formed

MEMORY = 8 * 1024 * 1024
_VISIBLE = re.compile(r"\S+")
_NO_LETTER = r"[^\p{L}\p{N}_]"


class PhraseFinder:
    """Finds any of several phrases; spaces in a phrase match any run of spaces and line breaks.

    ``whole_words``: a match must not touch a letter, digit or underscore. Raises ValueError if the phrases
    together are too long to search for.
    """

    def __init__(self, phrases: Sequence[str], *, ignore_case: bool, whole_words: bool) -> None:
        self._margin = 1 if whole_words else 0
        # Reverse order puts a phrase before its own prefixes, so that a span shows the longest match, and
        # puts phrases with a common prefix side by side, which keeps the automaton small.
        ordered = sorted({" ".join(phrase.split()) for phrase in phrases}, key=_folded, reverse=True)
        any_phrase = "|".join(re2.escape(well_formed(phrase)) for phrase in ordered)
        options = re2.Options()
        options.case_sensitive = not ignore_case
        options.max_mem = MEMORY
        options.log_errors = False
        try:
            self._pattern: Any = re2.compile(
                f"{_NO_LETTER}(?:{any_phrase}){_NO_LETTER}" if whole_words else any_phrase, options
            )
        except re2.error as error:
            raise ValueError("the phrases together are too long to search for") from error

    def spans(self, text: str) -> Iterator[Span]:
        """Occurrences of the phrases, in order, without overlaps."""
        squeezed = _TextWithSingleSpaces(well_formed(text))
        position = 0
        while match := self._pattern.search(squeezed.text, position):
            # The margin characters do not belong to the match. The one behind it may also be the margin in
            # front of the next match.
            start, end = match.start() + self._margin, match.end() - self._margin
            first, last = squeezed.origin(start), squeezed.origin(end - 1)
            yield Span(first, last + 1, text[first : last + 1])
            position = end - self._margin


def _folded(phrase: str) -> str:
    return phrase.casefold()


class _TextWithSingleSpaces:
    """A text with one space before, between and after its words, and a mapping back to its offsets."""

    def __init__(self, text: str) -> None:
        matches = list(_VISIBLE.finditer(text))
        self.text = f" {' '.join(match.group() for match in matches)} "
        self._origins = [match.start() for match in matches]
        self._starts = list(accumulate((match.end() - match.start() + 1 for match in matches), initial=1))

    def origin(self, position: int) -> int:
        """Offset in the original text of a character of a word."""
        word = bisect_right(self._starts, position) - 1
        return self._origins[word] + position - self._starts[word]
