"""Whether one metric follows people better than another."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from evalapp.stats.metric_difference import permutation_p, williams_p, williams_t

CANDIDATES, ITEMS = 4, 30


def test_williams_t_is_the_published_one() -> None:
    """n = 103, correlations of 0.4 and 0.5 with people, 0.1 between: the example of R's psych::r.test."""
    assert williams_t(0.4, 0.5, 0.1, 103) == pytest.approx(-0.891, abs=5e-4)
    p = williams_p(0.4, 0.5, 0.1, 103)
    assert p == pytest.approx(0.375, abs=5e-4)
    assert williams_p(0.5, 0.4, 0.1, 103) == p


@pytest.mark.parametrize(("first", "second", "between", "n"), [(0.9, 0.8, 0.7, 3), (1.0, 1.0, 1.0, 10)])
def test_williams_is_undefined_where_nothing_can_be_told(
    first: float, second: float, between: float, n: int
) -> None:
    assert williams_p(first, second, between, n) is None


def drawn(
    seed: int, noise: tuple[float, float]
) -> tuple[list[int], list[int], list[float], list[float], list[float]]:
    generator = np.random.default_rng(seed)
    candidates = np.tile(np.arange(CANDIDATES), ITEMS)
    items = np.repeat(np.arange(ITEMS), CANDIDATES)
    truth = generator.normal(size=candidates.size) + 0.3 * candidates
    human = truth + generator.normal(0, 0.3, truth.size)
    first, second = (truth + generator.normal(0, of, truth.size) for of in noise)
    return candidates.tolist(), items.tolist(), human.tolist(), first.tolist(), second.tolist()


def test_a_better_metric_is_found_and_the_order_does_not_matter() -> None:
    candidates, items, human, good, bad = drawn(1, (0.4, 2.5))
    p = permutation_p(candidates, items, human, good, bad)
    assert p == 1 / 2000
    assert permutation_p(candidates, items, human, bad, good) == p
    # More of a metric by any rising function is the same metric.
    assert permutation_p(candidates, items, human, [np.exp(value) for value in good], bad) == p


def test_equal_metrics_differ_by_chance_alone() -> None:
    found = [permutation_p(*drawn(seed, (1.0, 1.0)), replicates=199, seed=seed) for seed in range(200)]
    below = sum(p is not None and p <= 0.05 for p in found)
    assert 2 <= below <= 20


def test_it_is_the_difference_of_the_correlations() -> None:
    """By exchanging whole ranks by hand, of few outputs in every way."""
    candidates, items, human, first, second = (column[:8] for column in drawn(3, (0.3, 3.0)))
    ranks = [np.argsort(np.argsort(side)) for side in (human, first, second)]
    gaps = []
    for way in range(2**8):
        swap = np.array([bool(way >> place & 1) for place in range(8)])
        one, other = np.where(swap, ranks[2], ranks[1]), np.where(swap, ranks[1], ranks[2])
        gaps.append(np.corrcoef(ranks[0], one)[0, 1] - np.corrcoef(ranks[0], other)[0, 1])
    exact = np.mean(np.abs(gaps) >= abs(gaps[0]) - 1e-9)
    assert gaps[0] == pytest.approx(spearmanr(human, first)[0] - spearmanr(human, second)[0])
    p = permutation_p(candidates, items, human, first, second, replicates=20_000)
    assert p == pytest.approx(exact, abs=0.015)


def test_outputs_of_one_group_are_exchanged_together() -> None:
    candidates, items, human, good, bad = drawn(5, (0.6, 1.4))
    groups = {item: item // 10 for item in range(ITEMS)}
    alone = permutation_p(candidates, items, human, good, bad)
    together = permutation_p(candidates, items, human, good, bad, groups=groups)
    assert alone is not None and together is not None
    assert together > alone


def test_nothing_to_compare_has_no_p() -> None:
    assert permutation_p("ab", [1, 1], [1.0, 2.0], [1.0, 2.0], [2.0, 1.0]) is None
    assert permutation_p("abc", [1, 1, 1], [1.0, 1.0, 1.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]) is None
    assert permutation_p("abc", [1, 1, 1], [1.0, None, 2.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]) is None
