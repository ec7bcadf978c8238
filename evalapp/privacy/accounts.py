"""Bank accounts and cards, by their checksums, and a card's expiry date and security code. Pure."""

import re
from collections.abc import Iterator

from stdnum import iban, luhn

from evalapp.privacy.spans import PersonalSpan

_IBAN = re.compile(r"[A-Z](?<!\w.)[A-Z]\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
# First digits and length by issuer.
_CARD = re.compile(
    r"4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|3[47]\d{13}"
    r"|(?:6011|65\d\d|64[4-9]\d|35\d\d)\d{12,15}|3(?:0[0-5]|[689]\d)\d{11,16}"
)
_GROUPED_CARD = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?!\d)|3[47]\d{2}([ -])\d{6}\2\d{5}(?!\d)")
_EXPIRY = r"(?:0[1-9]|1[0-2])\s?[/.-]\s?(?:20)?\d{2}(?![\d/.-]\d)"
_EXPIRES = (
    r"(?:exp(?:iry|ires?|iration|iring)?\.?(?:\s+date)?|valid\s+(?:until|thru|through|to)|good\s+thru|g[üu]e?ltig\s+bis"
    r"|ablaufdatum|ablauf|valable\s+jusqu['’]au|expire|caduca|caducidad|vence)"
)
_CODE = (
    r"(?:CVC2?|CVV2?|CVN|CID|security\s+code|card\s+code|(?:karten)?pr[üu]e?f(?:nummer|ziffer)|cryptogramme"
    r"|sicherheitscode|código\s+de\s+seguridad)"
)
_LINK = r"(?:\s|[:#,.]|is\b|ist\b|est\b|es\b|no\b|code\b|number\b|on\b){0,6}"
_BESIDE = re.compile(
    rf"(?<!\w)(?:{_EXPIRES}{_LINK}(?P<expiry>{_EXPIRY})|{_CODE}{_LINK}(?P<code>\d{{3,4}})(?![\w]|[.,/-]\d))",
    re.IGNORECASE,
)
_NEXT = re.compile(
    rf"[\s,;|]{{1,4}}(?P<expiry>{_EXPIRY})(?:[\s,;|]{{1,4}}(?P<code>\d{{3,4}})(?![\w]|[.,/-]\d))?"
)
_BEFORE, _AFTER = 60, 100


def accounts(text: str) -> Iterator[PersonalSpan]:
    for match in _IBAN.finditer(text):
        end = _iban_end(match[0])
        if end:
            yield PersonalSpan(match.start(), match.start() + end, "IBAN")


def _iban_end(candidate: str) -> int:
    """Length of the longest prefix that is an IBAN; 0 without one. Groups after it may be words."""
    parts = candidate.split(" ")
    for count in range(len(parts), 0, -1):
        beginning = " ".join(parts[:count])
        if iban.is_valid(beginning):
            return len(beginning)
    return 0


def card_end(written: str) -> int:
    """Length of the prefix that is a card number; 0 without one. Digits after a grouped number may be its
    security code.
    """
    if written.startswith("+"):
        return 0
    if _is_card(written):
        return len(written)
    grouped = _GROUPED_CARD.match(written)
    return grouped.end() if grouped is not None and _is_card(grouped[0]) else 0


def _is_card(written: str) -> bool:
    digits = re.sub(r"\D", "", written)
    return bool(_CARD.fullmatch(digits)) and bool(luhn.is_valid(digits))


def beside_card(text: str, start: int, end: int) -> Iterator[PersonalSpan]:
    """Expiry date and security code within about a line of a card number."""
    direct = _NEXT.match(text, end)
    around = _BESIDE.finditer(text, max(0, start - _BEFORE), end + _AFTER)
    for match in around if direct is None else (direct, *around):
        for part in ("expiry", "code"):
            if match[part]:
                yield PersonalSpan(*match.span(part), "CARD")
