import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalapp.metrics.phrases import PhraseFinder
from tests.metrics.growth import LINEAR_AT_MOST, growth


def found(
    text: str, *phrases: str, whole_words: bool = True, ignore_case: bool = True
) -> list[tuple[int, str]]:
    finder = PhraseFinder(phrases, ignore_case=ignore_case, whole_words=whole_words)
    return [(span.start, span.text) for span in finder.spans(text)]


LETTERS = st.text(alphabet="abBé_1 .\n\u00a0", min_size=1, max_size=30)


@settings(max_examples=300)
@given(
    LETTERS,
    st.lists(LETTERS.filter(str.strip), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
)
@example("a a", ["a"], True, True)
@example("..", ["."], True, False)
@example(" ..a. ", [".", "..a"], True, False)
def test_the_finds_are_those_of_the_plain_definition(
    text: str, phrases: list[str], whole_words: bool, ignore_case: bool
) -> None:
    longest_first = sorted(phrases, key=lambda phrase: len(" ".join(phrase.split())), reverse=True)
    any_phrase = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in longest_first)
    pattern = rf"(?<!\w)(?:{any_phrase})(?!\w)" if whole_words else any_phrase
    matches = re.finditer(pattern, text, re.IGNORECASE if ignore_case else 0)

    expected = [(match.start(), match.group()) for match in matches]
    assert found(text, *phrases, whole_words=whole_words, ignore_case=ignore_case) == expected


def test_neighbours_share_the_space_between_them() -> None:
    assert found("risk risk,risk", "risk") == [(0, "risk"), (5, "risk"), (10, "risk")]


def test_offsets_are_of_the_text_as_it_was_written() -> None:
    text = "  ไทย é\n\n next \t step."
    assert [(text[start : start + len(find)], find) for start, find in found(text, "next step")] == [
        ("next \t step", "next \t step")
    ]


@pytest.mark.parametrize("whole_words", [True, False])
@pytest.mark.parametrize(
    ("phrases", "part"),
    [
        (["a " * 900 + "b"], "a "),
        (["a" * 1999 + "b"], "a"),
        ([f"{'a' * (36 - number % 7)}{number}" for number in range(500)], "a"),
        ([f"{'a ' * 15}{number}" for number in range(500)], "a "),
        (["a b"], " "),
        (["a b"], "a\n\n\n"),
    ],
    ids=["a phrase of 900 words", "a long word", "500 words", "500 phrases", "spaces", "gaps"],
)
def test_the_cost_grows_with_the_text(phrases: list[str], part: str, whole_words: bool) -> None:
    finder = PhraseFinder(phrases, ignore_case=True, whole_words=whole_words)

    def find(text: str) -> None:
        assert list(finder.spans(text)) == []

    ratio = growth(find, lambda characters: part * (characters // len(part)), characters=2_000)
    assert ratio < LINEAR_AT_MOST
