"""Hugging Face chat templates: messages whose calls have objects as arguments, tools, documents. Pure."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from evalapp.conversations.differences import AS, changes_between
from evalapp.conversations.form import Conversation, Source
from evalapp.conversations.formats.base import (
    SourceList,
    Writing,
    Written,
    are_plain,
    check_depth,
    conversation_of,
    objects,
    with_row,
    writing_of,
)
from evalapp.conversations.formats.chat import CHAT_ROLES, Chat
from evalapp.conversations.formats.chat_tools import objects_in, tool_of, tools_in, with_spelling, write_tool
from evalapp.conversations.formats.tools import write_tools

KEY = "hf"
FIELDS = ("messages", "tools", "documents")
_CHAT = Chat(arguments_are_text=False, keeps_reasoning=True, keeps_citations=False)
_REASONING = ("reasoning_content", "thinking")
_FILES = ("image", "video", "audio")
_DOCUMENT = "document"


def recognises(fields: Mapping[str, Any]) -> bool:
    """Whether the row has documents, tools as text, or messages with reasoning, files or calls as in
    templates.
    """
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        return False
    has_more = _are_objects(fields.get("documents")) or _is_list_as_text(fields.get("tools"))
    if are_plain(messages) and not has_more:
        return False
    if not all(isinstance(each, dict) and each.get("role") in CHAT_ROLES for each in messages):
        return False
    return has_more or any(map(_has_sign, messages))


def _are_objects(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _is_list_as_text(value: Any) -> bool:
    return (
        isinstance(value, str) and bool(value.strip().strip("[]").strip()) and objects_in(value) is not None
    )


def _has_sign(message: Mapping[str, Any]) -> bool:
    calls, content = message.get("tool_calls"), message.get("content")
    kinds = [_kind_of_call(each) for each in calls] if isinstance(calls, list) else []
    if any(isinstance(each, str) for each in kinds):
        return False
    if any(name in message for name in _REASONING) or any(isinstance(each, dict) for each in kinds):
        return True
    return isinstance(content, list) and any(
        isinstance(each, dict) and each.get("type") in _FILES and "source" not in each for each in content
    )


def _kind_of_call(call: Any) -> Any:
    function = call.get("function", call) if isinstance(call, dict) else None
    return function.get("arguments") if isinstance(function, dict) else None


def read(fields: Mapping[str, Any]) -> Conversation:
    """The row's conversation. Raises RowProblemError if it is not in this format."""
    check_depth(fields, FIELDS)
    sources = SourceList()
    documents = fields.get("documents")
    for document in documents if _are_objects(documents) else ():
        sources.append(_source_of(document))
    messages = [
        _CHAT.read(place, each, sources) for place, each in objects("messages", fields.get("messages"))
    ]
    tools = [tool_of(each) for _, each in objects("tools", tools_in(fields.get("tools")))]
    return with_row(conversation_of(KEY, messages, tools=tools, sources=sources), fields, FIELDS, write)


def _source_of(document: Mapping[str, Any]) -> Source:
    source: Source = {
        name: document[name] for name in ("title", "text") if isinstance(document.get(name), str)
    }
    return {**source, "extra": {AS: _DOCUMENT, **changes_between(document, source)}}


def write(conversation: Conversation) -> Written:
    """The row's fields, and what of the conversation they cannot express."""
    writing, extra = writing_of(conversation, KEY)
    made: dict[str, Any] = {
        "messages": [
            written for message in conversation["messages"] for written in _CHAT.write(message, writing)
        ]
    }
    if tools := list(write_tools(conversation.get("tools", []), writing, write_tool)):
        made["tools"] = tools
    held = [source for source in conversation.get("sources", ()) if _is_document(source, writing)]
    if held:
        made["documents"] = [_document(source, writing) for source in held]
    writing.held |= {source["id"] for source in held}
    writing.lose_sources()
    return Written(with_spelling(made, extra), list(writing.losses))


def _is_document(source: Source, writing: Writing) -> bool:
    return writing.spelling(source) == _DOCUMENT if writing.is_own else "text" in source


def _document(source: Source, writing: Writing) -> dict[str, Any]:
    made: dict[str, Any] = {name: source[name] for name in ("title", "text") if name in source}
    for name, loss in (("uri", "addresses of sources"), ("score", "scores of sources")):
        if name in source:
            writing.lose(loss)
    return writing.finished(made, source)
