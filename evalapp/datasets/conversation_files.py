"""Writes rows in the message formats of other tools, and names what these formats lose. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from evalapp.conversations.form import VERSION
from evalapp.conversations.formats import FORMATS
from evalapp.conversations.text import Conversation, text_form, with_answer, with_call_ids
from evalapp.datasets.models import Example

FORMATS_OF_FILES = {
    "openai-chat": "openai.chat",
    "openai-responses": "openai.responses",
    "anthropic": "anthropic",
    "hf-chat": "hf",
    "otel": "otel",
}
"""The message format of a file, by its name in exports."""


class WrittenRow(NamedTuple):
    """A row as written. ``losses``: plural nouns for the parts that the format cannot represent."""

    fields: dict[str, Any]
    losses: list[str]


def written_row(example: Example, file_format: str) -> WrittenRow:
    """The row's messages with its first reference as the answer, and its metadata as fields beside them."""
    form = FORMATS[FORMATS_OF_FILES[file_format]]
    conversation = _conversation_with_answer(example)
    if conversation["origin"]["format"] != form.key:
        conversation = with_call_ids(conversation)
    written = form.write(dict(conversation))
    beside = {name: value for name, value in example.metadata.items() if name not in written.fields}
    return WrittenRow({**written.fields, **beside}, [*written.losses, *_losses(example, written.fields)])


def losses(examples: Iterable[Example], file_format: str) -> dict[str, int]:
    """How many of the rows lose each part."""
    counts: dict[str, int] = {}
    for example in examples:
        for what in written_row(example, file_format).losses:
            counts[what] = counts.get(what, 0) + 1
    return counts


def _conversation_with_answer(example: Example) -> Conversation:
    reference = next(iter(example.references), None)
    conversation: Conversation = example.conversation or {
        "v": VERSION,
        "origin": {"format": "", "version": ""},
        "messages": example.messages,
    }
    if reference is None or text_form(conversation).answer == reference:
        return conversation
    return with_answer(conversation, reference)


def _losses(example: Example, fields: dict[str, Any]) -> Iterator[str]:
    for what, is_lost in (
        ("further references", len(example.references) > 1),
        ("labels", example.label),
        ("contexts", example.context),
        ("groups", example.group_key),
        ("preferences", example.pairs or example.rated),
        ("splits", example.split != "train"),
        ("metadata of the same name as a field", not fields.keys().isdisjoint(example.metadata)),
    ):
        if is_lost:
            yield what
