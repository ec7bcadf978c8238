"""Names that people give to things: one rule for all of them."""

import unicodedata

from evalapp.core.errors import InvalidError

LONGEST_NAME = 120
# Control characters, halves of surrogate pairs, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They turn round what follows them, so that a name could pose as another. Marks that a right-to-left
# name needs (U+200E, U+200F) are none of these.
_DIRECTION_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def checked_name(name: str, *, of: str, field: str = "name", longest: int = LONGEST_NAME) -> str:
    """The name on one line, without the spaces around it; ``of`` reads "the dataset".

    Raises InvalidError for ``field``: nothing that can be seen, too long, or with characters that
    cannot be seen and change how the rest is read.
    """
    name = " ".join(name.split())
    for position, character in enumerate(name, start=1):
        if unicodedata.category(character) in _UNPRINTABLE or character in _DIRECTION_CONTROLS:
            raise InvalidError(
                f"Character {position} of the name is U+{ord(character):04X}, which is invisible. Type the"
                " name again without it.",
                field=field,
            )
    if len(name) > longest or not has_visible(name):
        raise InvalidError(f"Give {of} a name of 1 to {longest} characters.", field=field)
    return name


def has_visible(text: str) -> bool:
    """Whether there is anything to see: spaces, joiners and control characters are nothing."""
    return any(not unicodedata.category(character).startswith(("C", "Z")) for character in text)
