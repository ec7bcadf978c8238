"""Tags for the parts of a conversation besides its text."""

from typing import Any

from django import template

from evalapp.conversations.beside_text import beside_text as shown_beside
from evalapp.conversations.text import Conversation, without_answer

register = template.Library()


@register.inclusion_tag("conversations/beside_text.html")
def beside_text(conversation: Conversation | None) -> dict[str, Any]:
    """The parts of the whole conversation, including its final answer."""
    return {"beside": None if conversation is None else shown_beside(conversation)}


@register.inclusion_tag("conversations/beside_text.html")
def beside_prompt(conversation: Conversation | None) -> dict[str, Any]:
    """The parts of the prompt only: a reviewer must not see how the row's own answer was made."""
    return {"beside": None if conversation is None else shown_beside(without_answer(conversation))}
