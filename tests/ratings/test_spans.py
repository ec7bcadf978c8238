"""Marked parts are found in code points of the exact text, or told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalapp.ratings.records import RecordProblemError, SpanMark
from evalapp.ratings.spans import code_points, locate_span, spans_of, utf16_units

ANSWER = "Pay 🙂 today. Pay שלום tomorrow."


@pytest.mark.parametrize(
    ("mark", "place"),
    [
        (SpanMark("today"), (6, 11)),
        (SpanMark("Pay", 12, 15), (13, 16)),
        (SpanMark("Pay", 13, 16), (13, 16)),
        (SpanMark("", 17, 21), (17, 21)),
        (SpanMark("שלום"), (17, 21)),
        (SpanMark("🙂", 0, 1), (4, 5)),
    ],
)
def test_a_mark_is_found_at_or_near_its_place(mark: SpanMark, place: tuple[int, int]) -> None:
    found = locate_span(ANSWER, mark)
    assert (found.start, found.end) == place
    assert ANSWER[place[0] : place[1]] == (mark.text or ANSWER[17:21])


@pytest.mark.parametrize(
    ("mark", "problem"),
    [
        (SpanMark("pay  🙂"), "other white space or case"),
        (SpanMark("yesterday"), "are not in the answer"),
        (SpanMark("", 10, 99), "outside the answer"),
        (SpanMark("", 9, 3), "outside the answer"),
        (SpanMark(" "), "empty"),
    ],
)
def test_what_is_nowhere_is_told_and_not_guessed(mark: SpanMark, problem: str) -> None:
    found = locate_span(ANSWER, mark)
    assert (found.start, found.end) == (None, None)
    assert problem in found.problem


@given(st.text(max_size=60), st.integers(0, 60))
def test_offsets_of_browsers_and_of_python_turn_into_each_other(text: str, offset: int) -> None:
    offset = min(offset, len(text))
    text = text.encode("utf-8", "replace").decode()
    assert code_points(text, utf16_units(text, offset)) == offset


@pytest.mark.parametrize(
    "value",
    [5, [5], [{"start": -1, "end": 2}], [{"text": 5}], [{"text": "a", "start": "1"}], [{}] * 201],
)
def test_what_is_no_span_is_refused(value: object) -> None:
    with pytest.raises(RecordProblemError):
        spans_of(value, "spans")


def test_words_alone_are_a_span_and_comments_are_joined() -> None:
    assert spans_of("words", "spans") == [SpanMark("words", field="spans[1]")]
    (mark,) = spans_of([{"text": "a", "comments": ["one", "two"]}], "spans")
    assert mark.comment == "one; two"
