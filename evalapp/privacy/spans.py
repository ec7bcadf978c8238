"""What a person's data in a text is called, and where it stands."""

from collections.abc import Iterable
from typing import NamedTuple


class PersonalSpan(NamedTuple):
    """Where in a text a person's data stand, and what they are: ``EMAIL``, ``NAME`` and so on."""

    start: int
    end: int
    type: str


TYPES = {
    "EMAIL": "e-mail address", "PHONE": "phone number", "IBAN": "bank account (IBAN)", "CARD": "card number",
    "NATIONAL ID": "national number", "PASSPORT": "passport or identity card number",
    "VEHICLE": "number plate or vehicle number", "BIRTH DATE": "date of birth", "ADDRESS": "postal address",
    "IP": "IP address", "NAME": "name",
}  # fmt: skip


def type_label(kind: str) -> str:
    """What people read for a type; a type of somebody's own patterns is its own label in small letters."""
    return TYPES.get(kind, kind.lower())


def holds_any(text: str, parts: Iterable[str]) -> bool:
    """Whether one of ``parts``, none of them empty, stands in the text: far cheaper than to try a pattern
    that needs one.
    """
    if not text:
        return False
    for part in parts:  # noqa: SIM110 — a generator takes twice the time
        if part in text:
            return True
    return False


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as a text."""
    return frozenset(text.split())
