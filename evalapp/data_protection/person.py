"""Finds a person's texts in stored data, in any notation, and replaces them. Pure."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from evalapp.conversations.text import with_every_text

ERASED = "⟨ERASED⟩"
"""Replacement for a person's text."""

_PLACEHOLDERS = rf"⟨[A-Z][A-Z ]* \d{{1,6}}⟩|{ERASED}"

# The letter of an escaped line break looks like part of the word after it.
_BEGINNING = r"(?:(?<!\w)|(?<=\\[nrt]))"
_BLANK = r"(?:\s|\\[nrt]|\\u00a0)"


class Person:
    """A person, identified by ``texts``.

    Case is ignored. A text is only found as whole words; any white space may separate its words, and if it
    has digits, white space may be anywhere in it. Letters and white space may be escaped as in JSON, in which
    tools often answer.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        forms = {form for text in texts for form in (_normal(text, "NFC"), _normal(text, "NFD")) if form}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        any_of = "|".join(map(_pattern, longest_first))
        self._pattern = re.compile(rf"(?:{_PLACEHOLDERS})|({_BEGINNING}(?:{any_of})(?!\w))", re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        return any(match[1] for match in self._pattern.finditer(text))

    def erased(self, text: str) -> str:
        """The text with `ERASED` in place of the person's texts; placeholders of masked data stay."""
        return self._pattern.sub(lambda match: ERASED if match[1] else match[0], text)

    def erased_value(self, value: Any, *, names: bool = False) -> Any:
        """As `erased`, for all texts in a JSON value. With ``names``, also for field names, and for whole
        numbers that equal a text of the person.
        """
        if not names:
            return with_every_text(value, self.erased)
        if isinstance(value, str):
            return self.erased(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return ERASED if self.erased(str(value)) == ERASED else value
        if isinstance(value, list):
            return [self.erased_value(inner, names=True) for inner in value]
        if not isinstance(value, dict):
            return value
        changed: dict[str, Any] = {}
        for name, inner in value.items():
            changed[_free_name(changed, self.erased(name))] = self.erased_value(inner, names=True)
        return changed

    def erased_form(self, conversation: Any) -> Any:
        """As `erased`, for the texts of a conversation (`evalapp.conversations`), but not its own words."""
        return with_every_text(conversation, self.erased, is_form=True)

    def erased_messages(self, messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        """As `erased`, for the contents of messages, but not their roles."""
        return [{**message, "content": self.erased(message["content"])} for message in messages]

    def erased_query(self, query: str) -> str:
        """As `erased`, for the query of a URL; unchanged if it does not contain the person."""
        pairs = parse_qsl(query, keep_blank_values=True)
        changed = [(self.erased(name), self.erased(value)) for name, value in pairs]
        return query if changed == pairs else urlencode(changed)

    def moved(self, text: str, start: int, end: int) -> tuple[int, int]:
        """Where a span of the text is in the erased text. A start or end inside the person's text moves to
        the start or end of `ERASED`.
        """
        places = [match.span() for match in self._pattern.finditer(text) if match[1]]
        return _moved(places, start, is_end=False), _moved(places, end, is_end=True)


def _moved(places: Sequence[tuple[int, int]], offset: int, *, is_end: bool) -> int:
    shift = 0
    for start, end in places:
        if offset <= start:
            break
        if offset < end:
            return start + shift + (len(ERASED) if is_end else 0)
        shift += len(ERASED) - (end - start)
    return offset + shift


def _normal(text: str, form: Any) -> str:
    return " ".join(unicodedata.normalize(form, text).split())


def _pattern(text: str) -> str:
    if any(character.isdigit() for character in text):
        return f"{_BLANK}*".join(_letter(character) for character in text if not character.isspace())
    return f"{_BLANK}+".join("".join(map(_letter, word)) for word in text.split())


def _letter(character: str) -> str:
    """Pattern of a character as it is, or escaped as in JSON."""
    if character.isascii() and character.isalnum():
        return character
    escaped = (json.dumps(each)[1:-1] for each in (character.lower(), character.upper()))
    forms = [character, *escaped]
    return f"(?:{'|'.join(map(re.escape, dict.fromkeys(forms)))})"


def _free_name(taken: dict[str, Any], name: str) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
