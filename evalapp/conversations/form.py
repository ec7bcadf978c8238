"""The stored form of a conversation, version 1: its names, and the validation of a value. Pure.

A conversation is a JSON object with ``v`` (1), ``messages``, ``tools``, ``sources`` and ``origin``. A message
is ``{role, content}`` if it is only text; otherwise it has ``parts``. Conversations, messages (through their
``origin``), parts, citations, tools and sources may have ``extra``: what their original format says beside
this form, under the names of that format, so that it can be written again exactly. Four names in an ``extra``
are not fields of the format: ``as`` says which of several spellings it had, ``absent`` lists usual fields
that were missing, ``item`` has the fields of the list item around a part, and ``lengths`` those of the texts
that were joined into a source's text.
"""

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeGuard

from evalapp.imports.problems import FieldProblem, shown, text_problems

Conversation = dict[str, Any]
Message = dict[str, Any]
Part = dict[str, Any]
Source = dict[str, Any]

VERSION: Final = 1
ROLES: Final = ("system", "developer", "user", "assistant", "tool")
TEXT: Final = "text"
REASONING: Final = "reasoning"
CALL: Final = "call"
RESULT: Final = "result"
JSON: Final = "json"
SOURCE: Final = "source"
NOTE: Final = "note"
BLOB: Final = "blob"
GONE: Final = "gone"
OTHER: Final = "other"
CLIENT: Final = "client"
SERVER: Final = "server"
NOT_FETCHED: Final = "not fetched"
NOT_JSON: Final = "arguments are no JSON"
NOT_KEPT: Final = "arguments cannot be stored as JSON"

