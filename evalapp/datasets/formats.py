"""Reads JSONL and CSV files into rows, as a stream, reporting every bad row with its fields. Pure.

A reader yields one ``ParsedRow`` per row of the file. Whatever the file contains, a reader raises only
FileProblemError (the file as a whole is unusable), and never holds more than one row in memory.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, NamedTuple

from evalapp.conversations.form import conversation_problems
from evalapp.conversations.formats import format_of
from evalapp.conversations.text import Conversation, text_form
from evalapp.datasets.rows import ExampleRow, prompt_hash, row_problems
from evalapp.datasets.splits import ByField, SplitRule
from evalapp.imports.json_objects import EXAMPLE, json_objects
from evalapp.imports.problems import FieldProblem, RowProblemError, bad_field, shown

_ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard", "model"), "assistant"),
    "system": "system",
}
_PREFERENCE = ("chosen", "rejected")
_IN_MESSAGE = ("role", "content")


class ParsedRow(NamedTuple):
    """A row of the file: ``number`` is its line (JSONL) or its spreadsheet row (CSV; the header is 1).

    ``row`` is None exactly where there are ``problems``.
    """

    number: int
    row: ExampleRow | None
    problems: list[FieldProblem]


@dataclass(frozen=True, slots=True)
class Layout:
    """How fields of a file become a row: the split rule, the field that names the group, and an example row
    to show to users whose file has another layout.
    """

    split_rule: SplitRule = field(default_factory=ByField)
    group_field: str = "group"
    example: str = EXAMPLE


def read_jsonl(
    stream: BinaryIO, layout: Layout, *, read: Callable[[int], None] | None = None
) -> Iterator[ParsedRow]:
    """Rows of a JSONL file, or of one JSON list; see ``json_objects``."""
    for number, found in json_objects(stream, read=read, example=layout.example):
        if isinstance(found, FieldProblem):
            yield ParsedRow(number, None, [found])
        else:
            yield reading_of(number, found, layout)


def build_row(fields: dict[str, Any], layout: Layout) -> ExampleRow:
    """A row from the fields of a JSON object; takes the dictionary apart, but nothing in it. Raises
    RowProblemError.

    ``messages`` (a closing assistant turn becomes the first reference), or ``prompt`` (text or messages)
    with ``completion``; ``references``, ``label``, ``context``, ``metadata``, ``pairs``, ``rated`` as in
    ``ExampleRow``; or what other tools write (``rename_to_own_fields``). Messages that hold more than text,
    in the form of one of `evalapp.conversations.formats` or as ``conversation``, are kept as they are beside
    their text. Fields that are not known are kept in the metadata.
    """
    rule = layout.split_rule
    _read_json_texts(fields)
    rename_to_own_fields(fields)
    conversation = _conversation(fields)
    preferences = {name: _preferences(fields.pop(name, None), name) for name in ("pairs", "rated")}
    messages, references = _prompt(fields)
    label = _text_of_number(fields.pop("label", None), "label")
    context = fields.pop("context", None)
    metadata = fields.pop("metadata", None)
    if metadata is None:
        metadata = {}
    elif not isinstance(metadata, dict):
        raise bad_field("metadata", "This must be an object of fields.", 'Write {"field": "value"}.')
    metadata = dict(metadata)
    provenance = fields.pop("provenance", None)
    given_split = fields.pop(rule.name, metadata.get(rule.name)) if isinstance(rule, ByField) else None
    group = _text_of_number(
        fields.pop(layout.group_field, metadata.get(layout.group_field)), layout.group_field
    )
    for name, value in fields.items():
        if name in metadata:
            raise bad_field(
                name, "This field is in the row and in its metadata as well.", "Keep one of the two."
            )
        metadata[name] = value
    row = ExampleRow(
        split="train",
        messages=messages,
        references=references,
        label=label,
        context="" if context is None else context,
        metadata=metadata,
        group_key=group,
        # What a file says about its past is kept as a claim, apart from what this product knows.
        provenance={"imported": provenance} if provenance else {},
        pairs=preferences.get("pairs", ()),
        rated=preferences.get("rated", ()),
        conversation=conversation,
    )
    problems = row_problems(row)
    if problems:
        raise _BuiltRowError(*problems)
    split = rule.split_of(given_split, group or prompt_hash(messages))
    return replace(row, split=split)


def _read_json_texts(fields: dict[str, Any]) -> None:
    """Decode lists of messages that are JSON texts, as in columns of tables."""
    for name in ("messages", "conversations", "prompt", "completion", "chosen", "rejected"):
        text = fields.get(name)
        if isinstance(text, str) and text.lstrip().startswith("[{") and text.rstrip().endswith("}]"):
            # Text that only looks like JSON stays text.
            with suppress(ValueError, RecursionError):
                fields[name] = json.loads(text)


def _conversation(fields: dict[str, Any]) -> Conversation | None:
    """Take what the row's messages hold beyond text out of the fields, which keep the text."""
    conversation: Conversation | None = fields.pop("conversation", None)
    if conversation is not None:
        if problem := next(conversation_problems(conversation), None):
            raise RowProblemError(problem)
        # A closing answer is the first reference of a row that was exported.
        fields.pop("messages", None)
        references = list(fields.get("references") or ())
    elif (form := format_of(fields)) is not None:
        if "messages" in form.fields and "messages" in fields and "prompt" in fields:
            raise bad_field("prompt", "The row has both messages and prompt.", "Keep one of the two.")
        conversation = form.read({name: fields.pop(name) for name in form.fields if name in fields})
        references = []
    else:
        for name in ("tools", "functions"):
            if fields.get(name) in (None, [], {}, "", "[]"):
                fields.pop(name, None)
        return None
    text = text_form(conversation)
    fields["messages"] = text.messages
    if text.answer is not None and not references:
        fields["messages"] = [*text.messages, {"role": "assistant", "content": text.answer}]
    return conversation


