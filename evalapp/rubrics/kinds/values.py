"""Values of a criterion as written in files and by models, before a kind converts them to levels. Pure."""

import math
import re
from typing import NamedTuple

RawValue = str | int | float | bool

_NOT_APPLICABLE = frozenset({"na", "n/a", "n.a.", "not applicable", "none applicable"})
_YES = frozenset({"yes", "true", "y"})
_NO = frozenset({"no", "false", "n"})
_WHOLE = re.compile(r"[+-]?\d{1,9}(?:\.0{1,9})?")
_NUMBER = re.compile(r"[+-]?\d{1,9}[.,]\d{1,18}")
_LONGEST_SHOWN = 40


class Level(NamedTuple):
    """A value as stored in a review: a level, N/A (neither level nor text), or text."""

    value: int | None = None
    words: str | None = None

    @property
    def is_not_applicable(self) -> bool:
        return self.value is None and self.words is None


class ValueProblemError(Exception):
    """A value that the criterion does not allow."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem, self.fix = problem, fix


def is_not_applicable(raw: RawValue) -> bool:
    return isinstance(raw, str) and raw.strip().casefold() in _NOT_APPLICABLE


def whole_number(raw: RawValue) -> int | None:
    """The whole number in a value (4, "4", 4.0), or None."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() and abs(raw) < 10**9 else None
    text = raw.strip()
    return int(float(text)) if text.isascii() and _WHOLE.fullmatch(text) else None


def any_number(raw: RawValue) -> float | None:
    """The number in a value (3.5, "3.5", "3,5"), or None."""
    if is_decimal(raw):
        return float(str(raw).strip().replace(",", "."))
    return whole_number(raw)


def step_of(number: float, steps_per_point: int) -> int | None:
    """The number in steps; None between two steps. Steps that two decimals cannot represent, such as thirds,
    also match when rounded to two decimals.
    """
    if not math.isfinite(number):
        return None
    nearest = round(number * steps_per_point)
    allowed = 1e-9 if 100 % steps_per_point == 0 else 0.005 + 1e-9
    return nearest if abs(number - nearest / steps_per_point) <= allowed else None


def yes_or_no(raw: RawValue) -> int | None:
    if isinstance(raw, bool):
        return int(raw)
    if isinstance(raw, str):
        word = raw.strip().casefold()
        return 1 if word in _YES else 0 if word in _NO else None
    return None


def is_decimal(raw: RawValue) -> bool:
    if isinstance(raw, float):
        return not raw.is_integer()
    return isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()) is not None and whole_number(raw) is None


def shown(raw: RawValue) -> str:
    """A value for a message, shortened."""
    text = str(raw)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
