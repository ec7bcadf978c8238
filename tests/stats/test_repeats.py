from itertools import permutations

import pytest
from scipy.stats import kendalltau

from evalapp.stats.repeats import mean_tau, order_tau


@pytest.mark.parametrize("size", [2, 3, 4])
def test_tau_is_kendalls(size: int) -> None:
    orders = list(permutations(range(1, size + 1)))
    for first in orders:
        for second in orders:
            assert order_tau(first, second) == pytest.approx(kendalltau(first, second).statistic)
        assert order_tau(first, first) == 1
        assert order_tau(first, [size + 1 - rank for rank in first]) == -1


def test_orders_of_different_things_have_no_tau() -> None:
    for first, second in (([1], [1]), ([1, 2], [1, 2, 3])):
        with pytest.raises(ValueError, match="the same two or more"):
            order_tau(first, second)


def test_the_mean_has_students_interval_where_there_is_one() -> None:
    nothing, one, same = mean_tau([]), mean_tau([1 / 3]), mean_tau([1.0, 1.0, 1.0])
    assert (nothing.value, nothing.reason) == (None, "no repeats")
    assert (one.value, one.low, one.note) == (1 / 3, None, "one repeat")
    assert (same.value, same.low, same.note) == (1.0, None, "no variation")
    several = mean_tau([1.0, 1 / 3, 1 / 3, -1 / 3])
    assert several.value == pytest.approx(1 / 3) and several.n == 4
    # 3.182 · 0.5443 / 2 around the mean.
    assert several.low == pytest.approx(-0.5328, abs=1e-3) and several.high == 1.0
