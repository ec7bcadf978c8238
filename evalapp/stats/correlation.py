"""Correlation of an automatic metric with people, over outputs and over candidates."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import permutations
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from evalapp.measure import Measure, signature
from evalapp.stats.ranks import Ranking, concordance
from evalapp.stats.ratings import Ratings, group_codes
from evalapp.stats.resampling import (
    CELLS_PER_CHUNK,
    DEFAULT_REPLICATES,
    Array,
    Interval,
    WeightedStatistic,
    bootstrap,
    require_level,
    too_few_items,
    unit_weights,
)
from evalapp.stats.scores import mean_over_items, student_quantile

Method = Literal["spearman", "kendall", "pearson"]
METHODS: tuple[Method, ...] = ("spearman", "kendall", "pearson")

FEWEST_OUTPUTS = 3
FEWEST_CANDIDATES = 4
# With fewer candidates p is exact, over all orders: at most 362,880.
FEWEST_TO_APPROXIMATE = 10
NO_PAIR = "no output has both scores"

#: Above this many outputs Kendall's interval is computed from influences instead of resamples,
#: whose cost grows with the square.
RESAMPLED_KENDALL = 300


#: Sums of squares at or below this, for values with a range of 1 (or ranks), are rounding errors.
ROUNDING = 1e-12


class _Paired(NamedTuple):
    item: npt.NDArray[np.int64]
    labels: tuple[Hashable, ...]
    human: Array
    metric: Array

    @property
    def items(self) -> int:
        return len(self.labels)


def segment_correlation(
    items: Sequence[Hashable],
    human: Sequence[float | None],
    metric: Sequence[float | None],
    *,
    groups: Mapping[Hashable, Hashable] | None = None,
    method: Method = "spearman",
    within_item: bool = False,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Correlation of human and metric scores, with one entry per output; an entry with None is left out.

    Over all outputs, with a percentile bootstrap that resamples whole items (for Kendall with more than 300
    outputs: item influences with Fisher's z); ``n`` counts outputs. With ``within_item``, the mean over items
    of the correlation among an item's outputs, with Student's t over items; ``n`` counts items for which it
    is defined. ``groups`` (document, client, conversation; by item label): items of one group are resampled,
    or count, together. Undefined with fewer than 3 outputs, and if one side does not vary.
    """
    require_level(level)
    _require_method(method)
    if within_item:
        return _within_item(_paired(items, human, metric), method, level, groups or {})
    paired = _paired(_units(items, groups), human, metric)
    linear = method == "kendall" and paired.human.size > RESAMPLED_KENDALL
    name = signature(
        f"{method}-segment",
        interval="influence" if linear else "bootstrap",
        replicates=None if linear else replicates,
        seed=None if linear else seed,
        level=level,
    )
    n = paired.human.size
    if reason := _cannot_correlate(paired):
        return Measure.undefined(reason, n=n, signature=name)
    if linear:
        value, found = _kendall_by_influence(paired, level)
    else:
        statistic = _by_item_weights(paired, method)
        value = float(statistic(np.ones((1, paired.items)))[0])
        found = _resampled(statistic, paired, _drawn_items(paired, replicates, seed), level)
    return Measure(
        value=_clipped_to_unit(value), n=n, low=found.low, high=found.high, note=found.note, signature=name
    )


