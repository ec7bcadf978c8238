"""Anthropic Messages: content in blocks, and results of calls inside the user's messages. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from evalapp.conversations.differences import AS, changed
from evalapp.conversations.form import CALL, OTHER, RESULT, SERVER, TEXT, Conversation, Message, Part
from evalapp.conversations.formats.anthropic_blocks import BLOCKS, Blocks
from evalapp.conversations.formats.base import (
    OTHER_ROLES,
    SourceList,
    Writing,
    Written,
    bad_content,
    check_depth,
    conversation_of,
    objects,
    other,
    role_of,
    texts_of,
    unheld,
    with_all,
    with_row,
    writing_of,
)
from evalapp.conversations.formats.tools import Tool, kept_tool, write_tools

KEY = "anthropic"
FIELDS = ("system", "messages", "tools")
_ROLES = ("user", "assistant", "system")
_MESSAGE = "message"
_IN_MESSAGES = "messages"


def recognises(fields: Mapping[str, Any]) -> bool:
    """Whether the row has blocks of this format only, tools with an ``input_schema``, or a list as its
    ``system``.
    """
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        return False
    if not all(isinstance(each, dict) and each.get("role") in _ROLES for each in messages):
        return False
    tools, system = fields.get("tools"), fields.get("system")
    if isinstance(tools, list) and any(isinstance(each, dict) and "input_schema" in each for each in tools):
        return True
    if isinstance(system, list) and system and all(isinstance(each, dict) for each in system):
        return True
    return any(
        _is_block(each)
        for message in messages
        if isinstance(content := message.get("content"), list)
        for each in content
    )


def _is_block(part: Any) -> bool:
    if not isinstance(part, dict) or not isinstance(kind := part.get("type"), str):
        return False
    if kind in ("text", "image", "document"):
        return isinstance(part.get("source"), dict) or bool({"citations", "cache_control"} & part.keys())
    return kind in BLOCKS or kind.endswith("_tool_result")


def read(fields: Mapping[str, Any]) -> Conversation:
    """The row's conversation. Raises RowProblemError if it is not in this format."""
    check_depth(fields, FIELDS)
    sources = SourceList()
    blocks = Blocks(Writing(is_own=True, sources=sources.by_id), sources)
    messages: list[Message] = []
    system = fields.get("system")
    if isinstance(system, str):
        messages.append({"role": "system", "content": system})
    elif isinstance(system, list):
        parts = [blocks.read(each) for _, each in objects("system", system)]
        messages += [{"role": "system", "parts": parts}] if parts else []
    has_system = bool(messages)
    for number, (place, message) in enumerate(objects("messages", fields.get("messages"))):
        messages += _read_message(place, message, number, blocks)
    tools = [_tool_of(each) for _, each in objects("tools", fields.get("tools") or [])]
    conversation = conversation_of(KEY, messages, tools=tools, sources=sources)
    if not has_system:
        conversation["origin"]["extra"] = {AS: _IN_MESSAGES}
    return with_row(conversation, fields, FIELDS, write)


def _read_message(place: str, message: dict[str, Any], number: int, blocks: Blocks) -> list[Message]:
    """A message, split into one for each result that it contains and its other parts."""
    role = role_of(place, message, _ROLES)
    content = message.get("content")
    if isinstance(content, str):
        if message.keys() == {"role", "content"}:
            return [dict(message)]
        parts: list[Part] = [{"type": TEXT, "text": content}]
    elif isinstance(content, list):
        parts = [blocks.read(each) for _, each in objects(f"{place}.content", content)]
    else:
        raise bad_content(place)
    read: Message = {"role": role, "parts": parts}
    if isinstance(content, str):
        read["extra"] = {AS: TEXT}

    def write(each: Message) -> dict[str, Any]:
        return next(_write_messages([each], blocks), {})

    whole = with_all(read, message, write) if parts else None
    if whole is None:
        return [{"role": role, "parts": [other(_MESSAGE, message)]}]
    return _split(whole, number) if role == "user" else [whole]


def _split(message: Message, number: int) -> list[Message]:
    """Make each result a message of role tool; ``from`` marks all parts that were in one message."""
    parts = message["parts"]
    if not any(each["type"] == RESULT for each in parts):
        return [message]
    found: list[Message] = []
    for part in parts:
        numbered = {**part, "from": number}
        if part["type"] == RESULT:
            found.append({"role": "tool", "parts": [numbered]})
        elif found and found[-1]["role"] == "user":
            found[-1]["parts"].append(numbered)
        else:
            found.append({"role": "user", "parts": [numbered]})
    if "extra" in message:
        found[0]["extra"] = message["extra"]
    return found


