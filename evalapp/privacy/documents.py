"""Numbers of passports, identity cards, driving licences and vehicles. Pure.

They have no checksum that distinguishes them from other numbers, so a word must precede them; only a vehicle
identification number may have a check digit.
"""

import re
from collections.abc import Iterator

from evalapp.privacy.spans import PersonalSpan, holds_any

_LINK = (
    r"(?:[\s:,#=„“«\"'(.-]|number|nummer|numéro|numero|número|nº|n°|no\b|nr\b|mark\b|is\b|was\b|ist\b|war\b"
    r"|lautet|est\b|es\b|and\b(?=\s+number))"
)
_DOCUMENT_PARTS = (
    "passpo", "passep", "pasap", "paspo", "reisepass", "pass-n", "pass n", "passn", "ausweis", "identi",
    "id card", "licen", "hrerschein", "permi", "carnet", "patente", "rijbewijs", "cni",
)  # fmt: skip
_DOCUMENT = re.compile(
    r"(?<!\w)(?:passport(?:\s+card)?|reisepass|passeport|pasaporte|passaporto|paspoort"
    r"|pass(?=[ -]?n(?:r|ummer))|(?:personal)?ausweis"
    r"|(?:national\s+)?identity\s+card|id\s+card|carte\s+(?:nationale\s+)?d['’]identit(?:é|e)|cni"
    r"|documento\s+de\s+identidad|carta\s+d['’]identit(?:à|a)|identiteitskaart"
    r"|driv(?:ing|er)(?:['’]?s)?\s+licen[cs]e|f(?:ü|ue)hrerschein|permis\s+de\s+conduire"
    r"|(?:permiso|carnet)\s+de\s+conducir|patente\s+di\s+guida|rijbewijs)"
    rf"{_LINK}{{1,8}}"
    # A number has capital letters only, even if the word before it is matched in any case.
    r"(?-i:(?P<number>(?=[A-Z0-9 -]{6})[A-Z0-9]{1,16}(?:[ -](?=[A-Z]*\d)[A-Z0-9]{1,9}){0,4}))(?![\w])",
    re.IGNORECASE,
)
_FEWEST_SIGNS, _FEWEST_DIGITS = 6, 3
_PLATE_PARTS = (
    "plate",
    "registr",
    "reg ",
    "reg.",
    "reg:",
    "kennzeichen",
    "immatricul",
    "plaque",
    "matrícula",
)
_PLATE = re.compile(
    r"(?<!\w)(?<!company )(?<!vat )(?<!tax )(?<!trade )"
    r"(?:(?:(?:number|licen[cs]e|registration|car)\s{1,4})?plates?|(?:vehicle\s+|car\s+)?registration|reg"
    r"|(?:kfz-?|auto-?)?kennzeichen|immatriculation|immatricul(?:é|e)e?|plaque|matrícula)"
    rf"{_LINK}{{1,8}}"
    r"(?-i:(?P<number>(?!HR[ -]?[AB]\b)[A-ZÄÖÜ]{1,3}[ :-]{1,2}[A-Z]{1,2}[ -]?[1-9]\d{0,3}[EH]?"
    r"|[A-Z]{2}\d{2} ?[A-Z]{3}|[A-Z]\d{1,3} ?[A-Z]{3}|[A-Z]{3} ?\d{1,3}[A-Z]"
    r"|[A-Z]{2}[ -]?\d{3}[ -]?[A-Z]{2}"
    r"|\d{1,4} (?!(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)\b)[A-Z]{2,3} \d{2}))(?!\w)",
    re.IGNORECASE,
)
PARTS = (*_DOCUMENT_PARTS, *_PLATE_PARTS)
"""Lower-case substrings; a text without any of them has no document number and no number plate after a
word.
"""
_VEHICLE = re.compile(r"(?=[A-Z0-9]*[A-HJ-NPR-Z])[A-HJ-NPR-Z0-9]{13}\d{4}")
_VEHICLE_WORD = re.compile(
    r"(?<!\w)(?:VIN|FIN|chassis|Fahrgestell\w*|Fahrzeug-?Ident\w*|vehicle identification)(?!\w)",
    re.IGNORECASE,
)
_VALUES = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", [*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)],
        strict=True)
)  # fmt: skip
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK_AT = 8


def document_numbers(text: str, lowered: str) -> Iterator[PersonalSpan]:
    """Document numbers that follow the word for a document. ``lowered`` is the text in lower case."""
    if holds_any(lowered, _DOCUMENT_PARTS):
        for match in _DOCUMENT.finditer(text):
            if _is_document_number(match["number"]):
                yield PersonalSpan(*match.span("number"), "PASSPORT")


def number_plates(text: str, lowered: str) -> Iterator[PersonalSpan]:
    """Number plates that follow a word for one. ``lowered`` is the text in lower case."""
    if holds_any(lowered, _PLATE_PARTS):
        for match in _PLATE.finditer(text):
            yield PersonalSpan(*match.span("number"), "VEHICLE")


def is_vehicle_number(token: str, before: str) -> bool:
    """Whether a word of capitals and digits is a vehicle identification number, by its check digit or by a
    word before it.
    """
    if not _VEHICLE.fullmatch(token):
        return False
    total = sum(_VALUES[sign] * weight for sign, weight in zip(token, _WEIGHTS, strict=True)) % 11
    return token[_CHECK_AT] == ("X" if total == 10 else str(total)) or bool(_VEHICLE_WORD.search(before))


def _is_document_number(written: str) -> bool:
    signs = sum(sign.isalnum() for sign in written)
    return signs >= _FEWEST_SIGNS and sum(sign.isdigit() for sign in written) >= _FEWEST_DIGITS
