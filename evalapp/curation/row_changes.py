"""New values for fields of a row, by name: checked, and put in their places. Pure.

Names: ``messages.N``, ``references.N`` (one more than there are adds one), ``references`` (all of them),
``context``, ``label``, ``split``, ``group``, ``metadata.NAME``, ``pairs.N.chosen``, ``pairs.N.rejected``,
``rated.N.answer``; N counts from 0.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evalapp.core.errors import InvalidError
from evalapp.datasets.rows import ExampleRow, row_problems

_LONGEST_PLACE = 8
_WHOLE = {"context": "context", "label": "label", "split": "split", "group": "group_key"}


def with_changes(row: ExampleRow, changes: Mapping[str, Any]) -> ExampleRow:
    """The row with these values; the given one stays as it is. Raises InvalidError for a name that the row
    does not have; see `checked_changes` for the values.
    """
    for name, value in changes.items():
        row = _with_one(row, name, value)
    return row


def checked_changes(row: ExampleRow, changes: Mapping[str, Any]) -> ExampleRow:
    """The changed row. Raises InvalidError with every field that it could not be stored with."""
    changed = with_changes(row, changes)
    problems = row_problems(changed)
    if problems:
        raise InvalidError(
            f"The row cannot be changed like this: {problems[0]}",
            fields={each.field: [f"{each.problem} {each.fix}"] for each in problems},
        )
    return changed


def text_at(row: ExampleRow, name: str) -> str:
    """The text of a field by its name; "" where it is none."""
    first, _, rest = name.partition(".")
    if name in _WHOLE:
        return str(getattr(row, _WHOLE[name]))
    if first == "metadata":
        value = row.metadata.get(rest, "")
        return value if isinstance(value, str) else ""
    place, _, part = rest.partition(".")
    items: Any = getattr(row, first, ())
    if not place.isdecimal() or int(place) >= len(items):
        return ""
    item = items[int(place)]
    return str(item if isinstance(item, str) else item.get(part or "content", ""))


def text_fields(row: ExampleRow) -> list[str]:
    """The names of all its texts that a person wrote."""
    names = [f"messages.{number}" for number in range(len(row.messages))]
    names += [f"references.{number}" for number in range(len(row.references))]
    names += ["context"] if row.context else []
    names += [f"pairs.{number}.{part}" for number in range(len(row.pairs)) for part in ("chosen", "rejected")]
    names += [f"rated.{number}.answer" for number in range(len(row.rated))]
    return names + [f"metadata.{name}" for name, value in row.metadata.items() if isinstance(value, str)]


def field_label(row: ExampleRow, name: str) -> str:
    """A field of the row as people call it: ``references.1`` is "Reference 2", a system message "System
    message", and the only message of the user "Prompt".
    """
    first, _, rest = name.partition(".")
    place, _, part = rest.partition(".")
    if first == "metadata":
        return rest
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


def _with_one(row: ExampleRow, name: str, value: Any) -> ExampleRow:
    first, _, rest = name.partition(".")
    if name in _WHOLE:
        return replace(row, **{_WHOLE[name]: value})
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
    message = (
        f"The row has no field “{name[:60]}”. Use messages.N, references.N, context, label, split, group or"
        " metadata.NAME, where N counts from 0."
    )
    return InvalidError(message, fields={"changes": [message]})
