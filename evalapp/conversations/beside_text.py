"""The parts of a conversation that pages show collapsed beside its text. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from evalapp.conversations.text import Conversation, Message, left_out, turns_of

_LONGEST = 20_000


class CollapsedPart(NamedTuple):
    """A collapsed part: its ``label`` and its ``text``; the bytes of files are not shown."""

    label: str
    text: str


class PartsBesideText(NamedTuple):
    """``summary``: such as “2 tool calls, 1 image”."""

    summary: str
    parts: list[CollapsedPart]


def beside_text(conversation: Conversation) -> PartsBesideText:
    """Everything that the text of its turns leaves out, in the order of the conversation."""
    tools = {
        str(part.get("call")): str(part.get("name"))
        for message in conversation["messages"]
        for part in message.get("parts", ())
        if part["type"] == "call"
    }
    parts = [
        each
        for turn in turns_of(conversation)
        for message in turn.messages
        for each in _of_message(message, turn.role, tools)
    ]
    parts += [_of_source(source) for source in conversation.get("sources") or ()]
    parts += [
        CollapsedPart(f"Tool offered: {tool.get('name', '')}", str(tool.get("description") or ""))
        for tool in conversation.get("tools") or ()
    ]
    return PartsBesideText(left_out(conversation["messages"], conversation), parts)


def _of_message(message: Message, side: str, tools: Mapping[str, str]) -> Iterator[CollapsedPart]:
    role = message["role"]
    if role in ("system", "developer") and side != "system":
        yield CollapsedPart("Later instruction", "".join(_plain_texts(message)))
    for part in message.get("parts", ()):
        kind = part["type"]
        if kind == "call":
            yield CollapsedPart(
                f"Tool call: {part.get('name', '')}", _shown_text(part.get("exact", part.get("arguments")))
            )
        elif kind == "result":
            failed = " (failed)" if part.get("ok") is False else ""
            of = part.get("name") or tools.get(str(part.get("call"))) or "a tool call"
            yield CollapsedPart(f"Result of {of}{failed}", "\n".join(map(_content, part.get("parts") or ())))
        elif kind == "reasoning":
            yield CollapsedPart("Reasoning", str(part.get("text") or part.get("summary") or "Not readable."))
        elif kind != "text":
            yield CollapsedPart(_NAMES.get(kind, "Other part"), _content(part))


_NAMES = {"blob": "File", "gone": "File", "json": "Data", "source": "Source", "note": "Note"}


def _plain_texts(message: Message) -> Iterator[str]:
    if "content" in message:
        yield str(message["content"])
    yield from (part["text"] for part in message.get("parts", ()) if part["type"] == "text")


def _content(part: Mapping[str, Any]) -> str:
    kind = part["type"]
    if kind in ("text", "note"):
        return str(part["text"])[:_LONGEST]
    if kind == "blob":
        named = [str(each) for each in (part.get("name"), part.get("media"), part.get("alt")) if each]
        return f"{', '.join(named) or 'a file'}, not shown"
    if kind == "gone":
        return f"{part.get('was') or part.get('media') or 'a file'}, {part['why']}"
    return _shown_text(
        part.get("value", {name: each for name, each in part.items() if name not in ("type", "from")})
    )


def _of_source(source: Mapping[str, Any]) -> CollapsedPart:
    named = source.get("title") or source.get("uri") or source.get("id") or ""
    return CollapsedPart(
        f"Source: {named}", str(source.get("text") or "Its text was not recorded.")[:_LONGEST]
    )


def _shown_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text[:_LONGEST]
