"""Ranks and concordance counts with array arithmetic, weighted and for large samples."""

from typing import NamedTuple

import numpy as np

from evalapp.stats.ratings import Codes
from evalapp.stats.resampling import Array


class Ranking:
    """Mid-ranks of one column of values under any weights; the sort order is computed once."""

    def __init__(self, values: Array) -> None:
        distinct, self._code = np.unique(values, return_inverse=True)
        self._order = np.argsort(self._code, kind="stable")
        self._starts = np.searchsorted(self._code[self._order], np.arange(distinct.size))

    @property
    def distinct(self) -> int:
        return int(self._starts.size)

    def centred(self, weights: Array) -> Array:
        """Mid-rank of each value if value j occurs ``weights[b, j]`` times, minus the mean.

        One row per replicate. With all weights 1 this is the average rank minus (n + 1) / 2.
        """
        tied = self.distinct < self._code.size
        ordered = weights[:, self._order]
        groups = np.add.reduceat(ordered, self._starts, axis=1) if tied else ordered
        ranks = np.cumsum(groups, axis=1)
        middle = ranks[:, -1:] / 2
        ranks -= groups / 2
        ranks -= middle
        result: Array = ranks[:, self._code]
        return result


class Concordance(NamedTuple):
    """Per observation: concordant minus discordant partners, and partners not tied in x and in y."""

    balance: Array
    untied_x: Array
    untied_y: Array


def concordance(x: Array, y: Array) -> Concordance:
    """Compare each observation with all others, in O(n log² n)."""
    x_code, x_size = _codes(x)
    y_code, y_size = _codes(y)
    x_last, y_last = np.max(x_code), np.max(y_code)
    balance = (
        _both_smaller(x_code, y_code)
        + _both_smaller(x_last - x_code, y_last - y_code)
        - _both_smaller(x_code, y_last - y_code)
        - _both_smaller(x_last - x_code, y_code)
    )
    n = x.size
    return Concordance(
        balance.astype(np.float64),
        (n - x_size[x_code]).astype(np.float64),
        (n - y_size[y_code]).astype(np.float64),
    )


def _codes(values: Array) -> tuple[Codes, Codes]:
    _, code, size = np.unique(values, return_inverse=True, return_counts=True)
    return code.astype(np.int64), size.astype(np.int64)


def _both_smaller(x: Codes, y: Codes) -> Codes:
    """For each point, the number of points that are strictly smaller in both coordinates.

    Points are sorted by x (equal x: larger y first, so that none counts its equals). For each bit of y, from
    the top, an earlier point is smaller at that bit if both agree above it and only the later one has the bit
    set.
    """
    order = np.lexsort((-y, x))
    height = y[order]
    found = np.zeros(height.size, dtype=np.int64)
    for bit in range(int(np.max(height)).bit_length()):
        above = height >> (bit + 1)
        grouped = np.argsort(above, kind="stable")
        unset = 1 - (height[grouped] >> bit & 1)
        before = np.cumsum(unset) - unset
        first = np.searchsorted(above[grouped], above[grouped])
        found[grouped] += np.where(unset == 0, before - before[first], 0)
    result = np.empty_like(found)
    result[order] = found
    return result
