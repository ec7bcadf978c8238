"""Items of OpenAI Responses and the parts of their messages. Pure."""

from collections.abc import Mapping
from typing import Any

from evalapp.conversations.differences import AS
from evalapp.conversations.files import (
    ANY_IMAGE,
    blob,
    data_uri,
    file_at_address,
    is_address,
    is_image,
    referred_file,
)
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
    SOURCE,
    TEXT,
    Part,
    Source,
    dumps,
)
from evalapp.conversations.formats.base import (
    SourceList,
    Writing,
    arguments_of,
    arguments_text,
    kept,
    texts_of,
    unheld,
    with_all,
)

MESSAGE = "message"
ASSISTANT = "assistant"
_OUTCOMES = ("results", "outputs", "output", "result")
_CALLS = ("function_call", "custom_tool_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_BY_CLIENT = ("computer_call", "local_shell_call", "shell_call", "apply_patch_call")
_TEXTS = ("input_text", "output_text", TEXT)
_BETWEEN = "\n\n"


def content_part(each: Mapping[str, Any], role: str, sources: SourceList) -> Part | None:
    """A part of a message's content or of a call's output; None if its type is unknown."""
    match each.get("type"):
        case "input_text" | "output_text" | "text" as kind if isinstance(each.get("text"), str):
            part: Part = {"type": TEXT, "text": each["text"]}
            if kind != _usual(role):
                part["extra"] = {AS: kind}
            annotations = each.get("annotations")
            if isinstance(annotations, list) and annotations:
                citations = [_citation(each, part["text"], sources) for each in annotations]
                if all(citations):
                    part["citations"] = citations
            return part
        case "refusal" if isinstance(each.get("refusal"), str):
            return {"type": TEXT, "text": each["refusal"], "refusal": True}
        case "input_image":
            if isinstance(each.get("image_url"), str):
                return file_at_address(each["image_url"], ANY_IMAGE)
            return _spelt(referred_file(each.get("file_id"), ANY_IMAGE), "file_id")
        case "input_file":
            return _file(each)
    return None


def _usual(role: str) -> str:
    return "output_text" if role == ASSISTANT else "input_text"


def _spelt(part: Part | None, spelling: str) -> Part | None:
    return part and {**part, "extra": {AS: spelling}}


def _file(each: Mapping[str, Any]) -> Part | None:
    name = each.get("filename")
    if isinstance(data := each.get("file_data"), str):
        if (part := file_at_address(data, name=name)) and part["type"] == BLOB:
            return _spelt(part, "file_data")
        return _spelt(blob("application/octet-stream", data, name=name), "bare file_data")
    for spelling in ("file_url", "file_id"):
        if isinstance(each.get(spelling), str):
            return _spelt(referred_file(each[spelling], name=name), spelling)
    return None


def _citation(annotation: Any, text: str, sources: SourceList) -> dict[str, Any] | None:
    if not isinstance(annotation, dict):
        return None
    uri, file = annotation.get("url"), annotation.get("file_id")
    if not isinstance(uri if "url" in annotation else file, str):
        return None
    title = annotation.get("title" if "url" in annotation else "filename")
    named = {"uri": uri} if "url" in annotation else {"locator": None}
    source = sources.add(title=title if isinstance(title, str) else None, **named)
    start, end = annotation.get("start_index"), annotation.get("end_index")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= len(text):
        # Without both indices, an annotation applies to the whole text.
        start, end = 0, len(text)
    citation = {"source": source, "start": start, "end": end}
    writing = Writing(is_own=True, sources=sources.by_id)
    return with_all(citation, annotation, lambda each: _annotation(each, writing) or {})


def _annotation(citation: Mapping[str, Any], writing: Writing) -> dict[str, Any] | None:
    source = writing.sources.get(citation["source"], {})
    made: dict[str, Any] = {}
    if "uri" in source:
        made = {"type": "url_citation", "url": source["uri"], "title": source.get("title", "")}
    elif not writing.is_own:
        writing.lose("citations")
        return None
    elif "title" in source:
        made = {"filename": source["title"]}
    if "quote" in citation or "locator" in citation:
        writing.lose("places of citations")
    writing.hold(citation["source"], "uri", "title")
    made |= {"start_index": citation["start"], "end_index": citation["end"]}
    return writing.finished(made, citation)


def write_content_part(part: Part, role: str, writing: Writing) -> dict[str, Any]:
    """A part of a message's content in this format."""
    kind, spelling = part["type"], writing.spelling(part)
    if kind == OTHER:
        return dict(part["value"])
    if kind in (BLOB, GONE):
        return writing.finished(_write_file(part, spelling), part)
    if part.get("refusal"):
        return writing.finished({"type": "refusal", "refusal": part["text"]}, part)
    text = text_of(part)
    if spelling not in _TEXTS:
        spelling = _usual(role)
    made: dict[str, Any] = {"type": spelling, "text": text}
    annotations = [
        written for each in part.get("citations", ()) if (written := _annotation(each, writing)) is not None
    ]
    if annotations or spelling == "output_text":
        made["annotations"] = annotations
    return writing.finished(made, part)


def is_held(part: Part, role: str, writing: Writing) -> bool:
    """Whether a message's content can express the part; records the loss if not."""
    kind = part["type"]
    if kind in (TEXT, JSON) or (writing.is_own and kind in (BLOB, GONE)):
        return True
    if kind == OTHER and writing.is_own and isinstance(part["value"], dict):
        return True
    # An id of a file in another system is meaningless here.
    is_here = kind == BLOB or (kind == GONE and is_address(part))
    is_sound = part.get("media", "").startswith(("audio/", "video/"))
    if is_here and role in ("user", "tool") and not is_sound:
        return True
    unheld(part, writing)
    return False


def text_of(part: Part) -> str:
    """The text of a part of text or data."""
    if part["type"] == JSON:
        exact = part.get("exact")
        return exact if isinstance(exact, str) else dumps(part["value"])
    return str(part["text"])


def _write_file(part: Part, spelling: str | None) -> dict[str, Any]:
    address = data_uri(part) if part["type"] == BLOB else part.get("was", "")
    if is_image(part) and spelling in (None, "file_id"):
        by_id = spelling == "file_id" or (part["type"] == GONE and not is_address(part))
        return {"type": "input_image", "file_id" if by_id else "image_url": address}
    made: dict[str, Any] = {"type": "input_file"}
    if part["type"] == GONE:
        usual = "file_url" if is_address(part) else "file_id"
        made[spelling if spelling in ("file_url", "file_id") else usual] = address
    else:
        made["file_data"] = part["data"] if spelling == "bare file_data" else address
    if "name" in part:
        made["filename"] = part["name"]
    return made


def item_parts(item: dict[str, Any], sources: SourceList) -> tuple[str, list[Part]]:
    """The parts of an item other than a message, and the role of their message; no parts for an unknown
    item.
    """
    kind = item.get("type")
    named = {"id": item["id"]} if isinstance(item.get("id"), str) else {}
    if kind == "reasoning":
        return ASSISTANT, [{"type": REASONING, **named, **_reasoning(item)}]
    if kind in _CALLS:
        part = _call(item)
        return ASSISTANT, [{**part, **named}] if part else []
    if isinstance(kind, str) and kind.endswith("_call_output"):
        part = _result(item, sources)
        return "tool", [{**part, **named}] if part else []
    if kind in ("compaction", "compaction_summary"):
        return ASSISTANT, [{"type": NOTE, **named, "text": "", "extra": {AS: kind}}]
    if isinstance(kind, str) and kind.endswith("_call"):
        return ASSISTANT, _server_call(item, kind, named, sources)
    return ASSISTANT, []


def _reasoning(item: Mapping[str, Any]) -> dict[str, str]:
    read: dict[str, str] = {}
    for name, own in (("content", "text"), ("summary", "summary")):
        texts = item.get(name)
        texts = (
            [each.get("text") for each in texts if isinstance(each, dict)] if isinstance(texts, list) else []
        )
        if texts and all(isinstance(each, str) for each in texts):
            read[own] = _BETWEEN.join(texts)
    if isinstance(item.get("encrypted_content"), str):
        read["sealed"] = item["encrypted_content"]
    return read


def _call(item: Mapping[str, Any]) -> Part | None:
    if not isinstance(item.get("name"), str):
        return None
    call = {"call": item["call_id"]} if isinstance(item.get("call_id"), str) else {}
    part: Part = {"type": CALL, **call, "name": item["name"], "by": CLIENT}
    if item["type"] == "function_call" and isinstance(item.get("arguments"), str):
        return part | arguments_of(item["arguments"])
    if item["type"] == "custom_tool_call" and isinstance(item.get("input"), str):
        return part | {"arguments": item["input"], "extra": {AS: "custom_tool_call"}}
    return None


def _result(item: Mapping[str, Any], sources: SourceList) -> Part | None:
    output = item.get("output")
    call = {"call": item["call_id"]} if isinstance(item.get("call_id"), str) else {}
    spelling = [] if item["type"] == "function_call_output" else [item["type"]]
    if item["type"] not in _OUTPUTS:
        parts: list[Part] = [{"type": JSON, "value": output}]
    elif isinstance(output, str):
        parts = [{"type": TEXT, "text": output}]
    elif isinstance(output, list) and all(isinstance(each, dict) for each in output):
        writing = Writing(is_own=True, sources=sources.by_id)

        def write(part: Part) -> dict[str, Any]:
            return write_content_part(part, "tool", writing)

        parts = [kept(content_part(each, "tool", sources), each, write) for each in output]
        if len(parts) == 1 and parts[0]["type"] == TEXT:
            spelling.append("list")
    else:
        return None
    part: Part = {"type": RESULT, **call, "parts": parts}
    return part | ({"extra": {AS: " ".join(spelling)}} if spelling else {})


def _server_call(item: dict[str, Any], kind: str, named: dict[str, str], sources: SourceList) -> list[Part]:
    call = item.get("call_id", item.get("id"))
    called = {"call": call} if isinstance(call, str) else {}
    outcome = {name: item[name] for name in _OUTCOMES if item.get(name) is not None}
    arguments = {
        name: value
        for name, value in item.items()
        if name not in ("type", "id", "call_id", "status", *outcome)
    }
    name = item.get("name")
    part: Part = {"type": CALL, **named, **called, "arguments": arguments, "extra": {AS: kind}}
    part["name"] = name if isinstance(name, str) else kind.removesuffix("_call")
    part["by"] = CLIENT if kind in _BY_CLIENT else SERVER
    if not outcome:
        return [part]
    return [part, {"type": RESULT, **called, "parts": _outcome(item, outcome, sources)}]


def _outcome(item: Mapping[str, Any], outcome: dict[str, Any], sources: SourceList) -> list[Part]:
    kind, names = item["type"], [*outcome]
    if kind == "image_generation_call" and names == ["result"]:
        media = item.get("output_format")
        if part := blob(f"image/{media if isinstance(media, str) else 'png'}", outcome["result"]):
            return [part]
    found = outcome.get("results")
    if kind == "file_search_call" and names == ["results"] and isinstance(found, list) and found:
        parts = [_found(each, sources) for each in found if isinstance(each, dict)]
        whole = [part for part in parts if part is not None]
        if len(whole) == len(found):
            return whole
    return [{"type": JSON, "value": outcome}]


def _found(result: dict[str, Any], sources: SourceList) -> Part | None:
    source: Source = texts_of(result, title="filename", text="text")
    if type(result.get("score")) in (int, float):
        source["score"] = result["score"]
    writing = Writing(is_own=True, sources=sources.by_id)
    part = {"type": SOURCE, "source": sources.append(source)}
    return with_all(part, result, lambda each: _write_found(each, writing))


def _write_found(part: Part, writing: Writing) -> dict[str, Any]:
    source = writing.sources.get(part["source"], {})
    names = {"title": "filename", "text": "text", "score": "score"}
    return writing.finished({name: source[own] for own, name in names.items() if own in source}, part)


def item_of(parts: list[Part], writing: Writing) -> dict[str, Any]:
    """The item for parts that came from one item, or for a part of another format; empty if it cannot be
    expressed.
    """
    part = parts[0]
    spelling = writing.spelling(part)
    made: dict[str, Any] = {"id": part["id"]} if writing.is_own and "id" in part else {}
    if part["type"] == REASONING:
        made |= _write_reasoning(part, writing)
    elif part["type"] == RESULT:
        made |= _write_result(part, spelling, writing)
    elif part["type"] == NOTE:
        if not writing.is_own:
            unheld(part, writing)
            return {}
        made["type"] = spelling or "compaction"
    elif part["by"] == SERVER or (spelling is not None and spelling not in _CALLS):
        arguments = part.get("arguments")
        made |= {"type": spelling or f"{part['name']}_call"}
        made |= arguments if isinstance(arguments, dict) else {}
        made |= _write_outcome(parts[1:], writing)
        if "call" in part and part["call"] != made.get("id"):
            made["call_id"] = part["call"]
    elif spelling == "custom_tool_call" and isinstance(part.get("arguments"), str):
        made |= {"type": spelling, "name": part["name"], "input": part["arguments"]}
    else:
        made |= {"type": "function_call", "name": part["name"], "arguments": arguments_text(part)}
    if made["type"] in _CALLS and "call" in part:
        made["call_id"] = part["call"]
    return writing.finished(made, part)


def _write_reasoning(part: Part, writing: Writing) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "reasoning", "summary": []}
    if "summary" in part:
        made["summary"] = [{"type": "summary_text", "text": part["summary"]}]
    if "text" in part:
        made["content"] = [{"type": "reasoning_text", "text": part["text"]}]
    if "sealed" in part and writing.is_own:
        made["encrypted_content"] = part["sealed"]
    elif "sealed" in part:
        writing.lose("signatures of reasoning")
    return made


