"""The rule for names that people give to objects."""

import unicodedata

from evalapp.core.errors import InvalidError

LONGEST_NAME = 120
# Control characters, surrogates, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They reverse the text that follows, so that a name could imitate another. The marks that right-to-left names
# need (U+200E, U+200F) are allowed.
_DIRECTION_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def checked_name(name: str, *, of: str, field: str = "name", longest: int = LONGEST_NAME) -> str:
    """The name in one line, without surrounding spaces; ``of`` is, for example, "the dataset".

    Raises InvalidError for ``field`` if nothing is visible, the name is too long, or it has invisible
    characters that change how the rest is read.
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
    """Whether any character is visible; spaces, joiners and control characters are not."""
    return any(not unicodedata.category(character).startswith(("C", "Z")) for character in text)
