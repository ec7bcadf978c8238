"""OpenAI chat completions: messages with calls whose arguments are text, and content in parts. Pure."""

from collections.abc import Mapping
from typing import Any

from evalapp.conversations.differences import AS
from evalapp.conversations.form import Conversation
from evalapp.conversations.formats.base import (
    SourceList,
    Written,
    are_plain,
    check_depth,
    conversation_of,
    objects,
    with_row,
    writing_of,
)
from evalapp.conversations.formats.chat import CHAT_ROLES, Chat
from evalapp.conversations.formats.chat_tools import tool_of, tools_in, with_spelling, write_tool
from evalapp.conversations.formats.tools import write_tools

KEY = "openai.chat"
FIELDS = ("messages", "tools", "functions")
_CHAT = Chat(arguments_are_text=True, keeps_reasoning=False, keeps_citations=True)


def recognises(fields: Mapping[str, Any]) -> bool:
    """Whether the row has messages of known roles, one of them with more than text, or tools."""
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        return False
    tools = fields.get("tools") or fields.get("functions")
    if are_plain(messages) and not (tools and isinstance(tools, list)):
        return False
    return all(isinstance(each, dict) and each.get("role") in CHAT_ROLES for each in messages)


def read(fields: Mapping[str, Any]) -> Conversation:
    """The row's conversation. Raises RowProblemError if it is not in this format."""
    check_depth(fields, FIELDS)
    sources = SourceList()
    messages = [
        _CHAT.read(place, each, sources) for place, each in objects("messages", fields.get("messages"))
    ]
    tools = [tool_of(each) for _, each in objects("tools", tools_in(fields.get("tools")))]
    tools += [tool_of(each, "functions") for _, each in objects("functions", fields.get("functions") or [])]
    return with_row(conversation_of(KEY, messages, tools=tools, sources=sources), fields, FIELDS, write)


def write(conversation: Conversation) -> Written:
    """The row's fields, and what of the conversation they cannot express."""
    writing, extra = writing_of(conversation, KEY)
    made: dict[str, Any] = {
        "messages": [
            written for message in conversation["messages"] for written in _CHAT.write(message, writing)
        ]
    }
    functions = [
        tool
        for tool in conversation.get("tools", ())
        if writing.is_own and tool.get("extra", {}).get(AS) == "functions"
    ]
    tools = [tool for tool in conversation.get("tools", ()) if not any(tool is each for each in functions)]
    for name, offered in (("tools", tools), ("functions", functions)):
        if written := list(write_tools(offered, writing, write_tool)):
            made[name] = written
    writing.lose_sources()
    return Written(with_spelling(made, extra), list(writing.losses))
