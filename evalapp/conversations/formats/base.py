"""Shared by all formats: reading without loss, and writing that lists what is lost. Pure."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from evalapp.conversations.differences import AS, ITEM, OURS, changed, changes_between, is_equal_json
from evalapp.conversations.form import (
    CALL,
    NOT_JSON,
    NOT_KEPT,
    OTHER,
    VERSION,
    Conversation,
    Message,
    Part,
    Source,
    deepest,
    dumps,
)
from evalapp.core.strict_json import bad_character
from evalapp.imports.problems import RowProblemError, bad_field, shown

DEEPEST_ROW = 40
DEEPEST_ARGUMENTS = 24
FIELDS_OF_ORIGINAL = "other fields of the format they came in"
OTHER_ROLES = "roles that it does not have (developer, later system messages)"
OTHER_PARTS = "parts of other kinds"
PLAIN_ROLES = ("system", "user", "assistant")


class Written(NamedTuple):
    """The fields of a row, and what of the conversation they cannot express, as plural nouns without
    repetition.
    """

    fields: dict[str, Any]
    losses: list[str]


@dataclass(frozen=True, slots=True)
class ConversationFormat:
    """A conversation format of other systems.

    ``fields``: the fields of a row that it uses. ``recognises``: whether a row is in this format and has more
    than plain text. ``read`` raises RowProblemError; ``write`` raises nothing for a conversation without
    problems.
    """

    key: str
    label: str
    fields: tuple[str, ...]
    recognises: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any]], Conversation]
    write: Callable[[Conversation], Written]


@dataclass
class Writing:
    """State of writing a conversation in a format; ``is_own`` if it was read from the same format."""

    is_own: bool
    sources: Mapping[str, Source]
    losses: dict[str, None] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def lose(self, what: str) -> None:
        self.losses[what] = None

    def hold(self, source: str, *names: str) -> None:
        """Mark a source as written if it has no other fields than these."""
        if set(self.sources.get(source, ())) <= {"id", "extra", *names}:
            self.held.add(source)

    def lose_sources(self) -> None:
        """Record the loss of sources from another format that were not written."""
        if not self.is_own and set(self.sources) - self.held:
            self.lose("sources")

    def finished(self, made: dict[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
        """What was made from a part, with the part's ``extra`` applied if it belongs to this format."""
        extra = part.get("extra", {})
        if self.is_own:
            return changed(made, extra)
        item = extra.get(ITEM)
        # The item's type carries no information.
        around = set(item) - {"type"} if isinstance(item, dict) else set()
        if (extra.keys() | around) - set(OURS):
            self.lose(FIELDS_OF_ORIGINAL)
        return made

    def spelling(self, part: Mapping[str, Any]) -> str | None:
        """Which of several spellings of this format the part had; None if it came from another format."""
        spelling = part.get("extra", {}).get(AS) if self.is_own else None
        return spelling if isinstance(spelling, str) else None


class SourceList:
    """Sources of a conversation while it is read; equal sources are merged by `add`."""

    def __init__(self) -> None:
        self.by_id: dict[str, Source] = {}
        self._ids: dict[str, str] = {}

    def append(self, source: Source) -> str:
        """Add a source, even if an equal one exists, and return its id."""
        identity = f"source-{len(self.by_id) + 1}"
        self.by_id[identity] = {"id": identity, **source}
        return identity

    def add(self, **fields: Any) -> str:
        """Id of the source with exactly these fields, added if new; fields that are None are left out."""
        source = {name: value for name, value in fields.items() if value is not None}
        key = dumps(source)
        if key not in self._ids:
            self._ids[key] = self.append(source)
        return self._ids[key]


def with_all(part: Part, original: Mapping[str, Any], write: Callable[[Part], dict[str, Any]]) -> Part | None:
    """The part with the ``extra`` from which ``write`` restores the original; None if that is impossible."""
    extra = {**part.get("extra", {}), **changes_between(original, write(part))}
    whole = {**part, "extra": extra} if extra else part
    return whole if is_equal_json(write(whole), dict(original)) else None


def other(of: object, value: Any) -> Part:
    return {"type": OTHER, "of": of if isinstance(of, str) else "", "value": value}


def kept(part: Part | None, original: dict[str, Any], write: Callable[[Part], dict[str, Any]]) -> Part:
    """The part without loss, or else the original as a part of another kind."""
    whole = with_all(part, original, write) if part is not None else None
    return whole or other(original.get("type"), original)


