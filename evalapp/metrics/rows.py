"""The input of a metric: one output with its example."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One output to be scored.

    ``references``: acceptable answers; empty when the example has none.
    ``context``: the facts the answer may rest on (client profile, document), as one text.
    ``prompt``: what was asked; numbers in it count as given.
    ``fields``: the example's named values ("goal": "a house in 2031") for rules that name them.
    """

    output: str
    references: tuple[str, ...] = ()
    context: str = ""
    prompt: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text by half-open character offsets: ``output[start:end] == text``."""

    start: int
    end: int
    text: str


def well_formed(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD, so that compiled code can take it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