def write(conversation: Conversation) -> Written:
    """The row's fields, and what of the conversation they cannot express."""
    writing, extra = writing_of(conversation, KEY)
    blocks = Blocks(writing, None)
    messages = list(_write_messages(conversation["messages"], blocks))
    made: dict[str, Any] = {}
    if messages and messages[0].get("role") == "system" and extra.get(AS) != _IN_MESSAGES:
        first = messages.pop(0)
        made["system"] = first["content"]
    made["messages"] = messages
    if tools := list(write_tools(conversation.get("tools", []), writing, _write_tool)):
        made["tools"] = tools
    writing.lose_sources()
    return Written(changed(made, extra), list(writing.losses))


def _write_messages(messages: list[Message], blocks: Blocks) -> Iterator[dict[str, Any]]:
    writing = blocks.writing
    for group in _groups(messages, writing):
        first = group[0]
        parts = [part for message in group for part in message.get("parts", ())]
        if "content" in first:
            yield {"role": _role(first["role"], writing), "content": first["content"]}
        elif _is_whole(parts, writing):
            yield parts[0]["value"]
        else:
            yield from _write_group(group, parts, blocks)


def _is_whole(parts: list[Part], writing: Writing) -> bool:
    if not writing.is_own or len(parts) != 1 or parts[0]["type"] != OTHER:
        return False
    return parts[0]["of"] == _MESSAGE and isinstance(parts[0]["value"], dict) and "role" in parts[0]["value"]


def _write_group(group: list[Message], parts: list[Part], blocks: Blocks) -> Iterator[dict[str, Any]]:
    writing, first = blocks.writing, group[0]
    for message in group:
        for name in ("name", "finish", "time"):
            if name in message:
                writing.lose({"name": "names", "finish": "reasons of stopping", "time": "times"}[name])
    role = _role(first["role"], writing)
    if writing.spelling(first) == TEXT and len(parts) == 1 and parts[0]["type"] == TEXT:
        content: Any = parts[0]["text"]
    else:
        content = [
            block for part in parts if (block := _write_block(part, first["role"], blocks)) is not None
        ]
    made = {"role": role, "content": content}
    if not writing.is_own:
        for message in group:
            writing.finished({}, message)
        if not content:
            return
        yield made
        return
    yield writing.finished(made, first)


def _write_block(part: Part, role: str, blocks: Blocks) -> dict[str, Any] | None:
    writing = blocks.writing
    is_server = part["type"] == CALL and part["by"] == SERVER
    if not writing.is_own and (is_server or (part["type"] == RESULT and role != "tool")):
        unheld(part, writing)
        return None
    if not writing.is_own and part["type"] in ("blob", "gone", "source") and role not in ("user", "tool"):
        unheld(part, writing)
        return None
    return blocks.write(part)


def _role(role: str, writing: Writing) -> str:
    if role == "developer":
        writing.lose(OTHER_ROLES)
        return "system"
    return "user" if role == "tool" else role


def _groups(messages: list[Message], writing: Writing) -> Iterator[list[Message]]:
    """Groups of messages that become one: those from the same message, or results that follow each other."""
    group: list[Message] = []
    for message in messages:
        if group and not _belongs(group[-1], message, writing):
            yield group
            group = []
        group.append(message)
    if group:
        yield group


def _belongs(before: Message, message: Message, writing: Writing) -> bool:
    if not before.get("parts") or not message.get("parts"):
        return False
    if not writing.is_own:
        return bool(before["role"] == message["role"] == "tool")
    number = before["parts"][-1].get("from")
    return number is not None and number == message["parts"][0].get("from")


def _tool_of(tool: dict[str, Any]) -> Tool:
    if not isinstance(tool.get("name"), str) or "input_schema" not in tool:
        return kept_tool(None, tool, _write_tool)
    description = texts_of(tool, description="description")
    return kept_tool({"name": tool["name"], **description, "schema": tool["input_schema"]}, tool, _write_tool)


def _write_tool(tool: Tool, writing: Writing) -> dict[str, Any]:
    made = {"name": tool["name"], "input_schema": tool.get("schema", {"type": "object"})}
    if "description" in tool:
        made["description"] = tool["description"]
    return writing.finished(made, tool)