class _BuiltRowError(RowProblemError):
    """A problem of a row once it is built, by the names of its own fields."""


def reading_of(
    number: int, fields: Mapping[str, Any], layout: Layout, *, file_name_of: Callable[[str], str] = str
) -> ParsedRow:
    """Build and check one row; every failure becomes a problem of the result.

    ``file_name_of`` maps the name of a JSON object's field to its name in the file.
    """
    try:
        return ParsedRow(number, build_row(dict(fields), layout), [])
    except _BuiltRowError as error:
        names = _names_in_object(dict(fields), layout)
        problems = [problem._replace(field=names(problem.field)) for problem in error.problems]
    except RowProblemError as error:
        problems = list(error.problems)
    return ParsedRow(
        number, None, [problem._replace(field=file_name_of(problem.field)) for problem in problems]
    )


def _names_in_object(fields: dict[str, Any], layout: Layout) -> Callable[[str], str]:
    """A mapping from the fields of a row to those of the object that it was built from."""
    in_file = rename_to_own_fields(fields)
    own = {"group": layout.group_field}
    has_system = fields.get("system") not in (None, "")
    turns = fields.get("messages", fields.get("prompt"))
    source = "messages" if "messages" in fields else "prompt"
    count = len(turns) if isinstance(turns, list) else 1
    if has_system:
        own["messages[1].content"] = "system"
    for number in range(1, count + 1):
        for part in ("content", "role"):
            own[f"messages[{number + has_system}].{part}"] = (
                f"{source}[{number}].{part}" if isinstance(turns, list) else source
            )
    answers = []
    if isinstance(turns, list) and turns and turns[-1].get("role") == "assistant":
        answers.append(f"{source}[{count}].content")
    if fields.get("completion") not in (None, ""):
        answers.append("completion")
    answers += [f"references[{number}]" for number in range(1, len(fields.get("references") or ()) + 1)]
    own |= {f"references[{number}]": name for number, name in enumerate(answers, start=1)}
    # Unknown fields are kept in the metadata, but stood beside it in the object.
    beside = [name for name in fields if name not in (fields.get("metadata") or {})]

    def name_in_object(name: str) -> str:
        rest = name.removeprefix("metadata.")
        if rest != name and any(rest == each or rest.startswith((f"{each}.", f"{each}[")) for each in beside):
            return rest
        return in_file(own.get(name, name))

    return name_in_object


def _prompt(fields: dict[str, Any]) -> tuple[list[dict[str, str]], list[str]]:
    if "messages" in fields and "prompt" in fields:
        raise bad_field("prompt", "The row has both messages and prompt.", "Keep one of the two.")
    if "messages" in fields:
        messages = _messages(fields.pop("messages"), "messages")
    elif "prompt" in fields:
        prompt = fields.pop("prompt")
        if isinstance(prompt, list):
            messages = _messages(prompt, "prompt")
        else:
            messages = [{"role": "user", "content": prompt}]
    else:
        found = ", ".join(shown(name) for name in list(fields)[:6]) or "none"
        raise bad_field(
            "messages",
            f"The row has neither messages nor prompt (fields found: {found}).",
            "Rename the field.",
        )
    if (system := fields.pop("system", None)) not in (None, ""):
        if messages and messages[0].get("role") == "system":
            raise bad_field("system", "The messages have a system message already.", "Keep one of the two.")
        messages.insert(0, {"role": "system", "content": system})
    references = []
    if messages and messages[-1].get("role") == "assistant":
        references.append(messages.pop()["content"])
    references.extend(_references(fields))
    return messages, references


