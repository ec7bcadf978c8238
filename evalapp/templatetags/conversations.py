"""What pages show of a conversation beside its text."""

from typing import Any

from django import template

from evalapp.conversations.beside_text import beside_text as shown_beside
from evalapp.conversations.text import Conversation, asked

register = template.Library()


@register.inclusion_tag("conversations/beside_text.html")
def beside_text(conversation: Conversation | None) -> dict[str, Any]:
    """All of it, the answer that it ends with included."""
    return {"beside": None if conversation is None else shown_beside(conversation)}


@register.inclusion_tag("conversations/beside_text.html")
def beside_prompt(conversation: Conversation | None) -> dict[str, Any]:
    """Of what an answer is given to alone: a reviewer is not shown how the row's own answer came about."""
    return {"beside": None if conversation is None else shown_beside(asked(conversation))}
