"""New values for fields of a row, by name: checked, and put in their places. Pure.

Names: ``messages.N``, ``references.N`` (one more than there are adds one), ``references`` (all of them),
``context``, ``label``, ``split``, ``group``, ``metadata.NAME``, ``pairs.N.chosen``, ``pairs.N.rejected``,
``rated.N.answer``, and ``conversation`` with a JSON Pointer to what the text of its turns does not tell
(``conversation/tools/0/description``); N counts from 0.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evalapp.conversations.text import (
    is_in_one_piece,
    other_texts,
    text_form,
    with_other_text,
    with_texts,
    without_answer,
)
from evalapp.core.errors import InvalidError
from evalapp.datasets.rows import ExampleRow, row_problems

IN_CONVERSATION = "conversation"
_NO_CONVERSATION: Mapping[str, Any] = {"messages": []}
_LONGEST_PLACE = 8
_WHOLE_FIELDS = {"context": "context", "label": "label", "split": "split", "group": "group_key"}


def with_changes(row: ExampleRow, changes: Mapping[str, Any]) -> ExampleRow:
    """The row with these values; the given one stays as it is. Raises InvalidError for a name that the row
    does not have, and for the text of a turn that its conversation does not hold in one piece; see
    `checked_changes` for the values.
    """
    for name, value in changes.items():
        if name.startswith(IN_CONVERSATION):
            row = _with_other_text(row, name, value)
    changed = row
    for name, value in changes.items():
        if not name.startswith(IN_CONVERSATION):
            changed = _with_field(changed, name, value)
    return changed if row.conversation is None else _with_texts_of_conversation(row, changed)


def checked_changes(row: ExampleRow, changes: Mapping[str, Any]) -> ExampleRow:
    """The changed row. Raises InvalidError with every field that it could not be stored with."""
    changed = with_changes(row, changes)
    problems = row_problems(changed)
    if problems:
        first = f"{_shown_label(changed, problems[0].field)}: {problems[0].problem} {problems[0].fix}".strip()
        raise InvalidError(
            f"The row cannot be changed like this: {first}",
            fields={_name_of(each.field): [f"{each.problem} {each.fix}"] for each in problems},
        )
    return changed


def _name_of(place: str) -> str:
    """The name here of a field that `row_problems` names: there they count from 1, as people do."""
    name = re.sub(r"\[(\d+)\]", lambda match: f".{int(match[1]) - 1}", place)
    return name.removesuffix(".content")


def _shown_label(row: ExampleRow, place: str) -> str:
    name = _name_of(place)
    return field_label(row, name) if name in text_fields(row) else place


def text_at(row: ExampleRow, name: str) -> str:
    """The text of a field by its name; "" where it is none."""
    first, _, rest = name.partition(".")
    if name in _WHOLE_FIELDS:
        return str(getattr(row, _WHOLE_FIELDS[name]))
    if first == "metadata":
        value = row.metadata.get(rest, "")
        return value if isinstance(value, str) else ""
    if name.startswith(IN_CONVERSATION):
        return other_texts(row.conversation or _NO_CONVERSATION).get(name.removeprefix(IN_CONVERSATION), "")
    place, _, part = rest.partition(".")
    items: Any = getattr(row, first, ())
    if not place.isdecimal() or int(place) >= len(items):
        return ""
    item = items[int(place)]
    return str(item if isinstance(item, str) else item.get(part or "content", ""))


def text_fields(row: ExampleRow) -> list[str]:
    """The names of all its texts that a person wrote, as they can be changed."""
    names = [f"messages.{number}" for number in range(len(row.messages))]
    names += [f"references.{number}" for number in range(len(row.references))]
    if row.conversation is not None:
        names = _in_one_piece(row, row.conversation, names)
    names += ["context"] if row.context else []
    names += [f"pairs.{number}.{part}" for number in range(len(row.pairs)) for part in ("chosen", "rejected")]
    names += [f"rated.{number}.answer" for number in range(len(row.rated))]
    return names + [f"metadata.{name}" for name, value in row.metadata.items() if isinstance(value, str)]


def _in_one_piece(row: ExampleRow, conversation: Mapping[str, Any], names: list[str]) -> list[str]:
    """These names without turns of several texts, whose pieces are named instead."""
    turns = {f"messages.{number}": number for number in range(len(row.messages))}
    answer = text_form(conversation).answer
    if answer is not None and row.references[:1] == [answer]:
        turns["references.0"] = len(row.messages)
    kept = [name for name in names if name not in turns or is_in_one_piece(conversation, turns[name])]
    return kept + [f"{IN_CONVERSATION}{pointer}" for pointer in other_texts(conversation)]


def field_label(row: ExampleRow, name: str) -> str:
    """A field of the row as people call it: ``references.1`` is "Reference 2", a system message "System
    message", and the only message of the user "Prompt".
    """
    first, _, rest = name.partition(".")
    place, _, part = rest.partition(".")
    if first == "metadata":
        return rest
    if name.startswith(IN_CONVERSATION):
        return ", ".join(name.split("/")).capitalize()
    if not place.isdecimal():
        return first.capitalize()
    number = "" if place == "0" else f" {int(place) + 1}"
    if first == "messages":
        role = row.messages[int(place)]["role"]
        is_only = sum(message["role"] == "user" for message in row.messages) == 1
        if role == "user":
            return "Prompt" if is_only else f"User message{number}"
        return f"{role.capitalize()} message"
    words = {"references": "Reference", "pairs": "Pair", "rated": "Rated answer"}[first]
    return f"{words}{number}{f', {part}' if part in ('chosen', 'rejected') else ''}"


def _with_other_text(row: ExampleRow, name: str, value: Any) -> ExampleRow:
    conversation = row.conversation
    if conversation is None or not isinstance(value, str):
        raise _unknown(name)
    changed = with_other_text(conversation, name.removeprefix(IN_CONVERSATION), value)
    if changed is None:
        raise _unknown(name)
    before, now = text_form(conversation), text_form(changed)
    references = list(row.references)
    if now.answer is not None and references and references[0] == before.answer:
        references[0] = now.answer
    return replace(row, conversation=changed, messages=now.messages, references=references)


def _with_texts_of_conversation(row: ExampleRow, changed: ExampleRow) -> ExampleRow:
    """The changed row with its texts in its conversation too. Values that cannot be stored are told by
    `checked_changes`.
    """
    was, given = (next(iter(each.references), None) for each in (row, changed))
    texts = [*(message["content"] for message in changed.messages), *changed.references]
    is_same = changed.messages == row.messages and was == given
    if is_same or row.conversation is None or not all(isinstance(text, str) for text in texts):
        return changed
    # The first reference may be another answer than the one that the conversation ends with.
    answer = text_form(row.conversation).answer
    if answer is not None and answer == was:
        answer = given
    conversation = row.conversation if answer is not None else without_answer(row.conversation)
    found = with_texts(conversation, changed.messages, answer)
    if found is None:
        message = (
            "This turn has several texts with tool calls or files between them, so it cannot be edited as"
            " one text. Change its parts by the API, as conversation/messages/N/parts/M/text, which count"
            " from 0."
        )
        raise InvalidError(f"The row cannot be changed like this: {message}", fields={"changes": [message]})
    return replace(changed, conversation=found)


def _with_field(row: ExampleRow, name: str, value: Any) -> ExampleRow:
    first, _, rest = name.partition(".")
    if name in _WHOLE_FIELDS:
        return replace(row, **{_WHOLE_FIELDS[name]: value})
    if name == "references":
        if not isinstance(value, list | tuple):
            message = "The references must be a list of texts."
            raise InvalidError(f"The row cannot be changed like this: {message}", fields={name: [message]})
        return replace(row, references=list(value))
    if first == "metadata" and rest:
        return replace(row, metadata={**row.metadata, rest: value})
    place = rest.partition(".")[0]
    if place.isdecimal() and len(place) < _LONGEST_PLACE:
        return _with_item(row, name, value)
    raise _unknown(name)


def _with_item(row: ExampleRow, name: str, value: Any) -> ExampleRow:
    field, _, rest = name.partition(".")
    place_text, _, part = rest.partition(".")
    place = int(place_text)
    if field == "references" and not part and place <= len(row.references):
        kept = list(row.references)
        return replace(row, references=[*kept[:place], value, *kept[place + 1 :]])
    items = {"messages": row.messages, "pairs": row.pairs, "rated": row.rated}.get(field, ())
    key = part or ("content" if field == "messages" else "")
    if place >= len(items) or key not in items[place] or key in ("role", "good"):
        raise _unknown(name)
    changed: Any = [{**each, key: value} if at == place else each for at, each in enumerate(items)]
    fields: dict[str, Any] = {field: changed}
    return replace(row, **fields)


def _unknown(name: str) -> InvalidError:
    return InvalidError(
        f"The row has no field “{name[:60]}”. Use messages.N, references.N, context, label, split, group,"
        " metadata.NAME, or conversation/ with the place of a text in it; N counts from 0.",
        field="changes",
    )
