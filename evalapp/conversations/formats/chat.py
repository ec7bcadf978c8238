"""Messages shared by OpenAI chat completions and Hugging Face chat templates. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    OTHER,
    REASONING,
    RESULT,
    ROLES,
    SOURCE,
    TEXT,
    Message,
    Part,
    dumps,
)
from evalapp.conversations.formats.base import (
    SourceList,
    Writing,
    arguments_of,
    arguments_text,
    bad_content,
    kept,
    objects,
    other,
    role_of,
    texts_of,
    unheld,
    with_all,
)

CHAT_ROLES = (*ROLES, "function")
_MESSAGE = "message"
_LIST = "list"
_BARE = "bare"
_FIELD = "field"
_BETWEEN = "\n\n"
_AS_TEXT = "text"
_AS_VALUE = "value"
_SOUND = {"mp3": "audio/mpeg"}
_SOUND_FORMATS = {media: name for name, media in _SOUND.items()}


@dataclass(frozen=True, slots=True)
class Chat:
    """Which of the two formats it is.

    ``reasoning``: fields of a message that contain reasoning. Reasoning from another format is written to the
    first of them if ``keeps_reasoning``. ``keeps_citations``: whether citations from another format become
    annotations.
    """

    arguments_are_text: bool
    keeps_reasoning: bool
    keeps_citations: bool
    reasoning: tuple[str, ...] = ("reasoning_content", "thinking", "reasoning")

    def read(self, place: str, message: dict[str, Any], sources: SourceList) -> Message:
        """A message without loss: what the form has no field for is in its extras. Raises RowProblemError."""
        role = role_of(place, message, CHAT_ROLES)
        content = message.get("content")
        if message.keys() == {"role", "content"} and isinstance(content, str) and role in ROLES:
            return dict(message)
        if not isinstance(content, str | list | None):
            raise bad_content(place)
        writing = Writing(is_own=True, sources=sources.by_id)
        stored = "tool" if role == "function" else role
        parts = [*self._content(place, message, sources, writing)]
        extra: dict[str, Any] = {}
        if stored == "tool":
            result: Part = {"type": RESULT, "parts": parts}
            result |= texts_of(message, call="tool_call_id", name="name")
            parts = [result]
            if role == "function":
                extra = {AS: role}
        else:
            parts += self._reasoning(message)
            parts += self._refusal(message)
            parts += self._calls(place, message, writing)
        read: Message = {"role": stored, "parts": parts}
        if stored != "tool":
            read |= texts_of(message, name="name")
        is_list = isinstance(content, list)
        if is_list and not _is_list(parts[0]["parts"] if stored == "tool" else _of_content(parts)):
            extra = {AS: f"{extra[AS]}, {_LIST}" if extra else _LIST}
        if extra:
            read["extra"] = extra
        whole = with_all(read, message, lambda each: next(self.write(each, writing), {}))
        return whole or {"role": stored, "parts": [other(_MESSAGE, message)]}

    def _content(
        self, place: str, message: dict[str, Any], sources: SourceList, writing: Writing
    ) -> Iterator[Part]:
        content = message.get("content")
        if isinstance(content, str):
            part: Part = {"type": TEXT, "text": content}
            annotations = message.get("annotations")
            if isinstance(annotations, list) and annotations:
                citations = [citation_of(each, content, sources) for each in annotations]
                if all(citations):
                    part["citations"] = citations
            yield part
        elif isinstance(content, list):
            for _, each in objects(f"{place}.content", content):
                part = kept(_content_part(each), each, lambda part: self.write_part(part, writing))
                yield part

    def _reasoning(self, message: Mapping[str, Any]) -> Iterator[Part]:
        for name in self.reasoning:
            if isinstance(text := message.get(name), str):
                spelt = {} if name == self.reasoning[0] else {"extra": {AS: name}}
                yield {"type": REASONING, "text": text, **spelt}

    def _refusal(self, message: Mapping[str, Any]) -> Iterator[Part]:
        if isinstance(text := message.get("refusal"), str):
            yield {"type": TEXT, "text": text, "refusal": True}

    def _calls(self, place: str, message: Mapping[str, Any], writing: Writing) -> Iterator[Part]:
        calls = message.get("tool_calls")
        if calls is not None:
            for _, call in objects(f"{place}.tool_calls", calls):
                yield kept(self._call(call), call, lambda part: self.write_call(part, writing))
        old = message.get("function_call")
        if isinstance(old, dict) and (part := self._function(old)):
            part["extra"] = {AS: "function_call"}
            if whole := with_all(part, old, lambda each: self.write_call(each, writing)):
                yield whole
        if isinstance(sound := message.get("audio"), dict):
            yield {**other("audio", sound), "extra": {AS: _FIELD}}

    def _call(self, call: dict[str, Any]) -> Part | None:
        identity = texts_of(call, call="id")
        if isinstance(custom := call.get("custom"), dict):
            if not isinstance(custom.get("name"), str) or not isinstance(custom.get("input"), str):
                return None
            made = {"name": custom["name"], "arguments": custom["input"], "by": CLIENT}
            return {"type": CALL, **identity, **made, "extra": {AS: "custom"}}
        is_bare = "function" not in call and "arguments" in call
        function = call if is_bare else call.get("function")
        part = self._function(function) if isinstance(function, dict) else None
        if part is None:
            return None
        if is_bare:
            return {**part, **identity, "extra": {AS: _BARE}}
        is_text = isinstance(call["function"]["arguments"], str)
        if is_text != self.arguments_are_text:
            part["extra"] = {AS: _AS_TEXT if is_text else _AS_VALUE}
        return {**part, **identity}

    def _function(self, function: Mapping[str, Any]) -> Part | None:
        name, arguments = function.get("name"), function.get("arguments")
        if not isinstance(name, str) or "arguments" not in function:
            return None
        told = arguments_of(arguments) if isinstance(arguments, str) else {"arguments": arguments}
        return {"type": CALL, "name": name, **told, "by": CLIENT}

    def write(self, message: Message, writing: Writing) -> Iterator[dict[str, Any]]:
        """The messages for one message: one per result of a tool, otherwise one, or none if nothing can be
        expressed.
        """
        if "content" in message:
            yield dict(message)
            return
        for name in ("finish", "time"):
            if name in message:
                writing.lose({"finish": "reasons of stopping", "time": "times"}[name])
        parts = message["parts"]
        if writing.is_own and len(parts) == 1 and parts[0]["type"] == OTHER and parts[0]["of"] == _MESSAGE:
            yield parts[0]["value"]
            return
        if message["role"] == "tool":
            yield from self._write_results(message, writing)
            return
        made = self._write_parts(message, parts, writing)
        has_content = len(made) > 1
        if "name" in message:
            made["name"] = message["name"]
        made = writing.finished(made, message)
        if has_content or writing.is_own:
            yield made

    def _write_results(self, message: Message, writing: Writing) -> Iterator[dict[str, Any]]:
        spelling = writing.spelling(message) or ""
        for part in message["parts"]:
            if part["type"] != RESULT:
                unheld(part, writing)
                continue
            content = self._write_content(part["parts"], writing, is_list=_LIST in spelling, role="tool")
            is_function = spelling.startswith("function")
            made: dict[str, Any] = {"role": "function" if is_function else "tool"}
            if content is not None:
                made["content"] = content
            elif not writing.is_own:
                made["content"] = ""
            if "call" in part:
                made["tool_call_id"] = part["call"]
            if "name" in part:
                made["name"] = part["name"]
            if part.get("ok") is False:
                writing.lose("marks of failed calls")
            writing.finished({}, part)
            yield writing.finished(made, message)

    def _write_parts(self, message: Message, parts: list[Part], writing: Writing) -> dict[str, Any]:
        made: dict[str, Any] = {"role": message["role"]}
        inside = _of_content(parts)
        content = self._write_content(
            inside, writing, is_list=writing.spelling(message) == _LIST, role=message["role"]
        )
        if content is not None:
            made["content"] = content
        citations = [each for part in inside for each in part.get("citations", ())]
        if citations and isinstance(content, str) and (writing.is_own or self.keeps_citations):
            written = [write_citation(each, writing) for each in citations]
            if annotations := [each for each in written if each is not None]:
                made["annotations"] = annotations
        elif citations:
            writing.lose("citations")
        for part in parts:
            if not any(part is each for each in inside):
                self._add(made, part, writing)
        if not writing.is_own and "tool_calls" in made:
            made.setdefault("content", None)
        return made

    def _add(self, made: dict[str, Any], part: Part, writing: Writing) -> None:
        kind, spelling = part["type"], writing.spelling(part)
        if kind == TEXT:
            made["refusal"] = _joined(made.get("refusal"), part["text"])
        elif kind == REASONING and (writing.is_own or self.keeps_reasoning) and "text" in part:
            name = spelling if spelling in self.reasoning else self.reasoning[0]
            made[name] = _joined(made.get(name), part["text"])
            if "sealed" in part:
                writing.lose("signatures of reasoning")
            if "summary" in part:
                writing.lose("summaries of reasoning")
            writing.finished({}, part)
        elif kind == CALL and spelling == "function_call":
            made["function_call"] = self.write_call(part, writing)
        elif kind == CALL and part["by"] == CLIENT:
            made.setdefault("tool_calls", []).append(self.write_call(part, writing))
        elif kind == OTHER and spelling == _FIELD:
            made[part["of"]] = part["value"]
        elif kind == OTHER and writing.is_own:
            made.setdefault("tool_calls", []).append(part["value"])
        else:
            unheld(part, writing)

    def write_call(self, part: Part, writing: Writing) -> dict[str, Any]:
        if part["type"] == OTHER:
            return dict(part["value"])
        spelling = writing.spelling(part)
        if spelling == "custom" and isinstance(part.get("arguments"), str):
            inner = {"name": part["name"], "input": part["arguments"]}
            made: dict[str, Any] = {"type": "custom", "custom": inner}
        else:
            is_text = (self.arguments_are_text and spelling != _AS_VALUE) or spelling == _AS_TEXT
            is_text = is_text or "arguments" not in part
            arguments = arguments_text(part) if is_text else part["arguments"]
            made = {"name": part["name"], "arguments": arguments}
            if spelling not in ("function_call", _BARE):
                made = {"type": "function", "function": made}
        if "call" in part and spelling != "function_call":
            made["id"] = part["call"]
        return writing.finished(made, part)

    def _write_content(self, parts: list[Part], writing: Writing, *, is_list: bool, role: str) -> Any:
        parts = [part for part in parts if _is_held(part, role, writing)]
        if not parts:
            return [] if is_list else None
        if not is_list and not _is_list(parts):
            writing.finished({}, parts[0])
            return parts[0]["text"]
        if not writing.is_own and role not in ("user", "assistant"):
            return _BETWEEN.join(_plain_text(part) for part in parts)
        return [self.write_part(part, writing) for part in parts]

    def write_part(self, part: Part, writing: Writing) -> dict[str, Any]:
        """One part of a content list."""
        kind = part["type"]
        if kind == OTHER:
            return dict(part["value"]) if isinstance(part["value"], dict) else {"value": part["value"]}
        if kind in (BLOB, GONE):
            return writing.finished(_write_file(part, writing.spelling(part)), part)
        if part.get("refusal"):
            return writing.finished({"type": "refusal", "refusal": part["text"]}, part)
        return writing.finished({"type": "text", "text": _plain_text(part)}, part)


def _joined(before: str | None, text: str) -> str:
    return text if before is None else f"{before}{_BETWEEN}{text}"


def _of_content(parts: list[Part]) -> list[Part]:
    """Parts that belong to a message's content: not calls, reasoning, or a refusal beside the content."""
    return [
        part
        for part in parts
        if part["type"] in (BLOB, GONE, SOURCE, "json", "note")
        or (part["type"] == TEXT and (not part.get("refusal") or part.get("extra", {}).get(AS) == _LIST))
        or (part["type"] == OTHER and not _is_call(part) and part.get("extra", {}).get(AS) != _FIELD)
    ]