def _messages(value: Any, name: str) -> list[dict[str, str]]:
    if not isinstance(value, list):
        raise bad_field(name, "This must be a list of messages.", 'Write [{"role": "user", "content": "…"}].')
    messages = []
    for number, message in enumerate(value, start=1):
        if not isinstance(message, dict) or "role" not in message or "content" not in message:
            raise bad_field(
                f"{name}[{number}]", "This is not a message.", 'Write {"role": "user", "content": "…"}.'
            )
        extra = next((key for key in message if key not in _IN_MESSAGE and message[key] is not None), None)
        if extra is not None:
            raise bad_field(
                f"{name}[{number}].{shown(extra)}",
                "This field of a message cannot be imported in this form.",
                "Give the whole conversation as messages, or remove the field.",
            )
        content = message["content"]
        if isinstance(content, list):
            content = _joined_parts(content, f"{name}[{number}].content")
        messages.append({"role": message["role"], "content": content})
    return messages


def _joined_parts(parts: list[Any], name: str) -> str:
    texts = []
    for part in parts:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise bad_field(name, "A part of the content is not text.", "Only text can be reviewed.")
        texts.append(part["text"])
    return "".join(texts)


def _references(fields: dict[str, Any]) -> Iterator[Any]:
    completion = fields.pop("completion", None)
    if isinstance(completion, list):
        turns = _messages(completion, "completion")
        if len(turns) != 1 or turns[0]["role"] != "assistant":
            raise bad_field(
                "completion", "The completion must be one message of the assistant.", "Write its text."
            )
        yield turns[0]["content"]
    elif completion not in (None, ""):
        yield completion
    references = fields.pop("references", None)
    if references is None:
        return
    if not isinstance(references, list):
        raise bad_field("references", "This must be a list of texts.", 'Write ["first", "second"].')
    yield from references


