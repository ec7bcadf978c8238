"""Separates a model's reasoning from its answer. Standard library only."""

from typing import NamedTuple

OPENING, CLOSING = "<think>", "</think>"


class ReasoningAndAnswer(NamedTuple):
    """A model's reasoning, empty if it gave none, and its answer, empty if the output was cut off during
    reasoning.
    """

    reasoning: str
    answer: str


def split_reasoning(text: str, *, is_open: bool = False) -> ReasoningAndAnswer:
    """Separate a leading ``<think>`` part from the answer.

    ``is_open``: the prompt ended with ``<think>``, so the text begins inside the reasoning; without a closing
    tag, all of it is reasoning. A text with a closing tag but no opening one is treated likewise, since its
    prompt may have been written elsewhere. A text without such a part is returned unchanged as the answer.
    """
    begun = text.lstrip()
    opens = begun.startswith(OPENING)
    thought, closing, answer = begun.removeprefix(OPENING).partition(CLOSING)
    if not closing:
        return ReasoningAndAnswer(thought.strip(), "") if opens or is_open else ReasoningAndAnswer("", text)
    if not opens and OPENING in thought:
        # The tags are part of what the answer talks about.
        return ReasoningAndAnswer("", text)
    return ReasoningAndAnswer(thought.strip(), answer.lstrip())
