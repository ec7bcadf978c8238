import pytest

from evalapp.metrics.automatic.surface import (
    compression,
    length_characters,
    length_words,
    novel_ngrams,
    repetition,
    words,
)


def test_words_keep_inner_marks_and_know_every_script() -> None:
    assert words("Don't sell: £1,200.50 at year-end, café!") == [
        "don't",
        "sell",
        "1,200.50",
        "at",
        "year-end",
        "café",
    ]
    assert words("Привет, мир") == ["привет", "мир"]
    assert words(" .,;- ") == []


def test_lengths() -> None:
    assert (length_words("one two").value, length_characters(" one two\n").value) == (2, 7)
    assert (length_words("").value, length_characters("").value) == (0, 0)


def test_compression_is_words_per_word_of_the_source() -> None:
    found = compression("two words", "one two three four five six seven eight")
    assert (found.value, found.n) == (0.25, 8)
    assert compression("text", " ").reason == "the example has no context"


def test_repetition_is_the_share_of_sequences_seen_before() -> None:
    assert repetition("a b c a b c").value == pytest.approx(1 / 4)
    assert repetition("a b c d e").value == 0
    assert repetition("go go go go go go").value == 0.75
    assert repetition("a b").reason == "fewer than 3 words"
    with pytest.raises(ValueError, match="at least one word"):
        repetition("a b", order=0)


def test_novel_ngrams_are_those_the_source_lacks() -> None:
    found = novel_ngrams("the fund grew fast", "The fund grew slowly")
    assert (found.value, found.n) == (pytest.approx(1 / 3), 3)
    assert novel_ngrams("the fund", "").reason == "the example has no context"
    assert novel_ngrams("", "source").reason == "fewer than 2 words"
