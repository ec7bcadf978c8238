"""Two scores of one item, counted: as a plain loop counts them, and enough for every measure of a pair."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from evalapp.stats.agreement import krippendorff_alpha, quadratic_kappa
from evalapp.stats.coincidences import coincidences
from evalapp.stats.ratings import Ratings
from evalapp.stats.reliability import icc
from evalapp.stats.resampling import column_sums


def sparse(seed: int = 3, items: int = 60, people: int = 7) -> Ratings:
    """One to four of the people score an item."""
    generator = np.random.default_rng(seed)
    rows = [
        (f"item {item}", f"person {person}", float(generator.integers(1, 6)))
        for item in range(items)
        for person in generator.choice(people, size=generator.integers(1, 5), replace=False).tolist()
    ]
    return Ratings.from_columns(*(list(column) for column in zip(*rows, strict=True)))


def by_item(ratings: Ratings) -> dict[object, dict[object, float]]:
    found: dict[object, dict[object, float]] = {}
    for item, reviewer, score in zip(ratings.item, ratings.reviewer, ratings.score, strict=True):
        found.setdefault(ratings.items[item], {})[ratings.reviewers[reviewer]] = float(score)
    return found


def test_every_two_scores_of_an_item_are_counted_once() -> None:
    ratings = sparse()
    expected: Counter[tuple[object, float, object, float]] = Counter()
    for given in by_item(ratings).values():
        for one, other in combinations(sorted(given, key=ratings.reviewers.index), 2):
            expected[one, given[one], other, given[other]] += 1
    found = coincidences(ratings)
    assert {
        (ratings.reviewers[first], own, ratings.reviewers[second], other): times
        for first, own, second, other, times in zip(
            found.first, found.own, found.second, found.other, found.times, strict=True
        )
    } == expected
    # Drawn items count as often as they are drawn.
    weights = np.random.default_rng(1).integers(0, 3, size=(4, len(ratings.items))).astype(float)
    doubled = found.counts(weights)
    for cell in range(found.first.size):
        np.testing.assert_array_equal(
            doubled[:, cell], weights[:, found.item[found.cell == cell]].sum(axis=1)
        )


@pytest.mark.parametrize("turned", [False, True])
def test_the_measures_of_a_pair_need_nothing_but_its_counts(turned: bool) -> None:
    ratings = sparse()
    pair = ("person 1", "person 4")[:: -1 if turned else 1]
    rows = [
        (item, person, given[person])
        for item, given in by_item(ratings).items()
        if set(pair) <= set(given)
        for person in pair
    ]
    shared = Ratings.from_columns(*(list(column) for column in zip(*rows, strict=True)))
    counted = coincidences(ratings).ratings_of(*pair)
    assert len(counted.items) == len(shared.items) >= 5
    assert krippendorff_alpha(counted) == krippendorff_alpha(shared)
    assert quadratic_kappa(counted, *pair) == quadratic_kappa(shared, *pair)
    found, expected = icc(counted), icc(shared)
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )


def test_who_shares_nothing_has_no_counts() -> None:
    ratings = Ratings.from_columns(["a", "b", "c"], ["x", "y", "z"], [1.0, 2.0, 3.0])
    found = coincidences(ratings)
    assert found.first.size == found.starts.size == found.times.size == 0
    assert len(found.ratings_of("x", "y")) == len(found.ratings_of("x", "nobody")) == 0


def test_column_sums_are_a_product_with_the_table_that_is_not_built() -> None:
    generator = np.random.default_rng(5)
    weights = generator.integers(0, 4, size=(3, 6)).astype(float)
    row, column = generator.integers(6, size=20), generator.integers(4, size=20)
    values = generator.normal(size=20)
    table = np.zeros((6, 4))
    np.add.at(table, (row, column), values)
    np.testing.assert_allclose(column_sums(weights, row, column, values, 4), weights @ table)
    assert column_sums(weights[:0], row, column, values, 4).shape == (0, 4)
