"""Parts of messages in OpenTelemetry's conventions for generative AI. Pure."""

from typing import Any

from evalapp.conversations.differences import AS
from evalapp.conversations.files import blob, is_address, referred_file
from evalapp.conversations.form import (
    BLOB,
    CALL,
    CLIENT,
    GONE,
    JSON,
    NOTE,
    OTHER,
    REASONING,
    RESULT,
    SERVER,
    TEXT,
    Part,
)
from evalapp.conversations.formats.base import (
    Writing,
    arguments_of,
    arguments_text,
    is_storable,
    kind_of_file,
    texts_of,
    unheld,
)

_AS_TEXT = "text"
_SERVER_CALL = "server_tool_call"
_SERVER_RESULT = "server_tool_call_response"
_TEXTS = {"text": TEXT, "reasoning": REASONING, "compaction": NOTE}
_MODALITIES = ("image", "audio", "video")


def part_of(part: dict[str, Any]) -> Part | None:
    """The part in our form; None for an unknown kind."""
    kind, content = part.get("type"), part.get("content")
    if not isinstance(kind, str):
        return None
    read: Part | None = None
    if kind in _TEXTS and isinstance(content, str):
        read = {"type": _TEXTS[kind], "text": content}
    elif kind in ("tool_call", _SERVER_CALL):
        read = _call_of(part, is_server=kind == _SERVER_CALL)
    elif kind == "tool_call_response":
        name = "response" if "response" in part or "result" not in part else "result"
        read = _result_of(part, name, "")
    elif kind == _SERVER_RESULT:
        read = _result_of(part, _SERVER_RESULT, _SERVER_RESULT)
    elif kind == "blob":
        read = blob(_media(part), content)
    elif kind in ("uri", "file"):
        read = referred_file(part.get("uri" if kind == "uri" else "file_id"), _media(part))
    return read


def _media(part: dict[str, Any]) -> str:
    given, modality = part.get("mime_type"), part.get("modality")
    if isinstance(given, str):
        return given
    return f"{modality}/*" if isinstance(modality, str) else ""


def _call_of(part: dict[str, Any], *, is_server: bool) -> Part | None:
    if not isinstance(part.get("name"), str):
        return None
    read: Part = {"type": CALL, **texts_of(part, call="id", name="name")}
    given = part.get(_SERVER_CALL if is_server else "arguments")
    if isinstance(given, str):
        # Many systems write the arguments as text, as the model generated them.
        read |= arguments_of(given) | {"extra": {AS: _AS_TEXT}}
    elif is_storable(given):
        read["arguments"] = given
    else:
        return None
    return {**read, "by": SERVER if is_server else CLIENT}


def _result_of(part: dict[str, Any], name: str, spelling: str) -> Part:
    value = part.get(name)
    inner: Part = {"type": TEXT, "text": value} if isinstance(value, str) else {"type": JSON, "value": value}
    read: Part = {"type": RESULT, **texts_of(part, call="id"), "parts": [inner]}
    spelling = spelling or ("result" if name == "result" else "")
    return {**read, "extra": {AS: spelling}} if spelling else read


def write_part(part: Part, role: str, writing: Writing) -> dict[str, Any] | None:
    """A part in a message of this role; None if the format cannot express it."""
    kind = part["type"]
    if kind == OTHER and writing.is_own:
        return dict(part["value"]) if isinstance(part["value"], dict) else None
    made: dict[str, Any] | None = None
    if kind == TEXT:
        for name, loss in (("citations", "citations"), ("refusal", "marks of refusals")):
            if part.get(name):
                writing.lose(loss)
        made = {"type": "text", "content": part["text"]}
    elif kind == NOTE:
        made = {"type": "compaction", "content": part["text"]}
    elif kind == REASONING:
        made = _reasoning(part, writing)
    elif kind == CALL:
        made = _call(part, writing)
    elif kind == RESULT:
        made = _result(part, role, writing)
    elif kind in (BLOB, GONE):
        made = _file(part, writing)
    if made is None:
        unheld(part, writing)
        return None
    return writing.finished(made, part)


def _reasoning(part: Part, writing: Writing) -> dict[str, Any] | None:
    text = part.get("text") or part.get("summary")
    if text is None:
        return None
    if "sealed" in part:
        writing.lose("signatures of reasoning")
    if part.get("text") and part.get("summary"):
        writing.lose("summaries of reasoning")
    return {"type": "reasoning", "content": text}


def _call(part: Part, writing: Writing) -> dict[str, Any]:
    as_text = "arguments" not in part or writing.spelling(part) == _AS_TEXT
    arguments = arguments_text(part) if as_text else part["arguments"]
    is_server = part["by"] == SERVER
    made = {"type": _SERVER_CALL if is_server else "tool_call"}
    if "call" in part:
        made["id"] = part["call"]
    return {**made, "name": part["name"], _SERVER_CALL if is_server else "arguments": arguments}


def _result(part: Part, role: str, writing: Writing) -> dict[str, Any]:
    spelling = writing.spelling(part)
    is_server = spelling == _SERVER_RESULT if writing.is_own else role != "tool"
    if part.get("ok") is False:
        writing.lose("marks of failed calls")
    made: dict[str, Any] = {"type": _SERVER_RESULT if is_server else "tool_call_response"}
    if "call" in part:
        made["id"] = part["call"]
    name = _SERVER_RESULT if is_server else "result" if spelling == "result" else "response"
    return {**made, name: _content(part["parts"], role, writing)}


def _content(parts: list[Part], role: str, writing: Writing) -> Any:
    """Content of a tool result: a single text or value, or else a list of parts."""
    if len(parts) == 1 and parts[0]["type"] == TEXT:
        if parts[0].get("citations"):
            writing.lose("citations")
        return parts[0]["text"]
    if len(parts) == 1 and parts[0]["type"] == JSON:
        return parts[0]["value"]
    return [written for each in parts if (written := write_part(each, role, writing)) is not None]


def _file(part: Part, writing: Writing) -> dict[str, Any] | None:
    media = str(part.get("media", ""))
    modality = next((each for each in _MODALITIES if media.startswith(f"{each}/")), "file")
    common = {"modality": modality} | ({"mime_type": media} if media and not media.endswith("/*") else {})
    for name in ("name", "alt"):
        if part.get(name):
            writing.lose(f"names of {kind_of_file(part)}")
    if part["type"] == BLOB:
        return {"type": "blob", **common, "content": part["data"]}
    if not part.get("was"):
        return None
    if is_address(part):
        return {"type": "uri", **common, "uri": part["was"]}
    return {"type": "file", **common, "file_id": part["was"]}
