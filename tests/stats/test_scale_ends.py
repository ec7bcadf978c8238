"""Near the end of a scale a bound moves further out, by the transformation it is defined by, and never
nearer.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import gamma, norm

from evalapp.stats.scale_ends import difference_reach_below, reach_below

ENDS = {"smallest": 1.0, "largest": 5.0, "alpha": 0.025}
places, reaches = st.floats(1.0, 5.0), st.floats(0.0, 6.0)


def test_by_hand() -> None:
    # d = 0.6: y = 0.6/0.8 = 0.75 and its slope 1/0.512, so a reach of 0.75 · 0.512 leads to the middle.
    assert reach_below(0.384, place=0.6, smallest=-1, largest=1, alpha=0.025) == pytest.approx(0.6)
    # On 1 to 5 the same place is 4.2, and distances are twice as long.
    assert reach_below(0.768, place=4.2, **ENDS) == pytest.approx(1.2)


@pytest.mark.parametrize(("place", "reach"), [(3.4, 0.5), (4.2, 0.3), (4.7, 0.2), (4.9, 0.05)])
def test_between_bound_and_estimate_lies_the_reach_of_the_stretched_scale(place: float, reach: float) -> None:
    """By numerical integration of the slope."""
    d = (place - 3) / 2
    bound = d - reach_below(reach, place=place, **ENDS) / 2
    between, _ = quad(lambda x: (1 - x * x) ** -1.5, bound, d)
    assert between == pytest.approx(reach / 2 * (1 - d * d) ** -1.5)


@given(places, reaches)
def test_never_nearer_and_below_the_middle_the_same(place: float, reach: float) -> None:
    found = reach_below(reach, place=place, **ENDS)
    assert found >= reach
    if place <= 3:
        assert found == reach


def test_far_from_the_ends_it_is_students() -> None:
    assert reach_below(0.3, place=2.4, smallest=-1000, largest=1000, alpha=0.025) == pytest.approx(
        0.3, rel=1e-3
    )


def test_the_nearer_the_end_the_further_the_bound() -> None:
    found = [reach_below(0.3, place=place, **ENDS) for place in (3.0, 3.5, 4.0, 4.5, 4.8)]
    assert found == sorted(found)
    assert found[1] == pytest.approx(0.3, rel=0.1)
    assert found[3] > 0.45


def test_at_the_very_end_nothing_of_the_scale_is_left_out() -> None:
    assert reach_below(0.1, place=5.0, **ENDS) == 4.0


@pytest.mark.parametrize("place", [4.2, 4.7, 4.9, 4.99, 4.998])
def test_a_reach_longer_than_the_way_to_the_end_does_not_fall_to_the_other_end(place: float) -> None:
    """What is missing to the end is a rare event: as many marks as Student's t at that level would need to
    see it.
    """
    missing = 5 - place
    found = [float(reach_below(missing * times, place=place, **ENDS)) for times in (1, 2, 4)]
    marks = norm.ppf(0.975) ** 2 / np.array([1, 4, 16]) * (1 - missing / 4) / (missing / 4)
    rare = [min(gamma.ppf(0.975, missing / 4 * n + 1) / n, 1) - missing / 4 for n in marks]
    stretched = [bent(missing * times, place) for times in (1, 2, 4)]
    expected = [min(far, 3 * 4 * near) for far, near in zip(stretched, rare, strict=True)]
    assert found == pytest.approx(
        [max(*each) for each in zip(expected, (missing, 2 * missing, 4 * missing), strict=True)], rel=0.01
    )


def test_nearly_only_the_best_answer_is_not_taken_for_nearly_the_worst() -> None:
    """One 4 among five hundred 5s: Student's reach with one degree of freedom is 13 times the
    way to the end.
    """
    assert reach_below(0.0254, place=4.998, **ENDS) == pytest.approx(0.9, abs=0.1)
    assert bent(0.0254, 4.998) > 3.9


def bent(reach: float, place: float) -> float:
    d = (place - 3) / 2
    y = d / math.sqrt(1 - d * d) - reach / 2 / (1 - d * d) ** 1.5
    return 2 * (d - y / math.hypot(1, y))


@pytest.mark.parametrize("centre", [1.4, 3.0, 4.6])
def test_two_alike_differ_as_students_t_says(centre: float) -> None:
    assert difference_reach_below(0.4, 0.3, centre=centre, **ENDS) == 0.3


def test_only_what_reaches_beyond_no_difference_is_bent() -> None:
    beyond = difference_reach_below(0.1, 0.3, centre=4.6, **ENDS)
    assert beyond == pytest.approx(0.1 + reach_below(0.2, place=4.6, **ENDS))
    # A challenger 0.2 behind around 4.6 is at 4.5.
    behind = difference_reach_below(-0.2, 0.3, centre=4.6, **ENDS)
    assert behind == pytest.approx(reach_below(0.3, place=4.5, **ENDS))


@given(st.floats(-1.0, 1.0), st.floats(0.0, 2.0), st.floats(1.5, 4.5))
def test_a_scale_turned_round_has_the_same_bounds(difference: float, reach: float, centre: float) -> None:
    found = difference_reach_below(difference, reach, centre=centre, **ENDS)
    assert difference_reach_below(difference, reach, centre=6 - centre, **ENDS) == pytest.approx(found)
    assert found >= reach
