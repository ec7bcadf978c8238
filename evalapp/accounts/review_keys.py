"""The single-letter keys of the review screen, and a person's own choice of them.

They can be switched off or remapped (WCAG 2.1.4). Scores are always given by digits.
"""

from collections.abc import Container
from typing import NamedTuple

from evalapp.accounts.models import User


class ReviewKey(NamedTuple):
    action: str
    label: str
    default: str


REVIEW_KEYS = (
    ReviewKey("not_applicable", "Not applicable", "n"),
    ReviewKey("comment", "Comment", "c"),
    ReviewKey("correct", "Correct the answer", "e"),
    ReviewKey("skip", "Skip with a reason", "s"),
    ReviewKey("undo", "Undo the last submission", "u"),
    ReviewKey("raw", "Show the raw text", "r"),
    ReviewKey("facts", "Mark what the facts say", "m"),
    ReviewKey("diff", "Show what differs between two answers", "d"),
    ReviewKey("highlight", "Highlight words of the answer", "h"),
    ReviewKey("flag", "Flag the item for the manager", "f"),
    ReviewKey("help", "Show the keys", "?"),
)
OF_RATING = frozenset({"not_applicable", "correct", "highlight"})
"""Actions that comparing has no use for."""
OF_COMPARING = frozenset({"diff"})
"""Actions that rating one answer has no use for."""


def keys_of(user: User, *, without: Container[str] = ()) -> dict[str, str]:
    """Action → key for this person; empty where they switched the single keys off."""
    return letters_of(user, without=without) if (user.review_keys or {}).get("enabled", True) else {}


def letters_of(user: User, *, without: Container[str] = ()) -> dict[str, str]:
    """Action → letter, also while they are switched off; ``without`` those the page has no use for. A
    letter that somebody chose for one action is no longer another's default: such an action has none.
    """
    own: dict[str, str] = (user.review_keys or {}).get("map", {})
    taken = set(own.values())
    usual = {key.action: key.default for key in REVIEW_KEYS if key.default not in taken}
    return {action: letter for action, letter in {**usual, **own}.items() if action not in without}
