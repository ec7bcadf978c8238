"""Detects personal data in a text, by patterns and checksums. Pure.

Data with a checksum are verified: cards (Luhn, and the issuer's first digits and length), IBAN, national
numbers (`python-stdnum`). Phone numbers must be valid in their country (`phonenumbers`). Passports, number
plates and dates of birth have neither and need a word before them. Names are found by the words around them.
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import chain

import re2

from evalapp.privacy import addresses, birth_dates, documents
from evalapp.privacy.accounts import accounts, beside_card, card_end
from evalapp.privacy.national_numbers import NINO, is_national_number, lettered_number
from evalapp.privacy.people import capitalised_words, people
from evalapp.privacy.phones import is_phone
from evalapp.privacy.rules import MaskingRules
from evalapp.privacy.spans import TYPES, PersonalSpan

__all__ = ["TYPES", "PersonalSpan", "personal_spans"]

# Each pattern begins with a character class that the search can skip to; the look-behind comes second.
_DIGIT = re.compile(r"\d")
_CAPITAL_BESIDE_DIGIT = re.compile(r"[A-Z\d](?:(?<=[A-Z]) ?\d|(?<=\d)-?[A-Z])")
# Substrings that data after a word need: one pass, where separate searches would take ten.
_LEADS = re2.compile("|".join(map(re2.escape, (*addresses.PARTS, *birth_dates.PARTS, *documents.PARTS))))
_DIGITS = re.compile(
    r"[+(\d](?<![\w.,/-].)(?:(?<=\+)\(?\d|(?<=\()\d|(?<=\d))(?:[ .()/-]{0,2}\d){6,18}(?![\w]|[.,/-]\d)"
)
_TOKEN = re.compile(r"[A-Z\d](?<![\w-].)[A-Z\d-]{7,17}(?![\w-])")
_NOT_A_PERSON = re.compile(
    r"(?:\b(?:police|policy|vertrags?|rechnungs?|bestell|auftrags?|sendungs?|kunden|schadens?|lieferschein"
    r"|order|invoice|tracking|reference|ref|parcel|ticket|case|serial|article|item|product|isbn|ean|gtin|asin|sku"
    r"|model|batch|lot|part|file|claim|shipment|consignment|delivery|version|section|paragraph|art|artikel|paket"
    r"|bestellung|rechnung|sendung|auftrag|vertrag|aktenzeichen|vorgangs?|zähler|meter|contract|az|commande|facture|colis|dossier|pedido"
    r"|factura)|§)"
    r"-?\s*(?:number|nummer|nr|no|id|code|numéro|n°)?(?:\s+(?:is|was|ist|war|lautet))?\s*[.:#№-]*\s*$",
    re.IGNORECASE,
)
# Fewest digits: a passport has three, a date of birth and an IP address four, other numbers five.
_FEWEST_OF_A_DOCUMENT, _FEWEST_OF_A_DATE, _FEWEST_OF_A_NUMBER = 3, 4, 5
_BEFORE = 40


def personal_spans(text: str, rules: MaskingRules | None = None) -> list[PersonalSpan]:
    """Spans of personal data in a text, in order and without overlaps.

    With ``rules``, their patterns take precedence over all others. Texts that they allow are left out, and so
    is everything that overlaps them.
    """
    candidates = _candidates(text) if rules is None else chain(rules.spans(text), _candidates(text))
    taken: list[PersonalSpan] = []
    for span in candidates:
        if not any(span.start < other.end and other.start < span.end for other in taken):
            taken.append(span)
    if rules is not None:
        taken = [span for span in taken if not rules.is_allowed(text[span.start : span.end])]
    return sorted(taken)


def _candidates(text: str) -> Iterator[PersonalSpan]:
    """Spans in order of precedence, the most certain kinds first."""
    capitalised = capitalised_words(text)
    lowered = text.lower()
    if not _has_leads(lowered):
        lowered = ""
    yield from addresses.email_addresses(text, lowered)
    if digits := len(_DIGIT.findall(text)):
        yield from _numbered(text, lowered, digits, capitalised)
    yield from people(text, capitalised)


def _has_leads(lowered: str) -> bool:
    try:
        return _LEADS.search(lowered) is not None
    except UnicodeEncodeError:
        # RE2 cannot read lone surrogates.
        return True


def _numbered(text: str, lowered: str, digits: int, capitalised: AbstractSet[str]) -> Iterator[PersonalSpan]:
    """Data with digits. Each pattern costs a pass over the text, so what it needs is checked first;
    ``lowered`` is empty if the text has no word that such data follow.
    """
    is_mixed = _CAPITAL_BESIDE_DIGIT.search(text) is not None
    if lowered:
        yield from documents.number_plates(text, lowered)
    if lowered and digits >= _FEWEST_OF_A_DOCUMENT:
        yield from documents.document_numbers(text, lowered)
    if lowered and digits >= _FEWEST_OF_A_DATE:
        yield from birth_dates.birth_dates(text, lowered)
    if digits >= _FEWEST_OF_A_DATE:
        yield from addresses.ip_addresses(text)
    if digits >= _FEWEST_OF_A_NUMBER:
        yield from _long_numbers(text, is_mixed=is_mixed)
    yield from addresses.postal_addresses(text, lowered, capitalised, digits, is_mixed=is_mixed)


def _long_numbers(text: str, *, is_mixed: bool) -> Iterator[PersonalSpan]:
    if is_mixed:
        yield from accounts(text)
        for match in NINO.finditer(text):
            if not _NOT_A_PERSON.search(_before(text, match.start())):
                yield PersonalSpan(*match.span(), "NATIONAL ID")
    for match in _TOKEN.finditer(text) if is_mixed or "-" in text else ():
        yield from _of_token(match[0], match.start(), _before(text, match.start()))
    for match in _DIGITS.finditer(text):
        yield from _of_digits(text, *match.span())


def _before(text: str, start: int) -> str:
    return text[max(0, start - _BEFORE) : start]


def _of_token(token: str, start: int, before: str) -> Iterator[PersonalSpan]:
    """Data in a word of capitals, digits and hyphens."""
    if token.isdigit():
        return
    if documents.is_vehicle_number(token, before) and not _NOT_A_PERSON.search(before):
        yield PersonalSpan(start, start + len(token), "VEHICLE")
    elif (place := lettered_number(token)) is not None and not _NOT_A_PERSON.search(before):
        yield PersonalSpan(start + place[0], start + place[1], "NATIONAL ID")


def _of_digits(text: str, start: int, end: int) -> Iterator[PersonalSpan]:
    """Data in a run of digits and separators."""
    written, before = text[start:end], _before(text, start)
    if _NOT_A_PERSON.search(before):
        return
    if length := card_end(written):
        yield PersonalSpan(start, start + length, "CARD")
        yield from beside_card(text, start, start + length)
    elif is_national_number(written, before):
        yield PersonalSpan(start, end, "NATIONAL ID")
    elif is_phone(written, before):
        yield PersonalSpan(start, end, "PHONE")
