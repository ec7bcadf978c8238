"""Agreement of one reviewer with the others, and the mean kappa of a panel's pairs.

A reviewer's score of an item is compared with every other reviewer's score of it; each item counts once,
however many others there are. Intervals are a percentile bootstrap over items and are about this panel. With
one other reviewer each value is that of the pair.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evalapp.measure import Measure, signature
from evalapp.stats.agreement import NO_OVERLAP, NO_VARIATION, ONE_REVIEWER
from evalapp.stats.coincidences import Coincidences, coincidences
from evalapp.stats.ratings import Codes, Ratings, why_no_scores
from evalapp.stats.resampling import (
    DEFAULT_REPLICATES,
    Array,
    bootstrap,
    column_sums,
    item_weights,
    require_level,
    too_few_items,
)
from evalapp.stats.scores import FOR_THIS_PANEL

ALONE = "shares no item with another reviewer"


class AgainstOthers(NamedTuple):
    """One reviewer against the others; ``n`` of each measure: items shared with at least one of them.

    ``within_one``: exact agreement or one level apart. The intraclass correlations treat "the others" as one
    second reviewer.
    """

    alpha: Measure
    kappa: Measure
    ac2: Measure
    icc_1: Measure
    icc_2_1: Measure
    icc_2_k: Measure
    exact: Measure
    within_one: Measure


class ReviewerAgainstPanel(NamedTuple):
    """A rater outside a panel against one of its members, and two members against each other, on the same
    items.

    ``n``: number of those items. The gaps are the rater's value minus the panel's, from the same resamples.
    No kappas if the answers have no order.
    """

    alpha: Measure
    panel_alpha: Measure
    alpha_gap: Measure
    kappa: Measure | None
    panel_kappa: Measure | None
    kappa_gap: Measure | None


class _LevelPairs(NamedTuple):
    """Pairs of the reviewer's level and another's, each distinct pair once (``own``, ``other``: indices of
    levels).

    ``item``, ``pair`` and ``share`` have one entry for each score of another reviewer; ``share`` is the
    pair's part of its item's weight of 1. ``group``: the item's group, if items come in groups.
    """

    own: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    levels: Array
    items: int
    item: npt.NDArray[np.int64]
    pair: npt.NDArray[np.int64]
    share: Array
    group: Codes | None = None

    def counts(self, weights: Array) -> Array:
        """Weighted counts, replicates × pairs, if item j occurs ``weights[b, j]`` times."""
        return column_sums(weights, self.item, self.pair, self.share, self.own.size)


Statistic = Callable[[_LevelPairs, Array], Array]


def against_others(
    ratings: Ratings,
    reviewer: Hashable,
    *,
    levels: Sequence[float],
    is_ordered: bool = True,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> AgainstOthers:
    """Every measure of agreement between ``reviewer`` and the others on the items they share.

    ``levels``: all levels of the scale. ``is_ordered`` False: a category, with nominal alpha and AC1 in place
    of AC2, and without kappa, correlation and agreement within one level. Raises ValueError for a score that
    is not a level.
    """
    require_level(level)
    level_pairs = _pairs_with_others(ratings, reviewer, np.array(sorted(set(levels)), dtype=np.float64))
    drawn = _replicate_counts(level_pairs, seed=seed, replicates=replicates)
    statistics: dict[str, tuple[str, Statistic]] = {
        "alpha": ("krippendorff-alpha", _ordinal_alpha if is_ordered else _nominal_alpha),
        "kappa": ("quadratic-kappa", _kappa),
        "ac2": ("gwet-ac2", _ac2 if is_ordered else _ac1),
        "icc_1": ("icc-1", _icc_one_way),
        "icc_2_1": ("icc-2,1", _icc_two_way),
        "icc_2_k": ("icc-2,k", _icc_of_mean),
        "exact": ("percent-agreement", _share_within(0.0)),
        "within_one": ("percent-agreement-within-1", _share_within(1.0)),
    }
    found = {}
    for field, (name, statistic) in statistics.items():
        label = signature(f"{name}-against-others", bootstrap=replicates, seed=seed, level=level)
        needs_order = field in ("kappa", "icc_1", "icc_2_1", "icc_2_k", "within_one")
        if needs_order and not is_ordered:
            found[field] = Measure.undefined("the answers have no order", signature=label)
            continue
        found[field] = _measure_of(level_pairs, drawn, statistic, label, level=level)
    return AgainstOthers(**found)


def reviewer_against_panel(
    ratings: Ratings,
    rater: Hashable,
    *,
    levels: Sequence[float],
    is_ordered: bool = True,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> ReviewerAgainstPanel:
    """Agreement of ``rater`` with one of the others, and of any two of the others with each other.

    Both use the items that ``rater`` and at least two others scored, with every score of those, and count an
    item once however many others there are, so the two can be compared. If no item has two others, the
    rater's measures use the items with one, and the others' are undefined. Alpha is ordinal, or nominal
    without an order; kappa has quadratic weights, the panel's with the members' common margins.
    """
    require_level(level)
    known = np.array(sorted(set(levels)), dtype=np.float64)
    items = _items_of_panel(ratings, rater)
    judged = _pairs_with_others(_ratings_on_items(ratings, items) if items.any() else ratings, rater, known)
    panel = _pairs_among_others(ratings, rater, items, known) if items.any() else None

    def measures_of(statistic: Statistic, name: str) -> tuple[Measure, Measure, Measure]:
        def signed(subject: str) -> str:
            return signature(f"{name}-{subject}", bootstrap=replicates, seed=seed, level=level)

        def measured(level_pairs: _LevelPairs | None, subject: str) -> Measure:
            drawn = _replicate_counts(level_pairs, seed=seed, replicates=replicates)
            alone = NO_OVERLAP if len(ratings) else "no scores"
            return _measure_of(level_pairs, drawn, statistic, signed(subject), level=level, alone=alone)

        gap = _difference_from_panel(
            judged, panel, statistic, signed("gap"), seed=seed, replicates=replicates, level=level
        )
        return measured(judged, "of-rater"), measured(panel, "of-panel"), gap

    alpha = measures_of(_ordinal_alpha if is_ordered else _nominal_alpha, "krippendorff-alpha")
    kappa = measures_of(_kappa, "quadratic-kappa") if is_ordered else (None, None, None)
    return ReviewerAgainstPanel(*alpha, *kappa)


def _items_of_panel(ratings: Ratings, rater: Hashable) -> npt.NDArray[np.bool_]:
    """The items that ``rater`` and at least two others scored."""
    code = ratings.reviewers.index(rater) if rater in ratings.reviewers else -1
    own = np.bincount(ratings.item[ratings.reviewer == code], minlength=len(ratings.items))
    result: npt.NDArray[np.bool_] = (own > 0) & (ratings.per_item - own >= 2)
    return result


def _ratings_on_items(ratings: Ratings, items: npt.NDArray[np.bool_], without: Hashable = None) -> Ratings:
    code = ratings.reviewers.index(without) if without is not None else -1
    kept = np.flatnonzero(items[ratings.item] & (ratings.reviewer != code))
    # Ordered by item, so that items have the same numbers whichever reviewer is left out.
    kept = kept[np.argsort(ratings.item[kept], kind="stable")]
    return Ratings.from_columns(
        ratings.item[kept].tolist(),
        [ratings.reviewers[code] for code in ratings.reviewer[kept].tolist()],
        ratings.score[kept].tolist(),
        groups={} if ratings.group is None else dict(enumerate(ratings.group.tolist())),
    )


def _pairs_among_others(
    ratings: Ratings, rater: Hashable, items: npt.NDArray[np.bool_], levels: Array
) -> _LevelPairs:
    """Every two scores of others on an item, in both orders, so that the sides are exchangeable."""
    others = _ratings_on_items(ratings, items, without=rater)
    together, shared = _renumbered_items(coincidences(others))
    own = _positions(together.own, levels)[together.cell]
    other = _positions(together.other, levels)[together.cell]
    item = np.concatenate([together.item, together.item])
    cell = np.concatenate([own * levels.size + other, other * levels.size + own])
    cells, place = np.unique(cell, return_inverse=True)
    share = 1 / np.bincount(item)[item]
    return _LevelPairs(
        cells // levels.size,
        cells % levels.size,
        levels,
        shared.size,
        item,
        place,
        share,
        _groups_of(others, shared),
    )


def _groups_of(ratings: Ratings, items: Codes) -> Codes | None:
    """The group codes of some items; None if items are independent."""
    return None if ratings.group is None else ratings.group[items]


def _difference_from_panel(
    judged: _LevelPairs | None,
    panel: _LevelPairs | None,
    statistic: Statistic,
    name: str,
    *,
    seed: int,
    replicates: int,
    level: float,
) -> Measure:
    if judged is None or panel is None:
        return Measure.undefined(NO_OVERLAP, signature=name)
    n = judged.items

    def of(weights: Array) -> Array:
        return statistic(judged, judged.counts(weights)) - statistic(panel, panel.counts(weights))

    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(of(np.ones((1, n)))[0])
    if not np.isfinite(value):
        return Measure.undefined("one item" if n < 2 else NO_VARIATION, n=n, signature=name)
    if few := too_few_items(n):
        return Measure(value=value, n=n, note=few, signature=name)
    drawn = item_weights(n, judged.group, replicates=replicates, seed=seed)
    low, high, note = bootstrap(of, drawn, level=level)
    return Measure(
        value=value, n=n, low=low, high=high, note=note or f"over items, {FOR_THIS_PANEL}", signature=name
    )


def _positions(scores: Array, levels: Array) -> npt.NDArray[np.int64]:
    position = np.searchsorted(levels, scores)
    if scores.size and not (levels[np.minimum(position, levels.size - 1)] == scores).all():
        raise ValueError(f"a score is not among the levels {levels.tolist()}")
    return position


def _pairs_with_others(ratings: Ratings, reviewer: Hashable, levels: Array) -> _LevelPairs | None:
    if ratings.has_repeats():
        raise ValueError("a reviewer scored the same item twice: give one score each")
    position = _positions(ratings.score, levels)
    code = ratings.reviewers.index(reviewer) if reviewer in ratings.reviewers else -1
    mine = ratings.reviewer == code
    own = np.full(len(ratings.items), -1)
    own[ratings.item[mine]] = position[mine]
    others = np.flatnonzero(~mine & (own[ratings.item] >= 0))
    if not others.size:
        return None
    shared, item = np.unique(ratings.item[others], return_inverse=True)
    weight = 1 / np.bincount(item)[item]
    cell = own[ratings.item[others]] * levels.size + position[others]
    cells, place = np.unique(cell, return_inverse=True)
    return _LevelPairs(
        cells // levels.size,
        cells % levels.size,
        levels,
        shared.size,
        item,
        place,
        weight,
        _groups_of(ratings, shared),
    )


def _replicate_counts(level_pairs: _LevelPairs | None, *, seed: int, replicates: int) -> Array:
    """The counts of every replicate, shared by all measures."""
    if level_pairs is None or level_pairs.items < 2:
        return np.empty((0, 0))
    chunks = item_weights(level_pairs.items, level_pairs.group, replicates=replicates, seed=seed)
    return np.concatenate([level_pairs.counts(chunk) for chunk in chunks])


def _measure_of(
    level_pairs: _LevelPairs | None,
    drawn: Array,
    statistic: Statistic,
    name: str,
    *,
    level: float,
    alone: str = ALONE,
) -> Measure:
    if level_pairs is None:
        return Measure.undefined(alone, signature=name)
    n = level_pairs.items

    def of(counts: Array) -> Array:
        return statistic(level_pairs, counts)

    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(of(level_pairs.counts(np.ones((1, n))))[0])
    if not np.isfinite(value):
        return Measure.undefined("one item" if n < 2 else NO_VARIATION, n=n, signature=name)
    if few := too_few_items(n):
        return Measure(value=value, n=n, note=few, signature=name)
    low, high, note = bootstrap(of, iter([drawn]), level=level)
    return Measure(
        value=value, n=n, low=low, high=high, note=note or f"over items, {FOR_THIS_PANEL}", signature=name
    )


def _margins(level_pairs: _LevelPairs, counts: Array) -> tuple[Array, Array]:
    """How often each level was given by the reviewer and by the others (replicates × levels)."""
    levels = np.eye(level_pairs.levels.size)
    return counts @ levels[level_pairs.own], counts @ levels[level_pairs.other]


def _share_within(reach: float) -> Statistic:
    def within(level_pairs: _LevelPairs, counts: Array) -> Array:
        gaps = np.abs(level_pairs.levels[level_pairs.own] - level_pairs.levels[level_pairs.other])
        result: Array = counts[:, gaps <= reach + 1e-9].sum(axis=1) / counts.sum(axis=1)
        return result

    return within


def _kappa(level_pairs: _LevelPairs, counts: Array) -> Array:
    own, other = _margins(level_pairs, counts)
    gaps = (level_pairs.levels[level_pairs.own] - level_pairs.levels[level_pairs.other]) ** 2
    distances = (level_pairs.levels[:, None] - level_pairs.levels[None, :]) ** 2
    expected = ((own @ distances) * other).sum(axis=1) / counts.sum(axis=1)
    expected[expected < 1e-12] = np.nan
    result: Array = 1 - counts @ gaps / expected
    return result


def _ordinal_alpha(level_pairs: _LevelPairs, counts: Array) -> Array:
    given = np.add(*_margins(level_pairs, counts))
    rank = np.cumsum(given, axis=1) - given / 2
    gaps = (rank[:, level_pairs.own] - rank[:, level_pairs.other]) ** 2
    total = given.sum(axis=1)
    expected = 2 * (total * (given * rank**2).sum(axis=1) - (given * rank).sum(axis=1) ** 2)
    expected[expected < 1e-9 * total**4] = np.nan
    result: Array = 1 - (total - 1) * 2 * (counts * gaps).sum(axis=1) / expected
    return result


def _nominal_alpha(level_pairs: _LevelPairs, counts: Array) -> Array:
    given = np.add(*_margins(level_pairs, counts))
    total = given.sum(axis=1)
    expected = total**2 - (given**2).sum(axis=1)
    expected[expected < 1e-9] = np.nan
    unequal = counts[:, level_pairs.own != level_pairs.other].sum(axis=1)
    result: Array = 1 - (total - 1) * 2 * unequal / expected
    return result


def _ac2(level_pairs: _LevelPairs, counts: Array) -> Array:
    span = level_pairs.levels[-1] - level_pairs.levels[0]
    return _chance_corrected(
        level_pairs, counts, 1 - ((level_pairs.levels[:, None] - level_pairs.levels[None, :]) / span) ** 2
    )


def _ac1(level_pairs: _LevelPairs, counts: Array) -> Array:
    return _chance_corrected(level_pairs, counts, np.eye(level_pairs.levels.size))


def _chance_corrected(level_pairs: _LevelPairs, counts: Array, credit: Array) -> Array:
    total = counts.sum(axis=1)
    agreement = counts @ credit[level_pairs.own, level_pairs.other] / total
    use = np.add(*_margins(level_pairs, counts)) / (2 * total[:, None])
    size = level_pairs.levels.size
    chance = credit.sum() / (size * (size - 1)) * (use * (1 - use)).sum(axis=1)
    result: Array = (agreement - chance) / (1 - chance)
    return result


class _Squares(NamedTuple):
    """Mean squares of a table of items by two: the reviewer and the others."""

    n: Array
    items: Array
    reviewers: Array
    within: Array
    rest: Array


def _squares(level_pairs: _LevelPairs, counts: Array) -> _Squares:
    centre = float((level_pairs.levels[level_pairs.own] + level_pairs.levels[level_pairs.other]).mean()) / 2
    own, other = level_pairs.levels[level_pairs.own] - centre, level_pairs.levels[level_pairs.other] - centre
    n = counts.sum(axis=1)
    own_sum, other_sum = counts @ own, counts @ other
    mean = (own_sum + other_sum) ** 2 / (2 * n)
    items = counts @ (own + other) ** 2 / 2 - mean
    reviewers = (own_sum - other_sum) ** 2 / (2 * n)
    within = counts @ (own - other) ** 2 / 2
    rest = np.maximum(within - reviewers, 0.0)
    return _Squares(n, items / (n - 1), reviewers, within / n, rest / (n - 1))


def _icc_one_way(level_pairs: _LevelPairs, counts: Array) -> Array:
    squares = _squares(level_pairs, counts)
    result: Array = (squares.items - squares.within) / (squares.items + squares.within)
    return result


def _icc_two_way(level_pairs: _LevelPairs, counts: Array) -> Array:
    squares = _squares(level_pairs, counts)
    spread = squares.items + squares.rest + 2 * (squares.reviewers - squares.rest) / squares.n
    spread[spread <= 1e-12] = np.nan
    result: Array = (squares.items - squares.rest) / spread
    return result


def _icc_of_mean(level_pairs: _LevelPairs, counts: Array) -> Array:
    single = _icc_two_way(level_pairs, counts)
    # At an intraclass correlation of −1 the reliability of the mean is undefined.
    single[single <= -1 + 1e-9] = np.nan
    result: Array = 2 * single / (1 + single)
    return result


def mean_kappa(
    ratings: Ratings, *, seed: int = 0, replicates: int = DEFAULT_REPLICATES, level: float = 0.95
) -> Measure:
    """Mean of the quadratic kappas of all pairs of reviewers who share an item (Light 1971).

    ``n``: items with two scores. Pairs without variation are left out. Source of each pair's kappa: Cohen
    (1968).
    """
    require_level(level)
    name = signature("mean-quadratic-kappa", bootstrap=replicates, seed=seed, level=level)
    if ratings.has_repeats():
        raise ValueError("a reviewer scored the same item twice: give one score each")
    if not len(ratings):
        return Measure.undefined(why_no_scores(ratings.not_applicable), signature=name)
    if len(ratings.reviewers) < 2:
        return Measure.undefined(ONE_REVIEWER, signature=name)
    together, shared = _renumbered_items(coincidences(ratings))
    n = int(shared.size)
    if not n:
        return Measure.undefined(NO_OVERLAP, signature=name)
    centre = ratings.score.mean()
    one, other = together.own - centre, together.other - centre
    moments = (np.ones_like(one), one, other, one**2 + other**2, (one - other) ** 2)

    def mean(weights: Array) -> Array:
        counts = together.counts(weights)
        kappas = _kappa_of(*(np.add.reduceat(counts * each, together.starts, axis=1) for each in moments))
        defined = np.isfinite(kappas)
        result: Array = np.where(defined, kappas, 0.0).sum(axis=1) / defined.sum(axis=1)
        return result

    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(mean(np.ones((1, n)))[0])
    if not np.isfinite(value):
        return Measure.undefined(NO_VARIATION, n=n, signature=name)
    if few := too_few_items(n):
        return Measure(value=value, n=n, note=few, signature=name)
    drawn = item_weights(n, _groups_of(ratings, shared), replicates=replicates, seed=seed)
    low, high, note = bootstrap(mean, drawn, level=level)
    return Measure(
        value=value, n=n, low=low, high=high, note=note or f"over items, {FOR_THIS_PANEL}", signature=name
    )


def _renumbered_items(together: Coincidences) -> tuple[Coincidences, Codes]:
    """The items that two reviewers scored, renumbered, and their original codes."""
    items, item = np.unique(together.item, return_inverse=True)
    return replace(together, item=item), items


def _kappa_of(n: Array, one: Array, other: Array, squares: Array, gaps: Array) -> Array:
    expected = squares / n - 2 * one * other / n**2
    expected[expected < 1e-12] = np.nan
    result: Array = 1 - gaps / n / expected
    return result
