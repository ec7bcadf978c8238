"""Differences within pairs against textbook tests, and the bounds of the worst of several."""

from collections.abc import Hashable

import numpy as np
import pytest
from scipy import stats

from evalapp.measure import Measure
from evalapp.stats.bounds import difference_bounds
from evalapp.stats.counterfactual_pairs import PairSides, sides_of_pairs, worst_difference
from evalapp.stats.differences import mean_difference
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings

PANEL, REVIEWERS = Population.PANEL, Population.REVIEWERS


def rated(table: np.ndarray, reviewers: list[list[int]]) -> tuple[Ratings, dict[Hashable, Hashable], dict]:
    """A column of originals and one of variants; ``reviewers`` of the original's and the variant's side."""
    items, people, scores = [], [], []
    for pair, row in enumerate(table):
        for side in (0, 1):
            for person in reviewers[side]:
                items.append((side, pair))
                people.append(person)
                scores.append(float(row[side]))
    originals: dict[Hashable, Hashable] = {(0, pair): pair for pair in range(len(table))}
    variants: dict[Hashable, Hashable] = {(1, pair): pair for pair in range(len(table))}
    return Ratings.from_columns(items, people, scores), originals, variants


@pytest.mark.parametrize("reviewers", [[[1], [1]], [[1, 2], [1, 2]], [[1], [2]]])
def test_it_is_the_paired_t_test(reviewers: list[list[int]]) -> None:
    draw = np.random.default_rng(7)
    table = draw.integers(1, 6, size=(30, 2)).astype(float)
    ratings, originals, variants = rated(table, reviewers)
    sides = sides_of_pairs(ratings, variants=variants, originals=originals, population=PANEL)
    found = mean_difference(*sides, population=PANEL)
    oracle = stats.ttest_rel(table[:, 1], table[:, 0])
    assert found.difference.value == pytest.approx((table[:, 1] - table[:, 0]).mean())
    assert found.p.value == pytest.approx(oracle.pvalue)
    low, high = oracle.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high))
    assert sides.pairs == 30


def test_by_one_reviewer_where_half_of_the_pairs_allow_it() -> None:
    items = [*(f"o{n}" for n in range(8)), *(f"v{n}" for n in range(8))]
    originals = {f"o{n}": n for n in range(8)}
    variants = {f"v{n}": n for n in range(8)}
    # Reviewer 1 has all originals and half of the variants; reviewer 2, harsher by 2, the other half.
    people = [1] * 8 + [1] * 4 + [2] * 4
    scores = [4.0] * 8 + [4.0] * 4 + [2.0] * 4
    half = Ratings.from_columns(items, people, scores)
    sides = sides_of_pairs(half, variants=variants, originals=originals, population=PANEL)
    assert mean_difference(*sides, population=PANEL, step=1).difference.value == 0
    # With fewer such pairs each row is its reviewers' mean.
    people[11] = 2
    fewer = Ratings.from_columns(items, people, [*scores[:11], 2.0, *scores[12:]])
    sides = sides_of_pairs(fewer, variants=variants, originals=originals, population=PANEL)
    assert mean_difference(*sides, population=PANEL).difference.value == pytest.approx(-2 * 5 / 8)
    # Of other reviewers only pairs by one of them say anything.
    sides = sides_of_pairs(fewer, variants=variants, originals=originals, population=REVIEWERS)
    assert mean_difference(*sides, population=REVIEWERS, step=1).difference.n == 3


def test_rows_of_one_client_are_one_cluster() -> None:
    draw = np.random.default_rng(3)
    shift = np.repeat(draw.normal(size=6), 5)
    table = np.column_stack([np.zeros(30), shift])
    ratings, originals, variants = rated(table, [[1], [1]])
    clients = {item: item[1] // 5 for item in ratings.items}  # type: ignore[index]
    grouped = Ratings.from_columns(
        [ratings.items[item] for item in ratings.item],
        [1] * 60,
        list(ratings.score),
        groups=clients,
    )
    sides = sides_of_pairs(grouped, variants=variants, originals=originals, population=PANEL)
    found = mean_difference(*sides, population=PANEL)
    assert sides.variants.groups == 6
    assert found.p.value == pytest.approx(stats.ttest_1samp(shift[::5], 0).pvalue)


def _bounds(side: PairSides, alpha: float) -> Measure:
    return difference_bounds(*side, population=PANEL, alpha=alpha, smallest=1, largest=5)


def test_the_worst_of_several() -> None:
    draw = np.random.default_rng(11)
    tables = {
        "b": draw.normal([3.0, 2.8], 0.5, (40, 2)),
        "a": draw.normal([3.0, 2.4], 0.5, (40, 2)),
        "c": draw.normal([3.0, 3.0], 0.5, (40, 2)),
    }
    sides = {}
    for name, table in tables.items():
        ratings, originals, variants = rated(table, [[1], [1]])
        sides[name] = sides_of_pairs(ratings, variants=variants, originals=originals, population=PANEL)
    name, found = worst_difference(sides, _bounds, alpha=0.05)
    each = {key: stats.ttest_rel(table[:, 1], table[:, 0]) for key, table in tables.items()}
    assert name == "a" and found.note == "worst: a"
    assert found.value == pytest.approx(min((table[:, 1] - table[:, 0]).mean() for table in tables.values()))
    assert found.low == pytest.approx(min(one.confidence_interval(0.90).low for one in each.values()))
    level = 1 - 2 * 0.05 / 3
    assert found.high == pytest.approx(min(one.confidence_interval(level).high for one in each.values()))


def test_one_that_cannot_be_told_leaves_the_worst_open() -> None:
    one = rated(np.array([[3.0, 2.0], [4.0, 1.0]]), [[1], [1]])
    single = rated(np.array([[3.0, 2.0]]), [[1], [1]])
    nothing = Ratings.from_columns([], [], [])
    sides = {
        name: sides_of_pairs(ratings, variants=variants, originals=originals, population=PANEL)
        for name, (ratings, originals, variants) in (("one", one), ("single", single))
    }
    name, found = worst_difference(sides, _bounds, alpha=0.05)
    assert (name, found.value, found.low) == ("single", -2.0, None)
    assert found.note == "no interval: single, one item"
    name, found = worst_difference({**sides, "none": PairSides(nothing, nothing)}, _bounds, alpha=0.05)
    assert name == "none" and found.value is None and found.reason.startswith("none: ")
    assert worst_difference({}, _bounds, alpha=0.05).measure.reason == "there are no pairs"


def _coverage(simulations: int, seed: int) -> float:
    """How often the lower bound of the worst of four lies above the worst true difference, three of them at
    it.
    """
    draw = np.random.default_rng(seed)
    missed = 0
    for _ in range(simulations):
        sides = {}
        for name, truth in (("a", -0.5), ("b", -0.5), ("c", -0.5), ("d", 0.0)):
            table = draw.normal([3.0, 3.0 + truth], 0.7, (25, 2))
            ratings, originals, variants = rated(table, [[1], [1]])
            sides[name] = sides_of_pairs(ratings, variants=variants, originals=originals, population=PANEL)
        found = worst_difference(sides, _bounds, alpha=0.05).measure
        assert found.low is not None
        missed += found.low > -0.5
    return missed / simulations


def test_the_lower_bound_of_the_worst_holds() -> None:
    assert _coverage(300, seed=1) <= 0.05 + 2 * (0.05 * 0.95 / 300) ** 0.5