def _is_call(part: Part) -> bool:
    return isinstance(part["value"], dict) and bool(
        part["value"].keys() & {"function", "custom", "arguments"}
    )


def _is_list(parts: list[Part]) -> bool:
    return not (len(parts) == 1 and parts[0]["type"] == TEXT and not parts[0].get("refusal"))


def _plain_text(part: Part) -> str:
    if "value" in part:
        exact = part.get("exact")
        return exact if isinstance(exact, str) else dumps(part["value"])
    return str(part["text"])


def _is_held(part: Part, role: str, writing: Writing) -> bool:
    kind = part["type"]
    if kind in (TEXT, "json") or (writing.is_own and kind in (BLOB, GONE, OTHER)):
        return True
    if role == "user" and (kind == BLOB or (kind == GONE and is_image(part) and is_address(part))):
        return True
    unheld(part, writing)
    return False


def _content_part(each: Mapping[str, Any]) -> Part | None:
    kind = each.get("type")
    inner = each.get(kind) if isinstance(kind, str) else None
    part: Part | None = None
    if kind in ("text", "refusal"):
        part = _text(inner)
    elif kind == "image_url":
        part = file_at_address(inner.get("url") if isinstance(inner, dict) else inner, ANY_IMAGE)
    elif kind == "input_audio" and isinstance(inner, dict):
        name = inner.get("format")
        part = blob(_SOUND.get(str(name), f"audio/{name}"), inner.get("data"))
    elif kind == "file" and isinstance(inner, dict):
        part = _file(inner)
    elif kind == "image":
        part = file_at_address(each.get("url", inner), ANY_IMAGE)
    if part is not None and kind == "refusal":
        part |= {"refusal": True, "extra": {AS: _LIST}}
    elif part is not None and kind == "image":
        part["extra"] = {AS: "url" if "url" in each else kind}
    return part


