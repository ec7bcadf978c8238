import numpy as np
import pytest

from evalapp.stats.ratings import Ratings


def test_not_applicable_answers_are_left_out_and_counted() -> None:
    ratings = Ratings.from_columns(["a", "a", "b"], ["r", "s", "r"], [4, None, None])
    assert (len(ratings), ratings.items, ratings.reviewers, ratings.not_applicable) == (1, ("a",), ("r",), 2)


def test_missing_cells_of_a_table_are_not_answers() -> None:
    ratings = Ratings.from_table([[1, None], [2, 3]])
    assert (len(ratings), ratings.not_applicable) == (3, 0)
    assert ratings.item_means().tolist() == [1.0, 2.5]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 items, 1 reviewers, 2 scores"):
        Ratings.from_columns(["a", "b"], ["r"], [1, 2])


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_names_its_row(score: float) -> None:
    with pytest.raises(ValueError, match="row 1"):
        Ratings.from_columns(["a", "b"], ["r", "r"], [1, score])


def test_a_label_without_a_score_is_refused() -> None:
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(ValueError, match="without a score"):
        Ratings(one, one, np.ones(1), ("a", "b"), ("r",))


def test_repeats_are_noticed() -> None:
    assert Ratings.from_columns(["a", "a"], ["r", "r"], [1, 2]).has_repeats()
    assert not Ratings.from_columns(["a", "a"], ["r", "s"], [1, 2]).has_repeats()
