"""One-sided bounds: equal to references where there are any, by hand where all scores are the same."""

import numpy as np
import pytest
from scipy.stats import binomtest

from evalapp.stats.bounds import (
    best_bound,
    clopper_pearson,
    difference_bounds,
    items_for_best,
    items_for_none,
    items_to_reach,
    mean_bounds,
    share_bounds,
    share_without_any,
)
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import crossed_spread, student_quantile
from tests.stats.simulation import MEAN, drawn_ratings

TABLE = [[4, 5, 3], [5, 5, 4], [3, 4, 2], [5, 4, 4], [4, 4, 3], [5, 5, 5]]


def test_far_from_the_ends_of_the_scale_a_bound_is_students() -> None:
    ratings = Ratings.from_table(TABLE)
    spread = crossed_spread(ratings, careful=True)
    assert not isinstance(spread, str)
    reach = student_quantile(0.9, spread.degrees) * spread.error
    found = mean_bounds(ratings, alpha=0.05, smallest=-999, largest=999)
    assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach), rel=1e-3)


def test_near_the_top_the_lower_bound_lies_further_and_the_upper_one_does_not() -> None:
    ratings = Ratings.from_table(TABLE)
    far = mean_bounds(ratings, alpha=0.05, smallest=-999, largest=999)
    near = mean_bounds(ratings, alpha=0.05, smallest=1, largest=5)
    assert near.low is not None and near.low < far.low - 0.3  # type: ignore[operator]
    assert near.high == 5
    wider = mean_bounds(ratings, alpha=0.05, smallest=1, largest=7)
    assert wider.high == pytest.approx(far.high, abs=0.01)


def test_a_scale_turned_round_has_the_same_bounds() -> None:
    ratings = Ratings.from_table(TABLE)
    found = mean_bounds(ratings, alpha=0.05, smallest=1, largest=5)
    turned = mean_bounds(ratings.with_scores(6 - ratings.score), alpha=0.05, smallest=1, largest=5)
    assert turned.low == pytest.approx(6 - found.high)  # type: ignore[operator]
    assert turned.high == pytest.approx(6 - found.low)  # type: ignore[operator]


def test_bounds_are_cut_at_the_ends() -> None:
    found = mean_bounds(Ratings.from_table(TABLE), alpha=0.001, smallest=1, largest=5)
    assert (found.low, found.high) == (pytest.approx(1, abs=0.05), 5)


def test_where_all_scores_are_the_same_the_bound_is_on_how_many_items_could_differ() -> None:
    found = mean_bounds(Ratings.from_table([[5, 5]] * 60), alpha=0.05, smallest=1, largest=5)
    differing = 1 - 0.05 ** (1 / 60)
    assert differing == pytest.approx(0.0487, abs=1e-4)
    assert found.low == pytest.approx(5 - 4 * differing)
    assert found.high == 5


@pytest.mark.parametrize("fours", [1, 2, 3, 5])
def test_nearly_all_the_best_is_next_to_all_of_it(fours: int) -> None:
    """Before, the bound of a single 4 among five hundred 5s was 1.01."""
    best = np.full((100, 5), 5.0)
    table = best.copy()
    table[np.arange(fours) * 7, np.arange(fours) % 5] = 4
    of_best, found = (
        mean_bounds(Ratings.from_table(each.tolist()), alpha=0.025, smallest=1, largest=5)
        for each in (best, table)
    )
    assert found.low is not None and of_best.low is not None
    assert found.low <= of_best.low, "a worse answer raises no bound"
    assert found.low > 4.7
    turned = mean_bounds(Ratings.from_table((6 - table).tolist()), alpha=0.025, smallest=1, largest=5)
    assert turned.high == pytest.approx(6 - found.low)


def test_how_many_items_the_best_answers_take_to_show_a_floor() -> None:
    ends = {"alpha": 0.05, "smallest": 1.0, "largest": 5.0}
    items = items_for_best(4.8, **ends)
    assert items is not None
    assert best_bound(items, **ends) >= 4.8 > best_bound(items - 1, **ends)
    assert (items_for_best(5.0, **ends), items_for_best(1.0, **ends)) == (None, 1)


