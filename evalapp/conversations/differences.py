"""What a format says beside the stored form, as the difference between two JSON objects. Pure."""

from collections.abc import Mapping
from typing import Any

AS = "as"
ABSENT = "absent"
ITEM = "item"
LENGTHS = "lengths"
OURS = (AS, ABSENT, ITEM, LENGTHS)
"""Names in an ``extra`` that are not fields of the format."""


def is_equal_json(left: Any, right: Any) -> bool:
    """Whether two values are equal as JSON: 1, 1.0 and true differ, and the order of an object's fields is
    ignored.
    """
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(
            is_equal_json(each, right[name]) for name, each in left.items()
        )
    if isinstance(left, list):
        return len(left) == len(right) and all(map(is_equal_json, left, right))
    return bool(left == right)


def changes_between(source: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    """The changes with which ``changed`` turns ``made`` into ``source``, unless a field has one of the names
    in OURS.
    """
    changes: dict[str, Any] = {}
    for name, value in source.items():
        other = made.get(name)
        if name not in made:
            changes[name] = value
        elif isinstance(value, dict) and isinstance(other, dict):
            if inner := changes_between(value, other):
                changes[name] = inner
        elif not is_equal_json(value, other):
            changes[name] = value
    if absent := sorted(name for name in made if name not in source):
        changes[ABSENT] = absent
    return changes


def changed(made: Mapping[str, Any], changes: Any) -> dict[str, Any]:
    """The object with the changes: fields set, nested objects changed recursively, absent fields removed."""
    result = dict(made)
    if not isinstance(changes, dict):
        return result
    absent = changes.get(ABSENT)
    for name in absent if isinstance(absent, list) else ():
        if isinstance(name, str):
            result.pop(name, None)
    for name, value in changes.items():
        if name in OURS:
            continue
        inner = result.get(name)
        if isinstance(value, dict) and isinstance(inner, dict):
            result[name] = changed(inner, value)
        else:
            result[name] = value
    return result
