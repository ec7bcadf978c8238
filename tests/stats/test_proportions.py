import pytest
from scipy.stats import binomtest

from evalapp.stats.proportions import wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 60), (1, 1), (0, 1), (7, 20), (81, 263), (60, 60)])
def test_wilson_equals_scipy(successes: int, n: int) -> None:
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    found = wilson(successes, n)
    assert (found.value, found.n) == (successes / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_newcombe() -> None:
    """Newcombe (1998), table I, method 3: 81 of 263 gives 0.2553 to 0.3662."""
    found = wilson(81, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_no_cases_and_impossible_counts() -> None:
    assert wilson(0, 0).reason == "no cases"
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)
