"""The bound of a mean on a scale with ends: exact where it is known, and never too high where t is."""

import numpy as np
import numpy.typing as npt
import pytest

from evalapp.stats.bounded_mean import mean_lower_bound, mean_upper_bound
from evalapp.stats.bounds import clopper_pearson
from evalapp.stats.scores import student_quantile


def lower(values: npt.ArrayLike, *, alpha: float = 0.05) -> float:
    return mean_lower_bound(values, alpha=alpha, smallest=1, largest=5)


@pytest.mark.parametrize(("n", "ones"), [(1, 1), (2, 1), (5, 5), (24, 20), (24, 0), (60, 57), (400, 399)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_of_zeros_and_ones_it_is_clopper_and_pearsons(n: int, ones: int, alpha: float) -> None:
    values = [1.0] * ones + [0.0] * (n - ones)
    low = mean_lower_bound(values, alpha=alpha, smallest=0, largest=1)
    high = mean_upper_bound(values, alpha=alpha, smallest=0, largest=1)
    assert (low, high) == pytest.approx(clopper_pearson(ones, n, alpha=alpha), abs=5e-6)


def test_of_one_value_it_is_the_share_that_could_lie_at_the_end() -> None:
    assert lower([5] * 24) == pytest.approx(1 + 4 * 0.05 ** (1 / 24), abs=1e-6)
    assert lower([4] * 24) == pytest.approx(1 + 3 * 0.05 ** (1 / 24), abs=1e-6)
    assert lower([1] * 24) == 1


@pytest.mark.parametrize("n", [3, 12, 60])
def test_it_is_the_quantile_of_means_with_drawn_weights(n: int) -> None:
    generator = np.random.default_rng(n)
    values = np.clip(np.round(generator.normal(4.2, 0.8, (n, 2))), 1, 5).mean(axis=1)
    drawn = generator.dirichlet(np.ones(n + 1), 60_000) @ np.append(values, 1.0)
    below = float((drawn <= lower(values)).mean())
    assert below == pytest.approx(0.05, abs=0.004)


def test_many_different_values_come_near_to_students() -> None:
    values = np.random.default_rng(1).uniform(1, 5, 1000)
    reach = student_quantile(0.9, 999) * values.std(ddof=1) / 1000**0.5
    assert lower(values) == pytest.approx(values.mean() - reach, abs=0.01)


@pytest.mark.parametrize("n", [24, 60])
def test_where_nearly_all_are_the_best_it_holds_and_students_does_not(n: int) -> None:
    # 95% fives and 5% ones: the mean is 4.8.
    generator = np.random.default_rng(n)
    bad = generator.binomial(n, 0.05, 2000)
    known = {k: lower([5] * (n - k) + [1] * k) for k in set(bad.tolist())}
    held = np.array([known[k] <= 4.8 for k in bad.tolist()])
    means, spreads = 5 - 4 * bad / n, 4 * np.sqrt(bad * (n - bad) / n / (n - 1))
    students = means - student_quantile(0.9, n - 1) * spreads / n**0.5 <= 4.8
    assert held.mean() >= 0.94
    assert students.mean() < 0.86


def test_what_is_no_value_of_the_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a value"):
        lower([])
    with pytest.raises(ValueError, match="outside 1 to 5"):
        lower([3, 5.5])
    with pytest.raises(ValueError, match="one-sided level"):
        lower([3, 4], alpha=0.5)
