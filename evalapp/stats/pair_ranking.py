"""Pairwise accuracy of a metric: whether it ranks two outputs of one item as people do."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evalapp.measure import Measure, signature
from evalapp.stats.ratings import group_codes
from evalapp.stats.resampling import (
    DEFAULT_REPLICATES,
    Array,
    bootstrap,
    require_level,
    too_few_items,
    unit_weights,
)

#: Human means that are closer than this are equal but for rounding.
SAME = 1e-9


class _Pairs(NamedTuple):
    """Differences between pairs of outputs of one item. ``unit``: code of the pair's item, or of its
    group.
    """

    unit: npt.NDArray[np.int64]
    human: Array
    metric: Array


def pairwise_accuracy(
    items: Sequence[Hashable],
    human: Sequence[float | None],
    metric: Sequence[float | None],
    *,
    groups: Mapping[Hashable, Hashable] | None = None,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Share of pairs of outputs of one item on which the metric agrees with people: which is better, or
    neither.

    Higher is better for both; an output with None is left out. A metric hardly ever gives two outputs the
    same value, so it says "neither" up to a difference chosen to give the highest share (tie calibration:
    Deutsch, Foster and Freitag 2023). The interval resamples items, or their ``groups``, with that difference
    fixed; ``n`` counts pairs. The note says what a metric of random numbers would reach on many pairs.
    Undefined without a pair.
    """
    require_level(level)
    name = signature("pairwise-accuracy", bootstrap=replicates, seed=seed, level=level)
    pairs = _pairs(items, human, metric, groups or {})
    n = int(pairs.unit.size)
    if not n:
        return Measure.undefined("no item has two outputs with both scores", signature=name)
    is_tied = np.abs(pairs.human) <= SAME
    is_right = is_tied.copy()
    margin = _best_margin(pairs, is_tied)
    says_one = np.abs(pairs.metric) > margin
    is_right[says_one] = (np.sign(pairs.human) == np.sign(pairs.metric))[says_one] & ~is_tied[says_one]
    ties = float(is_tied.mean())
    # It says "neither" always, or picks one at random, which is right for half of the pairs without a tie.
    note = f"a random metric: {100 * max(ties, (1 - ties) / 2):.0f}%"
    value = float(is_right.mean())
    _, code = np.unique(pairs.unit, return_inverse=True)
    right, all_pairs = np.bincount(code, weights=is_right), np.bincount(code).astype(np.float64)
    if too_few := too_few_items(right.size):
        return Measure(value=value, n=n, note=f"{note}; {too_few}", signature=name)

    def share(weights: Array) -> Array:
        result: Array = (weights @ right) / (weights @ all_pairs)
        return result

    found = bootstrap(share, unit_weights(right.size, replicates=replicates, seed=seed), level=level)
    note = "; ".join(filter(None, (note, found.note)))
    return Measure(value=value, n=n, low=found.low, high=found.high, note=note, signature=name)


def _pairs(
    items: Sequence[Hashable],
    human: Sequence[float | None],
    metric: Sequence[float | None],
    groups: Mapping[Hashable, Hashable],
) -> _Pairs:
    by_item: dict[Hashable, list[tuple[float, float]]] = {}
    for item, first, second in zip(items, human, metric, strict=True):
        if first is not None and second is not None:
            by_item.setdefault(item, []).append((first, second))
    by_size: dict[int, list[tuple[int, list[tuple[float, float]]]]] = {}
    codes = group_codes(tuple(by_item), groups)
    units = range(len(by_item)) if codes is None else codes.tolist()
    for code, outputs in zip(units, by_item.values(), strict=True):
        by_size.setdefault(len(outputs), []).append((code, outputs))
    parts = [_Pairs(np.empty(0, np.int64), np.empty(0), np.empty(0)), *_pairs_by_size(by_size)]
    return _Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _pairs_by_size(by_size: dict[int, list[tuple[int, list[tuple[float, float]]]]]) -> Iterator[_Pairs]:
    for size, found in by_size.items():
        first, second = np.triu_indices(size, k=1)
        scores = np.array([outputs for _, outputs in found], dtype=np.float64)
        difference = scores[:, first] - scores[:, second]
        unit = np.repeat(np.array([code for code, _ in found], dtype=np.int64), first.size)
        yield _Pairs(unit, difference[:, :, 0].ravel(), difference[:, :, 1].ravel())


def _best_margin(pairs: _Pairs, is_tied: npt.NDArray[np.bool_]) -> float:
    """Largest difference of the metric that counts as "neither"; the smallest of equally good ones."""
    size = np.abs(pairs.metric)
    order = np.argsort(size, kind="stable")
    is_alike = (np.sign(pairs.human) == np.sign(pairs.metric)) & ~is_tied
    gained = np.cumsum(is_tied[order].astype(np.int64) - is_alike[order])
    ordered = size[order]
    # A margin includes all pairs with the same difference.
    is_last = np.append(ordered[1:] > ordered[:-1], True)
    best = int(np.argmax(gained[is_last]))
    # Equal values of the metric are never a difference.
    if gained[is_last][best] <= 0:
        return 0.0
    return float(ordered[is_last][best])
