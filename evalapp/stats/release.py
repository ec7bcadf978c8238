"""The p value a release rests on: made for levels far under 5% and for few reviewers."""

from evalapp.measure import Measure, signature
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import crossed_spread


def release_p(ratings: Ratings, *, exceeds: float) -> Measure:
    """One-sided p that the mean over new items and new reviewers is not above ``exceeds``.

    For a floor give a candidate's scores; for a difference the paired ones
    (:func:`~evalapp.stats.differences.paired_scores`), with ``exceeds`` 0 for superiority and minus the margin
    for non-inferiority. Student's t with careful degrees of freedom, so that p under a level of 1% or 0.1% is
    as rare as it says even where three reviewers differ about the difference. ``n`` counts items. Undefined
    with one item, one reviewer or no variation: such a panel is no evidence about others.
    """
    name = signature("release-p", exceeds=exceeds, model="crossed", degrees="careful")
    n = len(ratings.items)
    if not n:
        reason = "every answer is N/A" if ratings.not_applicable else "no scores"
        return Measure.undefined(reason, signature=name)
    spread = crossed_spread(ratings, careful=True)
    if isinstance(spread, str):
        return Measure.undefined(spread, n=n, signature=name)
    from scipy.special import stdtr

    t = (float(ratings.item_means().mean()) - exceeds) / spread.error
    return Measure(value=float(stdtr(spread.degrees, -t)), n=n, signature=name)
