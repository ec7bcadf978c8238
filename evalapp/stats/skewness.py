"""What a long tail does to a bound, and how far the bound has to move for it.

Near the top of a scale most answers are good and a few are bad, and a severe reviewer takes more away than a
lenient one can add. A sample that happens to hold few of the bad then has a high mean and a small spread at
once, and Student's lower bound lies above the truth more often than its level says: at 1% two to four times too
often where the mean is 4.2 to 4.7 of 5.
"""

import math

import numpy as np

from evalapp.stats.components import variance_components
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array

#: A reviewer's severity bends more at the end of a scale than all scores together show, which the end cuts off.
BEND_OF_REVIEWERS = 1.75


def skewness_of_mean(ratings: Ratings, error: float) -> float:
    """Skewness of the mean of item means as an estimate with this standard error; 0 under three items.

    That of the items is their own third moment. A handful of reviewers has no third moment to speak of, so
    theirs is taken from all scores: effects that one end of a scale bends are as skewed as they are large.
    """
    means = ratings.item_means()
    items = means.size
    if items < 3 or error <= 0:
        return 0.0
    third = _third_moment(means) / items**2
    return (third + _of_reviewers(ratings)) / error**3


def _of_reviewers(ratings: Ratings) -> float:
    """Third moment that reviewers add to the mean."""
    parts = variance_components(ratings)
    deviation = math.sqrt(max(parts.reviewer, 0.0))
    spread = float(ratings.score.std(ddof=1))
    if not parts.reviewer_apart or deviation == 0 or spread == 0:
        return 0.0
    skewness = BEND_OF_REVIEWERS * _third_moment(ratings.score) / spread**3 * deviation / spread
    shares = np.bincount(ratings.reviewer, weights=1 / (len(ratings.items) * ratings.per_item[ratings.item]))
    return skewness * deviation**3 * float((shares**3).sum())


def _third_moment(values: Array) -> float:
    """Unbiased third central moment."""
    n = values.size
    return float(((values - values.mean()) ** 3).sum()) * n / ((n - 1) * (n - 2))


def widened(quantile: float, skewness: float) -> float:
    """The quantile of a bound on the side of the long tail, by the expansion of Cornish and Fisher for Student's
    statistic (Johnson 1978, Hall 1992); on the other side it stays, so a bound is never nearer than without.

    ``skewness`` is above 0 where the tail lies on the bound's side.
    """
    if skewness <= 0:
        return quantile
    return quantile + skewness * (2 * quantile**2 + 1) / 6


def narrowed(quantile: float, skewness: float) -> float:
    """What `widened` was given, from what it gave: for a p value that says the same as the bound."""
    if skewness <= 0:
        return quantile
    beyond = quantile - skewness / 6
    # Above a half nothing is decided, and the parabola turns.
    return beyond if beyond <= 0 else 2 * beyond / (math.sqrt(1 + 4 * skewness * beyond / 3) + 1)
