"""Finds prompts that differ in only a few words; short ones may share no eight words in a row. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

# Longer prompts that differ in a few words still share half of their sequences of eight.
MOST_WORDS = 60
WORDS_PER_EDIT = 5
LEAST_SIMILARITY = 1 - 1 / WORDS_PER_EDIT
# Of characters: two spellings of a word, such as "cancelled" and "canceled".
LEAST_SPELLING = 0.75
# How many of a prompt's rarest words are looked up, and how many of them a near prompt must have.
_RAREST, _RAREST_HELD = 5, 2


class NearPrompts:
    """An index of prompts, each the list of its words in lower case."""

    def __init__(self, prompts: Sequence[Sequence[str]]) -> None:
        places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, words in enumerate(prompts):
            if len(words) <= MOST_WORDS:
                places[_numbers(words)].append(place)
        # Prompts with different numbers are never near one another.
        self._by_numbers = {numbers: _SameNumbers(prompts, found) for numbers, found in places.items()}

    def near(self, words: Sequence[str]) -> Iterator[tuple[int, float]]:
        """Positions of the prompts that are nearly the same, in order, with their similarity."""
        if len(words) <= MOST_WORDS + MOST_WORDS // WORDS_PER_EDIT:
            found = self._by_numbers.get(_numbers(words))
            yield from found.near(words) if found is not None else ()


class _SameNumbers:
    """The prompts of an index that contain the same numbers."""

    def __init__(self, prompts: Sequence[Sequence[str]], places: Sequence[int]) -> None:
        self._places = places
        self._prompts = [prompts[place] for place in places]
        self._lengths = np.array([len(words) for words in self._prompts], dtype=np.int64)
        by_word: defaultdict[str, list[int]] = defaultdict(list)
        for position, words in enumerate(self._prompts):
            for word in set(words):
                by_word[word].append(position)
        self._by_word = {word: np.array(positions, dtype=np.int64) for word, positions in by_word.items()}
        rarest_first = sorted(by_word, key=lambda word: (len(by_word[word]), word))
        self._rank = {word: rank for rank, word in enumerate(rarest_first)}

    def near(self, words: Sequence[str]) -> Iterator[tuple[int, float]]:
        known = set(filter(self._rank.__contains__, words))
        if not known:
            return
        rarest = sorted(known, key=self._rank.__getitem__)[:_RAREST]
        held = np.bincount(
            np.concatenate([self._by_word[word] for word in rarest]), minlength=len(self._lengths)
        )
        longest = np.maximum(self._lengths, len(words))
        may_be = (held >= min(len(rarest), _RAREST_HELD)) & (
            np.abs(self._lengths - len(words)) <= longest // WORDS_PER_EDIT
        )
        for position in np.flatnonzero(may_be):
            if (found := _word_similarity(self._prompts[position], words)) >= LEAST_SIMILARITY:
                yield self._places[position], found


def similarity(first: Sequence[str], second: Sequence[str]) -> float:
    """Similarity of two prompts: 1 less the share of words that only one has, or that are spelt differently.

    0 where a word is replaced by another, or a number differs: that is another question.
    """
    return _word_similarity(first, second) if _numbers(first) == _numbers(second) else 0.0


def _word_similarity(first: Sequence[str], second: Sequence[str]) -> float:
    """`similarity` of two prompts with the same numbers."""
    longest = max(len(first), len(second))
    most = longest // WORDS_PER_EDIT
    if not longest or abs(len(first) - len(second)) > most:
        return 0.0
    distance = Levenshtein.distance(first, second, score_cutoff=most)
    if distance > most or _has_another_word(first, second, distance):
        return 0.0
    edits = Levenshtein.editops(first, second)
    for edit in edits:
        if edit.tag == "replace" and not _is_spelling(first[edit.src_pos], second[edit.dest_pos]):
            return 0.0
    return 1 - len(edits) / longest


def _has_another_word(first: Sequence[str], second: Sequence[str], distance: int) -> bool:
    """Whether a word is certainly replaced by another; cheaper than computing the edits."""
    one, two = set(first), set(second)
    fewer, more = sorted((one - two, two - one), key=len)
    # Each of `more` needs an edit of its own. Where there is no further one, each of `fewer` shares one of
    # them: it is replaced.
    if distance != len(more):
        return False
    return any(not any(_is_spelling(word, other) for other in more) for word in fewer)


def _numbers(words: Sequence[str]) -> tuple[str, ...]:
    # Most words are letters alone, which is told fastest.
    return tuple(sorted(word for word in words if not word.isalpha() and any(map(str.isdigit, word))))


def _is_spelling(first: str, second: str) -> bool:
    return Levenshtein.normalized_similarity(first, second) >= LEAST_SPELLING
