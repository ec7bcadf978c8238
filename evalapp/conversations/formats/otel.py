"""OpenTelemetry's conventions for generative AI: the messages in the span of a model call. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from evalapp.conversations.differences import AS, changed, changes_between, is_equal_json
from evalapp.conversations.form import Conversation, Message, Source, dumps
from evalapp.conversations.formats.base import (
    SourceList,
    Writing,
    Written,
    bad_content,
    check_depth,
    conversation_of,
    kept,
    objects,
    other,
    role_of,
    texts_of,
    with_all,
    with_row,
    writing_of,
)
from evalapp.conversations.formats.otel_parts import part_of, write_part
from evalapp.conversations.formats.tools import Tool, kept_tool, write_tools
from evalapp.imports.problems import bad_field

KEY = "otel"
INSTRUCTIONS = "gen_ai.system_instructions"
INPUT = "gen_ai.input.messages"
OUTPUT = "gen_ai.output.messages"
TOOLS = "gen_ai.tool.definitions"
DOCUMENTS = "gen_ai.retrieval.documents"
FIELDS = (INSTRUCTIONS, INPUT, OUTPUT, TOOLS, DOCUMENTS)
_ROLES = ("system", "developer", "user", "assistant", "tool")
_MESSAGE = "message"
_IN_MESSAGES = "messages"
_AS_OUTPUT = "output"
_AS_CONTENT = "content"
_DOCUMENT = "document"
_OF_DOCUMENT = {"text": "content", "title": "title", "uri": "uri"}


def recognises(fields: Mapping[str, Any]) -> bool:
    """Whether the row has lists of messages under the names of the conventions."""
    return any(_has_messages(fields.get(name)) for name in (INPUT, OUTPUT))


def _has_messages(value: Any) -> bool:
    found = value_of(value)
    return isinstance(found, list) and bool(found) and all(isinstance(each, dict) for each in found)


def value_of(value: Any) -> Any:
    """Value of a span's attribute; lists and objects are often given as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, list | dict) else value


def read(fields: Mapping[str, Any]) -> Conversation:
    """The row's conversation. Raises RowProblemError if it is not in this format."""
    found = {name: value_of(fields[name]) for name in FIELDS if name in fields}
    check_depth(found, FIELDS)
    sources = SourceList()
    reading = _Reading(sources)
    messages: list[Message] = []
    if instructions := found.get(INSTRUCTIONS):
        if isinstance(instructions, str):
            # Some systems write plain text, against the conventions.
            messages.append({"role": "system", "content": instructions})
        else:
            messages.append(reading.system(instructions))
    has_system = bool(messages)
    for name in (INPUT, OUTPUT):
        if isinstance(found.get(name), str):
            raise bad_field(name, "The text is not a JSON list of messages.", "Write a list of objects.")
        for place, message in objects(name, found.get(name) or []):
            messages.append(reading.message(place, message, is_output=name == OUTPUT))
    for _, document in objects(DOCUMENTS, _listed(found, DOCUMENTS)):
        sources.append(_source_of(document))
    tools = [_tool_of(each) for _, each in objects(TOOLS, _listed(found, TOOLS))]
    conversation = conversation_of(KEY, messages, tools=tools, sources=sources)
    if not has_system:
        conversation["origin"]["extra"] = {AS: _IN_MESSAGES}
    return with_row(conversation, fields, FIELDS, write)


def _listed(found: Mapping[str, Any], name: str) -> Any:
    if isinstance(found.get(name), str) and found[name].strip():
        raise bad_field(name, "The text is not a JSON list.", "Write a list of objects.")
    return found.get(name) or []


class _Reading:
    def __init__(self, sources: SourceList) -> None:
        self._writing = Writing(is_own=True, sources=sources.by_id)

    def system(self, instructions: Any) -> Message:
        parts = [each for _, each in objects(INSTRUCTIONS, instructions)]
        if len(parts) == 1 and _is_plain(parts[0]):
            return {"role": "system", "content": parts[0]["content"]}
        return {"role": "system", "parts": [self._part(each) for each in parts]}

    def message(self, place: str, message: dict[str, Any], *, is_output: bool) -> Message:
        role = role_of(place, message, _ROLES)
        content = message.get("content")
        given = list(objects(f"{place}.parts", message["parts"])) if "parts" in message else []
        is_bare = not is_output and message.keys() == {"role", "parts"} and len(given) == 1
        if is_bare and _is_plain(given[0][1]):
            return {"role": role, "content": given[0][1]["content"]}
        extra: dict[str, Any] = {AS: _AS_OUTPUT} if is_output else {}
        read: Message = {"role": role, "parts": [self._part(each) for _, each in given]}
        if "parts" not in message:
            if not isinstance(content, str):
                raise bad_content(place)
            read["parts"] = [{"type": "text", "text": content, "extra": {AS: _AS_CONTENT}}]
        read |= texts_of(message, name="name", finish="finish_reason")
        read |= {"extra": extra} if extra else {}
        whole = with_all(read, message, lambda each: _write_message(each, self._writing))
        if whole is not None:
            return whole
        unread: Message = {"role": role, "parts": [other(_MESSAGE, message)]}
        return {**unread, "extra": extra} if extra else unread

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        return kept(part_of(part), part, lambda each: write_part(each, "assistant", self._writing) or {})


