"""Names of people, by the words around them and by common first names. Pure.

Titles, salutations, signatures and "my name is" indicate a name, and so does a common first name before
another capitalised word. A name without any of these is not found. Institutions, streets and brands named
after a person are excluded.
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from evalapp.privacy.names import FIRST_NAMES
from evalapp.privacy.spans import PersonalSpan, holds_any, word_set

_LETTER = r"[^\W\d_]"
_CAPITALS = "".join(chr(code) for code in range(0xC0, 0x530) if chr(code).isupper())
_CAPITAL = f"[A-Z{_CAPITALS}]"
# Scripts without capitals: Hebrew, Arabic, Devanagari, kana, Chinese characters, Hangul.
_CASELESS = "[\u05d0-\u05ea\u0620-\u064a\u0904-\u0939\u3041-\u30ff\u4e00-\u9fff\uac00-\ud7a3]"
NAME = rf"{_CAPITAL}{_LETTER}*(?:['’-](?!s\b){_LETTER}+){{0,4}}"
"""A capitalised word, for use in patterns."""

_CAPITALISED = re.compile(rf"{_CAPITAL}{_LETTER}*")
_PARTICLES = r"(?:van|von|vom|zu|de|del|der|den|di|da|la|le|al|bin)"
# Names do not continue on the next line.
_PEOPLE = (
    rf"(?:{_PARTICLES}[ \t]{{1,4}}){{0,3}}(?:[dl]['’])?{NAME}"
    rf"(?:[ \t]{{1,4}}(?:{_PARTICLES}[ \t]{{1,4}}){{0,3}}(?:[dl]['’])?{NAME}){{0,2}}"
)
_TITLES = word_set("Mr Mrs Ms Miss Mx Dr Prof Herr Herrn Frau Madame Monsieur Señor Señora Signor Signora")
_TITLED = re.compile(
    r"\b(?P<title>Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herrn?|Frau|Madame|Monsieur|Señora?|Signora?)\.?\s+"
    rf"(?:(?:Dr|Prof)\.?\s+)*(?P<name>(?!(?:Dr|Prof)\b){_PEOPLE}|{_CASELESS}+(?:[ \t]{_CASELESS}+){{0,2}})"
)
# A text in capitals may continue in capitals, so the name is one word, or two after a common first name. MR
# and MS without a dot also mean magnetic resonance and multiple sclerosis.
_CAPITAL_TITLES = word_set("MR MRS MS MISS DR PROF HERR HERRN FRAU MADAME MONSIEUR")
_CAPITAL_NAME = rf"{_CAPITAL}{{2,}}(?:['’-]{_CAPITAL}{{2,}}){{0,2}}(?!{_LETTER})"
_TITLED_IN_CAPITALS = re.compile(
    r"\b(?P<title>M[RS]\.|MRS\.?|MISS|DR\.?|PROF\.?|HERRN?|FRAU|MADAME|MONSIEUR)[ \t]{1,4}"
    rf"(?:(?:DR|PROF)\.?[ \t]{{1,4}}){{0,2}}(?P<name>(?:(?:{'|'.join(sorted(map(str.upper, FIRST_NAMES)))})"
    rf"[ \t]{{1,4}})?(?:D['’])?{_CAPITAL_NAME})"
)
_BRANDS = word_set("Martens Oetker Pepper Scholl Hauschka Best Bronner")
_GREETINGS = word_set("Dear Hi Hello Hey Hallo Liebe Lieber Bonjour Hola")
_GREETED = re.compile(
    r"(?:^|[\n.!?]\s{0,8})(?:Dear|Hi|Hello|Hey|Hallo|Lieber?|Bonjour|Hola)\s{1,8}"
    rf"(?P<name>{NAME}(?:\s{{1,4}}{NAME}){{0,2}})\s{{0,4}}[,!:\n]",
    re.MULTILINE,
)
_SIGNED_PARTS = (
    "egards", "incerely", "ours", "heers", "hank", "est wishes", "rüß", "rüss", "rueß", "ruess", "ruß",
    "russ", "ordialement", "aludos", "MfG",
)  # fmt: skip
_SIGNED = re.compile(
    r"\b(?:[Rr]egards|[Ss]incerely|[Yy]ours(?: truly| faithfully)?|[Cc]heers|[Tt]hank you|[Tt]hanks"
    r"|[Bb]est wishes|[Gg]r(?:ü|ue)(?:ß|ss)en?|[Gg]ru(?:ß|ss)|MfG|[Cc]ordialement|[Ss]aludos)"
    rf"[ \t\r]{{0,8}}[,.!]?[ \t\r]{{0,8}}\n\s{{0,20}}"
    rf"(?P<name>{NAME}(?:[ \t]{{1,4}}(?:{_PARTICLES}[ \t]{{1,4}}){{0,3}}{NAME}){{0,2}})"
)
_CALLED_PARTS = (
    "ame is", "ame's", "ame’s", "ame ist", "heiße", "heisse", "ier spricht", "appelle", "llamo",
    "ombre es", "chiamo",
)  # fmt: skip
_CALLED = re.compile(
    r"(?:\b[Mm]y name is|\b[Mm]y name['’]s|\b[Mm]ein Name ist|\b[Ii]ch hei(?:ß|ss)e|\b[Hh]ier spricht"
    r"|\b[Jj]e m['’]appelle|\b[Mm]e llamo|\b[Mm]i nombre es|\b[Mm]i chiamo)"
    rf"\s{{0,8}}(?P<name>{_PEOPLE})"
)
_LABEL_PARTS = ("ame", "atient", "ustomer", "laimant", "olicyholder")
_LABELLED = re.compile(
    r"^[ \t]{0,20}(?:[Nn]ame|[Ff]ull [Nn]ame|[Pp]atient|[Cc]ustomer|[Cc]laimant|[Pp]olicyholder)[ \t]{0,8}:"
    rf"\s{{0,8}}(?P<name>{_PEOPLE})",
    re.MULTILINE,
)
_FULL_NAME = re.compile(
    rf"\b{NAME}\s{{1,40}}(?:[A-Z]\.\s{{1,40}})?(?:(?:van|von|de|del|der|di|da|la|le|al|bin)\s{{1,40}}){{0,2}}"
    rf"(?P<second>{NAME})"
)
_THIRD_NAME = re.compile(rf"[ \t](?P<third>{NAME})")
_NO_NAMES = word_set(
    "Customer Client Sir Madam Team All Everyone Colleague Colleagues Support Service Patient Doctor User"
    " There Friend Friends Hiring Manager The Your Our Insurance Bank Street Road Day May March April"
    " June July August January February September October November December World Monday Tuesday Wednesday"
    " Thursday Friday Saturday Sunday I He She We They It You And But"
    " Kunde Kunden Kundin Kundinnen Kollege Kollegen Kollegin Kolleginnen Damen Herren Alle Welt Doktor"
    " Professor Nachbar Nachbarn Nachbarin Freunde Leser Grüße Gruesse Ihr Ihre Ihrem Ihren Euer Eure Dein"
    " Deine Mein Meine Das Die Der Kundenservice Kundendienst Ich Er Sie Wir Es Und Aber Monde Mundo"
    " Monsieur Madame Votre President Minister Speaker"
    " Length Size Speed Value Width Height Weight Number Price Amount Score"
)
_ENDINGS_OF_GROUPS = ("team", "abteilung", "department", "versicherung", "service", "dienst", "zusammen")
_INSTITUTION = (
    r"(?:[^\W\d_]{0,20}(?:[Ii]nstitute?s?|[Kk]rankenhaus|[Kk]linik(?:um)?|[Ss]tiftung|[Ss]chule|[Gg]ymnasium"
    r"|[Uu]niversit(?:ä|ae)t|[Ss]tra(?:ß|ss)e)"
    r"|Hospital|Infirmary|Clinic|University|Foundation|School|College|Academy|Library|Airport|Stadium"
    r"|Cathedral|Theatre|Theater|Street|Road|Avenue|Boulevard|GmbH|AG|KG|SE|Ltd|Limited|Inc|LLC|plc|Corp"
    r"|Corporation|Fondation|Fundación)"
)
_IS_INSTITUTION = re.compile(_INSTITUTION)
# These are also surnames. Another word of the name may come before them: the Martin Luther King Bridge.
_OF_INSTITUTION = re.compile(
    rf"(?:[ -]{NAME})?[ -](?:{_INSTITUTION}|Bridge|Church|Prize|Award|Medal|Station|Park|Square|Lane|Drive"
    r"|Court|Str\.|Weg|Ring|Ufer|Platz|Allee|Museum|Preis|Kirche|Company|Group)(?!\w)"
)
_AFTER_INSTITUTION = re.compile(
    r"\b(?:San|Santa|São|Saint|Sainte|Sankt|St\.?|Ste\.?|Krankenhaus|Klinikum|Lycée|Collège|École|Institut"
    r"|Gymnasium|Stiftung|Fondation|Fundación|Hospital|[Rr]ue|[Aa]venue|[Bb]oulevard)[ -]$"
)
_LONGEST_INSTITUTION = 15


def people(text: str, capitalised: AbstractSet[str]) -> Iterator[PersonalSpan]:
    """Names in a text; ``capitalised`` are its words from `capitalised_words`."""
    for pattern in _patterns(text, capitalised):
        for match in pattern.finditer(text):
            if not is_no_name(match["name"]) and not _is_brand(match):
                yield PersonalSpan(*match.span("name"), "NAME")
    if not FIRST_NAMES.isdisjoint(capitalised):
        for word in _CAPITALISED.finditer(text):
            if word[0] in FIRST_NAMES:
                yield from _full_name(text, word.start())


def capitalised_words(text: str) -> AbstractSet[str]:
    """Capitalised words, and the parts of words from a capital on."""
    return set(_CAPITALISED.findall(text))


def _patterns(text: str, capitalised: AbstractSet[str]) -> Iterator[re.Pattern[str]]:
    """Patterns that may match. Each costs a pass over the text, so substrings that it needs are searched
    first.
    """
    if holds_any(text, _CALLED_PARTS):
        yield _CALLED
    if ":" in text and holds_any(text, _LABEL_PARTS):
        yield _LABELLED
    if not _TITLES.isdisjoint(capitalised):
        yield _TITLED
    if not _CAPITAL_TITLES.isdisjoint(capitalised):
        yield _TITLED_IN_CAPITALS
    if not _GREETINGS.isdisjoint(capitalised):
        yield _GREETED
    if "\n" in text and holds_any(text, _SIGNED_PARTS):
        yield _SIGNED


def is_capitalised(word: str) -> bool:
    return re.fullmatch(NAME, word) is not None


def is_of_institution(text: str, start: int, end: int) -> bool:
    """Whether the span is part of the name of an institution or a street."""
    return (
        _OF_INSTITUTION.match(text, end) is not None
        or _AFTER_INSTITUTION.search(text, max(0, start - _LONGEST_INSTITUTION), start) is not None
    )


def is_no_name(name: str) -> bool:
    """Whether capitalised words in the position of a name are not a name."""
    words = [word.capitalize() if word.isupper() else word for word in name.split()]
    return (
        words[0] in _NO_NAMES or words[-1] in _NO_NAMES or words[-1].casefold().endswith(_ENDINGS_OF_GROUPS)
    )


def _is_brand(match: re.Match[str]) -> bool:
    return match.re is _TITLED and match["title"] == "Dr" and match["name"].split()[0] in _BRANDS


def _full_name(text: str, start: int) -> Iterator[PersonalSpan]:
    """The name of two or three words that begins with a common first name."""
    match = _FULL_NAME.match(text, start)
    if match is None or match["second"] in _NO_NAMES:
        return
    end = match.end()
    if _IS_INSTITUTION.fullmatch(match["second"].rpartition("-")[2]) or is_of_institution(text, start, end):
        return
    if match["second"] in FIRST_NAMES:
        third = _THIRD_NAME.match(text, end)
        if third is not None and third["third"] not in _NO_NAMES:
            end = third.end()
    yield PersonalSpan(start, end, "NAME")
