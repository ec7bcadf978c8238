"""Converts the inputs and outputs of tracing tools to the messages of one conversation. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from evalapp.conversations.formats import format_of
from evalapp.conversations.formats.otel import value_of
from evalapp.conversations.text import text_form

_ROLES = {
    **dict.fromkeys(("human", "user", "HumanMessage", "HumanMessageChunk"), "user"),
    **dict.fromkeys(("ai", "assistant", "model", "AIMessage", "AIMessageChunk"), "assistant"),
    **dict.fromkeys(("system", "SystemMessage"), "system"),
    **dict.fromkeys(("developer",), "developer"),
    **dict.fromkeys(("tool", "function", "ToolMessage", "FunctionMessage"), "tool"),
}
_INPUT_FIELDS = ("input", "question", "query", "prompt", "text", "content")
_OUTPUT_FIELDS = ("output", "answer", "response", "text", "content", "result", "completion")
Messages = list[dict[str, Any]]


def input_messages(value: Any) -> Messages:
    """The messages of an input: a text, a list of messages, or an object with either."""
    found = value_of(value)
    if isinstance(found, dict) and "messages" in found:
        found = value_of(found["messages"])
        if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
            # A batch with one input.
            found = found[0]
    if isinstance(found, list) and found and all(_is_message(each) for each in found):
        return [_message(each) for each in found]
    text = _text(found, _INPUT_FIELDS)
    return [{"role": "user", "content": text}] if text else []


def output_message(value: Any) -> dict[str, Any] | None:
    """The message of an output: a text, a message, a completion with choices, generations, or an object with
    one of these.
    """
    found = value_of(value)
    if isinstance(found, dict):
        for name in ("choices", "generations", "messages"):
            if isinstance(inner := found.get(name), list) and inner:
                return output_message(inner[-1] if name == "messages" else inner)
        if isinstance(found.get("message"), dict):
            return output_message(found["message"])
        if _is_message(found):
            return {**_message(found), "role": "assistant"}
    if isinstance(found, list) and found and isinstance(found[0], dict | list):
        return output_message(found[0])
    text = _text(found, _OUTPUT_FIELDS)
    return {"role": "assistant", "content": text} if text else None


def with_messages(inputs: Messages, output: dict[str, Any] | None, tools: Any = None) -> dict[str, Any]:
    """The fields of an event for its prompt and output. Raises RowProblemError for messages in an unknown
    form.
    """
    if output is None:
        return {"messages": inputs}
    fields: dict[str, Any] = {"messages": [*inputs, output]}
    if isinstance(tools, list) and tools:
        fields["tools"] = tools
    form = format_of(fields)
    if form is None:
        return {"messages": inputs, "output": output["content"]}
    conversation = form.read(fields)
    return {"conversation": conversation, "output": text_form(conversation).answer}


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and _role(value) is not None


def _role(message: Mapping[str, Any]) -> str | None:
    """The role, from the message's role or type, or from the class that it was serialised from."""
    inner = message.get("kwargs") if message.get("lc") is not None else None
    names = [message.get("role"), message.get("type")]
    if isinstance(inner, dict):
        path = message.get("id")
        names = [inner.get("role"), inner.get("type"), path[-1] if isinstance(path, list) and path else None]
    return next((_ROLES[each] for each in names if isinstance(each, str) and each in _ROLES), None)


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message in OpenAI's chat format; one in another tool's format stays unchanged."""
    role = _role(message) or "user"
    if "role" in message and "lc" not in message:
        return {**message, "role": role}
    inner = message["kwargs"] if isinstance(message.get("kwargs"), dict) else message
    data = inner.get("data")
    inner = data if isinstance(data, dict) else inner
    made: dict[str, Any] = {"role": role, "content": inner.get("content")}
    calls = inner.get("tool_calls")
    if isinstance(calls, list) and calls:
        made["tool_calls"] = [_call(each) for each in calls]
    if role == "tool" and isinstance(inner.get("tool_call_id"), str):
        made["tool_call_id"] = inner["tool_call_id"]
    return made


def _call(call: Any) -> Any:
    if not isinstance(call, dict) or "function" in call:
        return call
    arguments = json.dumps(call.get("args"), ensure_ascii=False)
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {"name": call.get("name"), "arguments": arguments},
    }


def _text(value: Any, names: tuple[str, ...]) -> str:
    """The text: the value itself, its field under one of the names, or else its JSON."""
    if isinstance(value, str):
        return value
    if value is None or value in ({}, []):
        return ""
    if isinstance(value, dict):
        named = [value[name] for name in names if isinstance(value.get(name), str)]
        if named:
            return str(named[0])
    return json.dumps(value, ensure_ascii=False)
