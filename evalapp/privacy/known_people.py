"""Finds people with known names again in a text, by the parts of their names. Pure.

A last name is found as written, together with first names before it. A first name alone is found unless it
may be an ordinary word at the beginning of a sentence: "Rose, your bill is paid", but not "Rose prices went
up".
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from evalapp.privacy.names import FIRST_NAMES
from evalapp.privacy.people import NAME, is_capitalised, is_no_name, is_of_institution
from evalapp.privacy.spans import PersonalSpan, word_set

_LONGEST_BEFORE = 80
_LONGEST_GAP = 20
_WORDS_BEFORE = re.compile(rf"(?<![\w’'-])(?:{NAME}[ \t]{{1,4}}(?:[A-Z]\.[ \t]{{1,4}})?){{1,2}}$")
_WORD = re.compile(NAME)
_BEGINS_SENTENCE = re.compile(r"(?:^|[.!?:;…\n])[\s\"“„‚«»'’()*–-]*$")
_ADDRESSED = re.compile(r"[ \t]{0,4}(?:[,!:\n]|$)")
# Capitalised words before a last name that are not first names: in the middle of a sentence, ...
_ROLES = word_set(
    "Mr Mrs Ms Miss Mx Dr Prof Sir Dame Lord Lady Herr Herrn Frau Fräulein Madame Monsieur Señor Señora"
    " Signor Signora Dear Hi Hello Hey Hallo Liebe Lieber Bonjour Hola Familie Family Ehepaar Eheleute"
    " Geschwister Patientin Nurse Sister Brother Uncle Aunt Mother Father Captain Judge Officer"
    " Consultant Surgeon Schwester Bruder Onkel Tante Mutter Vater Tochter Sohn Nachbarin Nachbar"
    " Kollegin Mandant Mandantin Versicherte Versicherter Versicherten Geschädigte Geschädigter"
    " Antragsteller Antragstellerin Fall Akte Firma Praxis Case File Account Claim Policy Bürger"
    " Bürgerin Hausarzt Hausärztin Doktorin Professorin Richter Richterin Kläger Klägerin Zeuge Zeugin"
    " Schüler Schülerin Student Studentin Pfarrer Lehrer Lehrerin Chef Chefin Docteur Maître Name Names"
    " Nachname Vorname Doctor"
)
_ENDINGS_OF_ROLES = (
    "arzt", "ärztin", "schwester", "pfleger", "pflegerin", "nehmer", "nehmerin", "leiter", "leiterin",
    "berater", "beraterin", "anwalt", "anwältin", "meister", "meisterin", "mutter", "vater", "halter",
    "halterin", "mieter", "mieterin", "besitzer", "besitzerin",
)  # fmt: skip
# ... and at its beginning.
_FIRST_WORDS = word_set(
    "a about after also although an and any are as at because before being but by can could did do does"
    " during either every following for from had has have he her here hers him his how however if in"
    " instead is it its let may might must my neither no nor not now of on once only or our per please"
    " regarding say says she should since so some that the their then there these they this those though"
    " through to today tomorrow under unless until was were what when where whether which while who whom"
    " whose why will with without would yesterday yes you your ab aber alle als also am an auch auf aus"
    " außer bei beide beim bevor bin bis bitte damit dann das dass dem den denn der des deshalb die dies"
    " diese dieser doch durch ein eine einem einen einer er es falls für gegen gestern hat hatte hatten"
    " heute hier ich ihm ihn ihr ihre im in ist ja jetzt kann kein keine können laut lassen mein meine"
    " mit morgen muss nach nachdem nein nicht noch nun nur ob obwohl oder ohne seit sein seine sie sind"
    " so sobald soll sollte statt trotz über um und unser unsere unter vom von vor wann war waren warum"
    " was wegen weil welche wenn wer werden wie will wir wird wo wurde zu zudem zum zur zwar au aux avec"
    " avez car ce ces cette chez comme dans de depuis des donc du elle en est et il je la le les leur"
    " mais ne nous ou où par pas pour puis quand que qui sa sans selon ses si son sont sur un une vous"
    " al como con cuando de del desde el ella en es está la las le lo los mi no nos para pero por que se"
    " si sin sobre su un una ya come con da dal della di il la non per se sono un una"
)
# First names that are also ordinary words.
_ORDINARY = word_set(
    "Amber April Art August Bill Bob Buck Charity Chase Chip Clay Cliff Crystal Daisy Dawn Dean Dick"
    " Drew Duke Earl Ernst Faith Forest Gene Ginger Grace Grant Guy Harmony Hazel Heide Holly Honor Hope"
    " Iris Ivy Jade Jasper Joy June Lance Lily Lucky Major Mark May Melody Miles Norm Olive Paris Pat"
    " Patience Pearl Penny Prince Prudence Ray Reed Rich Rob Rod Rose Royal Ruby Sandy Skip Sterling"
    " Stone Sue Summer Sunny Trip Violet Wade Ward Will Wolf"
)


class KnownPeople:
    """Finder of known people.

    ``names``: names found earlier, complete or in part. ``texts``: where first names may precede them.
    ``surnames``: first names in lower case, each with the last name of the only person who has it.
    """

    def __init__(self, names: Iterable[str], texts: Iterable[str] = ()) -> None:
        people = {tuple(name.split()) for name in names if name.split()}
        self._last = _any_of({words[-1] for words in people if len(words[-1]) >= _fewest_letters(words[-1])})
        people |= {
            tuple(text[span.start : span.end].split()) for text in texts for span in self._of_last_names(text)
        }
        given = {(word, words[-1].casefold()) for words in people for word in words[:-1] if _is_given(word)}
        # A name found earlier may be a first name alone.
        alone = {words[-1] for words in people} & {word for word, _ in given}
        alone -= {words[-1] for words in people if len(words) > 1}
        last = {words[-1] for words in people if len(words[-1]) >= _fewest_letters(words[-1])}
        counts = Counter(word.casefold() for word, _ in given)
        self.surnames = {word.casefold(): surname for word, surname in given if counts[word.casefold()] == 1}
        self._last = _any_of(last - alone)
        self._given = _any_of({word for word, _ in given})

    def spans(self, text: str) -> Iterator[PersonalSpan]:
        """Spans of their names in the text; some may overlap."""
        yield from self._of_last_names(text)
        for match in self._given.finditer(text) if self._given is not None else ():
            if _is_named(text, match):
                yield PersonalSpan(*match.span(), "NAME")

    def _of_last_names(self, text: str) -> Iterator[PersonalSpan]:
        for match in self._last.finditer(text) if self._last is not None else ():
            yield PersonalSpan(_with_first_names(text, match.start()), match.end(), "NAME")


def _fewest_letters(word: str) -> int:
    """Fewest letters of a word that is found anywhere; in scripts without capitals most names are short."""
    return 3 if word.lower() != word.upper() else 2


def _any_of(words: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    any_of = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{any_of})(?!\w)") if any_of else None


def _is_given(word: str) -> bool:
    return len(word) >= _fewest_letters(word) and is_capitalised(word) and not _is_role(word)


def _is_role(word: str) -> bool:
    return word.capitalize() in _ROLES or is_no_name(word) or word.casefold().endswith(_ENDINGS_OF_ROLES)


def _with_first_names(text: str, start: int) -> int:
    """Start of the name whose last word begins at ``start``."""
    before = _WORDS_BEFORE.search(text, max(0, start - _LONGEST_BEFORE), start)
    if before is None:
        return start
    for word in reversed(list(_WORD.finditer(text, before.start(), start))):
        # The initial of a middle name belongs to the name before it.
        if text[word.end() : word.end() + 1] == ".":
            continue
        is_first = _begins_sentence(text, word.start())
        is_ordinary = is_first and word[0].casefold() in _FIRST_WORDS
        if word[0] not in FIRST_NAMES and (_is_role(word[0]) or is_ordinary):
            break
        start = word.start()
    return start


def _is_named(text: str, match: re.Match[str]) -> bool:
    if is_of_institution(text, *match.span()):
        return False
    is_ordinary = match[0] in _ORDINARY or match[0].casefold() in _FIRST_WORDS
    if not is_ordinary or not _begins_sentence(text, match.start()):
        return True
    return _ADDRESSED.match(text, match.end()) is not None


def _begins_sentence(text: str, start: int) -> bool:
    return _BEGINS_SENTENCE.search(text, max(0, start - _LONGEST_GAP), start) is not None
