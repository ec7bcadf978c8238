"""Perturbations: rules that change the person or the wording in a row's texts. Pure."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple


class LeftOut(StrEnum):
    """Why no variant is made of a row."""

    UNTOUCHED = "untouched"
    BOTH = "both"
    SEVERAL = "several"
    EXCLUDED = "excluded"


REASONS: Mapping[LeftOut, str] = {
    LeftOut.UNTOUCHED: "nothing to change",
    LeftOut.BOTH: "mention men and women",
    LeftOut.SEVERAL: "give several ages",
    LeftOut.EXCLUDED: "contain an excluded word",
}


class Value(NamedTuple):
    """A value of a perturbation: ``key`` as in metadata, ``label`` for people."""

    key: str
    label: str


Rewritten = dict[str, str] | LeftOut
"""The changed fields with their new texts, or the reason why there are none."""


class Perturbation:
    """``rule``: what it changes, in a sentence. ``is_of_writing``: it rewrites the user's messages alone;
    else every text of the row, so that prompt, context and reference speak of one person.
    """

    is_of_writing = False

    key: str
    label: str
    rule: str

    @property
    def values(self) -> tuple[Value, ...]:
        raise NotImplementedError

    def rewritten(self, texts: Mapping[str, str], value: str) -> Rewritten:
        """The changed texts for this value; ``texts`` are those of one row, by field."""
        raise NotImplementedError

    def lists(self, value: str) -> list[tuple[str, str]]:
        """The word lists that the value uses, for display: name and words."""
        raise NotImplementedError


def changed_texts(texts: Mapping[str, str], changed: Callable[[str], str]) -> Rewritten:
    """The texts that ``changed`` alters."""
    found = {field: new for field, text in texts.items() if (new := changed(text)) != text}
    return found or LeftOut.UNTOUCHED
