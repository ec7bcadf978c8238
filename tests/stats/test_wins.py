"""Wins, ties and losses, counted by hand."""

import pytest

from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.wins import wins_ties_losses

REVIEWERS = Population.REVIEWERS


def test_pairs_are_counted_and_shares_are_means_over_items() -> None:
    # Item 1: win, tie by two reviewers; item 2: loss by the one who scored both; item 3 has no pair.
    challenger = Ratings.from_table([[4, 3], [2, None], [5, 5]])
    champion = Ratings.from_table([[3, 3], [4, 1], [None, None]])

    found = wins_ties_losses(challenger, champion, population=REVIEWERS)

    assert (found.won, found.tied, found.lost, found.pairs) == (1, 1, 1, 3)
    assert found.win.value == pytest.approx((0.5 + 0) / 2)
    assert found.tie.value == pytest.approx((0.5 + 0) / 2)
    assert found.loss.value == pytest.approx((0 + 1) / 2)
    assert found.win.n == 2
    assert found.win.low is not None and found.win.high is not None
    assert found.win.low < 0.25 < found.win.high


def test_swapping_the_candidates_swaps_wins_and_losses() -> None:
    one = Ratings.from_table([[4, 3], [2, 5], [5, 5], [1, 2]])
    other = Ratings.from_table([[3, 3], [4, 1], [4, 4], [2, 2]])
    there, back = (
        wins_ties_losses(one, other, population=REVIEWERS),
        wins_ties_losses(other, one, population=REVIEWERS),
    )
    assert (there.won, there.tied, there.lost) == (back.lost, back.tied, back.won)
    assert (there.win.value, there.win.low, there.win.high) == (
        back.loss.value, back.loss.low, back.loss.high
    )  # fmt: skip
    assert there.mirrored() == back


def test_all_wins_leave_losses_a_chance_and_no_pair_says_so() -> None:
    high, low = Ratings.from_table([[5, 5]] * 10), Ratings.from_table([[1, 2]] * 10)
    found = wins_ties_losses(high, low, population=REVIEWERS)
    assert (found.win.value, found.loss.value) == (1.0, 0.0)
    assert found.loss.high is not None and 0.1 < found.loss.high < 0.4

    apart = wins_ties_losses(
        Ratings.from_table([[4, None]]), Ratings.from_table([[None, 4]]), population=REVIEWERS
    )
    assert apart.win.reason == "no reviewer scored both candidates on the same item"
    assert apart.pairs == 0
