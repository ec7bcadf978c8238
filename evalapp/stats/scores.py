"""Candidate scores, low scores, distributions and reviewer offsets, with their intervals."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.components import variance_components
from evalapp.stats.mixed_model import Precision, fit_mixed_model
from evalapp.stats.panel_mean import panel_bounds, panel_mean, panel_of, panel_value, panel_weights
from evalapp.stats.populations import Population
from evalapp.stats.proportions import wilson_interval
from evalapp.stats.ratings import Ratings, why_no_scores
from evalapp.stats.resampling import Array, Interval, require_level

FOR_THIS_PANEL = "for this panel"


def candidate_score(
    ratings: Ratings,
    *,
    population: Population,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Measure:
    """Mean score of new items (or groups of items) by ``population``.

    For this panel: the mean of the reviewers' own means, with the bounds of `panel_bounds` if ``bounds`` (the
    ends of the scale) are given and finite, else with Student's t on the error of `panel_mean`. Reviewers
    with few items are left out, which the note says (`panel_of`). Without a panel mean, and for reviewers
    like these: the mean of the item means, so that items weigh the same whatever the overlap, with Student's
    t on the variances of `fit_mixed_model`, cut at ``bounds``. ``n`` counts items. Undefined without scores;
    the note says why there is no interval.
    """
    require_level(level)
    name = signature("candidate-score", 2, population=population, level=level)
    if not len(ratings):
        return Measure.undefined(why_no_scores(ratings.not_applicable), signature=name)
    estimate, note = _mean_about_reviewers, ""
    if population is Population.PANEL:
        estimate, (ratings, note) = _mean_of_panel, panel_of(ratings)
    value, found = estimate(ratings, level, bounds)
    low, high = cut(found, bounds)
    note = found.note or note
    return Measure(value=value, n=len(ratings.items), low=low, high=high, note=note, signature=name)


def mean_over_items(
    ratings: Ratings, *, level: float = 0.95, bounds: tuple[float, float] | None = None
) -> Measure:
    """Mean of the item means with Student's interval over items or their groups, for a metric or plain
    reviews.

    ``bounds`` are the ends of the scale, where the interval is cut. ``n`` counts items.
    """
    require_level(level)
    name = signature("mean-over-items", level=level)
    if not len(ratings):
        return Measure.undefined(why_no_scores(ratings.not_applicable), signature=name)
    value, found = _over_items(ratings, level)
    low, high = cut(found, bounds)
    return Measure(value=value, n=len(ratings.items), low=low, high=high, note=found.note, signature=name)


def _mean_of_panel(
    ratings: Ratings, level: float, bounds: tuple[float, float] | None
) -> tuple[float, Interval]:
    weights = panel_weights(ratings)
    if isinstance(weights, str):
        return float(ratings.item_means().mean()), Interval(None, None, f"no interval: {weights}")
    if bounds is not None and all(math.isfinite(end) for end in bounds):
        found = panel_bounds(ratings, weights, alpha=(1 - level) / 2, ends=bounds)
        return panel_value(ratings, weights), found
    mean = panel_mean(ratings)
    if isinstance(mean, str):
        return panel_value(ratings, weights), Interval(None, None, f"no interval: {mean}")
    return mean.mean, student_interval(mean.mean, mean.error, mean.degrees, level=level)


def _mean_about_reviewers(
    ratings: Ratings, level: float, bounds: tuple[float, float] | None
) -> tuple[float, Interval]:
    value, found = float(ratings.item_means().mean()), reviewers_precision(ratings)
    if isinstance(found, str):
        return value, Interval(None, None, f"no interval: {found}")
    return value, student_interval(value, found.error, found.degrees, level=level)


def _over_items(ratings: Ratings, level: float) -> tuple[float, Interval]:
    means = ratings.item_means()
    once = Ratings(
        np.arange(means.size), np.zeros(means.size, dtype=np.int64), means, ratings.items, ("",),
        group=ratings.group,
    )  # fmt: skip
    mean = panel_mean(once)
    if isinstance(mean, str):
        return float(means.mean()), Interval(None, None, f"no interval: {mean}")
    return mean.mean, student_interval(mean.mean, mean.error, mean.degrees, level=level)


def reviewers_precision(ratings: Ratings) -> Precision | str:
    """Precision of the mean of item means, over new items and new reviewers like these; or why there is
    none.
    """
    if len(ratings.items) < 2:
        return "one item"
    if len(ratings.reviewers) < 2:
        return "one reviewer"
    model = fit_mixed_model(ratings)
    if isinstance(model, str):
        return model
    return model.precision_of(1 / (len(ratings.items) * ratings.per_item[ratings.item]))


def student_interval(centre: float, error: float, degrees: float, *, level: float) -> Interval:
    """Student's t interval around ``centre``."""
    reach = student_quantile(level, degrees) * error
    return Interval(centre - reach, centre + reach)


