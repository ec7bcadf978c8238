"""People's data in a text, by patterns and checksums. Pure.

What has a checksum is checked by it: cards (Luhn and the issuer's first digits), IBAN, national numbers
(`python-stdnum`). Phone numbers must be valid numbers of their country (`phonenumbers`). Names are found by
what stands around them (titles, salutations, signatures, "my name is") and by common first names before a
second name. A name without any of these is not found.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.it import codicefiscale
from stdnum.us import ssn

from evalapp.privacy.names import FIRST_NAMES

REGIONS = ("GB", "US", "DE", "FR", "ES", "IT", "IE", "NL")
"""Countries of whose phone numbers the national form is known as well."""

_LETTER = r"[^\W\d_]"
_NAME = rf"[A-ZÀ-ÖØ-ÞŠŽ]{_LETTER}*(?:['’-](?!s\b){_LETTER}+)*"
_EMAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
_DIGITS = re.compile(r"(?<![\w.,/-])\+?\(?\d(?:[ .()/-]{0,2}\d){6,18}(?![\w]|[.,/-]\d)")
_ADDRESS_IP = re.compile(
    r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"
)
_CARD_START = re.compile(r"4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|3[47]|6(?:011|5|4[4-9])|3(?:0[0-5]|[689])|35")
_NOT_A_PERSON = re.compile(
    r"\b(?:police|policy|vertrags?|rechnungs?|bestell|auftrags?|sendungs?|kunden|schadens?|order|invoice|tracking|reference|ref|parcel|ticket|case|serial|article|item|product|isbn|ean|model|batch)"
    r"-?\s*(?:number|nummer|nr|no|id|code)?\s*[.:#№-]*\s*$",
    re.IGNORECASE,
)
_PHONE_WORD = re.compile(
    r"\b(?:phone|tel|telephone|call|mobile|cell|fax|whatsapp|ring|reach)\b", re.IGNORECASE
)
_CODICE = re.compile(r"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b")
_NINO = re.compile(
    r"\b(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"
)
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_DNI = re.compile(r"\b\d{8}-?[A-Z]\b")
_BORN = re.compile(
    r"\b(?:born(?:\s+on)?|date\s+of\s+birth|d\.?o\.?b\.?|birthday(?:\s+is)?)\s*(?:the\s+)?[:,-]?\s*"
    r"(?P<date>\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?[A-Z][a-z]+,?\s+\d{4}"
    r"|[A-Z][a-z]+\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})",
    re.IGNORECASE,
)
_STREET = re.compile(
    rf"\b\d{{1,5}}[A-Za-z]?,?\s+(?:{_NAME}\s+){{1,3}}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Close|Court|Ct|Boulevard|Blvd|Way|Terrace|Crescent|Square)\b\.?"
    rf"|\b{_NAME}(?:straße|strasse|str\.|weg|platz|gasse|allee)\s+\d{{1,4}}[a-z]?\b"
    rf"|\b\d{{1,4}},?\s+(?:rue|avenue|boulevard|chemin|place|impasse)\s+(?:d[eu]\s+|de\s+la\s+|des\s+)?{_NAME}"
)
_POSTCODE = re.compile(r"\b(?:[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2})\b")
_PEOPLE = rf"{_NAME}(?:\s+(?:(?:van|von|vom|zu|de|del|der|den|di|da|la|le|al|bin)\s+)*{_NAME}){{0,2}}"
_TITLED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herrn?|Frau|Madame|Monsieur|Señora?|Signora?)\.?\s+(?:(?:Dr|Prof)\.?\s+)*"
    rf"(?P<name>{_PEOPLE})"
)
_GREETED = re.compile(
    rf"(?:^|[\n.!?]\s*)(?:Dear|Hi|Hello|Hey)\s+(?P<name>{_NAME}(?:\s+{_NAME}){{0,2}})\s*[,!:\n]", re.MULTILINE
)
_SIGNED = re.compile(
    r"\b(?:[Rr]egards|[Ss]incerely|[Yy]ours(?: truly| faithfully)?|[Cc]heers|[Tt]hank you|[Tt]hanks"
    r"|[Bb]est wishes|[Gg]rüßen?|[Cc]ordialement)"
    rf"\s*,?\s*\n\s*(?P<name>{_NAME}(?:\s+{_NAME}){{0,2}})"
)
_CALLED = re.compile(
    r"(?:\b[Mm]y name is|\b[Mm]y name['’]s|\b[Mm]ein Name ist|\b[Ii]ch heiße|\b[Hh]ier spricht"
    r"|\b[Jj]e m['’]appelle"
    r"|^\s*(?:[Nn]ame|[Ff]ull [Nn]ame|[Pp]atient|[Cc]ustomer|[Cc]laimant|[Pp]olicyholder)\s*:)"
    rf"\s*(?P<name>{_PEOPLE})",
    re.MULTILINE,
)
_FULL_NAME = re.compile(
    rf"\b(?P<name>(?P<first>{_NAME})\s+(?:[A-Z]\.\s+)?(?:(?:van|von|de|del|der|di|da|la|le|al|bin)\s+){{0,2}}{_NAME})"
)
# What must stand in a text before its pattern is tried.
_NAMED = (
    (_CALLED, ("ame", ":", "heiße", "Hier", "hier", "appelle")),
    (_TITLED, ("Mr", "Ms", "Mi", "Mx", "Dr", "Prof", "Herr", "Frau", "Mad", "Mons", "Se", "Si")),
    (_GREETED, ("Dear", "Hi", "Hello", "Hey")),
    (_SIGNED, ("\n",)),
)
_DIGIT = re.compile(r"\d")
_CAPITAL_BESIDE_DIGIT = re.compile(r"[A-Z] ?\d|\d-?[A-Z]")
_BIRTH = re.compile(r"born|birth|d\.?o\.?b", re.IGNORECASE)
_POINTS_OF_AN_IP = 3
_NUMBERED = re.compile(r"\b(?:version|release|v|kapitel|chapter|section|abschnitt)\.?\s*$", re.IGNORECASE)
# An IP address, the shortest, has four.
_FEWEST_DIGITS = 4
_NO_NAMES = frozenset(
    re.findall(
        r"\S+",
        "Customer Client Sir Madam Team All Everyone Colleague Colleagues Support Service Patient Doctor User"
        " There Friend Friends Hiring Manager The Your Our Insurance Bank Street Road Day May March April"
        " June July August",
    )
)


class PersonalSpan(NamedTuple):
    """Where in a text a person's data stand, and what they are: ``EMAIL``, ``NAME`` and so on."""

    start: int
    end: int
    type: str


