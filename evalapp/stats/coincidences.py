"""Counts of every two scores of one item: the basis of agreement between pairs of reviewers, at any scale.

If many people share the work, a table of items by reviewers is mostly empty, so none is built here.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evalapp.stats.ratings import Codes, Ratings
from evalapp.stats.resampling import Array, column_sums


@dataclass(frozen=True, eq=False)
class Coincidences:
    """Cells by two reviewers (codes, ``first`` below ``second``) and their scores, ``own`` and ``other``.

    Cells are ordered by their two reviewers. ``item`` and ``cell`` have one entry for every two scores of an
    item.
    """

    first: Codes
    second: Codes
    own: Array
    other: Array
    item: Codes
    cell: Codes
    reviewers: tuple[Hashable, ...]

    @cached_property
    def times(self) -> Codes:
        """Number of items in each cell."""
        return np.bincount(self.cell, minlength=self.first.size)

    @cached_property
    def starts(self) -> Codes:
        """Index of the first cell of each pair of reviewers who share an item."""
        changes = np.diff(self.first * len(self.reviewers) + self.second) != 0
        return np.flatnonzero(np.concatenate([[self.first.size > 0], changes]))

    @cached_property
    def _part_of(self) -> dict[tuple[int, int], slice]:
        ends = np.append(self.starts, self.first.size)[1:].tolist()
        return {
            (int(self.first[start]), int(self.second[start])): slice(start, end)
            for start, end in zip(self.starts.tolist(), ends, strict=True)
        }

    def counts(self, weights: Array) -> Array:
        """Replicates × cells, if item j occurs ``weights[b, j]`` times."""
        return column_sums(weights, self.item, self.cell, 1.0, self.first.size)

    def ratings_of(self, one: Hashable, other: Hashable) -> Ratings:
        """The scores of two reviewers on the items that both scored; the items' identity is not kept."""
        codes = [self.reviewers.index(each) if each in self.reviewers else -1 for each in (one, other)]
        part = self._part_of.get((min(codes), max(codes)), slice(0, 0))
        times = self.times[part]
        n = int(times.sum())
        items = np.arange(n)
        scores = [np.repeat(side[part], times) for side in (self.own, self.other)]
        people = (one, other) if codes[0] < codes[1] else (other, one)
        return Ratings(
            item=np.concatenate([items, items]),
            reviewer=np.repeat(np.arange(2), n),
            score=np.concatenate(scores),
            items=tuple(range(n)),
            reviewers=people if n else (),
        )


def coincidences(ratings: Ratings) -> Coincidences:
    """Every two scores of an item; expects one score for each reviewer and item."""
    order = np.lexsort((ratings.reviewer, ratings.item))
    item, reviewer = ratings.item[order], ratings.reviewer[order]
    values, code = np.unique(ratings.score[order], return_inverse=True)
    people, size = max(len(ratings.reviewers), 1), max(values.size, 1)
    items, keys = [], []
    for reach in range(1, int(np.max(ratings.per_item, initial=0))):
        start = np.flatnonzero(item[:-reach] == item[reach:])
        end = start + reach
        items.append(item[start])
        keys.append(((reviewer[start] * people + reviewer[end]) * size + code[start]) * size + code[end])
    nothing = np.empty(0, dtype=np.int64)
    cells, cell = np.unique(np.concatenate([nothing, *keys]), return_inverse=True)
    two, levels = np.divmod(cells, size * size)
    return Coincidences(
        first=two // people,
        second=two % people,
        own=values[levels // size] if values.size else np.empty(0),
        other=values[levels % size] if values.size else np.empty(0),
        item=np.concatenate([nothing, *items]),
        cell=cell,
        reviewers=ratings.reviewers,
    )