def _write_result(part: Part, spelling: str | None, writing: Writing) -> dict[str, Any]:
    spellings = (spelling or "").split()
    kind = next((each for each in spellings if each.endswith("_call_output")), "function_call_output")
    made: dict[str, Any] = {"type": kind}
    if "call" in part:
        made["call_id"] = part["call"]
    if part.get("ok") is False:
        writing.lose("marks of failed calls")
    if "name" in part:
        made["name"] = part["name"]
    if kind not in _OUTPUTS and len(part["parts"]) == 1 and part["parts"][0]["type"] == JSON:
        return made | {"output": part["parts"][0]["value"]}
    inner = [each for each in part["parts"] if is_held(each, "tool", writing)]
    if len(inner) == 1 and inner[0]["type"] in (TEXT, JSON) and "list" not in spellings:
        writing.finished({}, inner[0])
        made["output"] = text_of(inner[0])
    elif inner or (writing.is_own and not part["parts"]):
        made["output"] = [write_content_part(each, "tool", writing) for each in inner]
    else:
        made["output"] = ""
    return made


def _write_outcome(parts: list[Part], writing: Writing) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in parts:
        for each in part.get("parts", ()):
            if each["type"] == JSON and isinstance(each["value"], dict):
                made |= each["value"]
            elif each["type"] == BLOB:
                made["result"] = each["data"]
            elif each["type"] == SOURCE:
                made.setdefault("results", []).append(_write_found(each, writing))
    return made
