"""Strict JSON: refuses input that would be changed or fail later, and says where it is."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from django.conf import settings

from evalapp.core.errors import InvalidError

DEEPEST_NESTING = 32
# The greatest number of digits that every JSON parser keeps exactly.
MOST_DIGITS = 18


def read_json(content: bytes, *, any_text: bool = False, most_digits: int = MOST_DIGITS) -> Any:
    """The value in a JSON text. Raises InvalidError, with the place, for repeated names, NaN, infinities,
    NUL, lone surrogates, numbers too long to keep, too deep nesting, and objects with more fields than a form
    may have.

    ``any_text``: allows NUL and lone surrogates, for callers that remove them. ``most_digits`` of a whole
    number, for callers that read longer ones exactly.
    """
    decoder = _decoder if most_digits == MOST_DIGITS else _decoder_of(most_digits)
    try:
        value = decoder.decode(content.decode())
    except UnicodeDecodeError as error:
        raise _refused(f"byte {error.start + 1:,} is not UTF-8. Send UTF-8.") from error
    except json.JSONDecodeError as error:
        raise _refused(f"{error.msg} at line {error.lineno}, column {error.colno:,}.") from error
    except RecursionError as error:
        raise _too_deep() from error
    except JsonProblemError as error:
        raise InvalidError(str(error), code="invalid_json") from error
    if problem := next(_problems(value, "", 1, any_text=any_text), ""):
        raise _refused(problem)
    return value


def _refused(problem: str) -> InvalidError:
    return InvalidError(f"The body is not usable JSON: {problem}", code="invalid_json")


def _too_deep() -> InvalidError:
    return _refused(f"it is nested deeper than {DEEPEST_NESTING} levels. Flatten it.")


def _problems(value: Any, place: str, depth: int, *, any_text: bool) -> Iterator[str]:
    if isinstance(value, str):
        if not any_text and (bad := bad_character(value)):
            yield f"{place or 'the text'} has {bad}. Remove it."
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
            yield f"a field's name in {place or 'the body'} has {bad}. Remove it."
            return
        yield from _problems(
            inner, f"{place}.{name[:40]}" if place else name[:40], depth + 1, any_text=any_text
        )


def bad_character(text: str) -> str:
    """The first character that the database cannot store, in words; "" if none."""
    if "\x00" in text:
        return f"a NUL character (at {text.index(chr(0)) + 1:,})"
    if text.isascii():
        return ""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"half of a surrogate pair (at {error.start + 1:,})"
    return ""


class JsonProblemError(Exception):
    """Valid JSON that is refused: the problem, how to fix it, and its ``field`` if it has one."""

    def __init__(self, problem: str, fix: str, field: str = "") -> None:
        super().__init__(f"{problem} {fix}")
        self.problem, self.fix, self.field = problem, fix, field


def strict_decoder(
    *, most_fields: Callable[[], int], largest: float, most_digits: int = MOST_DIGITS
) -> json.JSONDecoder:
    """A decoder that raises JsonProblemError for repeated names, NaN, infinities, and numbers too long or
    large.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) > most_fields():
            raise JsonProblemError(
                f"One object has {len(pairs):,} fields; {most_fields():,} is the limit.",
                "Leave out those that are not needed.",
            )
        fields = dict(pairs)
        if len(fields) != len(pairs):
            # Counted in one pass: counting each name separately would take hours for a large object.
            twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            shown = twice[:40].encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")
            raise JsonProblemError(
                f"The field “{shown}” is given twice in one object.", "Keep the right one.", shown
            )
        return fields

    def integer(text: str) -> int:
        if (digits := len(text.lstrip("-"))) > most_digits:
            raise JsonProblemError(
                f"The number {text[:12]}… has {digits:,} digits; {most_digits} is the limit.",
                "Write it as text, in quotes.",
            )
        return int(text)

    def real(text: str) -> float:
        value = float(text)
        if not abs(value) < largest:
            raise JsonProblemError(
                f"The number {text[:24]} is too large to be kept.", "Write it as text, in quotes."
            )
        # Adding zero turns -0.0, which the database does not keep, into 0.0.
        return value + 0.0

    def constant(text: str) -> NoReturn:
        raise JsonProblemError(f"{text} is not a JSON value.", "Leave the field out, or write null.")

    return json.JSONDecoder(
        object_pairs_hook=unique, parse_int=integer, parse_float=real, parse_constant=constant
    )


def _decoder_of(most_digits: int) -> json.JSONDecoder:
    return strict_decoder(
        most_fields=lambda: settings.DATA_UPLOAD_MAX_NUMBER_FIELDS, largest=math.inf, most_digits=most_digits
    )


_decoder = _decoder_of(MOST_DIGITS)
