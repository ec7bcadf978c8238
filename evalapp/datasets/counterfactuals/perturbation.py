"""What a perturbation is: a rule that makes another person, or another wording, of a row's texts. Pure."""

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
    """What a perturbation makes of a row: ``key`` as metadata have it, ``label`` for people."""

    key: str
    label: str


Rewritten = dict[str, str] | LeftOut
"""The fields whose text is another, with that text; or why there is none."""


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
        """``texts`` by field, all of one row."""
        raise NotImplementedError

    def lists(self, value: str) -> list[tuple[str, str]]:
        """The words that the value rests on, for people: the name of each list and its words."""
        raise NotImplementedError


def changed_texts(texts: Mapping[str, str], changed: Callable[[str], str]) -> Rewritten:
    """The texts that ``changed`` makes others."""
    found = {field: new for field, text in texts.items() if (new := changed(text)) != text}
    return found or LeftOut.UNTOUCHED
