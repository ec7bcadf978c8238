"""The text of a conversation: what people read and score, metrics compare and models are trained on. Pure."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

Conversation = Mapping[str, Any]
Message = Mapping[str, Any]

_INSTRUCTIONS = ("system", "developer")
# Keys whose values are the form's own words, or bytes.
_FIELDS_OF_THE_FORM = frozenset(
    ["v", "origin", "role", "finish", "time", "type", "id", "call", "by", "of", "sha256", "media", "data",
     "sealed"]
)  # fmt: skip
# Below these keys all text is other people's.
_FIELDS_OF_OTHERS = frozenset(["arguments", "value", "extra", "schema"])
_BETWEEN = "\n\n"
_NOUNS = {"call": "tool call", "reasoning": "reasoning step", "note": "note", "json": "data part"}
_MEDIA = {"image": "image", "audio": "recording", "video": "video"}


class TextForm(NamedTuple):
    """A conversation as text.

    ``messages``: as in a row, [{"role": "system"|"user"|"assistant", "content": str}], ending with the user's
    turn.
    ``answer``: the text of the turn that follows; None without one.
    """

    messages: list[dict[str, str]]
    answer: str | None


class Turn(NamedTuple):
    """Consecutive messages of one side: "system" (the initial instructions), "user", or "assistant" (with the
    results of its tools). ``start``: index of the first in the conversation.
    """

    role: str
    start: int
    messages: Sequence[Message]


def turns_of(conversation: Conversation) -> list[Turn]:
    """The conversation in turns. Later instructions belong to the turn in which they are given."""
    sides: list[str] = []
    for message in conversation["messages"]:
        role = message["role"]
        if role in _INSTRUCTIONS:
            sides.append(sides[-1] if sides else "system")
        else:
            sides.append("user" if role == "user" else "assistant")
    turns, start = [], 0
    for side, run in groupby(sides):
        count = len(list(run))
        turns.append(Turn(side, start, conversation["messages"][start : start + count]))
        start += count
    return turns


def text_form(conversation: Conversation) -> TextForm:
    """The conversation as text.

    A turn without words is represented by its tool calls, ``name({"argument": 1})``, or by its contents in
    square brackets, ``[1 image]``; the latter does not count as an answer.
    """
    turns = turns_of(conversation)
    messages = [{"role": turn.role, "content": _text_of(turn)} for turn in turns]
    answer = None
    if messages and messages[-1]["role"] == "assistant":
        answer = messages.pop()["content"]
        if not _has_content(turns[-1]):
            answer = None
    return TextForm(messages, answer)


def with_texts(
    conversation: Conversation, messages: Sequence[Mapping[str, str]], answer: str | None
) -> Conversation | None:
    """The conversation with other texts, given in its text form.

    None if a changed text is spread over several parts, or if the number of turns differs.
    """
    turns = turns_of(conversation)
    texts = [message["content"] for message in messages]
    if turns and turns[-1].role == "assistant" and answer is not None:
        texts.append(answer)
    if len(texts) != len(turns):
        return None
    changed = list(conversation["messages"])
    for turn, text in zip(turns, texts, strict=True):
        if text == _text_of(turn):
            continue
        places = list(_text_places(turn))
        if len(places) != 1:
            return None
        place, part = places[0]
        changed[place] = _with_text(changed[place], part, text)
    return {**conversation, "messages": changed}


def without_answer(conversation: Conversation) -> Conversation:
    """The conversation up to the user's last turn: the input of an answer."""
    turns = turns_of(conversation)
    if not turns or turns[-1].role != "assistant":
        return conversation
    messages = conversation["messages"]
    before, after = messages[: turns[-1].start], messages[turns[-1].start :]
    question = {**conversation, "messages": before}
    only_after = _named_sources(after) - _named_sources(before)
    if only_after:
        question["sources"] = [each for each in conversation["sources"] if each.get("id") not in only_after]
    return question