@pytest.mark.parametrize(("table", "note"), [([[4, 4]], "one item"), ([[4], [5]], "one reviewer")])
def test_without_two_items_and_two_reviewers_there_is_no_bound(table: list[list[float]], note: str) -> None:
    ratings = Ratings.from_table(table)
    assert mean_bounds(ratings, alpha=0.05, smallest=1, largest=5).low is None
    share = share_bounds(ratings.with_scores(np.zeros(len(ratings))), alpha=0.05)
    assert (share.value, share.low, share.note) == (0.0, None, f"no interval: {note}")


def test_a_difference_is_paired_and_blocked_by_reviewer() -> None:
    # Reviewers differ by two points, and all of them see one point between the candidates.
    champion = Ratings.from_table([[1, 3], [2, 4], [1, 3], [2, 4]])
    challenger = champion.with_scores(champion.score + 1)
    found = difference_bounds(challenger, champion, alpha=0.05, smallest=1, largest=5)
    assert found.value == 1
    assert found.low == pytest.approx(1 - 5 * (1 - 0.05**0.25))
    nobody = Ratings.from_columns(["x"], ["y"], [3])
    assert not difference_bounds(nobody, champion, alpha=0.05, smallest=1, largest=5).defined


def test_the_bounds_of_a_difference_change_places_when_the_candidates_do() -> None:
    challenger = Ratings.from_table(TABLE)
    champion = Ratings.from_table([[5, 5, 4], [5, 5, 5], [4, 4, 3], [5, 5, 4], [4, 5, 4], [5, 5, 5]])
    found = difference_bounds(challenger, champion, alpha=0.05, smallest=1, largest=5)
    swapped = difference_bounds(champion, challenger, alpha=0.05, smallest=1, largest=5)
    assert found.value is not None and found.value < 0
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))  # type: ignore[operator]
    # A challenger behind may be further behind than Student says; towards none nothing is bent.
    assert found.value - found.low > found.high - found.value  # type: ignore[operator]


@pytest.mark.parametrize(("successes", "n"), [(0, 60), (2, 20), (7, 9), (12, 12)])
def test_exact_bounds_equal_scipys(successes: int, n: int) -> None:
    reference = binomtest(successes, n).proportion_ci(0.9, "exact")
    low, high = clopper_pearson(successes, n, alpha=0.05)
    assert low == pytest.approx(reference.low, abs=1e-12)
    assert high == pytest.approx(reference.high, abs=1e-12)


def test_none_of_sixty_shows_only_that_the_rate_is_under_five_percent() -> None:
    found = share_bounds(Ratings.from_table([[0, 0]] * 60), alpha=0.05)
    assert found.value == 0
    assert found.high == pytest.approx(0.0487, abs=1e-4)
    assert items_for_none(ceiling=0.05, alpha=0.05) == 59


def test_no_mark_on_so_many_items_shows_what_the_gate_will_say_of_them() -> None:
    unmarked = Ratings.from_table([[0, 0]] * 20)
    assert share_without_any(items=20, alpha=0.01) == pytest.approx(share_bounds(unmarked, alpha=0.01).high)
    assert share_without_any(items=59, alpha=0.05) <= 0.05 < share_without_any(items=58, alpha=0.05)


def test_marks_of_one_reviewer_that_hang_together_count_as_fewer() -> None:
    # The same share of marks: spread over reviewers, and all by one of three.
    spread = Ratings.from_table([[1, 0, 0], [0, 1, 0], [0, 0, 1]] * 6)
    one = Ratings.from_table([[1, 0, 0]] * 18)
    assert share_bounds(spread, alpha=0.05).value == pytest.approx(share_bounds(one, alpha=0.05).value)
    assert share_bounds(one, alpha=0.05).high > share_bounds(spread, alpha=0.05).high  # type: ignore[operator]


