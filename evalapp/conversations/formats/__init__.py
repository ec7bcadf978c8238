"""The formats of conversations, one module each. This is the only list of them."""

from collections.abc import Mapping
from typing import Any

from evalapp.conversations.formats import anthropic, hugging_face, openai_chat, openai_responses, otel
from evalapp.conversations.formats.base import ConversationFormat, Written, are_plain

FORMATS: Mapping[str, ConversationFormat] = {
    module.KEY: ConversationFormat(
        key=module.KEY,
        label=label,
        fields=module.FIELDS,
        recognises=module.recognises,
        read=module.read,
        write=module.write,
    )
    for module, label in (
        (openai_chat, "OpenAI chat"),
        (openai_responses, "OpenAI Responses"),
        (anthropic, "Anthropic Messages"),
        (hugging_face, "Hugging Face chat"),
        (otel, "OpenTelemetry GenAI"),
    )
}
"""Formats by the name in a conversation's origin, in the order in which they are offered."""

_MORE_FIELDS = {name for each in FORMATS.values() for name in each.fields} - {"messages"}
# OpenAI's chat is last, because rows of the other formats match it as well.
_ASKED = (otel.KEY, openai_responses.KEY, anthropic.KEY, hugging_face.KEY, openai_chat.KEY)


def format_of(fields: Mapping[str, Any]) -> ConversationFormat | None:
    """The format of a row that has more than plain text; None for other rows."""
    if fields.keys().isdisjoint(_MORE_FIELDS) and are_plain(fields.get("messages")):
        return None
    return next((FORMATS[key] for key in _ASKED if FORMATS[key].recognises(fields)), None)


__all__ = ["FORMATS", "ConversationFormat", "Written", "format_of"]