def weighted_total(scores: Mapping[Hashable, float | None], weights: Mapping[Hashable, float]) -> Measure:
    """Weighted mean over the criteria of one output; a criterion without a score (N/A) is left out.

    ``scores`` and ``weights`` are keyed by criterion; a criterion with weight 0 is left out. ``n`` counts the
    criteria used. Undefined if none is left. Raises ValueError for a criterion without a weight and for a
    negative weight.
    """
    name = signature("weighted-total")
    for criterion in scores:
        if criterion not in weights:
            raise ValueError(f"the criterion {criterion} has no weight")
        if weights[criterion] < 0:
            raise ValueError(f"the criterion {criterion} has a negative weight, {weights[criterion]:g}")
    taken = {
        criterion: score
        for criterion, score in scores.items()
        if score is not None and weights[criterion] > 0
    }
    if not taken:
        return Measure.undefined("no criterion with a weight has a score", signature=name)
    weight = sum(weights[criterion] for criterion in taken)
    missing = sum(1 for criterion, score in scores.items() if score is None and weights[criterion] > 0)
    return Measure(
        value=sum(weights[criterion] * score for criterion, score in taken.items()) / weight,
        n=len(taken),
        note=f"{missing} of {missing + len(taken)} criteria are N/A" if missing else "",
        signature=name,
    )


class Spread(NamedTuple):
    """Standard error of a candidate score and its degrees of freedom. ``of_reviewers``: the part of the
    squared error due to differences between these reviewers, which more scores by them do not reduce.
    """

    error: float
    degrees: float
    of_reviewers: float = 0.0

    def with_items(self, times: float) -> float:
        """Standard error with ``times`` as many items by the same reviewers, if they vary as these do."""
        return math.sqrt(self.of_reviewers + (self.error**2 - self.of_reviewers) / times)


def crossed_spread(ratings: Ratings, *, careful: bool = False) -> Spread | str:
    """Standard error over new items and new reviewers, or why there is none.

    The score is a weighted sum of ratings; its variance adds the variances of item, reviewer and rest times
    their squared weights. For a full table this is (MS items + MS reviewers - MS rest) / N with
    Satterthwaite's degrees of freedom. ``careful``: the degrees allow for reviewers who differ more than
    these few happen to; for levels far below 5%.
    """
    if len(ratings.items) < 2:
        return "one item"
    if len(ratings.reviewers) < 2:
        return "one reviewer"
    if np.ptp(ratings.score) == 0:
        return "no variation"
    parts = variance_components(ratings)
    weight = 1 / (len(ratings.items) * ratings.per_item[ratings.item])
    rest = max(parts.rest, 0.0) * float((weight**2).sum())
    terms: list[_VarianceTerm] = []
    of_reviewers = 0.0
    if parts.item_apart or not parts.reviewer_apart:
        item_weights = np.bincount(ratings.item, weights=weight).astype(np.float64)
        terms.append(_variance_term(parts.item, item_weights, rest))
    if parts.reviewer_apart:
        reviewer_weights = np.bincount(ratings.reviewer, weights=weight).astype(np.float64)
        terms.append(_variance_term(parts.reviewer, reviewer_weights, rest))
        of_reviewers = max(parts.reviewer, 0.0) * float((reviewer_weights**2).sum())
    variance = sum(term.variance for term in terms)
    wobble = sum(term.variance**2 / term.degrees for term in terms)
    if len(terms) == 2:
        # Both terms include the rest; it counts once.
        rest_degrees = max(len(ratings) - len(ratings.items) - len(ratings.reviewers) + 1, 1)
        variance -= rest
        wobble += rest**2 / rest_degrees
    if variance <= 0:
        return "no variation"
    degrees = max(variance**2 / wobble, 1.0)
    if careful and parts.reviewer_apart:
        last = terms[-1]
        degrees = careful_degrees(last.variance, last.degrees, variance=variance, wobble=wobble)
    return Spread(math.sqrt(variance), degrees, min(of_reviewers, variance))