def _is_plain(part: dict[str, Any]) -> bool:
    if part.keys() != {"type", "content"}:
        return False
    return part["type"] == "text" and isinstance(part["content"], str)


def _source_of(document: Mapping[str, Any]) -> Source:
    source: Source = texts_of(document, **_OF_DOCUMENT)
    if type(document.get("score")) in (int, float):
        source["score"] = document["score"]
    return {**source, "extra": {AS: _DOCUMENT, **changes_between(document, _document_of(source))}}


def _document_of(source: Source) -> dict[str, Any]:
    made = {name: source[own] for own, name in _OF_DOCUMENT.items() if own in source}
    return made | ({"score": source["score"]} if "score" in source else {})


def write(conversation: Conversation) -> Written:
    """The row's fields, and what of the conversation they cannot express. A final message of the assistant is
    the output.
    """
    writing, extra = writing_of(conversation, KEY)
    messages = list(conversation["messages"])
    made: dict[str, Any] = {}
    if messages and messages[0]["role"] == "system" and extra.get(AS) != _IN_MESSAGES:
        first = messages.pop(0)
        parts = _parts(first, writing)
        if writing.is_own or parts:
            made[INSTRUCTIONS] = parts
    last = len(messages) - 1
    inputs: list[dict[str, Any]] = []
    outputs: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        is_output = number == last and message["role"] == "assistant"
        if writing.is_own:
            is_output = writing.spelling(message) == _AS_OUTPUT
        written = _write_message(message, writing)
        if writing.is_own or written["parts"]:
            (outputs if is_output else inputs).append(written)
    if inputs or not outputs:
        made[INPUT] = inputs
    if outputs:
        made[OUTPUT] = outputs
    if tools := list(write_tools(conversation.get("tools", []), writing, _write_tool)):
        made[TOOLS] = tools
    if documents := list(_write_sources(conversation, writing)):
        made[DOCUMENTS] = documents
    return Written(_with_spelling(made, extra), list(writing.losses))


def _with_spelling(made: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its ``extra`` applied; fields that were text are text again."""
    row = changed(made, extra)
    for name, value in made.items():
        if isinstance(text := extra.get(name), str) and not is_equal_json(_as_written(name, text), value):
            row[name] = dumps(value)
    return row


def _as_written(name: str, text: str) -> Any:
    found = value_of(text)
    is_words = name == INSTRUCTIONS and isinstance(found, str)
    return [{"type": "text", "content": found}] if is_words else found


def _write_message(message: Message, writing: Writing) -> dict[str, Any]:
    parts = message.get("parts", [])
    if _is_whole(parts, writing):
        whole: dict[str, Any] = parts[0]["value"]
        return whole
    made: dict[str, Any] = {"role": message["role"]}
    if len(parts) == 1 and writing.spelling(parts[0]) == _AS_CONTENT and parts[0]["type"] == "text":
        made["content"] = parts[0]["text"]
    else:
        made["parts"] = _parts(message, writing)
    if "name" in message:
        made["name"] = message["name"]
    if "finish" in message:
        made["finish_reason"] = message["finish"]
    if "time" in message:
        writing.lose("times")
    return writing.finished(made, message)


def _is_whole(parts: list[dict[str, Any]], writing: Writing) -> bool:
    if not writing.is_own or len(parts) != 1 or parts[0]["type"] != "other":
        return False
    value = parts[0]["value"]
    return parts[0]["of"] == _MESSAGE and isinstance(value, dict) and "role" in value


def _parts(message: Message, writing: Writing) -> list[dict[str, Any]]:
    if "content" in message:
        return [{"type": "text", "content": message["content"]}]
    written = (write_part(part, message["role"], writing) for part in message["parts"])
    return [each for each in written if each is not None]


def _write_sources(conversation: Conversation, writing: Writing) -> Iterator[dict[str, Any]]:
    for source in conversation.get("sources", ()):
        if writing.is_own:
            if writing.spelling(source) == _DOCUMENT:
                yield writing.finished(_document_of(source), source)
            continue
        yield writing.finished({"id": source["id"], **_document_of(source)}, source)


def _tool_of(tool: dict[str, Any]) -> Tool:
    if tool.get("type") != "function" or not isinstance(tool.get("name"), str):
        return kept_tool(None, tool, _write_tool)
    read: Tool = texts_of(tool, name="name", description="description")
    if "parameters" in tool:
        read["schema"] = tool["parameters"]
    return kept_tool(read, tool, _write_tool)


def _write_tool(tool: Tool, writing: Writing) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "function", "name": tool["name"]}
    if "description" in tool:
        made["description"] = tool["description"]
    if "schema" in tool:
        made["parameters"] = tool["schema"]
    return writing.finished(made, tool)
