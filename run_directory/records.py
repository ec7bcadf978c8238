"""Strict JSON for frozen dataclasses: undeclared fields are rejected, never ignored.

A misspelt hyper-parameter that is silently dropped would train another model than intended. So reading
rejects unknown and missing fields, wrong types and NaN, and names the place.
"""

import dataclasses
import json
import math
import reprlib
import types
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, Self, Union, get_args, get_origin, get_type_hints

_SHORT = reprlib.Repr()


class RecordError(ValueError):
    """A JSON text with wrong content; the message names the place and the fix."""


class Record:
    """Base class of frozen dataclasses that are exchanged as JSON.

    Fields may be `str`, `int`, `float`, `bool`, `None`, `Literal`, other records, `tuple[X, ...]`, `dict[str,
    X]`, `Any` and unions of these. Override `check` for conditions on values.
    """

    def to_json(self) -> str:
        """One line of JSON with every field, including defaults."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """The record as plain dictionaries and lists."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]  # subclasses are dataclasses

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str = "") -> Self:
        """Parse the record from a JSON text; `where` (a file, a line) starts every error message.

        Raises RecordError.
        """
        return cls.from_dict(parse_json(text, where=where or cls.__name__), where=where)

    @classmethod
    def from_dict(cls, value: object, *, where: str = "") -> Self:
        """Build the record from a parsed JSON object. Raises RecordError."""
        where = where or cls.__name__
        if not isinstance(value, dict):
            raise RecordError(f"{where}: expected an object with named fields, found {_kind(value)}")
        fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]  # subclasses are dataclasses
        if unknown := sorted(set(value) - set(fields)):
            raise RecordError(
                f"{where}: unknown field {', '.join(map(repr, unknown))}; the known fields are"
                f" {', '.join(fields)}"
            )
        if missing := [
            name for name, field in fields.items() if name not in value and not _has_default(field)
        ]:
            raise RecordError(f"{where}: the field {', '.join(map(repr, missing))} is missing")
        hints = get_type_hints(cls)
        record = cls(**{name: _decoded(hints[name], value[name], f"{where}: {name}") for name in value})
        record.check(where)
        return record

    def check(self, where: str) -> None:
        """Raise RecordError, starting with `where`, for values that are invalid or do not fit together."""


# Python's own limit is slightly higher and has an unhelpful message.
_MOST_DIGITS = 4_000


def parse_json(text: str | bytes, *, where: str) -> object:
    """Parse JSON, rejecting NaN, infinities and repeated keys, which Python's parser accepts.

    Raises RecordError.
    """

    def no_constant(name: str) -> NoReturn:
        raise RecordError(f"{where}: {name} is not a JSON number")

    def integer(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            raise RecordError(f"{where}: a number has {len(digits):,} digits; write it as text, in quotes")
        return int(digits)

    def no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            # Counting each name separately would take hours for one large text.
            names = Counter(name for name, _ in pairs)
            twice = next(name for name, count in names.items() if count > 1)
            raise RecordError(f"{where}: the field {twice!r} is given twice")
        return found

    try:
        # From bytes, json would guess UTF-8, 16 or 32; here only UTF-8 is valid.
        text = text if isinstance(text, str) else text.decode()
        return json.loads(text, parse_constant=no_constant, parse_int=integer, object_pairs_hook=no_repeats)
    except RecordError:
        raise
    except RecursionError as error:
        raise RecordError(f"{where}: nested too deeply") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{where}: not UTF-8 (byte {error.start})") from error
    except ValueError as error:
        raise RecordError(f"{where}: not valid JSON ({error})") from error


def require(condition: object, where: str, message: str) -> None:
    """Raise RecordError with `where: message` unless the condition holds."""
    if not condition:
        raise RecordError(f"{where}: {message}")


def require_within(record: Record, limits: Mapping[str, tuple[float, float]], where: str) -> None:
    """Raise RecordError for the first number of a record outside its inclusive limits."""
    for name, (least, most) in limits.items():
        value = getattr(record, name)
        require(
            value is None or least <= value <= most,
            where,
            f"{name} {_SHORT.repr(value)} is not between {least:,} and {most:,}",
        )


def require_storable(value: object, where: str) -> None:
    """Raise RecordError for values that no database accepts: NUL, lone surrogates, numbers out of range.

    `Any` fields accept all of these and `str` fields accept NUL, so call this for whatever is stored
    unchanged.
    """
    if isinstance(value, str):
        require("\x00" not in value, where, "has a NUL character, which the database cannot store")
        require(_is_unicode(value), where, "has half of a surrogate pair, which a file cannot store")
    elif isinstance(value, float):
        require(math.isfinite(value), where, "the number is out of range")
    elif isinstance(value, int):
        require(-(2**63) <= value < 2**63, where, "the number is out of range")
    elif isinstance(value, dict):
        for key, item in value.items():
            require_storable(key, f"{where}: a field's name")
            require_storable(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            require_storable(item, f"{where}[{number}]")


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _decoded(expected: Any, value: object, where: str) -> Any:
    origin = get_origin(expected)
    if expected is Any:
        found = value
    elif origin in (Union, types.UnionType):
        found = _decoded_union(get_args(expected), value, where)
    elif origin is Literal:
        allowed = get_args(expected)
        fits = any(type(value) is type(one) and value == one for one in allowed)
        require(fits, where, f"{value!r} is not one of {', '.join(map(repr, allowed))}")
        found = value
    elif origin in (tuple, dict):
        found = _decoded_collection(expected, value, where)
    elif isinstance(expected, type) and issubclass(expected, Record):
        found = expected.from_dict(value, where=where)
    else:
        found = _decoded_scalar(expected, value, where)
    return found


def _decoded_collection(expected: Any, value: object, where: str) -> Any:
    arguments = get_args(expected)
    if get_origin(expected) is dict:
        if not isinstance(value, dict):
            raise RecordError(f"{where}: expected an object, found {_kind(value)}")
        return {key: _decoded(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if not isinstance(value, list | tuple):
        raise RecordError(f"{where}: expected a list, found {_kind(value)}")
    return tuple(_decoded(arguments[0], item, f"{where}[{n}]") for n, item in enumerate(value))


def _decoded_union(choices: tuple[Any, ...], value: object, where: str) -> Any:
    if value is None and type(None) in choices:
        return None
    real = [choice for choice in choices if choice is not type(None)]
    errors = []
    for choice in real:
        try:
            return _decoded(choice, value, where)
        except RecordError as error:
            errors.append(error)
    raise errors[-1]


def _decoded_scalar(expected: Any, value: object, where: str) -> Any:
    if expected is float and type(value) is int:
        # 10**400 is a valid JSON integer but not representable as a float.
        require(abs(value) <= 2**53, where, "the number is out of range")
        return float(value)
    require(
        type(value) is expected, where, f"expected {_NAMES.get(expected, expected)}, found {_kind(value)}"
    )
    if isinstance(value, float):
        require(math.isfinite(value), where, "the number is out of range")
    if isinstance(value, str):
        require(_is_unicode(value), where, "has half of a surrogate pair, which a file cannot store")
    return value


_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    if value is None:
        return "null"
    shown = {dict: "an object", list: "a list", **_NAMES}.get(type(value), type(value).__name__)
    return f"{shown} ({value!r:.40})" if isinstance(value, str | int | float) else shown
