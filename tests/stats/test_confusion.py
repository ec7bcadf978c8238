"""Which levels are confused, counted by hand."""

import numpy as np
import pytest

from evalapp.stats.confusion import confused_levels, confusion
from evalapp.stats.ratings import Ratings

LEVELS = (1, 2, 3, 4, 5)


def test_the_table_counts_shared_items() -> None:
    ratings = Ratings.from_table([[4, 3, 1], [4, 4, 1], [4, 3, None], [5, None, 1]])
    found = confusion(ratings, 0, 1, levels=LEVELS)
    assert found.items == 3
    assert found.counts[3] == (0, 0, 2, 1, 0)
    assert confusion(ratings, 1, 0, levels=LEVELS).counts[2] == (0, 0, 0, 2, 0)
    assert confusion(ratings, 0, 9, levels=LEVELS).items == 0
    with pytest.raises(ValueError, match="different"):
        confusion(ratings, 1, 1, levels=LEVELS)


def test_neighbours_that_people_split_on_come_first_with_their_items() -> None:
    # 3 against 4: items a (3, 3, 4), b (3, 4, 4), c (4, 4, 4); 1 against 2: item d (1, 2, 5).
    ratings = Ratings.from_columns(
        ["a"] * 3 + ["b"] * 3 + ["c"] * 3 + ["d"] * 3,
        [0, 1, 2] * 4,
        [3, 3, 4, 3, 4, 4, 4, 4, 4, 1, 2, 5],
    )
    first, second = confused_levels(ratings, levels=LEVELS)
    assert (first.lower, first.upper, first.apart, first.pairs) == (3, 4, 4, 9)
    assert first.share.value == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert first.share.n == 3
    assert first.by_chance == pytest.approx(2 * (3 / 9) * (6 / 9))
    assert first.items == ("a", "b")
    assert first.is_confused
    assert (second.lower, second.upper, second.items) == (1, 2, ("d",))


def test_levels_that_people_tell_apart_are_not_called_confused() -> None:
    generator = np.random.default_rng(2)
    true = generator.integers(3, 5, 200)[:, None].repeat(2, axis=1)
    slips = generator.random((200, 2)) < 0.02
    ratings = Ratings.from_table(np.where(slips, 7 - true, true).tolist())
    (found,) = confused_levels(ratings, levels=LEVELS)
    assert found.share.value is not None and found.share.value < 0.1
    assert not found.is_confused
    assert confused_levels(Ratings.from_table([[4, 4]] * 3), levels=LEVELS) == []
