"""Separates a model's reasoning from its answer. Standard library only."""

from typing import NamedTuple

OPENING, CLOSING = "<think>", "</think>"


class ReasoningAndAnswer(NamedTuple):
    """``reasoning`` is empty where the model gave none. ``answer`` is empty where it was cut while it
    thought.
    """

    reasoning: str
    answer: str


def split_reasoning(text: str, *, is_open: bool = False) -> ReasoningAndAnswer:
    """The text with its leading ``<think>`` part taken off.

    ``is_open``: the prompt ended with ``<think>``, so that the text begins inside of it; one that never
    closes it is reasoning to its end. A text that closes a part which it did not open is taken as begun
    inside of it, too: its prompt was written elsewhere. A text without a part is the answer as it stands.
    """
    begun = text.lstrip()
    opens = begun.startswith(OPENING)
    thought, closing, answer = begun.removeprefix(OPENING).partition(CLOSING)
    if not closing:
        return ReasoningAndAnswer(thought.strip(), "") if opens or is_open else ReasoningAndAnswer("", text)
    if not opens and OPENING in thought:
        # It speaks of such a part somewhere in its answer.
        return ReasoningAndAnswer("", text)
    return ReasoningAndAnswer(thought.strip(), answer.lstrip())
