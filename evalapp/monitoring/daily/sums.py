"""Sums of values that can be added and taken back, and give mean, deviation and quantiles. Pure.

Quantiles come from counts in buckets whose bounds grow by a constant factor, as in DDSketch (Masson, Rim, Lee
2019): each is right to within 2% of its value, however many values there are.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

ACCURACY = 0.02
_GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_LOG = math.log(_GROWTH)
# Smaller values count as zero.
_SMALLEST = 1e-9


@dataclass
class Sums:
    """``buckets``: bucket → number of values in it; "0" is for zeros, "-3" mirrors "3" below zero."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    buckets: Counter[str] = field(default_factory=Counter)

    def add(self, value: float, times: int = 1) -> None:
        """Add a value; ``times`` −1 takes back a value that was added before."""
        self.n += times
        self.total += times * value
        self.squares += times * value * value
        self.buckets[_bucket(value)] += times

    def merge(self, other: "Sums") -> None:
        self.n += other.n
        self.total += other.total
        self.squares += other.squares
        self.buckets.update(other.buckets)

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation of single values (n − 1); None for fewer than two."""
        if self.n < 2:
            return None
        return math.sqrt(max(0.0, (self.squares - self.total**2 / self.n) / (self.n - 1)))

    def quantile(self, share: float) -> float | None:
        """The value that ``share`` (0 to 1) of all values do not exceed, to within 2%; None without any."""
        ordered = sorted((middle_of(name), count) for name, count in self.buckets.items() if count > 0)
        rank = share * (sum(count for _, count in ordered) - 1)
        for value, count in ordered:
            if rank < count:
                return value
            rank -= count
        return None

    def stored_buckets(self) -> dict[str, int]:
        """The buckets as stored in JSON."""
        return {name: count for name, count in sorted(self.buckets.items()) if count}


def sums_of(n: int, total: float, squares: float, buckets: Mapping[str, int]) -> Sums:
    """The sums from their stored fields."""
    return Sums(n, total, squares, Counter(buckets))


def _bucket(value: float) -> str:
    size = abs(value)
    if size < _SMALLEST:
        return "0"
    number = math.ceil(math.log(size) / _LOG)
    # Bucket numbers start at 1, so that none is zero and the sign can precede them.
    number += _OFFSET
    return f"-{number}" if value < 0 else str(number)


_OFFSET = 1 - math.ceil(math.log(_SMALLEST) / _LOG)


def middle_of(bucket: str) -> float:
    """The value that stands for all values of a bucket."""
    if bucket == "0":
        return 0.0
    number = abs(int(bucket)) - _OFFSET
    value = 2 * _GROWTH**number / (_GROWTH + 1)
    return -value if bucket.startswith("-") else value
