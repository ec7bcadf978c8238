"""The formats of conversations: a module each, entered here. Nothing else lists them."""

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
"""By the name that a conversation's origin has, in the order in which they are offered."""

_MORE_FIELDS = {name for each in FORMATS.values() for name in each.fields} - {"messages"}
# A row that has signs of one of the others suits OpenAI's chat as well.
_ASKED = (otel.KEY, openai_responses.KEY, anthropic.KEY, hugging_face.KEY, openai_chat.KEY)


def format_of(fields: Mapping[str, Any]) -> ConversationFormat | None:
    """The format of a row that holds more than plain text; None for other rows."""
    if fields.keys().isdisjoint(_MORE_FIELDS) and are_plain(fields.get("messages")):
        return None
    return next((FORMATS[key] for key in _ASKED if FORMATS[key].recognises(fields)), None)


__all__ = ["FORMATS", "ConversationFormat", "Written", "format_of"]
