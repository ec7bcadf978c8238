"""Bootstrap replicates as weights, so that a statistic of all replicates is array arithmetic."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: A statistic of many replicates at once: weights (replicates × units) to one value each, NaN for a replicate
#: in which it is undefined.
WeightedStatistic = Callable[[Array], Array]

DEFAULT_REPLICATES = 2000
CELLS_PER_CHUNK = 1_000_000
MOST_UNDEFINED = 0.05
#: 4 units have only 35 different resamples, so their percentiles would be coarse steps.
FEWEST_UNITS = 5


class Interval(NamedTuple):
    """Both ends, or both None with the reason in ``note``."""

    low: float | None
    high: float | None
    note: str = ""


def unit_weights(units: int, *, replicates: int, seed: int) -> Iterator[Array]:
    """How often each of ``units`` is drawn in each replicate, in chunks of bounded memory.

    Each row of a chunk sums to ``units``. The draws depend only on the seed and on ``units``.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, min(replicates, CELLS_PER_CHUNK // max(units, 1)))
    for start in range(0, replicates, rows):
        size = min(rows, replicates - start)
        drawn = generator.integers(units, size=(size, units))
        drawn += np.arange(size)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=size * units)
        yield counts.reshape(size, units).astype(np.float64)


def item_weights(
    items: int, group: npt.NDArray[np.int64] | None, *, replicates: int, seed: int
) -> Iterator[Array]:
    """`unit_weights` of items that are drawn in whole groups; ``group``: the group code of each item."""
    if group is None:
        yield from unit_weights(items, replicates=replicates, seed=seed)
        return
    labels, code = np.unique(group, return_inverse=True)
    rows = max(1, CELLS_PER_CHUNK // max(items, 1))
    for chunk in unit_weights(labels.size, replicates=replicates, seed=seed):
        for start in range(0, len(chunk), rows):
            yield chunk[start : start + rows, code]


def kind_weights(
    kind: npt.NDArray[np.int64], group: npt.NDArray[np.int64], *, replicates: int, seed: int
) -> Iterator[Array]:
    """How often each kind of item is drawn if items are drawn in whole groups; both arguments are codes by
    item.
    """
    kinds = int(np.max(kind)) + 1
    labels, code = np.unique(group, return_inverse=True)
    for chunk in unit_weights(labels.size, replicates=replicates, seed=seed):
        yield column_sums(chunk, code, kind, 1.0, kinds)


def pattern_weights(multiplicity: Array, *, replicates: int, seed: int) -> Iterator[Array]:
    """As `unit_weights` for units of few kinds: how often each kind is drawn.

    Drawing units and counting their kinds is a multinomial draw over the kinds, so 20,000 items with 126
    kinds of score sets take 126 numbers per replicate.
    """
    units = int(multiplicity.sum())
    if multiplicity.size == units:
        yield from unit_weights(units, replicates=replicates, seed=seed)
        return
    generator = np.random.default_rng(seed)
    rows = max(1, min(replicates, CELLS_PER_CHUNK // multiplicity.size))
    for start in range(0, replicates, rows):
        size = min(rows, replicates - start)
        yield generator.multinomial(units, multiplicity / units, size=size).astype(np.float64)


def bootstrap(statistic: WeightedStatistic, weights: Iterator[Array], *, level: float) -> Interval:
    """Percentile interval of ``statistic`` over the replicates in ``weights``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.concatenate([statistic(chunk) for chunk in weights])
    return percentile_interval(values, level=level)


def too_few_items(items: int) -> str:
    """Note for a number without an interval if there are too few items to resample; empty if there are
    enough.
    """
    if items == 1:
        return "no interval: one item"
    return f"no interval: {items} items are too few to resample" if items < FEWEST_UNITS else ""


def column_sums(
    weights: Array,
    row: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
    values: Array | float,
    columns: int,
) -> Array:
    """``weights @ table`` for a table (units × ``columns``) with ``values`` at ``row`` and ``column`` and 0
    elsewhere; for tables that are mostly 0 and would not fit into memory.
    """
    from scipy.sparse import csr_array

    entries = np.broadcast_to(np.asarray(values, dtype=np.float64), row.shape)
    table = csr_array((entries, (column, row)), shape=(columns, weights.shape[1]))
    sums: Array = (table @ weights.T).T
    return sums


def percentile_interval(values: Array, *, level: float) -> Interval:
    """Quantiles of the defined replicates; no interval if more than 5% are undefined."""
    finite = values[np.isfinite(values)]
    if finite.size < (1 - MOST_UNDEFINED) * values.size:
        lost = 100 * (1 - finite.size / max(values.size, 1))
        return Interval(None, None, f"no interval: undefined in {lost:.0f}% of the resamples")
    tail = (1 - level) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    if low == high:
        return Interval(None, None, "no interval: every resample gives the same value")
    return Interval(float(low), float(high))


def require_level(level: float) -> None:
    """Raises ValueError for a confidence level outside (0, 1), such as 95 for 95%."""
    if not 0 < level < 1:
        raise ValueError(f"the confidence level is {level}; give a share such as 0.95")
