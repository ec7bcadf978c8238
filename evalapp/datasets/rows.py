"""One row of a dataset version: its structure, its limits, and the hashes of its content."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from evalapp.conversations.form import conversation_problems
from evalapp.conversations.text import Conversation, text_form
from evalapp.datasets.models import Example, Split
from evalapp.imports.problems import FieldProblem, is_fine, shown, text_problems

# A field or row beyond these limits is an error in the file, not a text that a person could judge.
LONGEST_TEXT = 1_000_000
LONGEST_SHORT_TEXT = 200
DEEPEST_NESTING = 8

ROLES = ("system", "user", "assistant")
SPLITS = frozenset(Split.values)


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """A row that is not stored yet; the fields are those of ``Example``.

    ``messages``: [{"role": "system"|"user"|"assistant", "content": str}, …], ending with a user turn.
    ``references``: accepted answers, best first; may be empty. ``metadata``: fields by name.
    ``provenance``: where a row made from feedback came from; no part of the content hash.
    ``pairs`` and ``rated``: preferences among answers, as in ``Example``. ``row_key``: which earlier row of
    the dataset it is; None: found out by its name or prompt. ``conversation``: what its text was taken from,
    where that holds more than text.
    """

    split: str
    messages: Sequence[Mapping[str, str]]
    references: Sequence[str] = ()
    label: str = ""
    context: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    group_key: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    pairs: Sequence[Mapping[str, str]] = ()
    rated: Sequence[Mapping[str, Any]] = ()
    row_key: int | None = None
    conversation: Conversation | None = None


class Serialised(NamedTuple):
    """A row as the database stores it: its JSON texts and the two hashes (hexadecimal SHA-256)."""

    messages: str
    references: str
    metadata: str
    provenance: str
    prompt_hash: str
    content_hash: str
    pairs: str
    rated: str
    conversation: str


def example_row(example: Example) -> ExampleRow:
    """The stored row, with its key."""
    return ExampleRow(
        split=example.split,
        messages=example.messages,
        references=example.references,
        label=example.label,
        context=example.context,
        metadata=example.metadata,
        group_key=example.group_key,
        provenance=example.provenance,
        pairs=example.pairs,
        rated=example.rated,
        row_key=example.row_key,
        conversation=example.conversation,
    )


# Canonical JSON: sorted keys, no white space, no escapes that are not needed. One encoder object, because
# json.dumps builds a new one at every call with such options.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode
_quote: Callable[[str], str] = json.encoder.encode_basestring


def prompt_hash(messages: Sequence[Mapping[str, str]]) -> str:
    """SHA-256 of the canonical JSON of the messages: the same prompt has it in every version."""
    return _digest(_messages_json(messages))


def serialise(row: ExampleRow) -> Serialised:
    """The row's JSON texts and hashes.

    The content hash covers split, messages, references, label, context, metadata and group, and preferences
    and the conversation where there are any. The row must have passed ``row_problems``.
    """
    messages = _messages_json(row.messages)
    references = f"[{','.join(map(_quote, row.references))}]"
    metadata = _encode(dict(row.metadata)) if row.metadata else "{}"
    content = (
        f"[{_quote(row.split)},{messages},{references},{_quote(row.label)},"
        f"{_quote(row.context)},{metadata},{_quote(row.group_key)}"
    )
    pairs = _encode([dict(pair) for pair in row.pairs]) if row.pairs else "[]"
    rated = _encode([dict(each) for each in row.rated]) if row.rated else "[]"
    # Absent parts are left out of the hash.
    content += f",{pairs},{rated}" if row.pairs or row.rated else ""
    conversation = _encode(row.conversation) if row.conversation is not None else ""
    content += f",{conversation}]" if conversation else "]"
    provenance = _encode(dict(row.provenance)) if row.provenance else "{}"
    return Serialised(
        messages, references, metadata, provenance, _digest(messages), _digest(content), pairs, rated,
        conversation,
    )  # fmt: skip


def row_problems(row: ExampleRow) -> list[FieldProblem]:
    """Every reason why the product cannot use the row; empty for a good row."""
    problems = list(_message_problems(row.messages))
    if row.split not in SPLITS:
        problems.append(
            FieldProblem(
                "split", f"“{shown(row.split)}” is not a split.", f"Use one of {', '.join(Split.values)}."
            )
        )
    for name, text, longest in (
        ("label", row.label, LONGEST_SHORT_TEXT),
        ("group", row.group_key, LONGEST_SHORT_TEXT),
        ("context", row.context, LONGEST_TEXT),
    ):
        problems.extend(text_problems(name, text, longest))
    for number, reference in enumerate(row.references, start=1):
        problems.extend(text_problems(f"references[{number}]", reference, LONGEST_TEXT, needs_words=True))
    if row.pairs or row.rated:
        problems.extend(_preference_problems(row))
    if row.conversation is not None:
        problems.extend(_conversation_problems(row))
    for name, value in (("metadata", row.metadata), ("provenance", row.provenance)):
        if isinstance(cast(Any, value), (dict, Mapping)):
            problems.extend(_json_problems(name, value, 1))
        else:
            problems.append(
                FieldProblem(name, "This must be an object of fields.", 'Write {"field": "value"}.')
            )
    return problems


def _messages_json(messages: Sequence[Mapping[str, str]]) -> str:
    # Same output as `_encode`, built by hand because a general encoder takes three times as long.
    turns = (
        f'{{"content":{_quote(message["content"])},"role":{_quote(message["role"])}}}' for message in messages
    )
    return f"[{','.join(turns)}]"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _message_problems(messages: Any) -> Iterator[FieldProblem]:
    if not isinstance(messages, (list, Sequence)) or isinstance(messages, str) or not messages:
        yield FieldProblem("messages", "There is no prompt.", "Give at least one message of the user.")
        return
    expected = "user"
    for number, message in enumerate(messages, start=1):
        name = f"messages[{number}]"
        if not isinstance(message, (dict, Mapping)) or not isinstance(message.get("role"), str):
            yield FieldProblem(name, "This is not a message.", 'Write {"role": "user", "content": "…"}.')
            return
        role = message["role"]
        if role not in ROLES:
            yield FieldProblem(
                f"{name}.role",
                f"The role “{shown(role)}” is not supported.",
                "Use system, developer, user, assistant or tool, or leave such rows out.",
            )
            return
        yield from text_problems(
            f"{name}.content", message.get("content"), LONGEST_TEXT, needs_words=role != "system"
        )
        if role == "system" and number == 1:
            continue
        if role != expected:
            yield FieldProblem(
                f"{name}.role",
                f"A message of the {expected} was expected here, not of the {role}.",
                "After at most one system message, user and assistant must take turns: merge "
                "neighbouring messages of the same role.",
            )
            return
        expected = "assistant" if role == "user" else "user"
    if messages[-1]["role"] != "user":
        yield FieldProblem(
            "messages", "The prompt does not end with the user's turn.", "Add the user's question at the end."
        )


def _conversation_problems(row: ExampleRow) -> Iterator[FieldProblem]:
    problems = list(conversation_problems(row.conversation))
    yield from problems
    if not problems and text_form(row.conversation or {}).messages != list(row.messages):
        yield FieldProblem(
            "conversation",
            "Its text is not that of the row's messages.",
            "Give the messages once, in either form.",
        )


def _preference_problems(row: ExampleRow) -> Iterator[FieldProblem]:
    for name, found, parts in (
        ("pairs", row.pairs, {"chosen", "rejected"}),
        ("rated", row.rated, {"answer", "good"}),
    ):
        for number, each in enumerate(found, start=1):
            place = f"{name}[{number}]"
            if not isinstance(cast(Any, each), (dict, Mapping)) or set(each) != parts:
                yield FieldProblem(
                    place, "This is not a preference pair.", f"Write {' and '.join(sorted(parts))}."
                )
                continue
            for part in sorted(parts - {"good"}):
                yield from text_problems(f"{place}.{part}", each[part], LONGEST_TEXT, needs_words=True)
            if name == "pairs" and each["chosen"] == each["rejected"]:
                yield FieldProblem(
                    f"{place}.rejected", "Both answers are the same text.", "Leave the pair out."
                )
            if name == "rated" and not isinstance(each["good"], bool):
                yield FieldProblem(f"{place}.good", "This must be true or false.", "Write one of the two.")


def _is_plain_field(key: Any, value: Any) -> bool:
    if not is_fine(key, LONGEST_SHORT_TEXT) or not key.strip():
        return False
    if type(value) is int or type(value) is float:
        return abs(value) < 2**63
    return value is None or type(value) is bool or is_fine(value, LONGEST_TEXT)


def _json_problems(name: str, value: Any, depth: int) -> Iterator[FieldProblem]:
    if depth > DEEPEST_NESTING:
        yield FieldProblem(
            name, f"The value is nested deeper than {DEEPEST_NESTING} levels.", "Flatten it to fields."
        )
    elif isinstance(value, str):
        yield from text_problems(name, value, LONGEST_TEXT)
    elif isinstance(value, (dict, Mapping)):
        for key, inner in value.items():
            if _is_plain_field(key, inner):
                continue
            if not isinstance(key, str):
                yield FieldProblem(name, f"The field name {key!r} is not text.", "Use text for field names.")
                continue
            yield from text_problems(f"{name} field name", key, LONGEST_SHORT_TEXT, needs_words=True)
            yield from _json_problems(f"{name}.{shown(key)}", inner, depth + 1)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value, start=1):
            yield from _json_problems(f"{name}[{number}]", inner, depth + 1)
    elif isinstance(value, int | float) and not abs(value) < 2**63:
        yield FieldProblem(
            name, "The number is not finite or has more than 18 digits.", "Write it as text, in quotes."
        )
    elif value is not None and not isinstance(value, int | float):
        yield FieldProblem(name, f"A {type(value).__name__} cannot be stored.", "Use text or a number.")
