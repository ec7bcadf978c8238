"""The p value and the bound a release rests on: made for levels far under 5% and for few reviewers."""

from evalapp.measure import Measure, signature
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import Spread, crossed_spread, student_quantile
from evalapp.stats.skewness import narrowed, skewness_of_mean, widened


def release_p(ratings: Ratings, *, exceeds: float) -> Measure:
    """One-sided p that the mean over new items and new reviewers is not above ``exceeds``.

    For a floor give a candidate's scores; for a difference the paired ones
    (:func:`~evalapp.stats.differences.paired_scores`), with ``exceeds`` 0 for superiority and minus the margin
    for non-inferiority. Student's t with careful degrees of freedom, moved where the items have a long tail of low
    scores, so that p under a level of 1% or 0.1% is as rare as it says even where three reviewers differ about
    the difference, and near the top of the scale. ``n`` counts items. Undefined
    with one item, one reviewer or no variation: such a panel is no evidence about others.
    """
    name = signature("release-p", 2, exceeds=exceeds, model="crossed", degrees="careful", tail="widened")
    n = len(ratings.items)
    spread = _spread(ratings)
    if isinstance(spread, str):
        return Measure.undefined(spread, n=n, signature=name)
    from scipy.special import stdtr

    t = (float(ratings.item_means().mean()) - exceeds) / spread.error
    quantile = narrowed(t, -skewness_of_mean(ratings, spread.error))
    return Measure(value=float(stdtr(spread.degrees, -quantile)), n=n, signature=name)


def release_bound(ratings: Ratings, *, level: float) -> Measure:
    """The one-sided lower bound that goes with :func:`release_p`: above it, p is at most ``level``.

    ``level``: the chance of a false release at this look, such as 0.01. ``value`` is the bound itself, ``n``
    counts items; undefined where the p value is.
    """
    if not 0 < level < 0.5:
        raise ValueError(f"the level is {level}; give a one-sided chance such as 0.01")
    name = signature(
        "release-bound", 2, level=level, sided=1, model="crossed", degrees="careful", tail="widened"
    )
    n = len(ratings.items)
    spread = _spread(ratings)
    if isinstance(spread, str):
        return Measure.undefined(spread, n=n, signature=name)
    quantile = student_quantile(1 - 2 * level, spread.degrees)
    reach = widened(quantile, -skewness_of_mean(ratings, spread.error)) * spread.error
    return Measure(value=float(ratings.item_means().mean()) - reach, n=n, signature=name)


def _spread(ratings: Ratings) -> Spread | str:
    if not len(ratings):
        return "every answer is N/A" if ratings.not_applicable else "no scores"
    return crossed_spread(ratings, careful=True)
