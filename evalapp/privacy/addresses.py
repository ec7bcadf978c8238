"""Postal addresses, e-mail addresses (also spelled out) and IP addresses. Pure."""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from evalapp.privacy.people import NAME
from evalapp.privacy.spans import PersonalSpan, holds_any, word_set

_EMAIL = re.compile(r"(?<![\w.+'-])[\w.+'-]{1,128}@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_DOT = r"(?:\s?[\[({<]\s?(?:dot|punkt|point|\.)\s?[\])}>]\s?|\s+(?:dot|punkt)\s+)"
_SPELLED_PARTS = (" dot ", "dot]", "dot)", "dot}", "at)", "at]", "at}", "at>", "(@", "[@", "{@", " punkt ")
_SPELLED = re.compile(
    rf"(?<![\w.+'-])(?P<local>[\w+'-]{{1,64}}(?:(?:\.|{_DOT})[\w+'-]{{1,64}}){{0,4}})"
    r"(?:(?P<marked>\s?[\[({<]\s?(?:at|ät|@|arobase)\s?[\])}>]\s?)|\s+at\s+)"
    rf"(?P<domain>[\w-]{{1,63}}(?:(?:\.|{_DOT})[\w-]{{1,63}}){{0,4}}(?P<dot>\.|{_DOT})[^\W\d_]{{2,12}})(?!\w)",
    re.IGNORECASE,
)
_NO_LOCAL_PARTS = word_set(
    "me us you him her them it this that these look looked looking is are was were be meet see seen here"
    " there found find visit reach contact site website page online buy more information info located stay"
    " available work works working live lives arrive arrived stop and or not start started listen watch shop"
    " store met team office"
)
_DOTS_OF_AN_IP = 3
_FOUR_NUMBERS = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d")
_IP = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])")
_NUMBERED = re.compile(r"\b(?:version|release|v|kapitel|chapter|section|abschnitt)\.?\s*$", re.IGNORECASE)
_ENGLISH_WAYS = word_set(
    "Street St Road Rd Avenue Ave Lane Ln Drive Dr Close Court Ct Boulevard Blvd Way Terrace Crescent Square"
)
_ENGLISH = re.compile(
    rf"\d(?<!\w.)\d{{0,4}}[A-Za-z]?,?\s+(?:{NAME}\s+){{1,3}}(?:{'|'.join(sorted(_ENGLISH_WAYS))})\b\.?"
)
_GERMAN_PARTS = ("stra", "str.", "weg ", "platz ", "gasse ", "allee ")
_GERMAN = re.compile(
    rf"\b{NAME}(?:straße|strasse|str\.|weg|platz|gasse|allee|-(?:Straße|Strasse|Str\.|Weg|Platz|Gasse|Allee))"
    r"\s+\d{1,4}[a-z]?\b"
    rf"|\b(?!(?:Die|Der|Das|Diese|Eine|Auf|In|An|Zur)\s){NAME}\s(?:Straße|Strasse|Str\.|Allee)"
    r"\s+\d{1,4}[a-z]?\b"
)
_TOWN = (
    rf"(?:(?:Bad|Sankt|St\.|Saint|Le|La|Les|Los|San|Den)[ -])?{NAME}"
    rf"(?:\s(?:am|an\sder|im|in\sder|ob\sder|vor\sder|bei|sur|de|del|upon|on)\s{NAME})?"
)
# A house number, a postcode and a town, whatever the name of the street.
_HOUSE_AND_TOWN = re.compile(
    rf"\b{NAME}(?: {NAME}){{0,3}} \d{{1,4}}[a-z]?,?\s{{1,4}}(?:[A-Z]{{1,2}}-)?\d{{5}}\s{_TOWN}"
)
_DIGITS_OF_A_POSTCODE = 5
_POSTCODE_AND_TOWN = re.compile(r"\d{5} [A-ZÄÖÜ]")
_FRENCH_PARTS = ("rue ", "avenue ", "boulevard ", "chemin ", "place ", "impasse ")
_FRENCH = re.compile(
    r"\d(?<!\w.)\d{0,3}(?:\s(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|chemin|place|impasse)"
    rf"\s+(?:d[eu]\s+|de\s+la\s+|des\s+)?(?:{NAME})(?:[ -]{NAME})?"
)
_SOUTHERN_PARTS = ("calle ", "plaza ", "avenida ", "via ", "viale ", "piazza ", "rua ")
_SOUTHERN = re.compile(
    r"\b(?:[Cc]alle|[Pp]laza|[Aa]venida|Via|Viale|Piazza|[Rr]ua)\s(?:(?:de|del|della|la|los|do|da)\s){0,2}"
    rf"{NAME}(?:\s{NAME}){{0,2}},?\s\d{{1,4}}\b"
)
PARTS = (*_SPELLED_PARTS, *_GERMAN_PARTS, *_FRENCH_PARTS, *_SOUTHERN_PARTS)
"""Lower-case substrings. A text without any of them has no spelled-out e-mail address, and no street in these
languages.
"""
_POSTCODE_FORM = r"\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}\b"
_POSTCODE = re.compile(rf"[A-Z](?<!\w.)[A-Z]?{_POSTCODE_FORM}")
_AFTER_STREET = re.compile(
    rf"\s{{0,4}},?\s{{0,4}}(?:[A-Z]{{1,2}}-)?\d{{4,5}}\s{_TOWN}"
    rf"|(?:\s?,\s{{0,4}}{NAME}(?:[ -]{NAME}){{0,2}}){{0,3}},?\s{{1,4}}[A-Z]{{1,2}}{_POSTCODE_FORM}"
    rf"|\s?,\s{{0,4}}{NAME}(?: {NAME}){{0,2}},?\s[A-Z]{{2}}\s\d{{5}}(?:-\d{{4}})?\b"
)


