"""Which levels of a scale reviewers confuse: between two reviewers, and neighbouring levels over a panel."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.proportions import wilson_interval
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import require_level


class Confusion(NamedTuple):
    """``counts[i][j]``: number of items that both scored, the first with level i and the second with level
    j.
    """

    levels: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def items(self) -> int:
        return sum(map(sum, self.counts))


def confusion(ratings: Ratings, first: Hashable, second: Hashable, *, levels: Sequence[float]) -> Confusion:
    """The table of two reviewers' levels. Raises ValueError for two equal reviewers or an unknown score."""
    if first == second:
        raise ValueError("a confusion table compares two different reviewers")
    scale = sorted(set(levels))
    place = {level: position for position, level in enumerate(scale)}
    given: dict[Hashable, dict[int, float]] = {first: {}, second: {}}
    for item, reviewer, score in zip(
        ratings.item.tolist(), ratings.reviewer.tolist(), ratings.score.tolist(), strict=True
    ):
        name = ratings.reviewers[reviewer]
        if name in given:
            if score not in place:
                raise ValueError(f"a score of {score:g} is not among the levels {scale}")
            given[name][item] = score
    counts = [[0] * len(scale) for _ in scale]
    for item, score in given[first].items():
        if item in given[second]:
            counts[place[score]][place[given[second][item]]] += 1
    return Confusion(tuple(scale), tuple(map(tuple, counts)))


class ConfusedLevels(NamedTuple):
    """Two neighbouring levels.

    ``apart``: how many of the ``pairs`` of scores of one item that are both one of the two differ; ``share``:
    the same as a mean over items. ``by_chance``: the share for independent reviewers who use the two levels
    as often; a share near it means that people do not tell the levels apart. ``items``: those with both
    levels, most evenly split first.
    """

    lower: float
    upper: float
    pairs: int
    apart: int
    share: Measure
    by_chance: float
    items: tuple[Hashable, ...]

    @property
    def is_confused(self) -> bool:
        """Whether reviewers cannot be shown to tell the two apart: the share's interval reaches chance."""
        return self.share.high is not None and self.share.high >= self.by_chance


def confused_levels(
    ratings: Ratings, *, levels: Sequence[float], level: float = 0.95
) -> list[ConfusedLevels]:
    """Every two neighbouring levels that some item's reviewers split on, those with most pairs apart first.

    The share's interval is Wilson's at the number of items, as if an item were one case.
    """
    require_level(level)
    scale = np.array(sorted(set(levels)), dtype=np.float64)
    counts = np.zeros((len(ratings.items), scale.size))
    np.add.at(counts, (ratings.item, np.searchsorted(scale, ratings.score)), 1.0)
    found = []
    for position in range(scale.size - 1):
        low, high = counts[:, position], counts[:, position + 1]
        both = low + high
        some = both >= 2
        apart = (low * high)[some]
        pairs = (both * (both - 1) / 2)[some]
        if not apart.any():
            continue
        shares = apart / pairs
        n = int(some.sum())
        ends = wilson_interval(float(shares.sum()), n, level=level)
        value = float(shares.mean())
        share = Measure(
            value=value, n=n, low=min(ends[0], value), high=max(ends[1], value),
            signature=signature("neighbours-apart", interval="wilson", level=level),
        )  # fmt: skip
        use = float(low[some].sum() / both[some].sum())
        evenness = np.where(some, np.minimum(low, high) + low * high / 1e6, 0.0)
        order = [each for each in np.argsort(-evenness, kind="stable").tolist() if low[each] * high[each] > 0]
        found.append(
            ConfusedLevels(
                float(scale[position]), float(scale[position + 1]), int(pairs.sum()), int(apart.sum()),
                share, 2 * use * (1 - use), tuple(ratings.items[each] for each in order),
            )
        )  # fmt: skip
    return sorted(found, key=lambda each: (-each.apart, each.lower))
