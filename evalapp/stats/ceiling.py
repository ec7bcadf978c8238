"""The expected ceiling of a correlation with people."""

import math
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.agreement import NO_VARIATION, cannot_agree
from evalapp.stats.components import VarianceComponents, variance_components
from evalapp.stats.correlation import METHODS, Method
from evalapp.stats.ranks import concordance
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array, Interval, percentile_interval, require_level, too_few_items

REPLICATES = 200
#: Total number of simulated outputs over which the ceilings of rank correlations are averaged.
SIMULATED = 10_000
MOST_DRAWS = 100
MOST_OUTPUTS = 4_000


class Ceiling(NamedTuple):
    """``correlation``: the highest expected for a metric that knows the true quality of every output.
    ``reliability``: the share of the variance of the outputs' means that is due to the outputs. Both count
    outputs.
    """

    correlation: Measure
    reliability: Measure


def expected_ceiling(
    ratings: Ratings,
    *,
    method: Method = "spearman",
    seed: int = 0,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> Ceiling:
    """The ceiling for correlations with the outputs' mean scores; the items of ``ratings`` are outputs.

    For Pearson, the square root of the reliability. For rank correlations, the mean correlation in simulated
    panels: true qualities are drawn around the observed means, and scores of the observed reliability around
    those, rounded like means of as few scores. The interval is a percentile bootstrap over groups
    (``ratings.group``), or over outputs without groups. Undefined with one reviewer, without an output with
    two scores, without variation, and if the reliability is 0 or less: then people disagree about one output
    as much as about different ones.
    """
    require_level(level)
    if method not in METHODS:
        raise ValueError(f'the method is {", ".join(METHODS)}, not "{method}"')
    name = signature(f"{method}-ceiling", bootstrap=replicates, seed=seed, level=level)
    reliability = _reliability(ratings, seed, replicates, level)
    n = len(ratings.items)
    if reliability.value is None:
        return Ceiling(Measure.undefined(reliability.reason, n=n, signature=name), reliability)
    if reliability.value <= 0:
        reason = (
            f"no reliability ({reliability.value:.2f}): people differ about one output as much as between"
            " two outputs"
        )
        return Ceiling(Measure.undefined(reason, n=n, signature=name), reliability)
    value, low, high = (
        None if end is None else _ceiling(ratings, min(max(end, 0.0), 1.0), method, seed)
        for end in (reliability.value, reliability.low, reliability.high)
    )
    if value is None or low is None or high is None:
        notes = [reliability.note, _drawn_note(n, method, seed)]
        return Ceiling(
            Measure(value=value, n=n, note="; ".join(filter(None, notes)), signature=name), reliability
        )
    # Rank ceilings are simulated, so an end may be slightly inside.
    measure = Measure(
        value=value,
        n=n,
        low=min(low, value),
        high=max(high, value),
        note=_drawn_note(n, method, seed),
        signature=name,
    )
    return Ceiling(measure, reliability)


def _reliability(ratings: Ratings, seed: int, replicates: int, level: float) -> Measure:
    name = signature("reliability-of-means", bootstrap=replicates, seed=seed, level=level)
    n = len(ratings.items)
    if reason := _cannot_tell(ratings):
        return Measure.undefined(reason, n=n, signature=name)
    value = _share(ratings)
    if not math.isfinite(value):
        return Measure.undefined("no variation in the outputs' means", n=n, signature=name)
    found = Interval(None, None, too_few_items(ratings.groups))
    if not found.note:
        generator = np.random.default_rng(seed)
        values = np.array([_share(_drawn(ratings, generator)) for _ in range(replicates)])
        found = percentile_interval(values, level=level)
    low, high = found.low, found.high
    if low is not None and high is not None:
        low, high = min(low, value), max(high, value)
    return Measure(value=value, n=n, low=low, high=high, note=found.note, signature=name)


def _cannot_tell(ratings: Ratings) -> str:
    if reason := cannot_agree(ratings):
        return reason
    if len(ratings.items) < 2:
        return "one output"
    return NO_VARIATION if np.ptp(ratings.score) == 0 else ""


def _share(ratings: Ratings) -> float:
    """Share of the variance of the outputs' means that is due to the outputs; NaN if it cannot be estimated.

    A reviewer's severity counts as noise only if outputs were scored by different people: if everybody scored
    everything, it shifts all means alike and does not lower a correlation.
    """
    if len(ratings.items) < 2 or np.max(ratings.per_item) < 2:
        return math.nan
    parts: VarianceComponents = variance_components(ratings)
    weight = 1 / ratings.per_item[ratings.item]
    noise = max(parts.rest, 0.0) * float((weight**2).sum()) / len(ratings.items)
    if parts.reviewer_apart:
        cell = ratings.item * len(ratings.reviewers) + ratings.reviewer
        cells, position = np.unique(cell, return_inverse=True)
        shares = np.bincount(position, weights=weight)
        reviewer = cells % len(ratings.reviewers)
        mean_share = np.bincount(reviewer, weights=shares) / len(ratings.items)
        apart = float((shares**2).sum()) / len(ratings.items) - float((mean_share**2).sum())
        noise += max(parts.reviewer, 0.0) * max(apart, 0.0)
    total = parts.item + noise
    return parts.item / total if total > 1e-9 * noise else math.nan


def _drawn(ratings: Ratings, generator: np.random.Generator) -> Ratings:
    """Items, or their groups, drawn with replacement; a repeated draw counts as separate outputs."""
    order = np.argsort(ratings.cluster, kind="stable")
    counts = np.bincount(ratings.cluster, minlength=ratings.groups)
    starts = np.cumsum(counts) - counts
    drawn = generator.integers(len(counts), size=len(counts))
    sizes = counts[drawn]
    inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = order[np.repeat(starts[drawn], sizes) + inside]
    item, outputs = np.repeat(np.arange(len(drawn)), sizes), len(drawn)
    if ratings.group is not None:
        copies, item = np.unique(item * len(ratings.items) + ratings.item[rows], return_inverse=True)
        outputs = copies.size
    labels, reviewer = np.unique(ratings.reviewer[rows], return_inverse=True)
    return Ratings(
        item=item,
        reviewer=reviewer.astype(np.int64),
        score=ratings.score[rows],
        items=tuple(range(outputs)),
        reviewers=tuple(labels.tolist()),
    )


def _ceiling(ratings: Ratings, reliability: float, method: Method, seed: int) -> float:
    if method == "pearson" or reliability in (0.0, 1.0):
        return math.sqrt(reliability)
    means = ratings.item_means()
    if means.size > MOST_OUTPUTS:
        means = np.random.default_rng(seed).choice(means, MOST_OUTPUTS, replace=False)
    step = 1 / float(np.median(ratings.per_item))
    variance = float(means.var())
    # The observed noise includes that of rounding.
    noise = max((1 - reliability) * variance - step**2 / 12, (1 - reliability) * variance / 2)
    generator = np.random.default_rng(seed)
    draws = min(max(SIMULATED // means.size, 4), MOST_DRAWS)
    found = []
    for _ in range(draws):
        # True qualities drawn around the shrunken means have the right variance.
        true = means.mean() + reliability * (means - means.mean())
        true = true + generator.normal(0, math.sqrt(reliability * (1 - reliability) * variance), means.size)
        scored = true + generator.normal(0, math.sqrt(noise), means.size)
        scored = np.clip(np.round(scored / step) * step, np.min(ratings.score), np.max(ratings.score))
        found.append(_rank_correlation(true, scored, method))
    return float(np.clip(np.nanmean(found), 0.0, 1.0)) if np.isfinite(found).any() else 0.0


def _drawn_note(outputs: int, method: Method, seed: int) -> str:
    if method == "pearson" or outputs <= MOST_OUTPUTS:
        return ""
    return f"simulated around {MOST_OUTPUTS:,} of {outputs:,} outputs, drawn with seed {seed}"


def _rank_correlation(x: Array, y: Array, method: Method) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    if method == "spearman":
        return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])
    counts = concordance(x, y)
    cross, x_square, y_square = (float(part.sum()) for part in counts)
    return cross / math.sqrt(x_square * y_square)


def _ranks(values: Array) -> Array:
    """Mid-ranks."""
    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    result: Array = (last - (counts - 1) / 2)[code]
    return result
