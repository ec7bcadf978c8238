"""OpenAI Responses: a list of items, each a message, a call, an output, or reasoning. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from evalapp.conversations.differences import AS, ITEM, changed, changes_between, is_equal_json
from evalapp.conversations.form import (
    CALL,
    OTHER,
    REASONING,
    RESULT,
    SERVER,
    TEXT,
    Conversation,
    Message,
    Part,
)
from evalapp.conversations.formats.base import (
    OTHER_ROLES,
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
    unheld,
    with_all,
    with_row,
    writing_of,
)
from evalapp.conversations.formats.response_items import (
    ASSISTANT,
    MESSAGE,
    content_part,
    is_held,
    item_of,
    item_parts,
    write_content_part,
)
from evalapp.conversations.formats.response_tools import tool_of, write_tool
from evalapp.conversations.formats.tools import write_tools

KEY = "openai.responses"
FIELDS = ("instructions", "input", "output", "tools")
_ROLES = ("system", "developer", "user", ASSISTANT)
_INSTRUCTIONS = "instructions"
_INPUT = "input"
_KINDS = (
    *("reasoning", "compaction", "compaction_summary", "item_reference"),
    *("mcp_list_tools", "mcp_approval_request", "mcp_approval_response"),
)


def recognises(fields: Mapping[str, Any]) -> bool:
    """Whether the row has a list of input or output with typed items."""
    for name in ("output", _INPUT):
        items = fields.get(name)
        if isinstance(items, list) and any(_is_typed(each) for each in items):
            return True
    return False


def _is_typed(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(kind := item.get("type"), str):
        return False
    if kind == MESSAGE:
        return "role" in item
    return kind in _KINDS or kind.endswith(("_call", "_call_output"))


def read(fields: Mapping[str, Any]) -> Conversation:
    """The row's conversation. Raises RowProblemError if it is not in this format."""
    check_depth(fields, FIELDS)
    sources = SourceList()
    messages: list[Message] = []
    if isinstance(text := fields.get(_INSTRUCTIONS), str):
        messages.append({"role": "system", "parts": [_spelt(text, _INSTRUCTIONS)]})
    given = fields.get(_INPUT)
    if isinstance(given, str):
        messages.append({"role": "user", "parts": [_spelt(given, _INPUT)]})
        given = None
    inputs = list(objects(_INPUT, [] if given is None else given))
    outputs = list(objects("output", fields.get("output") or []))
    reading = _Reading(messages, sources)
    for number, (place, item) in enumerate([*inputs, *outputs]):
        reading.add(place, item, number, is_input=number < len(inputs))
    tools = [tool_of(each) for _, each in objects("tools", fields.get("tools") or [])]
    conversation = conversation_of(KEY, messages, tools=tools, sources=sources)
    if outputs:
        # Number of the first output item.
        conversation["origin"]["extra"] = {AS: len(inputs)}
    return with_row(conversation, fields, FIELDS, write)


def _spelt(text: str, spelling: str) -> Part:
    return {"type": TEXT, "text": text, "extra": {AS: spelling}}


class _Reading:
    """Turns items into messages; consecutive items of the assistant become one message."""

    def __init__(self, messages: list[Message], sources: SourceList) -> None:
        self.messages = messages
        self.sources = sources
        self.writing = Writing(is_own=True, sources=sources.by_id)
        self._open: Message | None = None

    def add(self, place: str, item: dict[str, Any], number: int, *, is_input: bool) -> None:
        kind = item.get("type", MESSAGE if "role" in item else None)
        if kind == MESSAGE:
            role = role_of(place, item, _ROLES)
            if is_input and item.keys() == {"role", "content"} and isinstance(item["content"], str):
                self.messages.append(dict(item))
                self._open = None
                return
            parts = self._message(place, item)
        else:
            role, parts = self._parts_of(item)
        for part in parts:
            part["from"] = number
        if role != ASSISTANT:
            self.messages.append({"role": role, "parts": parts})
            self._open = None
        elif self._open is None:
            self._open = {"role": role, "parts": parts}
            self.messages.append(self._open)
        else:
            self._open["parts"] += parts

    def _message(self, place: str, item: dict[str, Any]) -> list[Part]:
        content = item.get("content")

        def write(part: Part) -> dict[str, Any]:
            return write_content_part(part, item["role"], self.writing)

        if isinstance(content, str):
            parts: list[Part] = [{"type": TEXT, "text": content}]
        elif isinstance(content, list):
            parts = [
                kept(content_part(each, item["role"], self.sources), each, write)
                for _, each in objects(f"{place}.content", content)
            ]
        else:
            raise bad_content(place)
        if not parts:
            return [other(MESSAGE, item)]
        made = {"role": item["role"], "content": content}
        around = changes_between(item, made)
        if isinstance(content, str):
            around = {AS: TEXT, **around}
        if around or parts[0]["type"] == OTHER:
            # Distinguishes a message whose first part is of another kind from an item of another kind.
            parts[0]["extra"] = {**parts[0].get("extra", {}), ITEM: around}
        fits = all(each["type"] != OTHER or isinstance(each["value"], dict) for each in parts)
        if fits and is_equal_json(_write_message(item["role"], parts, self.writing), item):
            return parts
        return [other(MESSAGE, item)]

    def _parts_of(self, item: dict[str, Any]) -> tuple[str, list[Part]]:
        role, parts = item_parts(item, self.sources)
        if parts:
            whole = with_all(parts[0], item, lambda each: item_of([each, *parts[1:]], self.writing))
            if whole is not None:
                return role, [whole, *parts[1:]]
        return ASSISTANT, [other(item.get("type"), item)]


