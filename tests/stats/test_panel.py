"""How a reviewer compares with the others, against counts made by hand."""

import itertools

import numpy as np
import pytest

from evalapp.stats.panel import concentration, distant_shares
from evalapp.stats.ratings import Ratings


def test_concentration_tells_the_most_frequent_answer_and_the_entropy() -> None:
    assert concentration([]) is None
    same = concentration([4.0] * 8)
    assert same is not None and (same.answer, same.share.value, same.entropy) == (4.0, 1.0, 0.0)
    even = concentration([1.0, 2.0, 3.0, 4.0])
    assert even is not None and (even.answer, even.entropy) == (1.0, pytest.approx(2.0))


def test_apartness_equals_a_count_of_every_pair() -> None:
    generator = np.random.default_rng(3)
    table = [
        [int(score) if generator.random() < 0.7 else None for score in generator.integers(1, 6, size=5)]
        for _ in range(60)
    ]
    table.append([1, 5, None, None, None])
    ratings = Ratings.from_table(table)
    found = distant_shares(ratings, tolerance=1.0)
    for reviewer in range(5):
        own, rest = [], []
        for row in table:
            given = {code: score for code, score in enumerate(row) if score is not None}
            others = [score for code, score in given.items() if code != reviewer]
            if reviewer in given and others:
                own.append(np.mean([abs(given[reviewer] - score) > 1 for score in others]))
            pairs = list(itertools.combinations(others, 2))
            if pairs:
                rest.append(np.mean([abs(a - b) > 1 for a, b in pairs]))
        assert found[reviewer].own.value == pytest.approx(np.mean(own))
        assert found[reviewer].own.n == len(own)
        assert found[reviewer].rest.value == pytest.approx(np.mean(rest))
        assert found[reviewer].rest.n == len(rest)


def test_without_others_it_is_undefined() -> None:
    found = distant_shares(Ratings.from_table([[1, 3], [2, 2]]), tolerance=1.0)
    assert found[0].own.value == 0.5
    assert found[0].rest.reason == "no item has two scores"
