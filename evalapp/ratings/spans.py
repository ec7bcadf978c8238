"""Marked parts of answers: read from files, and found in the answer they mark. Pure.

Places are kept in code points of the exact text, as Python counts them.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from evalapp.imports.problems import FieldProblem
from evalapp.ratings.records import (
    LONGEST_COMMENT,
    MOST_SPANS,
    RecordProblemError,
    SpanMark,
    storable,
    text_of,
)

LONGEST_LABEL = 60
_WORD = re.compile(r"\s+")


class LocatedSpan(NamedTuple):
    """Where a mark stands in the answer, or why it stands nowhere (then ``start`` is None)."""

    mark: SpanMark
    start: int | None
    end: int | None
    problem: str = ""

    @property
    def is_found(self) -> bool:
        return self.start is not None


def spans_of(value: Any, name: str) -> Sequence[SpanMark]:
    """A file's spans: a list of objects with ``text``, or with ``start`` and ``end``, and ``label`` and
    ``comment`` (or ``comments``); a text alone is one span. Raises RecordProblemError.
    """
    if value is None or value == "":
        return ()
    given = [value] if isinstance(value, str | dict) else value
    if not isinstance(given, list):
        raise RecordProblemError(FieldProblem(name, "This is not a list of spans.", 'Write [{"text": "…"}].'))
    if len(given) > MOST_SPANS:
        problem = f"There are {len(given):,} spans; {MOST_SPANS} is the limit of one review."
        raise RecordProblemError(FieldProblem(name, problem, "Leave some out."))
    return [_span(each, f"{name}[{number}]") for number, each in enumerate(given, start=1)]


def _span(given: Any, name: str) -> SpanMark:
    if isinstance(given, str):
        return SpanMark(storable(given, name, LONGEST_COMMENT), field=name)
    if not isinstance(given, dict):
        raise RecordProblemError(
            FieldProblem(name, "This is not a span.", 'Write {"text": "…", "label": "…"}.')
        )
    start, end = given.get("start"), given.get("end")
    for place in (start, end):
        if place is not None and (isinstance(place, bool) or not isinstance(place, int) or place < 0):
            raise RecordProblemError(
                FieldProblem(name, "Start and end must be whole numbers from 0.", "Count code points from 0.")
            )
    label = text_of(given.get("label"), f"{name}.label", LONGEST_LABEL)
    comment = given.get("comment", given.get("comments"))
    if isinstance(comment, list) and all(isinstance(each, str) for each in comment):
        comment = "; ".join(comment)
    text = text_of(given.get("text"), f"{name}.text", LONGEST_COMMENT)
    return SpanMark(
        text, start, end, label.strip(), text_of(comment, f"{name}.comment", LONGEST_COMMENT).strip(), name
    )


def locate_span(answer: str, mark: SpanMark) -> LocatedSpan:
    """Find a mark in its answer: at its own place where the words agree, else where they stand only once,
    or nearest to its place.

    Words that do not stand there verbatim are not guessed: the mark keeps no place, and the problem says
    how near it comes.
    """
    if mark.start is not None and mark.end is not None:
        inside = 0 <= mark.start < mark.end <= len(answer)
        if inside and (not mark.text or answer[mark.start : mark.end] == mark.text):
            return LocatedSpan(mark, mark.start, mark.end)
        if not mark.text:
            problem = (
                f"{mark.start} to {mark.end} is outside the answer, which has {len(answer):,} characters"
            )
            return LocatedSpan(mark, None, None, problem)
    if not mark.text.strip():
        return LocatedSpan(mark, None, None, "The span is empty")
    places = [found.start() for found in re.finditer(re.escape(mark.text), answer)]
    if places:
        wanted = mark.start or 0
        start = min(places, key=lambda place: abs(place - wanted))
        return LocatedSpan(mark, start, start + len(mark.text))
    if _normalised(mark.text) in _normalised(answer):
        return LocatedSpan(mark, None, None, "The words are in the answer with other white space or case")
    return LocatedSpan(mark, None, None, "The words are not in the answer")


def code_points(text: str, utf16_offset: int) -> int:
    """An offset counted in UTF-16 units, as browsers count, in code points."""
    if text.isascii():
        return utf16_offset
    return len(text.encode("utf-16-le")[: 2 * utf16_offset].decode("utf-16-le", "ignore"))


def utf16_units(text: str, offset: int) -> int:
    """The other way round."""
    return offset if text.isascii() else len(text[:offset].encode("utf-16-le")) // 2


def _normalised(text: str) -> str:
    return _WORD.sub(" ", text).strip().casefold()
