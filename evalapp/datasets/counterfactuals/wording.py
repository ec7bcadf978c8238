"""Replaces words in a text, adjusting capitals and the preceding article. Pure."""

import re
from collections.abc import Callable, Iterable

_VOWELS = frozenset("aeiou")
_SOUNDS_LIKE_A_CONSONANT = ("uni", "use", "usu", "uti", "eu", "one", "ubi")
_SOUNDS_LIKE_A_VOWEL = ("hour", "heir", "honest", "honour", "honor")
_BEFORE = r"(?<![\w@#/\\-])(?<!\w[.'’])"
_AFTER = r"(?![\w@]|-\w|\.\w)"

_Tree = dict[str, "_Tree"]
_PIECE = re.compile(r"\s+|\S")
_END = ""

_NEAR = 40
_BEGINNING = re.compile(r"(?:^|[.!?:;…\n]|[.!?]\s*[\"”’')])\s*[\"“‘'(>*-]*\s*$")

Substitute = Callable[[re.Match[str]], str | None]
"""Returns the replacement; None keeps the match."""


def words_pattern(words: Iterable[str]) -> str:
    """A pattern for any of these words or phrases, whole, the longest first. It matches either kind of
    apostrophe, and a line end for a space.
    """
    tree: _Tree = {}
    for word in sorted(set(words)):
        branch = tree
        for piece in _PIECE.findall(word):
            branch = branch.setdefault(_as_pattern(piece), {})
        branch[_END] = {}
    return f"{_BEFORE}{_branches(tree)}{_AFTER}"


def _as_pattern(piece: str) -> str:
    if piece.isspace():
        return r"\s+"
    return "['’]" if piece in "'’" else re.escape(piece)


def _branches(tree: "_Tree") -> str:
    """A letter-by-letter alternation: for hundreds of words a hundred times as fast as trying word by
    word.
    """
    branches = [f"{piece}{_branches(rest) if rest else ''}" for piece, rest in tree.items() if piece != _END]
    if not branches:
        return ""
    return f"(?:{'|'.join(branches)}){'?' if _END in tree else ''}"


def normal_form(words: str) -> str:
    """The normal form by which a phrase of a text is found in a list."""
    return " ".join(words.replace("’", "'").casefold().split())


def replaced(text: str, pattern: str, substitute: Substitute, *, ignores_case: bool = True) -> str:
    """The text with matches replaced. “A” and “an” before a replacement follow its sound."""
    flags = re.IGNORECASE if ignores_case else 0
    found = re.compile(rf"(?:(?P<article>\b[Aa][Nn]?)(?P<gap>\s+))?(?P<words>{pattern})", flags)

    def replacement(match: re.Match[str]) -> str:
        new = substitute(match)
        if new is None:
            return match[0]
        article, gap = match["article"], match["gap"]
        if article is None:
            return new
        return f"{_article(article, match['words'], new)}{gap}{new}"

    return found.sub(replacement, text)


def in_case_of(old: str, new: str) -> str:
    """The new words with the capitals and the kind of apostrophe of the old ones."""
    if "’" in old:
        new = new.replace("'", "’")
    letters = [letter for letter in old if letter.isalpha()]
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return new.upper()
    first = next((place for place, letter in enumerate(new) if letter.isalpha()), None)
    if first is None or not letters:
        return new
    is_word_i = new[first : first + 1] == "I" and not new[first + 1 : first + 2].isalpha()
    if letters[0].isupper() and not _begins_with_i(old):
        return new[:first] + new[first].upper() + new[first + 1 :]
    return new if is_word_i or letters[0].isupper() else new[:first] + new[first].lower() + new[first + 1 :]


def starts_sentence(text: str, place: int) -> bool:
    """Whether this position begins a sentence, a line or a quotation."""
    before = text[max(0, place - _NEAR) : place]
    return _BEGINNING.search(before) is not None


def _begins_with_i(words: str) -> bool:
    """Whether the words begin with “I”, whose capital does not show the position in a sentence."""
    return re.match(r"I\b", words) is not None


def _article(article: str, old: str, new: str) -> str:
    """The article for the new word. An article that was wrong for the old word is kept."""
    is_before_vowel = len(article) == 2
    if is_before_vowel != _begins_with_vowel(old) or is_before_vowel == _begins_with_vowel(new):
        return article
    if is_before_vowel:
        return article[0]
    return f"{article}{'N' if article == 'A' and new.isupper() else 'n'}"


def _begins_with_vowel(words: str) -> bool:
    """Whether the pronunciation begins with a vowel."""
    first = words.lstrip("\"“‘'(").lower()
    number = re.match(r"\d+", first)
    if number:
        return number[0].startswith("8") or number[0] in ("11", "18")
    if first.startswith(_SOUNDS_LIKE_A_VOWEL):
        return True
    return first[:1] in _VOWELS and not first.startswith(_SOUNDS_LIKE_A_CONSONANT)