def careful_degrees(of_reviewers: float, reviewers: float, *, variance: float, wobble: float) -> float:
    """Degrees of freedom if the reviewers' part of the variance is as large as it is in one case of five.

    ``of_reviewers``: that part of ``variance``, on ``reviewers`` degrees; ``wobble``: the sum of the parts'
    squares over their degrees. If few reviewers agree by chance, Satterthwaite's formula treats the variance
    as well known exactly when it is too small, and p values under 1% occur up to five times too often.
    """
    from scipy.special import chdtri

    largest = of_reviewers * reviewers / float(chdtri(reviewers, 0.8))
    careful = (variance + largest - of_reviewers) ** 2 / (wobble + (largest**2 - of_reviewers**2) / reviewers)
    return max(min(careful, variance**2 / wobble), 1.0)


class _VarianceTerm(NamedTuple):
    variance: float
    degrees: float


def _variance_term(component: float, weights: Array, rest: float) -> _VarianceTerm:
    """One term of the score's variance with its degrees of freedom.

    Units of unequal weight count as fewer: their effective number is (Σw)² / Σw².
    """
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    variance = max(component, 0.0) * float((weights**2).sum()) + rest
    return _VarianceTerm(variance, max(effective - 1, 0.1))


def student_quantile(level: float, degrees: float) -> float:
    """The two-sided quantile of Student's t: (1 - level) / 2 is beyond it."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))


def cut(interval: Interval, bounds: tuple[float, float] | None) -> tuple[float | None, float | None]:
    """The interval's ends, limited to ``bounds``."""
    if interval.low is None or interval.high is None or bounds is None:
        return interval.low, interval.high
    return max(interval.low, bounds[0]), min(interval.high, bounds[1])


def share_of_low_scores(
    ratings: Ratings, *, population: Population, at_most: float = 2.0, level: float = 0.95
) -> Measure:
    """Share of scores ≤ ``at_most``; as `share_of_marks`."""
    low_scores = ratings.with_scores((ratings.score <= at_most).astype(np.float64))
    found = share_of_marks(low_scores, population=population, level=level)
    name = signature("share-of-low-scores", 2, population=population, at_most=at_most, level=level)
    return replace(found, signature=name)


def share_of_marks(marks: Ratings, *, population: Population, level: float = 0.95) -> Measure:
    """Share of marks (scores of 1 among 0 and 1): their `candidate_score`.

    For this panel the bounds are those of a mean between 0 and 1. For reviewers like these the interval is
    Wilson's at the effective number of independent scores: the size of a simple sample with the same standard
    error (Korn and Graubard 1998); if all scores are equal it is the number of items or groups. ``n`` counts
    items.
    """
    require_level(level)
    name = signature("share", 2, population=population, level=level)
    if population is Population.PANEL or not len(marks) or len(marks.reviewers) < 2:
        found = candidate_score(marks, population=population, level=level, bounds=(0, 1))
        return replace(found, signature=name)
    share = float(marks.item_means().mean())
    effective = _effective_marks(marks, share, level)
    low, high = wilson_interval(share * effective, effective, level=level)
    return Measure(value=share, n=len(marks.items), low=low, high=high, signature=name)


