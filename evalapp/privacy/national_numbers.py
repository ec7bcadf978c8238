"""National identification numbers, by their form and checksum.

If one in ten random numbers passes the checksum, a number only counts after a word that names it, or if it
contains a date of birth with the usual punctuation.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import NamedTuple

from stdnum.at import vnr
from stdnum.be import nn
from stdnum.ch import ssn as ahv
from stdnum.cz import rc
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.ie import pps
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.pt import nif
from stdnum.se import personnummer
from stdnum.us import ssn

NINO = re.compile(
    r"[A-CEGHJ-PR-TW-Z](?<!\w.)[A-CEGHJ-NPR-TW-Z](?<!BG|GB|NK|KN|TN|NT|ZZ) ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"
)
"""A British National Insurance number, which has no checksum."""


class _Form(NamedTuple):
    """Pattern of a number, its check, and the word that must precede it."""

    written: re.Pattern[str]
    is_valid: Callable[[str], bool]
    word: re.Pattern[str] | None = None


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)


def _is_pesel(number: str) -> bool:
    """Rejects dates of birth in the future and before 1900."""
    if not pesel.is_valid(number):
        return False
    return date(1900, 1, 1) <= pesel.get_birth_date(number) <= datetime.now(tz=UTC).date()


def _is_ssn(number: str) -> bool:
    return bool(ssn.is_valid(number.replace(" ", "")))


def _is_personnummer(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return personnummer.is_valid(f"{digits[:-4]}-{digits[-4:]}")


_ANY = re.compile(r"[\d .()/-]+")
_DIGITS_ONLY = (
    _Form(_ANY, idnr.is_valid),
    _Form(_ANY, nir.is_valid),
    _Form(re.compile(r"756([. ]?)\d{4}\1\d{4}\1\d{2}"), ahv.is_valid),
    _Form(re.compile(r"\d{11}"), _is_pesel),
    _Form(re.compile(r"\d{6}[ -]?\d{5}"), fodselsnummer.is_valid),
    _Form(re.compile(r"\d{2}([. ]?)\d{2}\1\d{2}[ -]?\d{3}[. -]?\d{2}"), nn.is_valid),
    _Form(re.compile(r"(?:\d{2})?\d{6}-\d{4}"), _is_personnummer),
    _Form(re.compile(r"\d{6}-\d{4}"), cpr.is_valid),
    _Form(re.compile(r"\d{6}/\d{3,4}"), rc.is_valid),
    _Form(_ANY, nhs.is_valid, _words("NHS")),
    _Form(re.compile(r"\d{3} ?\d{2} ?\d{4}"), _is_ssn, _words("SSN", "social security", "social is")),
    _Form(re.compile(r"[\d .-]{8,12}"), bsn.is_valid, _words("BSN", "burgerservicenummer", "sofinummer")),
    _Form(re.compile(r"[\d .]{9,11}"), nif.is_valid, _words("NIF", "contribuinte", "identificação fiscal")),
    _Form(
        re.compile(r"\d{4}[ /-]?\d{6}"),
        vnr.is_valid,
        _words(
            "VNR", "SVNR", "SV-Nr", "SV-Nummer", r"Sozialversicherungs-?(?:nummer|nr)", "Versicherungsnummer"
        ),
    ),
    _Form(re.compile(r"\d{6}[ -]?\d{4}"), cpr.is_valid, _words(r"CPR(?:-?(?:nummer|nr))?", "personnummer")),
    _Form(
        re.compile(r"(?:\d{2})?\d{6}[ -]?\d{4}"),
        _is_personnummer,
        _words("personnummer", "personnr", "samordningsnummer", "Swedish personal identity number"),
    ),
    _Form(
        re.compile(r"\d{6}[ /]?\d{3,4}"),
        rc.is_valid,
        _words(r"rodn(?:é|e|ého) č[ií]sl[oa]", "rodne cislo", r"RČ", r"r\. ?č"),
    ),
)
_LETTERED = re.compile(
    r"\b(?:(?P<ssn>\d{3}-\d{2}-\d{4})|(?P<codice>[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])"
    r"|(?P<dni>\d{8}-?[A-Z])|(?P<nie>[XYZ]-?\d{7}-?[A-Z])|(?P<pps>\d{7}[A-W][A-IW]?)"
    r"|(?P<hetu>\d{6}[A-FU-Y-]\d{3}[0-9A-FHJ-NPR-Y]))\b"
)
_LETTERED_CHECKS: dict[str, Callable[[str], bool]] = {
    "ssn": ssn.is_valid, "codice": codicefiscale.is_valid, "dni": dni.is_valid, "nie": nie.is_valid,
    "pps": pps.is_valid, "hetu": hetu.is_valid,
}  # fmt: skip


def is_national_number(written: str, before: str) -> bool:
    """Whether digits with separators are a national number. ``before`` is the text in front of them."""
    return any(
        form.written.fullmatch(written)
        and (form.word is None or form.word.search(before))
        and form.is_valid(written)
        for form in _DIGITS_ONLY
    )


def lettered_number(token: str) -> tuple[int, int] | None:
    """Span of a national number with letters or hyphens within a word of capitals and digits."""
    match = _LETTERED.search(token)
    if match is None or not _LETTERED_CHECKS[str(match.lastgroup)](match[0]):
        return None
    return match.span()
