"""Phone numbers: digits that are a valid number of their country. Pure."""

import re

import phonenumbers

REGIONS = ("GB", "US", "DE", "FR", "ES", "IT", "IE", "NL")
"""Countries whose national phone number formats are also recognised."""

_WORD = re.compile(r"\b(?:phone|tel|telephone|call|mobile|cell|fax|whatsapp|ring|reach)\b", re.IGNORECASE)
_GROUPED = re.compile(r"\d[ ().-]+\d")
_DATE = re.compile(r"\d{1,2}([.-])\d{1,2}\1\d{2,4}")


def is_phone(written: str, before: str) -> bool:
    """Whether some digits are a phone number. ``before`` is the text in front of them."""
    if written.startswith(("+", "00")):
        return _is_valid(f"+{written.lstrip('+').removeprefix('00')}", None)
    # Digits without separators may be any kind of number.
    is_grouped = written[0] in "0(" and _GROUPED.search(written) and not _DATE.fullmatch(written)
    if not is_grouped and not _WORD.search(before):
        return False
    return any(_is_valid(written, region) for region in REGIONS)


def _is_valid(written: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(written, region))
    except phonenumbers.NumberParseException:
        return False
