"""Agreement between reviewers on one criterion, with missing scores allowed.

Every measure uses the items with at least two scores (``n`` counts them), is undefined with a reason if it
cannot be computed, and has a percentile bootstrap interval over items or their groups, for new items scored
by this panel. Pass the base overlap only, without scores added because reviewers differed. Negative values
are not cut.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from evalapp.measure import Measure, signature
from evalapp.stats.ratings import Codes, Ratings, why_no_scores
from evalapp.stats.resampling import (
    CELLS_PER_CHUNK,
    DEFAULT_REPLICATES,
    Array,
    WeightedStatistic,
    bootstrap,
    kind_weights,
    pattern_weights,
    require_level,
    too_few_items,
)
from evalapp.stats.scores import FOR_THIS_PANEL

Scale = Literal["nominal", "ordinal", "interval", "ratio"]
SCALES: tuple[Scale, ...] = ("nominal", "ordinal", "interval", "ratio")

AgreementWeights = Literal["identity", "linear", "quadratic"]

ONE_REVIEWER = "one reviewer"
NO_OVERLAP = "no item has two scores"
NO_VARIATION = "no variation"


class Patterns(NamedTuple):
    """Items grouped by their set of scores.

    ``counts`` (patterns × values): number of reviewers who gave the value. ``items``: number of items with
    the pattern.
    ``values``: the distinct scores, ascending. ``kind`` and ``group``: if items come in groups, the codes of
    each item's pattern and group.
    """

    counts: Array
    items: Array
    values: Array
    kind: Codes | None = None
    group: Codes | None = None

    @property
    def scores(self) -> Array:
        """Number of scores of an item of each pattern."""
        scores: Array = self.counts.sum(axis=1)
        return scores


# The measures of one panel are computed one after the other from the same ratings.
@lru_cache(maxsize=8)
def score_patterns(ratings: Ratings, *, at_least: int = 2) -> Patterns:
    """Group the items with ``at_least`` scores by their set of scores."""
    enough = ratings.per_item[ratings.item] >= at_least
    values, code = np.unique(ratings.score[enough], return_inverse=True)
    present, item = np.unique(ratings.item[enough], return_inverse=True)
    items = int(np.max(item)) + 1 if item.size else 0
    counts = np.bincount(item * max(values.size, 1) + code, minlength=items * values.size)
    kinds, kind, times = np.unique(
        counts.reshape(items, values.size), axis=0, return_inverse=True, return_counts=True
    )
    group = None if ratings.group is None else ratings.group[present]
    return Patterns(kinds.astype(np.float64), times.astype(np.float64), values, kind.reshape(-1), group)


def _with_interval(
    patterns: Patterns, statistic: WeightedStatistic, *, name: str, seed: int, replicates: int, level: float
) -> Measure:
    n = int(patterns.items.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(patterns.items[None, :])[0])
    if not np.isfinite(value):
        return Measure.undefined(NO_VARIATION, n=n, signature=name)
    if few := too_few_items(n):
        return Measure(value=value, n=n, note=few, signature=name)
    if patterns.group is None or patterns.kind is None:
        weights = pattern_weights(patterns.items, replicates=replicates, seed=seed)
    else:
        weights = kind_weights(patterns.kind, patterns.group, replicates=replicates, seed=seed)
    low, high, note = bootstrap(statistic, weights, level=level)
    return Measure(
        value=value, n=n, low=low, high=high, note=note or f"over items, {FOR_THIS_PANEL}", signature=name
    )


def cannot_agree(ratings: Ratings) -> str:
    """Why agreement is undefined for all measures; empty if it is not."""
    if not len(ratings):
        return why_no_scores(ratings.not_applicable)
    if len(ratings.reviewers) < 2:
        return ONE_REVIEWER
    if np.max(ratings.per_item) < 2:
        return NO_OVERLAP
    return ""


def _refuse_repeats(ratings: Ratings) -> None:
    if ratings.has_repeats():
        raise ValueError(
            "a reviewer scored the same item twice: agreement between reviewers takes one score "
            "each; hidden repeats belong to the intra-rater measure"
        )


def krippendorff_alpha(
    ratings: Ratings,
    *,
    scale: Scale = "ordinal",
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Krippendorff's alpha, 1 - observed / expected disagreement, with any number of missing scores.

    ``scale`` determines the distance of two scores; "ratio" accepts scores ≥ 0 only (ValueError). Undefined
    for one reviewer, without overlap, and if all scores are equal ("no variation"). Source: Krippendorff,
    Computing Krippendorff's Alpha-Reliability (2011).
    """
    require_level(level)
    if scale not in SCALES:
        raise ValueError(f'the scale is one of {", ".join(SCALES)}, not "{scale}"')
    _refuse_repeats(ratings)
    name = signature("krippendorff-alpha", scale=scale, bootstrap=replicates, seed=seed, level=level)
    if reason := cannot_agree(ratings):
        return Measure.undefined(reason, signature=name)
    patterns = score_patterns(ratings)
    if scale == "ratio" and patterns.values[0] < 0:
        raise ValueError(f"a ratio scale has no negative scores, but one is {patterns.values[0]:g}")
    alpha = _ordinal_alpha(patterns) if scale == "ordinal" else _fixed_alpha(patterns, scale)
    return _with_interval(patterns, alpha, name=name, seed=seed, replicates=replicates, level=level)


