"""Prompts that are the same but for a few words, as short ones may be without eight words in a row. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rapidfuzz.distance import Levenshtein

# A longer prompt with a few other words still holds half of its sequences of eight.
MOST_WORDS = 60
WORDS_PER_EDIT = 5
LEAST_SIMILARITY = 1 - 1 / WORDS_PER_EDIT
# Of characters: two spellings of a word, such as "cancelled" and "canceled".
LEAST_SPELLING = 0.75
# Of a prompt's rarest words so many are looked up, and so many of those a near one has.
_RAREST, _RAREST_HELD = 5, 2


class NearPrompts:
    """An index of prompts, each the list of its words in lower case."""

    def __init__(self, prompts: Sequence[Sequence[str]]) -> None:
        self._prompts = prompts
        self._numbers = [_numbers(words) for words in prompts]
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)
        for position, words in enumerate(prompts):
            if len(words) <= MOST_WORDS:
                for word in set(words):
                    self._by_word[word].append(position)

    def near(self, words: Sequence[str]) -> Iterator[tuple[int, float]]:
        """The places of the prompts that are nearly this one, with their similarity, in order."""
        if len(words) > MOST_WORDS + MOST_WORDS // WORDS_PER_EDIT:
            return
        known = {word for word in words if word in self._by_word}
        rarest = sorted(known, key=lambda word: (len(self._by_word[word]), word))[:_RAREST]
        held = Counter(place for word in rarest for place in self._by_word[word])
        needed = min(len(rarest), _RAREST_HELD)
        numbers = _numbers(words)
        for place, count in sorted(held.items()):
            if count < needed or self._numbers[place] != numbers:
                continue
            if (found := similarity(self._prompts[place], words)) >= LEAST_SIMILARITY:
                yield place, found


def similarity(first: Sequence[str], second: Sequence[str]) -> float:
    """1 less the share of words that one has and the other has not, or spells in another way.

    0 where a word is replaced by another, or a number differs: that is another question.
    """
    longest = max(len(first), len(second))
    most = longest // WORDS_PER_EDIT
    if not longest or abs(len(first) - len(second)) > most or _numbers(first) != _numbers(second):
        return 0.0
    if Levenshtein.distance(first, second, score_cutoff=most) > most:
        return 0.0
    edits = Levenshtein.editops(first, second)
    for edit in edits:
        if edit.tag == "replace" and not _is_spelling(first[edit.src_pos], second[edit.dest_pos]):
            return 0.0
    return 1 - len(edits) / longest


def _numbers(words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if any(character.isdigit() for character in word))


def _is_spelling(first: str, second: str) -> bool:
    return Levenshtein.normalized_similarity(first, second) >= LEAST_SPELLING
