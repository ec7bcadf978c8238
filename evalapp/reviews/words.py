"""Checks texts about a review: reasons, messages and answers."""

from evalapp.core.errors import InvalidError
from evalapp.core.names import has_visible
from evalapp.core.strict_json import bad_character

LONGEST_REASON = 2_000
LONGEST_MESSAGE = 5_000


def checked_words(text: str, *, field: str, missing: str, longest: int = LONGEST_REASON) -> str:
    """The text without surrounding space. Raises InvalidError for ``field`` if it cannot be stored.

    ``missing``: the message for a text without visible characters.
    """
    text = text.replace("\r\n", "\n").strip()
    problem = ""
    if not has_visible(text):
        problem = missing
    elif len(text) > longest:
        problem = f"This has {len(text):,} characters; the limit is {longest:,}. Shorten it."
    elif bad := bad_character(text):
        problem = f"This has {bad}. Remove it."
    if problem:
        raise InvalidError(problem, field=field)
    return text