def test_more_items_by_the_same_reviewers_take_away_all_but_how_these_differ() -> None:
    """Against the same table many times over, whose items and rest are as many times as many."""
    table = [[4, 5, 3], [5, 5, 2], [3, 5, 2], [5, 4, 4], [4, 5, 3], [5, 5, 4]] * 4
    once, often = Ratings.from_table(table), Ratings.from_table(table * 50)
    spread = crossed_spread(once)
    assert not isinstance(spread, str)
    found = [crossed_spread(each) for each in (once, often)]
    assert spread.with_items(1) == pytest.approx(spread.error)
    assert spread.with_items(50) == pytest.approx(found[1].error, rel=0.02)  # type: ignore[union-attr]
    assert spread.with_items(1e9) ** 2 == pytest.approx(spread.of_reviewers, rel=1e-6)
    assert spread.of_reviewers > 0.5 * spread.error**2


def test_how_many_items_it_takes_is_what_their_bound_says() -> None:
    ratings = Ratings.from_table(TABLE)

    def reaches(threshold: float, times: float) -> bool:
        low = mean_bounds(ratings, alpha=0.05, smallest=-99, largest=99, times=times).low
        return low is not None and low >= threshold

    times = items_to_reach(lambda times: reaches(3.2, times), most=1000)
    assert times is not None and times > 1
    assert reaches(3.2, times) and not reaches(3.2, 0.99 * times)
    value = float(ratings.item_means().mean())
    assert items_to_reach(lambda times: reaches(value - 0.1, times), most=1e6) is None, "the reviewers differ"


@pytest.mark.parametrize("alpha", [0, 0.5, 5, -1])
def test_a_level_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="one-sided level"):
        mean_bounds(Ratings.from_table(TABLE), alpha=alpha, smallest=1, largest=5)


def test_a_lower_bound_passes_the_true_mean_no_more_often_than_its_level() -> None:
    """New items and new reviewers each time: what a floor at the true mean would let through falsely."""
    generator = np.random.default_rng(20_261_125)
    rounds, passed = 600, 0
    for _ in range(rounds):
        found = mean_bounds(drawn_ratings(generator, 30, 4), alpha=0.05, smallest=-9, largest=9)
        passed += found.low is not None and found.low >= MEAN
    # Three standard errors of a share of 5% in 600 rounds.
    assert passed / rounds <= 0.05 + 3 * (0.05 * 0.95 / rounds) ** 0.5


def test_the_lower_bound_rises_with_the_level() -> None:
    ratings = drawn_ratings(np.random.default_rng(4), 50, 5)
    lows = [
        mean_bounds(ratings, alpha=alpha, smallest=1, largest=5).low for alpha in (0.0004, 0.01, 0.05, 0.3)
    ]
    assert lows == sorted(lows)


def test_careful_degrees_are_never_more() -> None:
    generator = np.random.default_rng(3)
    for overlap in (None, 2):
        for _ in range(20):
            ratings = drawn_ratings(generator, 30, 4, overlap=overlap)
            usual, careful = crossed_spread(ratings), crossed_spread(ratings, careful=True)
            assert careful.error == usual.error
            assert 1 <= careful.degrees <= usual.degrees


def test_a_mark_of_a_reviewer_of_few_items_is_not_left_out_of_a_rate() -> None:
    items, people = [*range(40), *range(3)], ["a"] * 40 + ["new"] * 3
    unmarked = Ratings.from_columns(items, people, [0] * 43)
    found = share_bounds(unmarked, population=Population.PANEL, alpha=0.05)
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 40), abs=1e-6)
    assert found.note == "without 1 reviewer who scored fewer than 5 items"
    marked = share_bounds(
        Ratings.from_columns(items, people, [0] * 42 + [1]), population=Population.PANEL, alpha=0.05
    )
    assert (marked.low, marked.high) == (None, None) and marked.value > 0
    assert marked.note == "no interval: reviewers with fewer than 5 items gave such scores"
