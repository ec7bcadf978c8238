"""The blocks of Anthropic Messages. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from evalapp.conversations.differences import AS, LENGTHS
from evalapp.conversations.files import ANY_IMAGE, blob, is_address, is_image, referred_file
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
    dumps,
)
from evalapp.conversations.formats.base import SourceList, Writing, kept, unheld, with_all

_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
BLOCKS = (
    *_CALLS,
    *("tool_result", "mcp_tool_result", "thinking", "redacted_thinking"),
    *("search_result", "container_upload", "compaction"),
)
"""Types of blocks that no other format has."""
_BETWEEN = "\n\n"
_DOCUMENT = "document"
_CONTENT = "content"
_CONTENT_BLOCKS = "content blocks"
_FILE = "file"
_SPANS = {
    "char_location": ("start_char_index", "end_char_index"),
    "page_location": ("start_page_number", "end_page_number"),
    "content_block_location": ("start_block_index", "end_block_index"),
    "search_result_location": ("start_block_index", "end_block_index"),
}
_PAGE = "page_location"
_WEB = "web_search_result_location"


class Blocks:
    """Reads the blocks of a conversation in order, or writes them."""

    def __init__(self, writing: Writing, sources: SourceList | None) -> None:
        self.writing = writing
        self._sources = sources or SourceList()
        self._documents: list[str] = []

    def read(self, block: dict[str, Any]) -> Part:
        """The part for a block, without loss."""
        return kept(self._part(block), block, lambda part: self.write(part) or {})

    def _part(self, block: dict[str, Any]) -> Part | None:
        kind = block.get("type")
        if not isinstance(kind, str):
            return None
        if kind.endswith("tool_result"):
            return self._result(block, kind)
        if kind in _CALLS:
            return _call(block, kind)
        reader = self._readers().get(kind)
        return reader(block) if reader else None

    def _readers(self) -> dict[str, Callable[[Mapping[str, Any]], Part | None]]:
        return {
            "text": self._text,
            "thinking": _thinking,
            "redacted_thinking": _redacted,
            "image": lambda block: _file(block.get("source"), ANY_IMAGE),
            "document": self._document,
            "search_result": self._search_result,
            "web_search_result": self._web_result,
            "compaction": _note,
            "container_upload": lambda block: _spelt(referred_file(block.get("file_id")), "container_upload"),
        }

    def _text(self, block: Mapping[str, Any]) -> Part | None:
        if not isinstance(text := block.get("text"), str):
            return None
        part: Part = {"type": TEXT, "text": text}
        citations = block.get("citations")
        if isinstance(citations, list) and citations:
            read = [self._citation(each, text) for each in citations]
            if all(read):
                part["citations"] = read
        return part

    def _citation(self, citation: Any, text: str) -> dict[str, Any] | None:
        if not isinstance(citation, dict) or not isinstance(kind := citation.get("type"), str):
            return None
        source = self._cited(citation)
        if source is None:
            return None
        read: dict[str, Any] = {"source": source, "start": 0, "end": len(text), "extra": {AS: kind}}
        if isinstance(citation.get("cited_text"), str):
            read["quote"] = citation["cited_text"]
        span = [citation.get(name) for name in _SPANS.get(kind, ())]
        if span and all(type(each) is int and each >= 0 for each in span):
            read["locator"] = {"start": span[0], "end": span[1]}
            if kind == _PAGE:
                read["locator"]["page"] = span[0]
        return with_all(read, citation, lambda each: self._write_citation(each) or {})

    def _cited(self, citation: Mapping[str, Any]) -> str | None:
        number = citation.get("document_index")
        if type(number) is int and 0 <= number < len(self._documents):
            return self._documents[number]
        title = citation.get("title", citation.get("document_title"))
        uri = citation.get("url", citation.get("source"))
        named = {"title": title} if isinstance(title, str) else {}
        if isinstance(uri, str):
            named["uri"] = uri
        for identity, source in self._sources.by_id.items():
            if "uri" in named and source.get("uri") == named["uri"]:
                return identity
        return self._sources.add(**named) if named else None

    def _document(self, block: Mapping[str, Any]) -> Part | None:
        source = block.get("source")
        if not isinstance(source, dict):
            return None
        title = block.get("title")
        named = {"title": title} if isinstance(title, str) else {}
        if found := _text_of_document(source):
            identity = self._sources.append({**named, "text": found[0]})
            part: Part | None = {"type": SOURCE, "source": identity, "extra": found[1]}
        else:
            part = _file(source, "application/pdf")
            if part is not None:
                if part["type"] == BLOB:
                    named["sha256"] = part["sha256"]
                elif is_address(part):
                    named["uri"] = part["was"]
                identity = self._sources.append(named)
                part |= {"id": identity, "extra": {AS: _DOCUMENT}}
                part |= {"name": title} if isinstance(title, str) else {}
        if part is None:
            identity = self._sources.append(named)
        self._documents.append(identity)
        return part

    def _search_result(self, block: Mapping[str, Any]) -> Part | None:
        texts = _texts(block.get("content"))
        if texts is None or not isinstance(block.get("source"), str):
            return None
        title = {"title": block["title"]} if isinstance(block.get("title"), str) else {}
        identity = self._sources.append({**title, "uri": block["source"], "text": _BETWEEN.join(texts)})
        return {"type": SOURCE, "source": identity, "extra": {AS: "search_result", **_lengths(texts)}}

    def _web_result(self, block: Mapping[str, Any]) -> Part | None:
        if not isinstance(block.get("url"), str):
            return None
        title = block.get("title")
        named = title if isinstance(title, str) else None
        identity = self._sources.add(uri=block["url"], title=named)
        return {"type": SOURCE, "source": identity, "extra": {AS: "web_search_result"}}

    def _result(self, block: Mapping[str, Any], kind: str) -> Part | None:
        content = block.get("content")
        spelling = [] if kind == "tool_result" else [kind]
        parts: list[Part] = []
        if isinstance(content, str):
            parts = [{"type": TEXT, "text": content}]
            spelling.append("text")
        elif isinstance(content, list) and all(isinstance(each, dict) for each in content):
            parts = [self.read(each) for each in content]
        elif isinstance(content, dict):
            parts = [{"type": JSON, "value": content}]
        elif content is not None:
            return None
        if any(part["type"] not in (TEXT, JSON, BLOB, GONE, SOURCE, OTHER) for part in parts):
            return None
        call = {"call": block["tool_use_id"]} if isinstance(block.get("tool_use_id"), str) else {}
        part: Part = {"type": RESULT, **call, "parts": parts}
        if isinstance(block.get("is_error"), bool):
            part["ok"] = not block["is_error"]
        return part | ({"extra": {AS: " ".join(spelling)}} if spelling else {})

    def write(self, part: Part) -> dict[str, Any] | None:
        """The block for a part; None if the format has none."""
        kind, spelling = part["type"], self.writing.spelling(part)
        made = self._made(part, kind, spelling)
        if made is None:
            if kind == OTHER and self.writing.is_own and isinstance(part["value"], dict):
                return dict(part["value"])
            unheld(part, self.writing)
            return None
        return self.writing.finished(made, part)

    def _made(self, part: Part, kind: str, spelling: str | None) -> dict[str, Any] | None:
        if kind == NOTE:
            return {"type": "compaction", "content": part["text"]} if self.writing.is_own else None
        writers: dict[str, Callable[[], dict[str, Any] | None]] = {
            TEXT: lambda: self._write_text(part),
            JSON: lambda: {"type": "text", "text": part.get("exact", dumps(part["value"]))},
            REASONING: lambda: self._write_reasoning(part),
            CALL: lambda: self._write_call(part, spelling),
            RESULT: lambda: self._write_result(part, spelling),
            BLOB: lambda: _write_file(part, spelling),
            GONE: lambda: _write_file(part, spelling),
            SOURCE: lambda: self._write_source(part, spelling),
        }
        return writers[kind]() if kind in writers else None

    def _write_text(self, part: Part) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "text", "text": part["text"]}
        citations = [
            written
            for each in part.get("citations", ())
            if (written := self._write_citation(each)) is not None
        ]
        if citations:
            made["citations"] = citations
        if part.get("refusal") and not self.writing.is_own:
            self.writing.lose("marks of refusals")
        return made

    def _write_citation(self, citation: Mapping[str, Any]) -> dict[str, Any] | None:
        kind = self.writing.spelling(citation)
        if kind is None:
            self.writing.lose("citations")
            return None
        made: dict[str, Any] = {"type": kind}
        source = self.writing.sources.get(citation["source"], {})
        if "quote" in citation:
            made["cited_text"] = citation["quote"]
        locator, span = citation.get("locator", {}), _SPANS.get(kind, ())
        if span and {"start", "end"} <= locator.keys():
            made |= {span[0]: locator["start"], span[1]: locator["end"]}
        if kind == _WEB:
            made |= {"url": source.get("uri", "")}
        if "title" in source:
            made["title" if kind in (_WEB, "search_result_location") else "document_title"] = source["title"]
        return self.writing.finished(made, citation)

    def _write_reasoning(self, part: Part) -> dict[str, Any] | None:
        if not self.writing.is_own:
            # The service rejects reasoning without its signature.
            return None
        if "text" not in part:
            return {"type": "redacted_thinking", "data": part.get("sealed", "")}
        made = {"type": "thinking", "thinking": part["text"]}
        return made | ({"signature": part["sealed"]} if "sealed" in part else {})

    def _write_call(self, part: Part, spelling: str | None) -> dict[str, Any]:
        made: dict[str, Any] = {"type": spelling if spelling in _CALLS else "tool_use", "name": part["name"]}
        if "arguments" in part:
            made["input"] = part["arguments"]
        else:
            made["input"] = {}
            self.writing.lose("arguments that are not JSON")
        if not isinstance(made["input"], dict) and not self.writing.is_own:
            made["input"] = {"input": made["input"]}
            self.writing.lose("arguments that are not objects")
        if "call" in part:
            made["id"] = part["call"]
        return made

    def _write_result(self, part: Part, spelling: str | None) -> dict[str, Any]:
        spellings = (spelling or "").split()
        kind = next((each for each in spellings if each.endswith("tool_result")), "tool_result")
        made: dict[str, Any] = {"type": kind}
        if "call" in part:
            made["tool_use_id"] = part["call"]
        parts = part["parts"]
        if "name" in part:
            self.writing.lose("names of results")
        is_text = "text" in spellings or not self.writing.is_own
        if is_text and len(parts) == 1 and parts[0]["type"] == TEXT:
            self.writing.finished({}, parts[0])
            made["content"] = parts[0]["text"]
        elif self.writing.is_own and len(parts) == 1 and parts[0]["type"] == JSON:
            made["content"] = parts[0]["value"]
        elif parts:
            made["content"] = [written for each in parts if (written := self.write(each)) is not None]
        if "ok" in part:
            made["is_error"] = not part["ok"]
        return made

    def _write_source(self, part: Part, spelling: str | None) -> dict[str, Any] | None:
        source = self.writing.sources.get(part["source"], {})
        title = {"title": source["title"]} if "title" in source else {}
        text = source.get("text")
        if spelling == "web_search_result":
            return {"type": spelling, "url": source.get("uri", ""), **title}
        if spelling == "search_result" and text is not None:
            content = _blocks_of(text, part)
            return {"type": spelling, "source": source.get("uri", ""), **title, "content": content}
        if text is None:
            return None
        self.writing.hold(part["source"], "title", "text")
        if spelling in (_CONTENT, _CONTENT_BLOCKS):
            content = text if spelling == _CONTENT else _blocks_of(text, part)
            return {"type": "document", **title, "source": {"type": "content", "content": content}}
        return {
            "type": "document",
            **title,
            "source": {"type": "text", "media_type": "text/plain", "data": text},
        }


def _spelt(part: Part | None, spelling: str) -> Part | None:
    return part and {**part, "extra": {AS: spelling}}


def _call(block: Mapping[str, Any], kind: str) -> Part | None:
    if not isinstance(block.get("name"), str) or "input" not in block:
        return None
    call = {"call": block["id"]} if isinstance(block.get("id"), str) else {}
    part: Part = {"type": CALL, **call, "name": block["name"], "arguments": block["input"]}
    if kind == "tool_use":
        return part | {"by": CLIENT}
    return part | {"by": SERVER, "extra": {AS: kind}}


def _thinking(block: Mapping[str, Any]) -> Part | None:
    if not isinstance(text := block.get("thinking"), str):
        return None
    signature = block.get("signature")
    return {
        "type": REASONING,
        "text": text,
        **({"sealed": signature} if isinstance(signature, str) else {}),
    }


def _redacted(block: Mapping[str, Any]) -> Part | None:
    return {"type": REASONING, "sealed": block["data"]} if isinstance(block.get("data"), str) else None


def _note(block: Mapping[str, Any]) -> Part | None:
    return {"type": NOTE, "text": block["content"]} if isinstance(block.get("content"), str) else None


def _texts(content: Any) -> list[str] | None:
    """The texts of a list of text blocks; None if a block is not text."""
    if not isinstance(content, list):
        return None
    texts = [each.get("text") for each in content if isinstance(each, dict) and each.get("type") == "text"]
    found = [each for each in texts if isinstance(each, str)]
    return found if len(found) == len(content) else None


def _lengths(texts: list[str]) -> dict[str, list[int]]:
    return {LENGTHS: [len(each) for each in texts]} if len(texts) != 1 else {}


def _blocks_of(text: str, part: Part) -> list[dict[str, Any]]:
    """The blocks whose texts were joined into ``text``; one block if the text has changed since."""
    texts, rest = [], text
    lengths = part.get("extra", {}).get(LENGTHS)
    for length in lengths if isinstance(lengths, list) else ():
        if type(length) is int and length >= 0:
            texts.append(rest[:length])
            rest = rest[length + len(_BETWEEN) :]
    if _BETWEEN.join(texts) != text or (not texts and lengths is None):
        texts = [text]
    return [{"type": "text", "text": each} for each in texts]


def _text_of_document(source: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The text of a document, and an ``extra`` that says how it was given; None if it is not text."""
    kind, content = source.get("type"), source.get("content")
    if kind == "text" and isinstance(source.get("data"), str):
        return source["data"], {AS: _DOCUMENT}
    if kind == "content" and isinstance(content, str):
        return content, {AS: _CONTENT}
    texts = _texts(content) if kind == "content" else None
    return None if texts is None else (_BETWEEN.join(texts), {AS: _CONTENT_BLOCKS, **_lengths(texts)})


def _file(source: Any, media: str) -> Part | None:
    if not isinstance(source, dict):
        return None
    match source.get("type"):
        case "base64":
            return blob(source.get("media_type"), source.get("data"))
        case "url":
            return referred_file(source.get("url"), media)
        case "file":
            return _spelt(referred_file(source.get("file_id"), media), _FILE)
    return None


def _write_file(part: Part, spelling: str | None) -> dict[str, Any] | None:
    if spelling == "container_upload":
        return {"type": spelling, "file_id": part.get("was", "")}
    was = part.get("was", "")
    if part["type"] == BLOB:
        source = {"type": "base64", "media_type": part["media"], "data": part["data"]}
    elif is_address(part):
        source = {"type": "url", "url": was}
    elif spelling in (_DOCUMENT, _FILE):
        source = {"type": "file", "file_id": was}
    else:
        return None
    if spelling == _DOCUMENT or part.get("media") == "application/pdf":
        title = {"title": part["name"]} if "name" in part else {}
        return {"type": "document", "source": source, **title}
    if is_image(part):
        return {"type": "image", "source": source}
    return None