DEEPEST_NESTING = 64
LONGEST_TEXT = 4 * 2**20
_ROOT = "conversation"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def dumps(value: Any) -> str:
    """JSON text that does not depend on the order of fields."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def bytes_of(data: str) -> bytes | None:
    """The bytes of a Base64 text, line breaks allowed; None if it is not Base64."""
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def deepest(value: Any, most: int) -> int:
    """Number of levels of nested lists and objects, counted up to ``most`` + 1."""
    level, here = 0, [value]
    while here and level <= most:
        here = [
            inner
            for each in here
            if isinstance(each, dict | list)
            for inner in ([*each.values(), None] if isinstance(each, dict) else [*each, None])
        ]
        level += bool(here)
    return level


def conversation_problems(value: Any) -> Iterator[FieldProblem]:
    """Why a JSON value is not a conversation of version 1.

    Each problem has its place (lists counted from 1) and how to fix it; nothing for a valid conversation.
    """
    if deepest(value, DEEPEST_NESTING) > DEEPEST_NESTING:
        yield FieldProblem(_ROOT, f"It is nested deeper than {DEEPEST_NESTING} levels.", "Flatten it.")
        return
    if not isinstance(value, dict):
        yield _wrong(_ROOT, value, "an object")
        return
    yield from _bad_texts(_ROOT, value)
    yield from _unknown(_ROOT, value, ("v", "messages", "tools", "sources", "origin"))
    if type(value.get("v")) is not int or value["v"] != VERSION:
        yield FieldProblem(f"{_ROOT}.v", "This is not a known version of the form.", 'Write "v": 1.')
    yield from _origin(f"{_ROOT}.origin", value.get("origin"))
    known = set()
    for place, source in _objects(f"{_ROOT}.sources", value.get("sources", [])):
        yield from _source(place, source)
        if isinstance(identity := source.get("id"), str):
            if identity in known:
                yield FieldProblem(f"{place}.id", "Another source has this id.", "Give each its own.")
            known.add(identity)
    yield from _not_objects(f"{_ROOT}.sources", value.get("sources", []))
    for place, tool in _objects(f"{_ROOT}.tools", value.get("tools", [])):
        yield from _fields(place, tool, _TOOL, needed=("name",))
    yield from _not_objects(f"{_ROOT}.tools", value.get("tools", []))
    messages = value.get("messages")
    yield from _not_objects(f"{_ROOT}.messages", messages)
    for place, message in _objects(f"{_ROOT}.messages", messages):
        yield from _message(place, message, known)


def _kind(value: Any) -> str:
    for kind, name in (
        (dict, "an object"),
        (list, "a list"),
        (bool, "a truth value"),
        (str, "text"),
        (type(None), "empty (null)"),
    ):
        if isinstance(value, kind):
            return name
    return "a number"


def _wrong(place: str, value: Any, wanted: str) -> FieldProblem:
    return FieldProblem(place, f"This is {_kind(value)}, not {wanted}.", f"Write {wanted}.")


def _unknown(place: str, value: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[FieldProblem]:
    for name in value:
        if name not in known:
            yield FieldProblem(
                f"{place}.{shown(name)}", "The form has no such field.", "Move it into extra, or remove it."
            )


def _objects(place: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, each in enumerate(value if isinstance(value, list) else (), start=1):
        if isinstance(each, dict):
            yield f"{place}[{number}]", each


def _not_objects(place: str, value: Any) -> Iterator[FieldProblem]:
    if not isinstance(value, list):
        yield _wrong(place, value, "a list")
        return
    for number, each in enumerate(value, start=1):
        if not isinstance(each, dict):
            yield _wrong(f"{place}[{number}]", each, "an object")


def _bad_texts(place: str, value: Any) -> Iterator[FieldProblem]:
    """Problems of texts and field names that cannot be stored, and of numbers that are not finite."""
    if isinstance(value, str):
        yield from text_problems(place, value, LONGEST_TEXT)
    elif isinstance(value, list):
        for number, each in enumerate(value, start=1):
            yield from _bad_texts(f"{place}[{number}]", each)
    elif isinstance(value, dict):
        for name, each in value.items():
            inner = f"{place}.{shown(name)}"
            yield from text_problems(inner, name, LONGEST_TEXT)
            yield from _bad_texts(inner, each)
    elif isinstance(value, float) and not math.isfinite(value):
        yield FieldProblem(place, "This number is not finite.", "Write a number, or null.")


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and value >= 0


_Check = tuple[str, Callable[[Any], bool]]
_TEXT_FIELD: _Check = ("text", lambda value: isinstance(value, str))
_OBJECT: _Check = ("an object", lambda value: isinstance(value, dict))
_LIST: _Check = ("a list", lambda value: isinstance(value, list))
_TRUTH: _Check = ("a truth value", lambda value: isinstance(value, bool))
_NUMBER: _Check = ("a number", lambda value: type(value) in (int, float))
_COUNT: _Check = ("a whole number of 0 or more", _is_count)
_ANY: _Check = ("any value", lambda _value: True)

_TOOL = {"name": _TEXT_FIELD, "description": _TEXT_FIELD, "schema": _ANY, "extra": _OBJECT}
_SOURCE = {
    **dict.fromkeys(("id", "title", "text", "sha256", "uri"), _TEXT_FIELD),
    "score": _NUMBER,
    "rank": _COUNT,
    "locator": _OBJECT,
    "extra": _OBJECT,
}
_LOCATOR = {"page": _COUNT, "start": _COUNT, "end": _COUNT}
_CITATION = {
    "source": _TEXT_FIELD,
    "start": _COUNT,
    "end": _COUNT,
    "quote": _TEXT_FIELD,
    "locator": _OBJECT,
    "extra": _OBJECT,
}
_EVERY_PART = {"type": _TEXT_FIELD, "id": _TEXT_FIELD, "from": _COUNT, "extra": _OBJECT}
_PARTS: dict[str, tuple[dict[str, _Check], tuple[str, ...]]] = {
    TEXT: ({"text": _TEXT_FIELD, "citations": _LIST, "refusal": _TRUTH}, ("text",)),
    REASONING: (dict.fromkeys(("text", "summary", "sealed"), _TEXT_FIELD), ()),
    CALL: (
        {"arguments": _ANY, **dict.fromkeys(("call", "name", "exact", "mark", "by"), _TEXT_FIELD)},
        ("name", "by"),
    ),
    RESULT: ({"call": _TEXT_FIELD, "name": _TEXT_FIELD, "ok": _TRUTH, "parts": _LIST}, ("parts",)),
    JSON: ({"value": _ANY, "exact": _TEXT_FIELD}, ("value",)),
    SOURCE: ({"source": _TEXT_FIELD}, ("source",)),
    NOTE: ({"text": _TEXT_FIELD}, ("text",)),
    BLOB: (
        dict.fromkeys(("sha256", "media", "data", "name", "alt"), _TEXT_FIELD),
        ("sha256", "media", "data"),
    ),
    GONE: (dict.fromkeys(("why", "media", "was", "name"), _TEXT_FIELD), ("why",)),
    OTHER: ({"of": _TEXT_FIELD, "value": _ANY}, ("of", "value")),
}
_IN_RESULTS = (TEXT, JSON, BLOB, SOURCE, GONE, OTHER)


def _fields(
    place: str, value: Mapping[str, Any], checks: Mapping[str, _Check], *, needed: tuple[str, ...] = ()
) -> Iterator[FieldProblem]:
    yield from _unknown(place, value, tuple(checks))
    for name in needed:
        if name not in value:
            yield FieldProblem(f"{place}.{name}", "This field is missing.", f"Write {checks[name][0]}.")
    for name, (wanted, is_right) in checks.items():
        if name in value and not is_right(value[name]):
            yield _wrong(f"{place}.{name}", value[name], wanted)


def _origin(place: str, value: Any) -> Iterator[FieldProblem]:
    if not isinstance(value, dict):
        yield _wrong(place, value, "an object")
        return
    checks = {"format": _TEXT_FIELD, "version": _TEXT_FIELD, "extra": _OBJECT}
    yield from _fields(place, value, checks, needed=("format", "version"))


def _source(place: str, value: Mapping[str, Any]) -> Iterator[FieldProblem]:
    yield from _fields(place, value, _SOURCE, needed=("id",))
    yield from _locator(place, value)
    if isinstance(value.get("sha256"), str) and not _SHA256.fullmatch(value["sha256"]):
        yield FieldProblem(f"{place}.sha256", "This is not a SHA-256.", "Write 64 digits of 0-9 and a-f.")


def _locator(place: str, value: Mapping[str, Any]) -> Iterator[FieldProblem]:
    if isinstance(locator := value.get("locator"), dict):
        yield from _fields(f"{place}.locator", locator, _LOCATOR)


def _message(place: str, message: Mapping[str, Any], sources: set[str]) -> Iterator[FieldProblem]:
    if message.get("role") not in ROLES:
        yield FieldProblem(
            f"{place}.role",
            f"There is no role “{shown(message.get('role', ''))}”.",
            f"Use one of {', '.join(ROLES)}.",
        )
    if "content" in message and "parts" in message:
        yield FieldProblem(place, "The message has both content and parts.", "Keep one of the two.")
    elif "content" in message:
        yield from _fields(place, message, {"role": _ANY, "content": _TEXT_FIELD})
    elif "parts" in message:
        checks = {"role": _ANY, "parts": _LIST, "extra": _OBJECT}
        checks |= dict.fromkeys(("name", "finish", "time"), _TEXT_FIELD)
        yield from _fields(place, message, checks)
        yield from _parts(f"{place}.parts", message["parts"], tuple(_PARTS), sources)
    else:
        yield FieldProblem(
            place, "The message has neither content nor parts.", "Write content, or a list of parts."
        )


def _parts(place: str, value: Any, allowed: tuple[str, ...], sources: set[str]) -> Iterator[FieldProblem]:
    if isinstance(value, list):
        yield from _not_objects(place, value)
    for inner, part in _objects(place, value):
        kind = part.get("type")
        if kind not in allowed:
            yield FieldProblem(
                f"{inner}.type",
                f"There is no part “{shown(kind)}” here.",
                f"Use one of {', '.join(allowed)}.",
            )
            continue
        own, needed = _PARTS[kind]
        yield from _fields(inner, part, {**_EVERY_PART, **own}, needed=needed)
        if kind == RESULT:
            yield from _parts(f"{inner}.parts", part.get("parts"), _IN_RESULTS, sources)
        elif kind in _MORE:
            yield from _MORE[kind](inner, part, sources)


def _text_part(place: str, part: Part, sources: set[str]) -> Iterator[FieldProblem]:
    text = part.get("text")
    citations = part.get("citations", [])
    if isinstance(citations, list):
        yield from _not_objects(f"{place}.citations", citations)
    for inner, citation in _objects(f"{place}.citations", citations):
        yield from _fields(inner, citation, _CITATION, needed=("source", "start", "end"))
        yield from _locator(inner, citation)
        if isinstance(citation.get("source"), str):
            yield from _known_source(inner, citation, sources)
        start, end = citation.get("start"), citation.get("end")
        if not (isinstance(text, str) and _is_count(start) and _is_count(end)):
            continue
        if not start <= end <= len(text):
            yield FieldProblem(
                inner,
                f"The citation goes from {start:,} to {end:,}, and the text has {len(text):,} characters.",
                "Count code points from 0, the end after the last.",
            )


def _known_source(place: str, part: Mapping[str, Any], sources: set[str]) -> Iterator[FieldProblem]:
    if isinstance(part.get("source"), str) and part["source"] not in sources:
        yield FieldProblem(
            f"{place}.source",
            f"No source has the id “{shown(part['source'])}”.",
            "Add it to the conversation's sources.",
        )


def _call_part(place: str, part: Part, sources: set[str]) -> Iterator[FieldProblem]:
    if isinstance(part.get("by"), str) and part["by"] not in (CLIENT, SERVER):
        yield FieldProblem(f"{place}.by", "This is neither client nor server.", "Write one of the two.")
    if "arguments" not in part and "exact" not in part:
        yield FieldProblem(
            place, "The call has no arguments.", "Write arguments, or exact if they are not JSON."
        )
    if "arguments" in part and "mark" in part:
        yield FieldProblem(
            f"{place}.mark", "Arguments that could be read must not have a mark.", "Remove one of the two."
        )


def _blob_part(place: str, part: Part, sources: set[str]) -> Iterator[FieldProblem]:
    if not (isinstance(part.get("data"), str) and isinstance(part.get("sha256"), str)):
        return
    content = bytes_of(part["data"])
    if content is None:
        yield FieldProblem(f"{place}.data", "This is not Base64.", "Encode the file's bytes as Base64.")
    elif hashlib.sha256(content).hexdigest() != part["sha256"]:
        yield FieldProblem(
            f"{place}.sha256", "The data has another SHA-256.", "Write the SHA-256 of the decoded bytes."
        )


_MORE = {TEXT: _text_part, CALL: _call_part, BLOB: _blob_part, SOURCE: _known_source}
