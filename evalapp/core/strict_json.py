"""JSON as it was meant: what would be lost, guessed or break further in is refused here, with its place."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from django.conf import settings

from evalapp.core.errors import InvalidError

DEEPEST_NESTING = 32
# The greatest number of digits that every reader of JSON keeps exactly.
MOST_DIGITS = 18


def read_json(content: bytes, *, any_text: bool = False) -> Any:
    """The value in a JSON text: without repeated names, NaN, infinities, NUL, lone surrogates, or numbers too
    long to keep, and with as many fields in one object as a form may have. Raises InvalidError that says what
    is wrong and where. ``any_text``: texts may hold NUL and lone surrogates, for callers who take these out.
    """
    try:
        value = _decoder.decode(content.decode())
    except UnicodeDecodeError as error:
        raise _refused(f"byte {error.start + 1:,} is not UTF-8. Send UTF-8.") from error
    except json.JSONDecodeError as error:
        raise _refused(f"{error.msg} at line {error.lineno}, column {error.colno:,}.") from error
    except RecursionError as error:
        raise _too_deep() from error
    if problem := next(_problems(value, "", 1, any_text=any_text), ""):
        raise _refused(problem)
    return value


def _refused(problem: str) -> InvalidError:
    return InvalidError(f"The body is not JSON that can be used: {problem}", code="invalid_json")


def _too_deep() -> InvalidError:
    return _refused(f"it is nested deeper than {DEEPEST_NESTING} levels. Flatten it.")


def _problems(value: Any, place: str, depth: int, *, any_text: bool) -> Iterator[str]:
    if isinstance(value, str):
        if not any_text and (bad := bad_character(value)):
            yield f"{place or 'the text'} holds {bad}. Remove it."
        return
    if not isinstance(value, dict | list):
        return
    if depth > DEEPEST_NESTING:
        raise _too_deep()
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _problems(inner, f"{place}[{number}]", depth + 1, any_text=any_text)
        return
    for name, inner in value.items():
        if not any_text and (bad := bad_character(name)):
            yield f"a field's name in {place or 'the body'} holds {bad}. Remove it."
            return
        yield from _problems(
            inner, f"{place}.{name[:40]}" if place else name[:40], depth + 1, any_text=any_text
        )


def bad_character(text: str) -> str:
    """Which character of the text the database cannot keep, in words; empty for none."""
    if "\x00" in text:
        return f"a NUL character (at {text.index(chr(0)) + 1:,})"
    if text.isascii():
        return ""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"half of a surrogate pair (at {error.start + 1:,})"
    return ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:
        most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        raise _refused(f"one object has {len(pairs):,} fields; {most:,} is the limit. Send less at once.")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Counted in one pass: to count each name anew would keep a process busy for hours with one body.
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        shown = twice[:40].encode("ascii", "backslashreplace").decode()
        raise _refused(f"the field “{shown}” is there twice in one object. Keep the right one.")
    return fields


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS:
        digits = len(text.lstrip("-"))
        raise _refused(f"the number {text[:12]}… has {digits:,} digits; {MOST_DIGITS} is the limit.")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _refused(f"the number {text[:24]} is too large to be kept.")
    # Adding zero turns -0.0, which the database does not keep, into 0.0.
    return value + 0.0


def _constant(text: str) -> NoReturn:
    raise _refused(f"{text} is no JSON value. Leave the field out, or write null.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
