"""Ranks hold the true order, all at once, and narrow where candidates are apart."""

from collections.abc import Sequence

import numpy as np
import pytest

from evalapp.stats.differences import mean_difference
from evalapp.stats.pairs import strength_ranks
from evalapp.stats.populations import Population
from evalapp.stats.rank_intervals import PairTest, Rank, ranks
from evalapp.stats.ratings import Ratings
from proofs.simulations import report_share, simulated
from tests.stats.test_pairs import pairs_of, round_robin

SURE, UNSURE = 1e-6, 0.4


def test_a_candidate_stands_behind_those_shown_to_be_better_and_before_those_shown_to_be_worse():
    tests = {
        ("a", "b"): PairTest(0.1, UNSURE),
        ("a", "c"): PairTest(1.0, SURE),
        ("a", "d"): PairTest(2.0, SURE),
        ("b", "c"): PairTest(0.9, SURE),
        ("d", "b"): PairTest(-1.9, SURE),
        ("c", "d"): PairTest(1.0, SURE),
    }
    found = ranks("abcd", tests)
    assert found == {"a": Rank(1, 2), "b": Rank(1, 2), "c": Rank(3, 3), "d": Rank(4, 4)}
    assert [str(each) for each in found.values()] == ["1 to 2", "1 to 2", "3", "4"]


def test_p_values_are_adjusted_over_all_pairs():
    tests = {(one, other): PairTest(1.0, 0.02) for one in range(4) for other in range(one + 1, 4)}
    assert set(ranks(range(4), tests).values()) == {Rank(1, 4)}
    tests |= {(0, 3): PairTest(1.0, 0.001)}
    assert ranks(range(4), tests)[0] == Rank(1, 3)


def test_a_pair_without_a_test_leaves_its_order_open_and_two_candidates_have_no_ranks():
    assert ranks("abc", {("a", "b"): PairTest(1.0, SURE)}) == {
        "a": Rank(1, 2),
        "b": Rank(2, 3),
        "c": Rank(1, 3),
    }
    assert ranks("ab", {("a", "b"): PairTest(1.0, SURE)}) == {}
    assert ranks("abc", {}) == {}


def true_ranks(truth: Sequence[float]) -> list[Rank]:
    """Of equal candidates any order is right."""
    return [
        Rank(1 + sum(other > own for other in truth), len(truth) - sum(other < own for other in truth))
        for own in truth
    ]


def holds(found: dict[int, Rank], truth: Sequence[float]) -> bool:
    return all(
        found[place].best <= own.best and own.worst <= found[place].worst
        for place, own in enumerate(true_ranks(truth))
    )


def score_ranks(truth: Sequence[float], seed: int, *, items: int = 24) -> dict[int, Rank]:
    """Candidates rated by three reviewers of different severity, on 1 to 5."""
    generator = np.random.default_rng(seed)
    severity = generator.normal(0, 0.4, 3)
    difficulty = generator.normal(0, 0.5, items)
    ratings = []
    for mean in truth:
        given = mean + severity[None, :] + difficulty[:, None] + generator.normal(0, 0.7, (items, 3))
        scores = np.clip(np.round(given), 1, 5).ravel()
        ratings.append(
            Ratings.from_columns(np.repeat(np.arange(items), 3).tolist(), [0, 1, 2] * items, scores.tolist())
        )
    tests = {}
    for one in range(len(truth)):
        for other in range(one + 1, len(truth)):
            found = mean_difference(ratings[one], ratings[other], population=Population.PANEL, step=1.0)
            tests[one, other] = PairTest(found.difference.value or 0.0, found.p.value or 0.0)
    return ranks(range(len(truth)), tests)


TRUTHS = [
    pytest.param((3.4, 3.4, 3.4, 3.4, 3.4), id="equal"),
    pytest.param((3.8, 3.6, 3.4, 3.2, 3.0, 2.8), id="a ladder"),
    pytest.param((3.8, 3.8, 3.2, 3.2), id="two and two"),
]


def shares_of(found: Sequence[dict[int, Rank]], truth: Sequence[float]) -> float:
    return float(np.mean([holds(each, truth) for each in found]))


@pytest.mark.parametrize("truth", TRUTHS)
def test_ranks_by_scores_hold_the_truth(truth):
    assert shares_of([score_ranks(truth, seed) for seed in range(30)], truth) >= 0.86


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.verification
def test_ranks_by_scores_hold_the_truth_as_often_as_they_say(truth):
    runs = simulated(1_000)
    share = shares_of([score_ranks(truth, seed) for seed in range(runs)], truth)
    assert report_share("ranks by scores hold the truth", share, runs, at_least=0.94)


@pytest.mark.parametrize("truth", [(0.0,) * 5, (1.0, 0.5, 0.0, -0.5, -1.0), (0.7, 0.7, -0.7, -0.7)])
@pytest.mark.parametrize("runs", [40, pytest.param(1_000, marks=pytest.mark.verification)])
def test_ranks_by_strength_hold_the_truth(truth, runs):
    found = [
        strength_ranks(round_robin(seed, items=40, truth=truth, ties=0), range(len(truth)))
        for seed in range(runs)
    ]
    assert shares_of(found, truth) >= (0.94 if runs > 100 else 0.87)


def test_candidates_that_are_far_apart_have_one_rank_each():
    assert list(score_ranks((4.6, 3.4, 2.0), seed=1).values()) == [Rank(1, 1), Rank(2, 2), Rank(3, 3)]
    found = strength_ranks(round_robin(3, items=80, truth=(2.0, 0.0, -2.0), ties=0), range(3))
    assert list(found.values()) == [Rank(1, 1), Rank(2, 2), Rank(3, 3)]


def test_without_strengths_there_are_no_ranks():
    islands = pairs_of([(1, 1)] * 5) + pairs_of([(1, 1)] * 5, first="third", second="fourth")
    assert strength_ranks(islands, ["new", "old", "third", "fourth"]) == {}
    assert strength_ranks(round_robin(items=1), range(4)) == {}