class _Pairs(NamedTuple):
    """Pairs of different scores within a pattern; ``weight`` is the pair's share of 1/(m - 1)."""

    pattern: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    weight: Array


def _unequal_pairs(patterns: Patterns) -> _Pairs:
    values = patterns.values.size
    first, second = np.triu_indices(values, 1)
    rows = max(1, CELLS_PER_CHUNK // max(first.size, 1))
    found: list[_Pairs] = []
    for start in range(0, patterns.items.size, rows):
        counts = patterns.counts[start : start + rows]
        products = counts[:, first] * counts[:, second]
        pattern, pair = np.nonzero(products)
        weight = 2 * products[pattern, pair] / (counts.sum(axis=1)[pattern] - 1)
        found.append(_Pairs(pattern + start, first[pair], second[pair], weight))
    return _Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _fixed_alpha(patterns: Patterns, scale: Scale) -> WeightedStatistic:
    """Alpha for distances that do not depend on the frequencies of scores."""
    pairs = _unequal_pairs(patterns)
    values = patterns.values
    gaps = _distance(values[pairs.first], values[pairs.second], scale) * pairs.weight
    disagreement = np.bincount(pairs.pattern, weights=gaps, minlength=patterns.items.size)
    distances = _distance(values[:, None], values[None, :], scale)

    def alpha(weights: Array) -> Array:
        given = weights @ patterns.counts
        total = given.sum(axis=1)
        expected = ((given @ distances) * given).sum(axis=1)
        result: Array = 1 - (total - 1) * (weights @ disagreement) / expected
        return result

    return alpha


def _distance(first: Array, second: Array, scale: Scale) -> Array:
    if scale == "nominal":
        unequal: Array = (first != second).astype(np.float64)
        return unequal
    gap: Array = (first - second) ** 2
    if scale == "interval":
        return gap
    both = (first + second) ** 2
    share: Array = np.divide(gap, both, out=np.zeros_like(gap), where=both > 0)
    return share


def _ordinal_alpha(patterns: Patterns) -> WeightedStatistic:
    """Alpha with the ordinal distance: the squared gap of mid-ranks among all given scores."""
    pairs = _unequal_pairs(patterns)
    rows = max(1, CELLS_PER_CHUNK // max(pairs.weight.size, 1))

    def alpha(weights: Array) -> Array:
        given = weights @ patterns.counts
        rank = np.cumsum(given, axis=1) - given / 2
        total = given.sum(axis=1)
        observed = np.empty(len(weights))
        for start in range(0, len(weights), rows):
            part = slice(start, start + rows)
            gaps = (rank[part][:, pairs.first] - rank[part][:, pairs.second]) ** 2
            observed[part] = np.einsum("bp,bp,p->b", weights[part][:, pairs.pattern], gaps, pairs.weight)
        expected = 2 * (total * (given * rank**2).sum(axis=1) - (given * rank).sum(axis=1) ** 2)
        # Mid-ranks are halves of integers, so a smaller value is 0 up to rounding.
        expected[expected < 1e-9 * total**4] = np.nan
        result: Array = 1 - (total - 1) * observed / expected
        return result

    return alpha


def percent_agreement(
    ratings: Ratings,
    *,
    within: float = 0.0,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Share of an item's pairs of scores at most ``within`` apart, averaged over items.

    ``within=0`` is exact agreement, 1 includes neighbouring levels. Not corrected for chance.
    """
    require_level(level)
    if within < 0:
        raise ValueError(f"scores cannot be within {within:g} of each other; give 0 or more")
    _refuse_repeats(ratings)
    name = signature("percent-agreement", within=within, bootstrap=replicates, seed=seed, level=level)
    if reason := cannot_agree(ratings):
        return Measure.undefined(reason, signature=name)
    patterns = score_patterns(ratings)
    close = np.abs(patterns.values[:, None] - patterns.values[None, :]) <= within + 1e-9
    return _with_interval(
        patterns,
        _mean_over_items(_pair_share(patterns, close.astype(np.float64))),
        name=name, seed=seed, replicates=replicates, level=level,
    )  # fmt: skip


def _pair_share(patterns: Patterns, credit: Array) -> Array:
    """Mean credit of the ordered pairs of two different scores of each pattern."""
    scores = patterns.scores
    sums = ((patterns.counts @ credit) * patterns.counts).sum(axis=1) - patterns.counts @ np.diag(credit)
    result: Array = sums / (scores * (scores - 1))
    return result


def _mean_over_items(per_pattern: Array) -> WeightedStatistic:
    def mean(weights: Array) -> Array:
        result: Array = (weights @ per_pattern) / weights.sum(axis=1)
        return result

    return mean


def gwet_ac2(
    ratings: Ratings,
    *,
    levels: Sequence[float],
    weights: AgreementWeights = "quadratic",
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Gwet's AC2 (AC1 with identity weights), which stays meaningful for skewed scores.

    ``levels``: all levels of the scale, given or not; raises ValueError for any other score. Items with one
    score count towards chance agreement, as in the source: Gwet, Handbook of Inter-Rater Reliability, 4th ed.
    (2014), ch. 4 and 5.
    """
    require_level(level)
    scale = np.array(sorted(set(levels)), dtype=np.float64)
    if scale.size < 2:
        raise ValueError("agreement needs a scale of at least two levels")
    if weights not in ("identity", "linear", "quadratic"):
        raise ValueError(f'the weights are identity, linear or quadratic, not "{weights}"')
    _refuse_repeats(ratings)
    name = signature(
        "gwet-ac2", weights=weights, levels=scale.size, bootstrap=replicates, seed=seed, level=level
    )
    if reason := cannot_agree(ratings):
        return Measure.undefined(reason, signature=name)
    patterns = _on_scale(score_patterns(ratings, at_least=1), scale)
    credit = _credit(scale, weights)
    paired = patterns.scores >= 2
    observed = np.zeros(patterns.items.size)
    some = Patterns(patterns.counts[paired], patterns.items[paired], scale)
    observed[paired] = _pair_share(some, credit)
    shares = patterns.counts / patterns.scores[:, None]
    chance_factor = credit.sum() / (scale.size * (scale.size - 1))

    def ac2(drawn: Array) -> Array:
        agreement = (drawn @ observed) / (drawn @ paired.astype(np.float64))
        use = (drawn @ shares) / drawn.sum(axis=1, keepdims=True)
        chance = chance_factor * (use * (1 - use)).sum(axis=1)
        result: Array = (agreement - chance) / (1 - chance)
        return result

    found = _with_interval(patterns, ac2, name=name, seed=seed, replicates=replicates, level=level)
    return Measure(
        value=found.value, n=int(patterns.items[paired].sum()), low=found.low, high=found.high,
        reason=found.reason, note=found.note, signature=name,
    )  # fmt: skip


def _on_scale(patterns: Patterns, scale: Array) -> Patterns:
    place = np.searchsorted(scale, patterns.values)
    known = (place < scale.size) & (scale[np.minimum(place, scale.size - 1)] == patterns.values)
    if not known.all():
        stranger = patterns.values[~known][0]
        raise ValueError(f"a score of {stranger:g} is not among the levels {scale.tolist()}")
    counts = np.zeros((patterns.items.size, scale.size))
    counts[:, place] = patterns.counts
    return patterns._replace(counts=counts, values=scale)


def _credit(scale: Array, weights: AgreementWeights) -> Array:
    if weights == "identity":
        return np.eye(scale.size)
    gap = np.abs(scale[:, None] - scale[None, :]) / (scale[-1] - scale[0])
    credit: Array = 1 - (gap if weights == "linear" else gap**2)
    return credit


def quadratic_kappa(
    ratings: Ratings,
    first: Hashable,
    second: Hashable,
    *,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Cohen's kappa of two reviewers with weights by the squared gap of their scores.

    Computed over the items that both scored. Undefined if a reviewer is absent, if they share no item, and if
    all their scores are equal. Source: Cohen (1968); Fleiss and Cohen (1973).
    """
    require_level(level)
    _refuse_repeats(ratings)
    name = signature("quadratic-kappa", bootstrap=replicates, seed=seed, level=level)
    if first == second:
        raise ValueError("kappa compares two different reviewers")
    pairs, items = _shared_scores(ratings, first, second)
    if not pairs.size:
        return Measure.undefined("the two reviewers share no item", signature=name)
    kinds, kind, times = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    centred = kinds - kinds.mean()
    one, other = centred.T
    moments = np.column_stack([np.ones(len(kinds)), one, other, one**2 + other**2, (one - other) ** 2])
    group = None if ratings.group is None else ratings.group[items]
    patterns = Patterns(kinds, times.astype(np.float64), np.unique(kinds), kind.reshape(-1), group)

    def kappa(weights: Array) -> Array:
        n, first_sum, second_sum, squares, gaps = (weights @ moments).T
        expected = squares / n - 2 * first_sum * second_sum / n**2
        expected[expected < 1e-12] = np.nan
        result: Array = 1 - gaps / n / expected
        return result

    return _with_interval(patterns, kappa, name=name, seed=seed, replicates=replicates, level=level)


def _shared_scores(ratings: Ratings, first: Hashable, second: Hashable) -> tuple[Array, Codes]:
    """Scores of two reviewers on the items that both scored, one row per item, and the codes of these
    items.
    """
    codes = {label: code for code, label in enumerate(ratings.reviewers)}
    columns = []
    for reviewer in (first, second):
        column = np.full(len(ratings.items), np.nan)
        mine = ratings.reviewer == codes.get(reviewer, -1)
        column[ratings.item[mine]] = ratings.score[mine]
        columns.append(column)
    table = np.column_stack(columns)
    shared = ~np.isnan(table).any(axis=1)
    return table[shared], np.flatnonzero(shared)