def _text(text: object) -> Part | None:
    return {"type": TEXT, "text": text} if isinstance(text, str) else None


def _file(inner: Mapping[str, Any]) -> Part | None:
    name = inner.get("filename")
    if "file_data" in inner:
        data = inner["file_data"]
        if part := file_at_address(data, name=name):
            if part["type"] == BLOB:
                return part | {"extra": {AS: "file"}}
            part = blob("application/octet-stream", data, name=name)
            return part and part | {"extra": {AS: "bare file"}}
        return None
    part = referred_file(inner.get("file_id"), name=name)
    return part and part | {"extra": {AS: "file"}}


def _write_file(part: Part, spelling: str | None) -> dict[str, Any]:
    address = data_uri(part) if part["type"] == BLOB else part.get("was", "")
    if spelling in ("url", "image"):
        return {"type": "image", spelling: address}
    if is_image(part) and spelling is None:
        return {"type": "image_url", "image_url": {"url": address}}
    named = {"filename": part["name"]} if "name" in part else {}
    if part["type"] == GONE:
        return {"type": "file", "file": {"file_id": address, **named}}
    if part["media"].startswith("audio/") and spelling is None:
        kind = _SOUND_FORMATS.get(part["media"], part["media"].removeprefix("audio/"))
        return {"type": "input_audio", "input_audio": {"data": part["data"], "format": kind}}
    data = part["data"] if spelling == "bare file" else address
    return {"type": "file", "file": {"file_data": data, **named}}


def citation_of(annotation: Any, text: str, sources: SourceList) -> dict[str, Any] | None:
    """A citation of an address in a text; None for another kind of annotation."""
    inner = annotation.get("url_citation") if isinstance(annotation, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("url"), str):
        return None
    start, end = inner.get("start_index"), inner.get("end_index")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= len(text):
        return None
    title = inner.get("title")
    source = sources.add(uri=inner["url"], title=title if isinstance(title, str) else None)
    writing = Writing(is_own=True, sources=sources.by_id)
    citation = {"source": source, "start": start, "end": end}
    return with_all(citation, annotation, lambda each: write_citation(each, writing) or {})


def write_citation(citation: Mapping[str, Any], writing: Writing) -> dict[str, Any] | None:
    """The annotation for a citation; None if its source has no address."""
    source = writing.sources.get(citation["source"], {})
    if "uri" not in source:
        writing.lose("citations")
        return None
    made = {
        "url": source["uri"],
        "start_index": citation["start"],
        "end_index": citation["end"],
        "title": source.get("title", ""),
    }
    if "quote" in citation or "locator" in citation:
        writing.lose("places of citations")
    writing.hold(citation["source"], "uri", "title")
    return writing.finished({"type": "url_citation", "url_citation": made}, citation)
