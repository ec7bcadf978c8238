"""Types and positions of personal data in a text."""

from collections.abc import Iterable
from typing import NamedTuple


class PersonalSpan(NamedTuple):
    """Position of personal data in a text, and their type: ``EMAIL``, ``NAME`` and so on."""

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
    """Label of a type for people; a project's own type is its own label, in lower case."""
    return TYPES.get(kind, kind.lower())


def holds_any(text: str, parts: Iterable[str]) -> bool:
    """Whether the text contains one of ``parts``, none of them empty; much cheaper than a pattern that needs
    one.
    """
    if not text:
        return False
    for part in parts:  # noqa: SIM110 — a generator takes twice the time
        if part in text:
            return True
    return False


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())
