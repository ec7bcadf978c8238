"""Input of a metric: one output with its example."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One output to score.

    ``references``: acceptable answers; empty if the example has none.
    ``context``: the facts that the answer may rely on (client profile, document), as one text.
    ``prompt``: what was asked; its numbers count as given.
    ``fields``: named values of the example ("goal": "a house in 2031"), for rules that refer to them.
    """

    output: str
    references: tuple[str, ...] = ()
    context: str = ""
    prompt: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a text, by half-open character offsets: ``output[start:end] == text``."""

    start: int
    end: int
    text: str


def well_formed(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD: libraries in C++ and Rust only accept valid
    Unicode.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