def _named_sources(value: Any) -> set[str]:
    """Ids of the sources that a value refers to: in citations, parts and results."""
    if isinstance(value, Mapping):
        own = {value["source"]} if isinstance(value.get("source"), str) else set()
        return own.union(*map(_named_sources, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(_named_sources, value))
    return set()


def with_answer(conversation: Conversation, answer: str | None) -> Conversation:
    """The conversation with this text after the user's last turn, in place of what followed; nothing if
    None.
    """
    question = without_answer(conversation)
    if answer is None:
        return question
    return {**question, "messages": [*question["messages"], {"role": "assistant", "content": answer}]}


def with_call_ids(conversation: Conversation) -> Conversation:
    """The conversation with an id for every call and its result, and without empty texts.

    Formats that identify calls need the former and reject the latter.
    """
    count, waiting, messages = 0, [], []
    for message in conversation["messages"]:
        if "parts" not in message:
            messages.append(message)
            continue
        parts = []
        for part in message["parts"]:
            if part["type"] == "text" and not part["text"] and len(message["parts"]) > 1:
                continue
            named = part
            if part["type"] == "call" and not part.get("call"):
                count += 1
                named = {**part, "call": f"call_{count}"}
                waiting.append(named["call"])
            elif part["type"] == "result" and not part.get("call") and waiting:
                named = {**part, "call": waiting.pop(0)}
            parts.append(named)
        messages.append({**message, "parts": parts})
    return {**conversation, "messages": messages}


def left_out(messages: Iterable[Message], conversation: Conversation | None = None) -> str:
    """What the text of the messages leaves out, such as “2 tool calls, 1 image”; "" for nothing. With the
    conversation, its sources and offered tools are counted too.
    """
    counts: Counter[str] = Counter()
    for message in messages:
        counts.update(noun for part in message.get("parts", ()) if (noun := _noun(part)))
    if conversation is not None:
        counts["source"] += len(conversation.get("sources") or ())
        counts["tool offered"] += len(conversation.get("tools") or ())
    return ", ".join(f"{count} {_plural(noun, count)}" for noun, count in counts.items() if count)


def other_texts(conversation: Conversation) -> dict[str, str]:
    """Texts of the conversation by JSON Pointer (RFC 6901), except those that are the whole text of a turn.

    Bytes of files and sealed content are left out, too.
    """
    whole = set()
    for turn in turns_of(conversation):
        places = list(_text_places(turn))
        if len(places) == 1:
            place, part = places[0]
            inside = "content" if part is None else f"parts/{part}/text"
            whole.add(f"/messages/{place}/{inside}")
    return {
        pointer: text
        for pointer, text in _texts(_without_exact(conversation), "", is_form=True)
        if pointer not in whole
    }


def _without_exact(value: Any) -> Any:
    """The value without the exact text of arguments that are also there as values."""
    if isinstance(value, Mapping):
        is_call = value.get("type") == "call" and "arguments" in value
        return {
            key: _without_exact(inner) for key, inner in value.items() if not (is_call and key == "exact")
        }
    if isinstance(value, list | tuple):
        return [_without_exact(inner) for inner in value]
    return value


def with_other_text(conversation: Conversation, pointer: str, text: str) -> Conversation | None:
    """The conversation with another text at a pointer of `other_texts`; None for another pointer."""
    if pointer not in other_texts(conversation):
        return None
    if "/arguments/" in pointer:
        # The exact text of the arguments no longer applies.
        call = [key for key in pointer.partition("/arguments/")[0].split("/") if key]
        conversation = _without_exact_at(conversation, call)
    keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
    changed: Conversation = _with_leaf(conversation, keys, text)
    return changed


def every_text(value: Any, *, is_form: bool = False) -> Iterator[str]:
    """All texts in a JSON value. ``is_form``: the value is a conversation, whose own words (types, roles,
    ids) and bytes of files are left out.
    """
    return (text for _, text in _texts(value, "", is_form=is_form))


def with_every_text(value: Any, change: Callable[[str], str], *, is_form: bool = False) -> Any:
    """The value with all texts of `every_text` changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        changed = {
            key: inner
            if is_form and key in _FIELDS_OF_THE_FORM
            else with_every_text(inner, change, is_form=is_form and key not in _FIELDS_OF_OTHERS)
            for key, inner in value.items()
        }
        if is_form and "arguments" in value and changed["arguments"] != value["arguments"]:
            # The exact text of the arguments no longer applies.
            changed.pop("exact", None)
        return changed
    if isinstance(value, list | tuple):
        return [with_every_text(inner, change, is_form=is_form) for inner in value]
    return value


def is_in_one_piece(conversation: Conversation, number: int) -> bool:
    """Whether the text of a turn (numbered from 0) is in a single part, so that it can be changed."""
    turns = turns_of(conversation)
    return number < len(turns) and len(list(_text_places(turns[number]))) == 1


def _without_exact_at(value: Any, keys: Sequence[str]) -> Any:
    if not keys:
        return _without_exact(value)
    key, *rest = keys
    if isinstance(value, Mapping):
        return {**value, key: _without_exact_at(value[key], rest)} if key in value else value
    changed = list(value)
    changed[int(key)] = _without_exact_at(changed[int(key)], rest)
    return changed


def _with_leaf(value: Any, keys: Sequence[str], text: str) -> Any:
    if not keys:
        return text
    key, *rest = keys
    if isinstance(value, Mapping):
        return {**value, key: _with_leaf(value[key], rest, text)}
    changed = list(value)
    changed[int(key)] = _with_leaf(changed[int(key)], rest, text)
    return changed


def _texts(value: Any, pointer: str, *, is_form: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not (is_form and key in _FIELDS_OF_THE_FORM):
                place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
                yield from _texts(inner, place, is_form=is_form and key not in _FIELDS_OF_OTHERS)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{pointer}/{number}", is_form=is_form)


def _noun(part: Mapping[str, Any]) -> str:
    kind = part["type"]
    if kind in ("text", "result", "source"):
        return ""
    if kind in ("blob", "gone"):
        return _MEDIA.get(str(part.get("media") or "").partition("/")[0], "file")
    if kind == "other":
        named = str(part["of"])
        return next((noun for word, noun in _MEDIA.items() if word in named), "other part")
    return _NOUNS.get(kind, "other part")


def _plural(noun: str, count: int) -> str:
    if count == 1:
        return noun
    first, _, rest = noun.partition(" ")
    return f"{first}s {rest}" if rest == "offered" else f"{noun}s"


def _text_of(turn: Turn) -> str:
    texts = [text for message in turn.messages if (text := _own_text(turn, message))]
    if any(text.strip() for text in texts) or turn.role == "system":
        return _BETWEEN.join(texts)
    calls = [
        f"{part.get('name', '')}({_arguments(part)})"
        for message in turn.messages
        for part in message.get("parts", ())
        if part["type"] == "call"
    ]
    return "\n".join(calls) or _bracketed(left_out(turn.messages))


def _has_content(turn: Turn) -> bool:
    parts = (part for message in turn.messages for part in message.get("parts", ()))
    return any(_own_text(turn, each).strip() for each in turn.messages) or any(
        part["type"] == "call" for part in parts
    )


def _bracketed(words: str) -> str:
    return f"[{words}]" if words else ""


def _own_text(turn: Turn, message: Message) -> str:
    """The text that a message adds to its turn; nothing for tool results and for later instructions."""
    if message["role"] == "tool" or (message["role"] in _INSTRUCTIONS and turn.role != "system"):
        return ""
    if "content" in message:
        return str(message["content"])
    runs = groupby(message["parts"], key=lambda part: part["type"] == "text")
    return _BETWEEN.join("".join(part["text"] for part in run) for is_text, run in runs if is_text)


def _text_places(turn: Turn) -> Iterator[tuple[int, int | None]]:
    """Positions of the turn's text: index of the message, and of its part unless it has content."""
    for place, message in enumerate(turn.messages, start=turn.start):
        if not _own_text(turn, message):
            continue
        if "content" in message:
            yield place, None
            continue
        for number, part in enumerate(message["parts"]):
            if part["type"] == "text":
                yield place, number


def _with_text(message: Message, part: int | None, text: str) -> Message:
    if part is None:
        return {**message, "content": text}
    # Citations refer to positions in the old text.
    parts = [
        {**{name: value for name, value in each.items() if name != "citations"}, "text": text}
        if number == part
        else each
        for number, each in enumerate(message["parts"])
    ]
    return {**message, "parts": parts}


def _arguments(call: Mapping[str, Any]) -> str:
    if "exact" in call:
        return str(call["exact"])
    return json.dumps(call.get("arguments"), ensure_ascii=False)