def arguments_of(text: str) -> dict[str, Any]:
    """Fields of a call whose arguments are text: parsed if possible, with the exact text if it differs from
    ours.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        written = dumps(value)
    except (ValueError, RecursionError):
        return {"exact": text, "mark": NOT_JSON}
    if deepest(value, DEEPEST_ARGUMENTS) > DEEPEST_ARGUMENTS or not is_storable(value):
        return {"exact": text, "mark": NOT_KEPT}
    if written == text and not _has_unsettled_number(value):
        return {"arguments": value}
    return {"arguments": value, "exact": text}


def _refuse(name: str) -> None:
    raise ValueError(name)


def is_storable(value: Any) -> bool:
    """Whether the database can store all texts in a JSON value."""
    if isinstance(value, str):
        return not bad_character(value)
    if isinstance(value, dict):
        return all(not bad_character(name) and is_storable(each) for name, each in value.items())
    return not isinstance(value, list) or all(map(is_storable, value))


def _has_unsettled_number(value: Any) -> bool:
    # The database may return 1e16 as 10000000000000000, and -0.0 as 0.0.
    if isinstance(value, dict):
        return any(map(_has_unsettled_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_unsettled_number, value))
    return isinstance(value, float) and ("e" in repr(value) or (value == 0 and math.copysign(1, value) < 0))


def arguments_text(part: Part) -> str:
    """Arguments of a call as text: the original text, unless the arguments have changed since."""
    exact = part.get("exact")
    if isinstance(exact, str) and ("arguments" not in part or _is_of(exact, part["arguments"])):
        return exact
    return dumps(part.get("arguments"))


def _is_of(text: str, value: Any) -> bool:
    try:
        return is_equal_json(json.loads(text), value) or dumps(json.loads(text)) == dumps(value)
    except (ValueError, RecursionError):
        return False


def check_depth(fields: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Raises RowProblemError for a field that is nested too deeply to be processed."""
    for name in names:
        if deepest(fields.get(name), DEEPEST_ROW) > DEEPEST_ROW:
            raise bad_field(name, f"This is nested deeper than {DEEPEST_ROW} levels.", "Flatten it.")


def objects(name: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects in a list with their places, counted from 1. Raises RowProblemError for anything else."""
    if not isinstance(value, list):
        raise bad_field(name, "This must be a list of objects.", f'Write "{name}": [{{…}}].')
    for number, each in enumerate(value, start=1):
        if not isinstance(each, dict):
            raise bad_field(f"{name}[{number}]", "This must be an object.", "Write it in curly brackets.")
        yield f"{name}[{number}]", each


def texts_of(message: Mapping[str, Any], **names: str) -> dict[str, str]:
    """The message's fields that are texts, under our names."""
    return {own: message[name] for own, name in names.items() if isinstance(message.get(name), str)}


def role_of(place: str, message: Mapping[str, Any], roles: tuple[str, ...]) -> str:
    role = message.get("role")
    if isinstance(role, str) and role in roles:
        return role
    problem = f"There is no role “{shown(role)}”." if "role" in message else "The message has no role."
    raise bad_field(f"{place}.role", problem, f"Use one of {', '.join(roles)}.")


def bad_content(place: str) -> RowProblemError:
    return bad_field(
        f"{place}.content", "This must be text or a list of parts.", "Put text in double quotes."
    )


def is_plain(message: Any) -> bool:
    """Whether a message has a role, a text and nothing else but empty fields, which tables have in rows that
    leave a column empty.
    """
    if message.get("role") not in PLAIN_ROLES or type(message.get("content")) is not str:
        return False
    return len(message) == 2 or sum(value is not None for value in message.values()) == 2


def are_plain(messages: Any) -> bool:
    """Whether a row's messages are only roles and texts; also True if they are not messages at all."""
    if not isinstance(messages, list):
        return True
    return all(not isinstance(each, dict) or is_plain(each) for each in messages)


def conversation_of(
    key: str, messages: list[Message], *, tools: list[dict[str, Any]], sources: SourceList
) -> Conversation:
    conversation: Conversation = {"v": VERSION, "messages": messages}
    if tools:
        conversation["tools"] = tools
    if sources.by_id:
        conversation["sources"] = list(sources.by_id.values())
    return {**conversation, "origin": {"format": key, "version": ""}}


def with_row(
    conversation: Conversation,
    fields: Mapping[str, Any],
    names: tuple[str, ...],
    write: Callable[[Conversation], Written],
) -> Conversation:
    """The conversation with the row's remaining information: empty lists, and how its fields were spelt."""
    row = {name: fields[name] for name in names if name in fields}
    origin = conversation["origin"]
    extra = {**origin.get("extra", {}), **changes_between(row, write(conversation).fields)}
    return {**conversation, "origin": {**origin, "extra": extra}} if extra else conversation


def writing_of(conversation: Conversation, key: str) -> tuple[Writing, dict[str, Any]]:
    """State for writing the conversation in a format, and the row's ``extra`` if it came from that format."""
    origin = conversation["origin"]
    is_own = origin["format"] == key
    sources = {source["id"]: source for source in conversation.get("sources", ())}
    writing = Writing(is_own, sources)
    extra = origin.get("extra", {})
    return writing, extra if is_own else {}


def unheld(part: Part, writing: Writing) -> None:
    """Record the loss of a part that the format cannot express."""
    kind = part["type"]
    if kind == "reasoning":
        writing.lose("signatures of reasoning" if set(part) & {"sealed"} else "reasoning")
        if part.get("text") or part.get("summary"):
            writing.lose("reasoning")
    elif kind == CALL:
        writing.lose("calls of built-in tools")
    elif kind == "result":
        writing.lose("results of built-in tools")
    elif kind in ("blob", "gone"):
        writing.lose(kind_of_file(part))
    else:
        writing.lose(
            {"source": "sources", "note": "notes", "json": "data", "text": "texts"}.get(kind, OTHER_PARTS)
        )


def kind_of_file(part: Part) -> str:
    media = part.get("media", "")
    for start, name in (("image/", "images"), ("audio/", "sound recordings"), ("video/", "videos")):
        if media.startswith(start):
            return name
    return "files"