def write(conversation: Conversation) -> Written:
    """The row's fields, and what of the conversation they cannot express."""
    writing, extra = writing_of(conversation, KEY)
    made: dict[str, Any] = {}
    items: list[tuple[int | None, dict[str, Any]]] = []
    for message in conversation["messages"]:
        if "content" in message:
            items.append((None, _plain(message, writing)))
            continue
        for name in ("name", "finish", "time"):
            if name in message:
                writing.lose({"name": "names", "finish": "reasons of stopping", "time": "times"}[name])
        if message.get("extra") and not writing.is_own:
            writing.finished({}, message)
        for group in _groups(message, writing):
            spelling = writing.spelling(group[0])
            if group[0]["type"] == TEXT and spelling in (_INSTRUCTIONS, _INPUT):
                made[str(spelling)] = group[0]["text"]
                continue
            item = _item(message["role"], group, writing)
            if item is not None:
                items.append((group[0].get("from"), item))
    inputs, outputs = _inputs_and_outputs(items, extra.get(AS))
    if inputs or not (_INPUT in made or outputs):
        made[_INPUT] = inputs
    if outputs:
        made["output"] = outputs
    if tools := list(write_tools(conversation.get("tools", []), writing, write_tool)):
        made["tools"] = tools
    writing.lose_sources()
    return Written(changed(made, extra), list(writing.losses))


def _inputs_and_outputs(
    items: list[tuple[int | None, dict[str, Any]]], first: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Separate the items by the number of the first output item."""
    inputs: list[dict[str, Any]] = []
    outputs: list[dict[str, Any]] = []
    for number, item in items:
        is_output = isinstance(first, int) and number is not None and number >= first
        (outputs if is_output else inputs).append(item)
    return inputs, outputs


def _plain(message: Message, writing: Writing) -> dict[str, Any]:
    if message["role"] == "tool":
        writing.lose(OTHER_ROLES)
        return {"role": "user", "content": message["content"]}
    return dict(message)


def _groups(message: Message, writing: Writing) -> Iterator[list[Part]]:
    """Groups of parts that become one item: from the same item, or consecutive texts and files."""
    group: list[Part] = []
    for part in message["parts"]:
        if group and not _belongs(group[-1], part, writing):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _belongs(before: Part, part: Part, writing: Writing) -> bool:
    if writing.is_own and "from" in before and "from" in part:
        return bool(before["from"] == part["from"])
    alone = (REASONING, CALL, RESULT, "note")
    return before["type"] not in alone and part["type"] not in alone


def _item(role: str, group: list[Part], writing: Writing) -> dict[str, Any] | None:
    first = group[0]
    kind = first["type"]
    if kind == OTHER and writing.is_own and len(group) == 1 and ITEM not in first.get("extra", {}):
        return dict(first["value"]) if isinstance(first["value"], dict) else None
    if kind == CALL and first["by"] == SERVER and not writing.is_own:
        unheld(first, writing)
        return None
    if kind == RESULT and role != "tool" and not writing.is_own:
        unheld(first, writing)
        return None
    if kind in (REASONING, CALL, RESULT, "note"):
        return item_of(group, writing) or None
    return _write_message(role, group, writing)


def _write_message(role: str, parts: list[Part], writing: Writing) -> dict[str, Any] | None:
    around = parts[0].get("extra", {}).get(ITEM, {}) if writing.is_own else {}
    if isinstance(around, dict) and around.get(AS) == TEXT and parts[0]["type"] == TEXT:
        return changed({"role": role, "content": parts[0]["text"]}, around)
    content = [write_content_part(part, role, writing) for part in parts if is_held(part, role, writing)]
    if not content:
        return None
    if role == "tool":
        writing.lose(OTHER_ROLES)
        role = "user"
    made = {"role": role, "content": content}
    return changed(made, around) if writing.is_own else {"type": MESSAGE, **made}
