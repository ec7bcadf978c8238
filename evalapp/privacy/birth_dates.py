"""Dates of birth, by the words around them in English, German, French and Spanish. Pure."""

import re
from collections.abc import Iterator

from evalapp.privacy.spans import PersonalSpan, holds_any

PARTS = (
    "born", "birth", "dob", "d.o.b", "d o b", "gebor", "geb.", "geburt", "né", "naissance",
    "nacid", "nacimiento",
)  # fmt: skip
"""Lower-case substrings; a text without any of them has no date of birth."""
_DATE = (
    r"(?P<date>\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}\.?\s\d{1,2}\.?\s\d{4}"
    r"|\d{1,2}(?:st|nd|rd|th|er|\.)?\s+(?:of\s+|de\s+)?[^\W\d_]{3,10}\.?,?\s+(?:del?\s+)?\d{4}"
    r"|[^\W\d_]{3,10}\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})(?!\d)"
)
_PLACE = r"(?:\s+(?:in|at|à|en)\s+[^\W\d_]{2,20}(?:[ -][^\W\d_]{2,20})?,?)?"
_BORN = re.compile(
    r"(?<!\w)(?:born|date\s+of\s+birth|d\.?\s?o\.?\s?b\.?|birth\s?da(?:y|te)(?:\s+is)?"
    r"|geboren|geb\.|geburts(?:datum|tag)|née?|né\(e\)|(?:date\s+de\s+)?naissance"
    r"|nacid[oa]|(?:fecha\s+de\s+)?nacimiento)"
    rf"{_PLACE}(?:\s*[:,-]|\s+(?:is|was|ist|war|est|es)\b)?(?:\s+(?:on|the|am|le|el|den))*\s*{_DATE}",
    re.IGNORECASE,
)
_BEFORE_BORN = re.compile(
    rf"\bam\s+{_DATE}(?:\s+in\s+[^\W\d_]{{2,20}}(?:[ -][^\W\d_]{{2,20}})?)?\s+geboren\b", re.IGNORECASE
)


def birth_dates(text: str, lowered: str) -> Iterator[PersonalSpan]:
    """Dates that a word marks as a date of birth. ``lowered`` is the text in lower case."""
    if not holds_any(lowered, PARTS):
        return
    patterns = (_BORN, _BEFORE_BORN) if "geboren" in lowered else (_BORN,)
    for pattern in patterns:
        for match in pattern.finditer(text):
            yield PersonalSpan(*match.span("date"), "BIRTH DATE")