def email_addresses(text: str, lowered: str) -> Iterator[PersonalSpan]:
    """E-mail addresses with “@”, or spelled out with “at” and “dot”. ``lowered`` is the text in lower case,
    or empty if it has none of `PARTS`.
    """
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield PersonalSpan(*match.span(), "EMAIL")
    if holds_any(lowered, _SPELLED_PARTS):
        for match in _SPELLED.finditer(text):
            if match["marked"] or _is_spelled(match):
                yield PersonalSpan(*match.span(), "EMAIL")


def _is_spelled(match: re.Match[str]) -> bool:
    """Whether an “at” without brackets is part of an address: only before a “dot”, and not after a word that
    it commonly follows.
    """
    return match["dot"] != "." and match["local"].split()[-1].casefold() not in _NO_LOCAL_PARTS


def ip_addresses(text: str) -> Iterator[PersonalSpan]:
    may_be = text.count(".") >= _DOTS_OF_AN_IP and _FOUR_NUMBERS.search(text) is not None
    for match in _IP.finditer(text) if may_be else ():
        if not _NUMBERED.search(text[max(0, match.start() - 20) : match.start()]):
            yield PersonalSpan(*match.span(), "IP")


def postal_addresses(
    text: str, lowered: str, capitalised: AbstractSet[str], digits: int, *, is_mixed: bool
) -> Iterator[PersonalSpan]:
    """Streets with their house number and any postcode and town that follow, and British postcodes alone.

    ``lowered``: the text in lower case, or empty if it has none of `PARTS`. ``capitalised``: its capitalised
    words.
    ``digits``: its number of digits. ``is_mixed``: whether a capital is next to a digit.
    """
    patterns = (
        (_ENGLISH, not capitalised.isdisjoint(_ENGLISH_WAYS)),
        (_GERMAN, holds_any(lowered, _GERMAN_PARTS)),
        (_FRENCH, holds_any(lowered, _FRENCH_PARTS)),
        (_SOUTHERN, holds_any(lowered, _SOUTHERN_PARTS)),
        (
            _HOUSE_AND_TOWN,
            digits >= _DIGITS_OF_A_POSTCODE and _POSTCODE_AND_TOWN.search(text) is not None,
        ),
    )
    for pattern, may_be in patterns:
        for match in pattern.finditer(text) if may_be else ():
            town = _AFTER_STREET.match(text, match.end())
            yield PersonalSpan(match.start(), town.end() if town else match.end(), "ADDRESS")
    for match in _POSTCODE.finditer(text) if is_mixed else ():
        yield PersonalSpan(*match.span(), "ADDRESS")
