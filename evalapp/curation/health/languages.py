"""Finds answers in another language than most. Pure.

Language detection is the most expensive part of the health check. So it is run on the first `LEARNT` texts
only; after that, a text that holds several of the most frequent words of the usual language is taken to be in
it, and only the others are detected.
"""

from collections import Counter
from collections.abc import Iterator

from evalapp.metrics.automatic.languages import FEWEST_LETTERS, READ, language_of, letters

LEARNT = 1_000
USUAL_SHARE = 0.8
_FREQUENT, _FREQUENT_HELD = 40, 5


class UnusualLanguages:
    """Reads texts one by one, then lists those that are not in the usual language."""

    def __init__(self) -> None:
        self._languages: Counter[str] = Counter()
        self._by_language: dict[str, list[int]] = {}
        self._words: dict[str, Counter[str]] = {}
        self._usual_words: frozenset[str] | None = None
        self._usual = ""

    def read(self, number: int, text: str) -> None:
        """Read a text, identified by ``number``. Texts of fewer than `FEWEST_LETTERS` letters are ignored."""
        start = text[:READ]
        if letters(start) < FEWEST_LETTERS:
            return
        words = set(start.casefold().split())
        if self._usual_words is not None and len(words & self._usual_words) >= _FREQUENT_HELD:
            self._languages[self._usual] += 1
            return
        language = language_of(start)
        self._languages[language] += 1
        self._by_language.setdefault(language, []).append(number)
        if self._usual_words is None:
            self._words.setdefault(language, Counter()).update(words)
            if self._languages.total() == LEARNT:
                self._usual = self._languages.most_common(1)[0][0]
                frequent = self._words[self._usual].most_common(_FREQUENT)
                self._usual_words = frozenset(word for word, _ in frequent)

    @property
    def unchecked(self) -> str:
        """Why no language is usual; "" where one is, or no text says enough."""
        total = self._languages.total()
        common = self._languages.most_common(2)
        if not total or common[0][1] >= USUAL_SHARE * total:
            return ""
        shares = " and ".join(f"{count / total:.0%} in {language}" for language, count in common)
        return f"no language has {USUAL_SHARE:.0%} of them ({shares})"

    def unusual(self) -> Iterator[tuple[str, list[int]]]:
        """Each language with its texts, where `USUAL_SHARE` of all texts are in another."""
        if not self._languages or self.unchecked:
            return
        usual = self._languages.most_common(1)[0][0]
        for language, numbers in self._by_language.items():
            if language != usual:
                yield language, numbers
