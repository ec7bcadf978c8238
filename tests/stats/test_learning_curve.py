"""What doubling the data bought, and whether that is chance."""

import pytest

from evalapp.stats.learning_curve import Observation, curve_points, gains


def seen(*rows: tuple[float, int, float]) -> list[Observation]:
    return [Observation(*row) for row in rows]


def gains_of(observations: list[Observation], *, lower_is_better: bool = True):
    return gains(observations, lower_is_better=lower_is_better, points=curve_points(observations))


def test_a_point_is_the_mean_of_its_share_with_its_reach() -> None:
    points = curve_points(seen((1.0, 40, 1.0), (0.5, 19, 2.0), (0.5, 21, 3.0)))
    assert [point[:6] for point in points] == [(0.5, 20.0, 2.5, 2.0, 3.0, 2), (1.0, 40.0, 1.0, 1.0, 1.0, 1)]


def test_a_gain_is_counted_for_each_doubling_and_positive_where_better() -> None:
    [quarter] = gains_of(seen((0.25, 100, 2.0), (1.0, 400, 1.0)))
    assert (quarter.total, quarter.per_doubling, quarter.standard_error) == (1.0, 0.5, None)
    assert quarter.is_beyond_chance is None
    [score] = gains_of(seen((0.5, 100, 3.0), (1.0, 200, 3.5)), lower_is_better=False)
    assert score.total == 0.5
    [worse] = gains_of(seen((0.5, 100, 1.0), (1.0, 200, 1.5)))
    assert worse.total == -0.5


@pytest.mark.parametrize(
    ("steps", "is_improving", "values", "may_be_steps"),
    [
        ((60, 120), True, (2.0, 1.5), True),
        ((60, 60), True, (2.0, 1.5), False),
        ((60, 120), False, (2.0, 1.5), False),
        ((60, 120), True, (2.0, 2.5), False),
        ((None, 120), True, (2.0, 1.5), False),
    ],
)
def test_a_gain_may_be_that_of_more_steps(
    steps: tuple[int | None, int], is_improving: bool, values: tuple[float, float], may_be_steps: bool
) -> None:
    smaller = Observation(0.5, 100, values[0], steps[0], is_improving)
    [gain] = gains_of([smaller, Observation(1.0, 200, values[1], steps[1], is_improving=True)])
    assert gain.may_be_steps is may_be_steps


def test_the_spread_between_seeds_is_pooled_and_says_what_chance_is() -> None:
    near = [
        (share, n, mean + off) for share, n, mean in ((0.5, 50, 2.0), (1.0, 100, 1.9)) for off in (-0.1, 0.1)
    ]
    [gain] = gains_of(seen(*near))
    # Two values 0.2 apart have a standard deviation of 0.2/√2; the means of two each differ by its whole.
    assert gain.standard_error == pytest.approx(0.2 / 2**0.5)
    assert gain.is_beyond_chance is False
    far = [
        (share, n, mean + off) for share, n, mean in ((0.5, 50, 2.0), (1.0, 100, 1.0)) for off in (-0.1, 0.1)
    ]
    assert gains_of(seen(*far))[0].is_beyond_chance is True


def test_sizes_that_hardly_differ_tell_nothing() -> None:
    # Sources that are not torn can leave 50% and 55% with almost the same rows.
    found = gains_of(seen((0.5, 100, 2.0), (0.55, 110, 1.9), (1.0, 200, 1.0)))
    assert [(gain.before.examples, gain.after.examples) for gain in found] == [(100, 200)]
    assert gains_of(seen((1.0, 100, 2.0))) == []
    assert gains_of([]) == []
