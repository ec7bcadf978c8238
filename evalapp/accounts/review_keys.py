"""The single-letter keys of the review screen: which there are, and what a person made of them.

They can be switched off or remapped (WCAG 2.1.4). Scores are always given by figures.
"""

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
    ReviewKey("help", "Show the keys", "?"),
)


def keys_of(user: User) -> dict[str, str]:
    """Action → key for this person; empty where they switched the single keys off."""
    chosen = user.review_keys or {}
    if not chosen.get("enabled", True):
        return {}
    own = chosen.get("map", {})
    return {key.action: own.get(key.action, key.default) for key in REVIEW_KEYS}
