"""Messages by earlier conventions: one event for each message, or texts of prompt and completion. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalapp.conversations.formats import otel

_MESSAGES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE = "gen_ai.choice"
_BODY = "gen_ai.event.content"
_PROMPT = "gen_ai.prompt"
_COMPLETION = "gen_ai.completion"


def earlier_messages(
    attributes: Mapping[str, Any], events: Sequence[tuple[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """The messages, under the names of the current convention. ``events``: names and attributes, in order."""
    inputs: list[dict[str, Any]] = []
    outputs: list[dict[str, Any]] = []
    for name, fields in events:
        body = _body(fields)
        if name in _MESSAGES:
            inputs.append(_message(body, _MESSAGES[name]))
        elif name == _CHOICE:
            outputs.append(_choice(body))
    for fields in (attributes, *(each for _, each in events)):
        if not inputs:
            inputs += _texts(fields.get(_PROMPT), "user")
        if not outputs:
            outputs += _texts(fields.get(_COMPLETION), "assistant")
    return {name: found for name, found in ((otel.INPUT, inputs), (otel.OUTPUT, outputs)) if found}


def _body(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The event's fields; some senders write them as one JSON text."""
    inside = otel.value_of(fields.get(_BODY))
    body = {**fields, **inside} if isinstance(inside, dict) else dict(fields)
    return {
        name: otel.value_of(value) if name in ("message", "tool_calls") else value
        for name, value in body.items()
    }


def _choice(body: Mapping[str, Any]) -> dict[str, Any]:
    message = body.get("message")
    made = _message(
        message if isinstance(message, dict) else {**body, "content": body.get("content", message)},
        "assistant",
    )
    reason = body.get("finish_reason")
    return {**made, "finish_reason": reason} if isinstance(reason, str) else made


def _message(body: Mapping[str, Any], role: str) -> dict[str, Any]:
    given = body.get("role")
    role = given if isinstance(given, str) and given else role
    content = body.get("content")
    if role == "tool":
        identity = body.get("id", body.get("tool_call_id"))
        named = {"id": identity} if isinstance(identity, str) else {}
        return {"role": role, "parts": [{"type": "tool_call_response", **named, "response": content}]}
    calls = body.get("tool_calls")
    return {"role": role, "parts": [*_content(content), *_calls(calls if isinstance(calls, list) else [])]}


def _content(content: Any) -> Iterable[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    if not isinstance(content, list):
        return [] if content is None else [{"type": "content", "content": content}]
    return [
        {"type": "text", "content": each["text"]}
        if isinstance(each, dict) and isinstance(each.get("text"), str)
        else {"type": "content", "content": each}
        for each in content
    ]


def _calls(calls: list[Any]) -> Iterable[dict[str, Any]]:
    for each in calls:
        function = each.get("function") if isinstance(each, dict) else None
        if isinstance(function, dict):
            yield {
                "type": "tool_call",
                "id": each.get("id"),
                "name": function.get("name"),
                "arguments": function.get("arguments"),
            }
        else:
            yield {"type": "content", "content": each}


def _texts(value: Any, role: str) -> list[dict[str, Any]]:
    """Messages in an attribute: a text, or the JSON of one or several messages."""
    found = otel.value_of(value)
    if isinstance(found, str):
        return [{"role": role, "parts": [{"type": "text", "content": found}]}] if found else []
    each_of = found if isinstance(found, list) else [found]
    return [_message(each, role) for each in each_of if isinstance(each, dict)]
