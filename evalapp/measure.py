"""Measure: a value with its interval, count, reason and method.

A measure is a value with the count it rests on and a signature that says how it was made, or
it is undefined and says why. It is never NaN and never a silent 0 or 1.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

Option: TypeAlias = str | int | float | bool | None


def signature(name: str, version: str | int = 1, **options: Option) -> str:
    """Name a measure with everything needed to compute it again.

    Returns ``name|version:1|option:value|…`` with the options in the order given; an option
    that is None is left out. ``|`` and ``:`` are the separators of sacrebleu's signatures, so
    both kinds read alike.
    """
    parts = [name, f"version:{version}"]
    parts += [f"{key}:{_plain(value)}" for key, value in options.items() if value is not None]
    return "|".join(parts)


def _plain(value: Option) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that can be shown, or the reason why there is none.

    ``value``: finite, or None when undefined; then ``reason`` is a short phrase a person
    understands ("one reviewer"), else ``reason`` is empty.
    ``n``: how many units the value rests on; each measure documents its unit.
    ``low`` and ``high``: both ends of the interval, or both None. A defined value without an
    interval says why in ``note``; ``note`` also carries a label such as "for this panel".
    ``signature``: see :func:`signature`.

    Raises ValueError where these rules are broken, so that a NaN cannot slip through.
    """

    value: float | None
    n: int
    signature: str
    low: float | None = None
    high: float | None = None
    reason: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.value is None:
            if not self.reason:
                raise ValueError(f"{self.signature}: an undefined measure needs a reason")
            if self.low is not None or self.high is not None:
                raise ValueError(f"{self.signature}: an undefined measure has no interval")
            return
        if self.reason:
            raise ValueError(f"{self.signature}: a defined measure takes a note, not a reason")
        if not math.isfinite(self.value):
            raise ValueError(f"{self.signature}: the value is {self.value}, not a finite number")
        if self.low is None and self.high is None:
            return
        if self.low is None or self.high is None:
            raise ValueError(f"{self.signature}: an interval needs both ends")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"{self.signature}: {self.low} to {self.high} is not an interval")

    @classmethod
    def undefined(cls, reason: str, *, n: int = 0, signature: str) -> Self:
        """Say why there is no value."""
        return cls(value=None, n=n, signature=signature, reason=reason)

    @property
    def defined(self) -> bool:
        return self.value is not None

    def with_note(self, note: str) -> Self:
        """With a further note; as it is where it is undefined, or the note is empty."""
        if not note or not self.defined:
            return self
        return replace(self, note="; ".join(filter(None, (self.note, note))))

    def mirrored(self, centre: float = 0.0) -> Self:
        """Reflected at ``centre``: at 0 with the opposite sign, at 0.5 the rest of a share of 1."""
        if self.value is None:
            return self
        low = None if self.high is None else 2 * centre - self.high
        high = None if self.low is None else 2 * centre - self.low
        return replace(self, value=2 * centre - self.value, low=low, high=high)

    @property
    def half_width(self) -> float | None:
        """Half the length of the interval; None without one."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2

    def as_dict(self) -> dict[str, float | int | str | None]:
        """Plain values for JSON, in a fixed order."""
        return {
            "value": self.value,
            "n": self.n,
            "low": self.low,
            "high": self.high,
            "reason": self.reason,
            "note": self.note,
            "signature": self.signature,
        }


def one_reason(measures: Iterable[Measure | None], *, but: Collection[str] = ()) -> str:
    """Why all of them are undefined, where they have one reason, so that it can be said once; "" otherwise.

    Reasons in ``but`` are not asked: "no order" of one measure is not why the others are undefined. None,
    which has no meaning there, is not asked either.
    """
    asked = [each for each in measures if each is not None and each.reason not in but]
    reasons = {each.reason for each in asked}
    return reasons.pop() if len(reasons) == 1 else ""