def _effective_marks(marks: Ratings, share: float, level: float) -> float:
    found = reviewers_precision(marks)
    if isinstance(found, str):
        return float(marks.groups)
    ratio = NormalDist().inv_cdf(0.5 + level / 2) / student_quantile(level, found.degrees)
    effective = share * (1 - share) / found.error**2 * ratio**2
    return min(max(effective, 1.0), float(len(marks)))


def distribution(ratings: Ratings, *, levels: Sequence[float]) -> dict[float, int]:
    """Number of scores on each level of the scale, including levels without a score.

    Raises ValueError for a score that is not a level, so that no score is dropped silently.
    """
    counts = dict.fromkeys(levels, 0)
    values, times = np.unique(ratings.score, return_counts=True)
    for value, count in zip(values.tolist(), times.tolist(), strict=True):
        if value not in counts:
            raise ValueError(f"a score of {value:g} is not among the levels {list(levels)}")
        counts[value] = count
    return counts


def reviewer_offsets(ratings: Ratings, *, level: float = 0.95) -> dict[Hashable, Measure]:
    """How far above (+) or below (-) the others each reviewer scores, on shared items only.

    Mean over the reviewer's shared items of own score minus the mean of the others' scores there; the
    interval is Student's t over those items. ``n`` counts shared items. Undefined for a reviewer who shares
    no item. If the design falls into groups without a common item, the note says that offsets compare within
    a group only.
    """
    require_level(level)
    name = signature("reviewer-offset", level=level)
    item_sums = np.bincount(ratings.item, weights=ratings.score, minlength=len(ratings.items))
    counts = ratings.per_item
    split = len(connected_groups(ratings)) > 1
    offsets: dict[Hashable, Measure] = {}
    for code, label in enumerate(ratings.reviewers):
        mine = ratings.reviewer == code
        items, position = np.unique(ratings.item[mine], return_inverse=True)
        own_count = np.bincount(position)
        own_sum = np.bincount(position, weights=ratings.score[mine])
        others = counts[items] - own_count
        shared = others > 0
        gaps = own_sum[shared] / own_count[shared]
        gaps -= (item_sums[items][shared] - own_sum[shared]) / others[shared]
        offsets[label] = _offset(gaps, split=split, level=level, name=name)
    return offsets


def _offset(gaps: Array, *, split: bool, level: float, name: str) -> Measure:
    if not gaps.size:
        return Measure.undefined("shares no item with another reviewer", signature=name)
    label = "compares within a group only: the reviewers fall into groups without a common item"
    low = high = None
    note = label if split else ""
    if gaps.size < 2 or np.ptp(gaps) == 0:
        cause = "one shared item" if gaps.size < 2 else "no variation"
        note = "; ".join(part for part in (note, f"no interval: {cause}") if part)
    else:
        error = float(gaps.std(ddof=1)) / math.sqrt(gaps.size)
        reach = student_quantile(level, gaps.size - 1) * error
        low, high = float(gaps.mean()) - reach, float(gaps.mean()) + reach
    return Measure(value=float(gaps.mean()), n=int(gaps.size), low=low, high=high, note=note, signature=name)


def connected_groups(ratings: Ratings) -> list[set[Hashable]]:
    """Groups of reviewers linked by common items, largest first; one group means that all can be compared."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(ratings):
        return []
    items, reviewers = len(ratings.items), len(ratings.reviewers)
    edges = (np.ones(len(ratings)), (ratings.item, ratings.reviewer + items))
    graph = coo_array(edges, shape=(items + reviewers, items + reviewers))
    count, group_of = connected_components(graph, directed=False)
    groups: list[set[Hashable]] = [set() for _ in range(count)]
    for label, group in zip(ratings.reviewers, group_of[items:].tolist(), strict=True):
        groups[group].add(label)
    return sorted((group for group in groups if group), key=len, reverse=True)