def segment_gain(
    items: Sequence[Hashable],
    human: Sequence[float | None],
    before: Sequence[float | None],
    after: Sequence[float | None],
    *,
    groups: Mapping[Hashable, Hashable] | None = None,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """How much better ``after`` follows people than ``before``: the difference of their Spearman
    correlations.

    Over the outputs that have both, from the same resamples of whole items or ``groups``. ``n`` counts
    outputs; undefined if either correlation is, as for `segment_correlation`.
    """
    require_level(level)
    name = signature("spearman-gain", interval="bootstrap", replicates=replicates, seed=seed, level=level)
    both = [None if a is None or b is None else a for a, b in zip(before, after, strict=True)]
    units = _units(items, groups)
    first = _paired(units, human, both)
    second = _paired(units, human, [None if a is None else b for a, b in zip(both, after, strict=True)])
    n = first.human.size
    if reason := _cannot_correlate(first) or _cannot_correlate(second):
        return Measure.undefined(reason, n=n, signature=name)
    earlier, later = _spearman_by_item(first), _spearman_by_item(second)

    def gain(weights: Array) -> Array:
        return later(weights) - earlier(weights)

    value = float(gain(np.ones((1, first.items)))[0])
    found = _resampled(gain, first, _drawn_items(first, replicates, seed), level)
    return Measure(value=value, n=n, low=found.low, high=found.high, note=found.note, signature=name)


def system_correlation(
    candidates: Sequence[Hashable],
    items: Sequence[Hashable],
    human: Sequence[float | None],
    metric: Sequence[float | None],
    *,
    groups: Mapping[Hashable, Hashable] | None = None,
    method: Method = "spearman",
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Correlation of the candidates' mean human and mean metric scores, with one entry per output.

    Percentile bootstrap over items (or their ``groups``) and over candidates, which represent others like
    them (BOOT-BOTH of Deutsch, Dror and Roth, 2021). With fewer than 10 candidates the note has the exact
    two-sided p over all orders of the metric's means, except for Kendall. ``n`` counts candidates; undefined
    with fewer than 4.
    """
    require_level(level)
    _require_method(method)
    name = signature(f"{method}-system", 2, bootstrap=replicates, seed=seed, level=level)
    if len(candidates) != len(items):
        raise ValueError(f"{len(candidates)} candidates and {len(items)} items; give one each per output")
    keep = [a is not None and b is not None for a, b in zip(human, metric, strict=True)]
    paired = _paired(_units(items, groups), human, metric)
    kept = [label for label, present in zip(candidates, keep, strict=True) if present]
    codes = {label: code for code, label in enumerate(dict.fromkeys(kept))}
    n = len(codes)
    if not n:
        return Measure.undefined(NO_PAIR, signature=name)
    if n < FEWEST_CANDIDATES:
        return Measure.undefined(f"fewer than {FEWEST_CANDIDATES} candidates", n=n, signature=name)
    candidate = np.array([codes[label] for label in kept], dtype=np.int64)
    columns = (np.ones_like(paired.human), _standard(paired.human), _standard(paired.metric))
    sums = [_table(paired, candidate, n, values) for values in columns]

    generator = np.random.default_rng([seed, n])

    def means(weights: Array) -> tuple[Array, Array]:
        count, human_sum, metric_sum = (weights @ table for table in sums)
        return _rounded_means(human_sum / count), _rounded_means(metric_sum / count)

    def correlations(weights: Array) -> Array:
        drawn = generator.integers(0, n, (len(weights), n))
        x, y = (np.take_along_axis(side, drawn, axis=1) for side in means(weights))
        return _row_correlations(x, y, method)

    with np.errstate(invalid="ignore", divide="ignore"):
        observed = means(np.ones((1, paired.items)))
        value = float(_row_correlations(*observed, method)[0])
    if not math.isfinite(value):
        return Measure.undefined("no variation among the candidates' means", n=n, signature=name)
    found = _resampled(
        correlations, paired, unit_weights(paired.items, replicates=replicates, seed=seed), level
    )
    note = "; ".join(filter(None, (found.note, _p_over_orders(observed[0][0], observed[1][0], method))))
    return Measure(
        value=_clipped_to_unit(value), n=n, low=found.low, high=found.high, note=note, signature=name
    )


def _p_over_orders(x: Array, y: Array, method: Method) -> str:
    """In words, the share of the orders of ``y`` that correlate with ``x`` at least as strongly, in either
    direction.

    Empty for Kendall's tau, and with too many orders.
    """
    if x.size >= FEWEST_TO_APPROXIMATE or method == "kendall":
        return ""
    if method == "spearman":
        x, y = (np.sign(side[:, None] - side[None, :]).sum(axis=1) for side in (x, y))
    x, y = x - x.mean(), y - y.mean()
    products = y[_orders(x.size)] @ x
    p = float((np.abs(products) >= abs(float(x @ y)) - ROUNDING).mean())
    return f"exact p {p:.2g}"


@cache
def _orders(size: int) -> npt.NDArray[np.int8]:
    """Every order of ``size`` things, one per row."""
    return np.array(list(permutations(range(size))), dtype=np.int8)


def _require_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f'the method is {", ".join(METHODS)}, not "{method}"')


def _paired(
    items: Sequence[Hashable], human: Sequence[float | None], metric: Sequence[float | None]
) -> _Paired:
    if not len(items) == len(human) == len(metric):
        raise ValueError(f"columns differ in length: {len(items)}, {len(human)}, {len(metric)}")
    rows = [
        (item, first, second)
        for item, first, second in zip(items, human, metric, strict=True)
        if first is not None and second is not None
    ]
    codes: dict[Hashable, int] = {}
    item = np.array([codes.setdefault(label, len(codes)) for label, _, _ in rows], dtype=np.int64)
    first = np.array([value for _, value, _ in rows], dtype=np.float64)
    second = np.array([value for _, _, value in rows], dtype=np.float64)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a score is not a finite number; use None for a missing one")
    return _Paired(item, tuple(codes), first, second)


def _units(items: Sequence[Hashable], groups: Mapping[Hashable, Hashable] | None) -> list[Hashable]:
    """The independent units: each entry's group, or its item without one."""
    codes = group_codes(items, groups or {})
    return list(items) if codes is None else codes.tolist()


def _cannot_correlate(paired: _Paired) -> str:
    if paired.human.size < FEWEST_OUTPUTS:
        return f"fewer than {FEWEST_OUTPUTS} outputs with both scores"
    if np.ptp(paired.human) == 0:
        return "no variation in the human scores"
    return "no variation in the metric" if np.ptp(paired.metric) == 0 else ""


def _clipped_to_unit(value: float) -> float:
    return max(-1.0, min(1.0, value))


def _resampled(
    statistic: WeightedStatistic, paired: _Paired, weights: Iterator[Array], level: float
) -> Interval:
    if too_few := too_few_items(paired.items):
        return Interval(None, None, too_few)
    return bootstrap(statistic, weights, level=level)


def _drawn_items(paired: _Paired, replicates: int, seed: int) -> Iterator[Array]:
    """Item weights in chunks small enough for one weight per output."""
    per_chunk = max(1, CELLS_PER_CHUNK // paired.human.size)
    for chunk in unit_weights(paired.items, replicates=replicates, seed=seed):
        for start in range(0, len(chunk), per_chunk):
            yield chunk[start : start + per_chunk]


def _by_item_weights(paired: _Paired, method: Method) -> WeightedStatistic:
    """The correlation over all outputs if item j occurs ``weights[b, j]`` times."""
    if method == "pearson":
        return _pearson_by_item(paired)
    if method == "spearman":
        return _spearman_by_item(paired)

    def kendall(item_weights: Array) -> Array:
        return _weighted_kendall(paired.human, paired.metric, item_weights[:, paired.item])

    return kendall


def _spearman_by_item(paired: _Paired) -> WeightedStatistic:
    """Spearman's rho: Pearson's correlation of mid-ranks, which differ in every replicate."""
    human, metric = Ranking(paired.human), Ranking(paired.metric)

    def correlation(item_weights: Array) -> Array:
        weights = item_weights[:, paired.item]
        x, y = human.centred(weights), metric.centred(weights)
        x_square = np.einsum("bn,bn,bn->b", weights, x, x)
        y_square = np.einsum("bn,bn,bn->b", weights, y, y)
        return _ratio(np.einsum("bn,bn,bn->b", weights, x, y), x_square, y_square)

    return correlation


def _pearson_by_item(paired: _Paired) -> WeightedStatistic:
    """Pearson's correlation from five sums, to which an item contributes as a whole."""
    x, y = _standard(paired.human), _standard(paired.metric)
    columns = np.column_stack(
        [np.bincount(paired.item, weights=values) for values in (np.ones_like(x), x, y, x * x, y * y, x * y)]
    )

    def correlation(item_weights: Array) -> Array:
        n, x_sum, y_sum, x_square, y_square, cross = (item_weights @ columns).T
        return _ratio(cross - x_sum * y_sum / n, x_square - x_sum**2 / n, y_square - y_sum**2 / n)

    return correlation


def _standard(values: Array) -> Array:
    """Centred and scaled to a range of 1, so that the threshold for rounding is the same for every metric."""
    result: Array = (values - values.mean()) / (np.ptp(values) or 1.0)
    return result


def _weighted_pearson(x: Array, y: Array, weights: Array) -> Array:
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    weighted_x = weights * x
    cross, x_square = (weighted_x * y).sum(axis=1), (weighted_x * x).sum(axis=1)
    return _ratio(cross, x_square, (weights * y * y).sum(axis=1))


def _ratio(cross: Array, x_square: Array, y_square: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Array = cross / np.sqrt(x_square * y_square)
    # A resample with a single value has a sum of squares of the size of rounding errors.
    result[(x_square <= ROUNDING) | (y_square <= ROUNDING)] = np.nan
    return result


def _weighted_kendall(x: Array, y: Array, weights: Array) -> Array:
    x_sign = np.sign(x[:, None] - x[None, :])
    y_sign = np.sign(y[:, None] - y[None, :])
    cross, x_square, y_square = (
        ((weights @ signs) * weights).sum(axis=1) for signs in (x_sign * y_sign, x_sign**2, y_sign**2)
    )
    return _ratio(cross, x_square, y_square)


def _kendall_by_influence(paired: _Paired, level: float) -> tuple[float, Interval]:
    """Kendall's tau-b with the infinitesimal jackknife over items, on Fisher's z scale.

    tau-b is a ratio of quadratic forms in the observations' weights; its derivative in each
    weight, summed within an item, is the item's influence.
    """
    counts = concordance(paired.human, paired.metric)
    cross, x_square, y_square = (float(part.sum()) for part in counts)
    tau = cross / math.sqrt(x_square * y_square)
    influence = 2 * counts.balance / math.sqrt(x_square * y_square)
    influence -= tau * (counts.untied_x / x_square + counts.untied_y / y_square)
    per_item = np.bincount(paired.item, weights=influence)
    if too_few := too_few_items(paired.items):
        return tau, Interval(None, None, too_few)
    error = math.sqrt(float((per_item**2).sum()) * paired.items / (paired.items - 1))
    if abs(tau) >= 1 or error == 0:
        return tau, Interval(None, None, "no interval: every resample gives the same value")
    reach = student_quantile(level, paired.items - 1) * error / (1 - tau**2)
    centre = math.atanh(tau)
    return tau, Interval(math.tanh(centre - reach), math.tanh(centre + reach))


def _within_item(
    paired: _Paired, method: Method, level: float, groups: Mapping[Hashable, Hashable]
) -> Measure:
    name = signature(f"{method}-within-item", level=level)
    if not paired.human.size:
        return Measure.undefined(NO_PAIR, signature=name)
    order = np.argsort(paired.item, kind="stable")
    sizes = np.bincount(paired.item)
    starts = np.cumsum(sizes) - sizes
    human, metric = paired.human, paired.metric
    if method == "pearson":
        human, metric = _standard(human), _standard(metric)
    found = np.full(paired.items, np.nan)
    for size in np.unique(sizes[sizes > 1]).tolist():
        rows = order[starts[sizes == size][:, None] + np.arange(size)]
        found[sizes == size] = np.clip(_row_correlations(human[rows], metric[rows], method), -1, 1)
    values = [value if math.isfinite(value) else None for value in found.tolist()]
    each = Ratings.from_columns(paired.labels, [""] * len(values), values, groups=groups)
    if not len(each):
        return Measure.undefined("no item has two outputs that differ in both scores", signature=name)
    mean = mean_over_items(each, level=level, bounds=(-1.0, 1.0))
    skipped = each.not_applicable
    note = f"{skipped} of {paired.items} items without variation left out" if skipped else ""
    return replace(mean, note="; ".join(filter(None, (note, mean.note))), signature=name)


def _row_correlations(x: Array, y: Array, method: Method) -> Array:
    """One correlation per row of two tables."""
    if method == "pearson":
        return _weighted_pearson(x, y, np.ones_like(x))
    x_sign = np.sign(x[:, :, None] - x[:, None, :])
    y_sign = np.sign(y[:, :, None] - y[:, None, :])
    if method == "spearman":
        # The sum of signs against all others is twice the mid-rank, up to a constant.
        return _weighted_pearson(x_sign.sum(axis=2), y_sign.sum(axis=2), np.ones_like(x))
    return _ratio(
        (x_sign * y_sign).sum(axis=(1, 2)), (x_sign**2).sum(axis=(1, 2)), (y_sign**2).sum(axis=(1, 2))
    )


def _table(paired: _Paired, candidate: npt.NDArray[np.int64], candidates: int, values: Array) -> Array:
    cell = paired.item * candidates + candidate
    sums: Array = np.bincount(cell, weights=values, minlength=paired.items * candidates).astype(np.float64)
    return sums.reshape(paired.items, candidates)


def _rounded_means(means: Array) -> Array:
    """Means rounded so that equal ones tie."""
    return np.round(means, 12)
