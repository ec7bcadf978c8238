"""A long tail moves the bound on its side, never the other, and p and bound stay of one mind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalapp.stats.ratings import Ratings
from evalapp.stats.skewness import narrowed, skewness_of_mean, widened


@given(st.floats(0.0, 20.0), st.floats(-3.0, 3.0))
def test_what_was_widened_is_narrowed_again(quantile: float, skewness: float) -> None:
    there = widened(quantile, skewness)
    assert there >= quantile
    assert narrowed(there, skewness) == pytest.approx(quantile, abs=1e-6)


@given(st.floats(-20.0, 20.0), st.floats(0.0, 3.0))
def test_a_p_value_never_falls_by_it(quantile: float, skewness: float) -> None:
    assert narrowed(quantile, skewness) <= quantile


def test_a_tail_on_the_other_side_changes_nothing() -> None:
    assert (widened(2.3, -0.5), narrowed(2.3, -0.5)) == (2.3, 2.3)


def test_few_bad_items_among_good_ones_are_a_tail_below() -> None:
    table = [[5, 5]] * 18 + [[1, 2]] * 2
    assert skewness_of_mean(Ratings.from_table(table), 0.3) < -0.1
    mirrored = [[6 - score for score in row] for row in table]
    turned = skewness_of_mean(Ratings.from_table(mirrored), 0.3)
    assert turned == pytest.approx(-skewness_of_mean(Ratings.from_table(table), 0.3))


def test_two_items_or_no_error_have_no_skewness() -> None:
    assert skewness_of_mean(Ratings.from_table([[1, 2], [4, 5]]), 0.5) == 0
    assert skewness_of_mean(Ratings.from_table([[3, 3], [3, 3], [3, 3]]), 0.0) == 0


def test_it_is_the_third_moment_over_the_cube_of_the_error() -> None:
    draw = np.random.default_rng(1)
    items = -draw.gamma(2.0, 1.0, 4000)
    ratings = Ratings.from_table([[score, score] for score in items.tolist()])
    error = float(np.std(items)) / np.sqrt(4000)
    # A gamma distribution of shape 2 has skewness 2/√2, a mean of 4,000 of it 1/√4000 of that.
    assert skewness_of_mean(ratings, error) * np.sqrt(4000) == pytest.approx(-np.sqrt(2), rel=0.1)