def _preferences(value: Any, name: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise bad_field(name, "This must be a list.", "Leave the field out where there is none.")
    return value


def _text_of_number(value: Any, name: str) -> str:
    """Labels and groups may be numbers in files; they are kept as text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise bad_field(name, "This must be a text or a number.", "Write one value.")
    return json.dumps(value)


def example_as_object(example: Any) -> Mapping[str, Any]:
    """An example (or ExampleRow) as the JSON object that ``read_jsonl`` reads back to the same row."""
    optional = {
        "references": list(example.references),
        "label": example.label,
        "context": example.context,
        "metadata": dict(example.metadata),
        "group": example.group_key,
        "provenance": dict(example.provenance),
        "pairs": list(example.pairs),
        "rated": list(example.rated),
        "conversation": example.conversation,
    }
    # Metadata may hold a field named "group"; an empty group must not be filled from it.
    kept = {name: value for name, value in optional.items() if value or name in example.metadata}
    return {"split": example.split, "messages": list(example.messages), **kept}


def rename_to_own_fields(fields: dict[str, Any]) -> Callable[[str], str]:
    """Rename in place the fields of a row as other tools write it: Alpaca, ShareGPT, preferences (TRL's and
    LLaMA-Factory's: ``chosen`` and ``rejected`` beside a prompt or as whole conversations, and a
    ``completion`` with a ``label`` or ``kto_tag`` that is true or false). Returns the way from the name
    of a field here to what the file calls it.

    A row that has ``messages`` or ``prompt`` is in this product's own words, but for preferences.
    Raises RowProblemError.
    """
    named: dict[str, str] = {}
    is_own = "messages" in fields or "prompt" in fields
    if not is_own and "conversations" in fields:
        named |= _share_gpt(fields)
    elif not is_own and "instruction" in fields:
        named |= _alpaca(fields)
    if isinstance(fields.get("kto_tag"), bool) and "label" not in fields:
        fields["label"] = fields.pop("kto_tag")
        named["label"] = "kto_tag"
    if all(name in fields for name in _PREFERENCE):
        named |= _take_pair(fields)
    elif isinstance(fields.get("label"), bool):
        named |= _take_rated_answer(fields)
    return lambda name: named.get(name, name)


def _share_gpt(fields: dict[str, Any]) -> dict[str, str]:
    turns = fields.pop("conversations")
    if not isinstance(turns, list) or not turns:
        raise bad_field(
            "conversations", "This must be a list of turns.", 'Write [{"from": "human", "value": "…"}].'
        )
    fields["messages"] = [
        _message_of_turn(turn, f"conversations[{n}]") for n, turn in enumerate(turns, start=1)
    ]
    named = {"messages": "conversations"}
    for number in range(1, len(turns) + 1):
        named[f"messages[{number}].content"] = f"conversations[{number}].value"
        named[f"messages[{number}].role"] = f"conversations[{number}].from"
    return named


def _message_of_turn(turn: Any, name: str) -> dict[str, Any]:
    if isinstance(turn, dict) and turn.keys() == {"role", "content"}:
        return turn
    if not isinstance(turn, dict) or "from" not in turn or "value" not in turn:
        raise bad_field(name, "This is not a turn.", 'Write {"from": "human", "value": "…"}.')
    role = _ROLES.get(str(turn["from"]).lower())
    if role is None:
        raise bad_field(
            f"{name}.from",
            f"The speaker “{str(turn['from'])[:40]}” is not supported.",
            "Only turns of system, human and gpt can be reviewed; leave such rows out.",
        )
    return {"role": role, "content": turn["value"]}


def _alpaca(fields: dict[str, Any]) -> dict[str, str]:
    instruction, more = fields.pop("instruction"), fields.pop("input", "")
    if more in (None, ""):
        text = instruction
    elif isinstance(instruction, str) and isinstance(more, str):
        text = f"{instruction}\n\n{more}"
    else:
        raise bad_field("input", "This is not text.", "Put text in double quotes.")
    earlier = fields.pop("history", None) or []
    fields["messages"] = [*_history_messages(earlier), {"role": "user", "content": text}]
    if "output" in fields and "completion" not in fields:
        fields["completion"] = fields.pop("output")
    return {f"messages[{2 * len(earlier) + 1}].content": "instruction", "completion": "output"}


def _history_messages(earlier: Any) -> list[dict[str, Any]]:
    if not isinstance(earlier, list) or not all(
        isinstance(exchange, list) and len(exchange) == 2 for exchange in earlier
    ):
        raise bad_field(
            "history", "This must be a list of earlier exchanges.", 'Write [["question", "answer"]].'
        )
    return [
        {"role": role, "content": text}
        for exchange in earlier
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]


def _take_pair(fields: dict[str, Any]) -> dict[str, str]:
    if "messages" not in fields and "prompt" not in fields:
        fields["messages"] = _shared_beginning(fields)
    pair = {name: _answer(fields.pop(name), name) for name in _PREFERENCE}
    fields["pairs"] = [*(fields.get("pairs") or ()), pair]
    return {f"pairs[{len(fields['pairs'])}].{name}": name for name in _PREFERENCE}


def _shared_beginning(fields: dict[str, Any]) -> list[Any]:
    """The prompt shared by two whole conversations; the rest of each is its answer."""
    chosen, rejected = (fields[name] for name in _PREFERENCE)
    if not (isinstance(chosen, list) and isinstance(rejected, list)) or chosen[:-1] != rejected[:-1]:
        raise bad_field(
            "chosen",
            "There is no prompt, and chosen and rejected are not two conversations that differ in their"
            " last turn.",
            "Give the prompt in its own field.",
        )
    fields["chosen"], fields["rejected"] = chosen[-1:], rejected[-1:]
    return chosen[:-1]


def _take_rated_answer(fields: dict[str, Any]) -> dict[str, str]:
    is_good = fields.pop("label")
    if "completion" not in fields:
        messages = fields.get("messages")
        if not isinstance(messages, list) or len(messages) < 2:
            raise bad_field("label", "There is no completion for this label.", "Give the completion.")
        # LLaMA-Factory judges the closing turn.
        fields["messages"], fields["completion"] = messages[:-1], messages[-1:]
    fields["rated"] = [
        *(fields.get("rated") or ()),
        {"answer": _answer(fields.pop("completion"), "completion"), "good": is_good},
    ]
    return {f"rated[{len(fields['rated'])}].answer": "completion"}


def _answer(value: Any, name: str) -> Any:
    """The text of an answer that is given as text or as the assistant's turn."""
    turns = value if isinstance(value, list) else [value]
    if len(turns) == 1 and isinstance(turns[0], dict):
        turn = _message_of_turn(turns[0], name)
        if turn["role"] == "assistant":
            return turn["content"]
    elif not isinstance(value, list):
        return value
    raise bad_field(name, "This must be one answer of the assistant.", "Write its text.")
