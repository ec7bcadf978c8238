"""One-sided bounds for decisions: each end holds at the level ``alpha`` by itself.

The bounds are about new items by a `Population`: these reviewers, or reviewers like these. With ``times``,
each is the bound for that multiple of the items by the same reviewers, if they vary as these do; a gate uses
it to tell how many more reviews are needed.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.differences import NO_PAIRS, note_of_pairs, pairs_for, panel_reach
from evalapp.stats.panel_mean import FEWEST_ITEMS, panel_bounds, panel_of, panel_value, panel_weights
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings, why_no_scores
from evalapp.stats.scale_ends import difference_reach_below, reach_below
from evalapp.stats.scores import crossed_spread, student_quantile

FEW_MARKED = f"no interval: reviewers with fewer than {FEWEST_ITEMS} items gave such scores"
ALL_EQUAL = "all scores are the same, so the bound is on how many items could differ"


def require_alpha(alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise ValueError(f"the one-sided level is {alpha}; give a share such as 0.05")


def mean_bounds(
    ratings: Ratings,
    *,
    population: Population = Population.REVIEWERS,
    alpha: float,
    smallest: float,
    largest: float,
    times: float = 1.0,
) -> Measure:
    """A candidate's mean with a lower and an upper bound, each one-sided at ``alpha``.

    For these reviewers both are those of `evalapp.stats.panel_mean.panel_bounds`. For reviewers like these:
    Student's t on the crossed spread with careful degrees of freedom, moved further near an end of the scale
    (`scale_ends.reach_below`) and cut at the ends. If all scores are equal there is no spread: then at most a
    share p of new items (or groups) differs, with p by Clopper and Pearson for none among these, and the
    bound assumes that those are at the end of the scale. No bound is nearer to an end than that of as many
    items or groups with all scores there. ``n`` counts items. Undefined without scores.
    """
    require_alpha(alpha)
    label = signature(
        "mean-bounds", 4, interval="crossed", degrees="careful", ends="stretched", sided=1, alpha=alpha
    )
    if population is Population.PANEL:
        return _panel_mean_bounds(ratings, alpha=alpha, ends=(smallest, largest), times=times)
    if not len(ratings):
        return Measure.undefined(why_no_scores(ratings.not_applicable), signature=label)

    def below(value: float, reach: float) -> float:
        return float(reach_below(reach, place=value, smallest=smallest, largest=largest, alpha=alpha))

    found = _bounds_about_reviewers(
        ratings, below, ends=(smallest, largest), alpha=alpha, label=label, times=times
    )
    if found.low is None or found.high is None:
        return found
    best = best_bound(ratings.groups * times, alpha=alpha, smallest=smallest, largest=largest)
    return replace(found, low=min(found.low, best), high=max(found.high, smallest + largest - best))


def _panel_mean_bounds(ratings: Ratings, *, alpha: float, ends: tuple[float, float], times: float) -> Measure:
    label = signature("mean-bounds", 5, population=Population.PANEL, sided=1, alpha=alpha)
    if not len(ratings):
        return Measure.undefined(why_no_scores(ratings.not_applicable), signature=label)
    ratings, note = panel_of(ratings)
    items, weights = len(ratings.items), panel_weights(ratings)
    if isinstance(weights, str):
        value = float(ratings.item_means().mean())
        return Measure(value=value, n=items, note=f"no interval: {weights}", signature=label)
    found = panel_bounds(ratings, weights, alpha=alpha, ends=ends, times=times)
    return Measure(
        value=panel_value(ratings, weights),
        n=items,
        low=found.low,
        high=found.high,
        note=found.note or note,
        signature=label,
    )


def best_bound(items: float, *, alpha: float, smallest: float, largest: float) -> float:
    """The lower bound if every score of ``items`` items is the best possible."""
    same: float = alpha ** (1 / items)
    return smallest + same * (largest - smallest)


def items_for_best(threshold: float, *, alpha: float, smallest: float, largest: float) -> int | None:
    """The number of items with which `best_bound` reaches the threshold; None for the end of the scale
    itself.
    """
    share = (threshold - smallest) / (largest - smallest)
    if share >= 1:
        return None
    return max(math.ceil(math.log(alpha) / math.log(share)), 1) if share > 0 else 1


def difference_bounds(
    challenger: Ratings,
    champion: Ratings,
    *,
    population: Population = Population.REVIEWERS,
    alpha: float,
    smallest: float,
    largest: float,
    step: float = 0.0,
    times: float = 1.0,
) -> Measure:
    """Mean of the paired differences, challenger minus champion, blocked by reviewer, with both bounds.

    For these reviewers the bounds are those of `evalapp.stats.differences.paired_difference`, which explains
    ``step``. For reviewers like these they are as in `mean_bounds`; ``smallest`` and ``largest`` are the ends
    of the common scale, and `scale_ends.difference_reach_below` explains their effect on the bounds of a
    difference. Undefined if nobody scored both.
    """
    require_alpha(alpha)
    pairs = pairs_for(challenger, champion, population)
    label = signature(
        "difference-bounds", 4, interval="crossed", degrees="careful", ends="stretched", sided=1, alpha=alpha
    )
    if not len(pairs):
        return Measure.undefined(NO_PAIRS, signature=label)
    if population is Population.PANEL:
        label = signature("difference-bounds", 5, population=population, sided=1, alpha=alpha)
        pairs, note = panel_of(pairs)
        note = note or note_of_pairs(pairs)
        reach = panel_reach(pairs, span=largest - smallest, step=step)
        if isinstance(reach, str):
            value = float(pairs.item_means().mean())
            return Measure(value=value, n=len(pairs.items), note=f"no interval: {reach}", signature=label)
        value, more = reach.value, reach.of(times)
        low, high = more.interval(value, 1 - 2 * alpha)
        return Measure(value=value, n=len(pairs.items), low=low, high=high, note=note, signature=label)
    centre = float(challenger.item_means().mean() + champion.item_means().mean()) / 2

    def below(value: float, reach: float) -> float:
        return float(
            difference_reach_below(
                value, reach, centre=centre, smallest=smallest, largest=largest, alpha=alpha
            )
        )

    span = largest - smallest
    return _bounds_about_reviewers(pairs, below, ends=(-span, span), alpha=alpha, label=label, times=times)


def _bounds_about_reviewers(
    ratings: Ratings,
    below: Callable[[float, float], float],
    *,
    ends: tuple[float, float],
    alpha: float,
    label: str,
    times: float,
) -> Measure:
    """The mean with both bounds. ``below`` returns how far a lower bound is below an estimate, given
    Student's reach.

    The upper bound is the lower bound on the reversed scale.
    """
    smallest, largest = ends
    value, items = float(ratings.item_means().mean()), len(ratings.items)
    spread = crossed_spread(ratings, careful=True)
    if not isinstance(spread, str):
        reach = student_quantile(1 - 2 * alpha, spread.degrees) * spread.with_items(times)
        low = max(value - below(value, reach), smallest)
        high = min(value + below(smallest + largest - value, reach), largest)
        return Measure(value=value, n=items, low=low, high=high, signature=label)
    if ratings.groups < 2 or len(ratings.reviewers) < 2 or np.ptp(ratings.score):
        return Measure(value=value, n=items, note=f"no interval: {spread}", signature=label)
    differing = 1 - alpha ** (1 / (ratings.groups * times))
    return Measure(
        value=value,
        n=items,
        low=value - (value - smallest) * differing,
        high=value + (largest - value) * differing,
        note=ALL_EQUAL,
        signature=label,
    )


def share_bounds(
    marks: Ratings, *, population: Population = Population.REVIEWERS, alpha: float, times: float = 1.0
) -> Measure:
    """Share of marks (scores of 1 among 0 and 1), with exact one-sided bounds.

    For these reviewers `mean_bounds` between 0 and 1; there are no bounds if reviewers who are left out gave
    marks, because marks are what a ceiling guards against. For reviewers like these, the mean over items with
    Clopper and Pearson's bounds at the effective number of independent marks: the size of a simple sample
    with the same crossed standard error (Korn and Graubard 1998). If all marks are equal that is the number
    of items, or of their groups: 0 of 60 allows up to 4.9% at 5%. ``n`` counts items. Without two items (or
    groups) and two reviewers there are no bounds, and the note says so.
    """
    require_alpha(alpha)
    label = signature("share-bounds", interval="clopper-pearson", effective="crossed", sided=1, alpha=alpha)
    if population is Population.PANEL:
        found = _panel_mean_bounds(marks, alpha=alpha, ends=(0.0, 1.0), times=times)
        if len(marks) and marks.score.sum() > panel_of(marks).ratings.score.sum():
            value = float(marks.item_means().mean())
            found = replace(found, value=value, n=len(marks.items), low=None, high=None, note=FEW_MARKED)
        return replace(found, signature=signature("share-bounds", 2, population=population, alpha=alpha))
    if not len(marks):
        return Measure.undefined(why_no_scores(marks.not_applicable), signature=label)
    share = float(marks.item_means().mean())
    items = len(marks.items)
    if marks.groups < 2 or len(marks.reviewers) < 2:
        few = "one reviewer" if marks.groups > 1 else "one item" if items < 2 else "one group"
        note = f"no interval: {few}"
        return Measure(value=share, n=items, note=note, signature=label)
    effective = _effective_marks(marks, share, alpha, times)
    low, high = clopper_pearson(share * effective, effective, alpha=alpha)
    return Measure(value=share, n=items, low=min(low, share), high=max(high, share), signature=label)


def _effective_marks(marks: Ratings, share: float, alpha: float, times: float) -> float:
    spread = crossed_spread(marks, careful=True)
    if isinstance(spread, str):
        return marks.groups * times
    ratio = student_quantile(1 - 2 * alpha, 1e9) / student_quantile(1 - 2 * alpha, spread.degrees)
    effective = share * (1 - share) / spread.with_items(times) ** 2 * ratio**2
    return min(max(effective, 1.0), len(marks) * times)


def clopper_pearson(successes: float, n: float, *, alpha: float) -> tuple[float, float]:
    """Both exact bounds of a share, each one-sided at ``alpha``; counts may be fractional."""
    from scipy.special import betaincinv

    failures = n - successes
    low = 0.0 if successes <= 0 else float(betaincinv(successes, failures + 1, alpha))
    high = 1.0 if failures <= 0 else float(betaincinv(successes + 1, failures, 1 - alpha))
    return low, high


def items_to_reach(is_reached: Callable[[float], bool], *, most: float) -> float | None:
    """The multiple of the items with which ``is_reached`` (a function of ``times``) holds, to 0.05%.

    None if ``most`` times are not enough.
    """
    if not is_reached(most):
        return None
    low, high = 1.0, most
    while high / low > 1.0005:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_reached(middle) else (middle, high)
    return high


def items_for_none(*, ceiling: float, alpha: float) -> int:
    """The number of items without a single mark for which the upper bound is at most ``ceiling``."""
    require_alpha(alpha)
    if not 0 < ceiling < 1:
        raise ValueError(f"a ceiling of {ceiling} is not a share between 0 and 1")
    return math.ceil(math.log(alpha) / math.log(1 - ceiling))


def share_without_any(*, items: int, alpha: float) -> float:
    """Upper bound of a share that ``items`` items show none of."""
    require_alpha(alpha)
    return float(1 - alpha ** (1 / items))
