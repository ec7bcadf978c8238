"""A person's texts found in what is stored, however they are written, and replaced. Pure."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from evalapp.conversations.text import with_every_text

ERASED = "⟨ERASED⟩"
"""What stands where a person's text stood."""

_PLACEHOLDERS = rf"⟨[A-Z][A-Z ]* \d{{1,6}}⟩|{ERASED}"

# An escaped end of a line reads like a letter.
_BEGINNING = r"(?:(?<!\w)|(?<=\\[nrt]))"
_BLANK = r"(?:\s|\\[nrt]|\\u00a0)"


class Person:
    """Somebody by the ``texts`` that identify them. Capitals do not count; a text stands alone, not inside a
    longer word; between its words is any white space, and of one with digits there may be white space
    anywhere. Letters and white space may be written as JSON escapes them, in which tools often answer.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        forms = {form for text in texts for form in (_normal(text, "NFC"), _normal(text, "NFD")) if form}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        any_of = "|".join(map(_pattern, longest_first))
        self._pattern = re.compile(rf"(?:{_PLACEHOLDERS})|({_BEGINNING}(?:{any_of})(?!\w))", re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        return any(match[1] for match in self._pattern.finditer(text))

    def erased(self, text: str) -> str:
        """The text with `ERASED` for the person's; placeholders of masked data stay."""
        return self._pattern.sub(lambda match: ERASED if match[1] else match[0], text)

    def erased_value(self, value: Any, *, names: bool = False) -> Any:
        """The same in all texts of a value of JSON; with ``names`` also in the names of its fields, and for
        whole numbers that are a text of the person.
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
        """The same in the texts of a conversation (`evalapp.conversations`), not in its own words."""
        return with_every_text(conversation, self.erased, is_form=True)

    def erased_messages(self, messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        """The same in what the messages say, not in who said it."""
        return [{**message, "content": self.erased(message["content"])} for message in messages]

    def erased_query(self, query: str) -> str:
        """The same in the part of a URL that filters; one that does not hold the person stays as written."""
        pairs = parse_qsl(query, keep_blank_values=True)
        changed = [(self.erased(name), self.erased(value)) for name, value in pairs]
        return query if changed == pairs else urlencode(changed)

    def moved(self, text: str, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the text stands in the erased one. What began or ended inside the person's text
        begins or ends with `ERASED`.
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
    """The character as it is, or as JSON escapes it."""
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