TYPES = {
    "EMAIL": "e-mail address", "PHONE": "phone number", "IBAN": "bank account (IBAN)", "CARD": "card number",
    "NATIONAL ID": "national number", "BIRTH DATE": "date of birth", "ADDRESS": "postal address",
    "IP": "IP address", "NAME": "name",
}  # fmt: skip


def personal_spans(text: str) -> list[PersonalSpan]:
    """The spans of people's data in a text, in order; none overlaps another."""
    taken: list[PersonalSpan] = []
    for span in _candidates(text):
        if not any(span.start < other.end and other.start < span.end for other in taken):
            taken.append(span)
    return sorted(taken)


def _candidates(text: str) -> Iterator[PersonalSpan]:
    """Those that are surest come first."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield PersonalSpan(*match.span(), "EMAIL")
    if digits := len(_DIGIT.findall(text)):
        yield from _numbered(text, digits)
    for pattern, hints in _NAMED:
        for match in pattern.finditer(text) if any(hint in text for hint in hints) else ():
            if not _is_no_name(match["name"]):
                yield PersonalSpan(*match.span("name"), "NAME")
    for match in _FULL_NAME.finditer(text):
        if match["first"] in FIRST_NAMES and not _is_no_name(match["name"].split()[-1]):
            yield PersonalSpan(*match.span("name"), "NAME")


def _is_no_name(name: str) -> bool:
    return name.split(maxsplit=1)[0] in _NO_NAMES


def _numbered(text: str, digits: int) -> Iterator[PersonalSpan]:
    """Every pattern costs a walk through the text, so what it cannot do without is looked for first."""
    is_mixed = _CAPITAL_BESIDE_DIGIT.search(text) is not None
    if digits >= _FEWEST_DIGITS:
        yield from _long_numbers(text, is_mixed=is_mixed)
    for pattern in (_STREET, _POSTCODE) if is_mixed else (_STREET,):
        for match in pattern.finditer(text):
            yield PersonalSpan(*match.span(), "ADDRESS")


def _long_numbers(text: str, *, is_mixed: bool) -> Iterator[PersonalSpan]:
    for match in _IBAN.finditer(text) if is_mixed else ():
        end = _iban_end(match[0])
        if end:
            yield PersonalSpan(match.start(), match.start() + end, "IBAN")
    for pattern, is_one, may_be in (
        (_SSN, ssn.is_valid, "-" in text),
        (_NINO, bool, is_mixed),
        (_CODICE, codicefiscale.is_valid, is_mixed),
        (_DNI, dni.is_valid, is_mixed),
    ):
        for match in pattern.finditer(text) if may_be else ():
            if is_one(match[0]):
                yield PersonalSpan(*match.span(), "NATIONAL ID")
    for match in _BORN.finditer(text) if _BIRTH.search(text) else ():
        yield PersonalSpan(*match.span("date"), "BIRTH DATE")
    for match in _ADDRESS_IP.finditer(text) if text.count(".") >= _POINTS_OF_AN_IP else ():
        if not _NUMBERED.search(text[max(0, match.start() - 20) : match.start()]):
            yield PersonalSpan(*match.span(), "IP")
    for match in _DIGITS.finditer(text):
        if found := _kind_of_digits(match[0].strip(), text[max(0, match.start() - 40) : match.start()]):
            yield PersonalSpan(*match.span(), found)


def _iban_end(candidate: str) -> int:
    """Length of the longest beginning that is an IBAN; 0 without one. Groups after it may be words."""
    parts = candidate.split(" ")
    for count in range(len(parts), 0, -1):
        beginning = " ".join(parts[:count])
        if iban.is_valid(beginning):
            return len(beginning)
    return 0


def _kind_of_digits(written: str, before: str) -> str:
    digits = re.sub(r"\D", "", written)
    if _NOT_A_PERSON.search(before):
        return ""
    if (
        13 <= len(digits) <= 19
        and not written.startswith("+")
        and _CARD_START.match(digits)
        and luhn.is_valid(digits)
    ):
        return "CARD"
    if any(check.is_valid(digits) for check in (idnr, nir)) or (
        nhs.is_valid(digits) and re.search(r"\bNHS\b", before)
    ):
        return "NATIONAL ID"
    return "PHONE" if _is_phone(written, before) else ""


def _is_phone(written: str, before: str) -> bool:
    if written.startswith(("+", "00")):
        return _is_valid(f"+{written.lstrip('+').removeprefix('00')}", None)
    # Digits without anything around them are a number of any kind.
    is_grouped = bool(re.search(r"\d[ ().-]+\d", written))
    if not _PHONE_WORD.search(before) and not (is_grouped and written[0] in "0("):
        return False
    return any(_is_valid(written, region) for region in REGIONS)


def _is_valid(written: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(written, region))
    except phonenumbers.NumberParseException:
        return False
