import numpy as np
import pytest
from scipy.optimize import minimize

from evalapp.stats.pairs import (
    NO_CHAIN,
    NO_DUELS,
    PRIOR,
    Duel,
    agreeing_shares,
    both_bad_share,
    bradley_terry,
    first_side_share,
    win_share,
)
from evalapp.stats.proportions import wilson_interval


def duels_of(points, *, first="new", second="old", reviewers=2):
    return [
        Duel(item, f"r{reviewer}", first, second, each)
        for item, row in enumerate(points)
        for reviewer, each in enumerate(row[:reviewers])
    ]


def test_a_tie_is_half_a_win_and_both_bad_is_left_out():
    share = win_share(duels_of([(1, 1), (0.5, 0.5), (0, None), (None, None)]))
    assert share.value == pytest.approx((1 + 0.5 + 0) / 3)
    assert share.n == 3
    assert share.low < share.value < share.high
    bad = both_bad_share(duels_of([(1, 1), (0.5, 0.5), (0, None), (None, None)]))
    assert bad.value == pytest.approx((0 + 0 + 0.5 + 1) / 4)


def test_a_candidate_that_wins_everything_has_an_interval_that_stays_within_one():
    share = win_share(duels_of([(1, 1)] * 10))
    assert (share.value, share.high) == (1, 1)
    assert 0.6 < share.low < 0.8


def test_reviewers_who_say_the_same_of_an_item_do_not_count_as_many():
    alike = win_share(duels_of([(1, 1)] * 6 + [(0, 0)] * 6))
    low, high = wilson_interval(12, 24, level=0.95)
    assert alike.low < low < high < alike.high


def test_without_a_verdict_there_is_no_share():
    assert win_share([]).reason == NO_DUELS
    assert win_share(duels_of([(None, None)])).reason == NO_DUELS


def test_the_side_that_stands_first_is_told_from_the_candidate_that_is_better():
    # The better one stands first in half of the items, and wins wherever it stands.
    fair = [Duel(n, "r", "x", "y", float(n % 2)) for n in range(40)]
    assert first_side_share(fair).value == 0.5
    measure = first_side_share(duels_of([(1, 1), (1, 1), (1, 1), (0, 0)] * 12))
    assert measure.value == 0.75
    assert measure.low > 0.5
    assert first_side_share([Duel(0, "r", "x", "y", 0.5)]).reason == NO_DUELS


def _slow_strengths(duels, candidates):
    """The same likelihood by a general optimiser."""
    position = {each: n for n, each in enumerate(candidates)}
    wins = np.zeros((len(candidates),) * 2)
    for duel in duels:
        if duel.points is not None:
            wins[position[duel.first], position[duel.second]] += duel.points
            wins[position[duel.second], position[duel.first]] += 1 - duel.points
    wins += PRIOR * ((wins + wins.T) > 0)

    def loss(strengths):
        gaps = strengths[:, None] - strengths[None, :]
        return (wins * np.log1p(np.exp(-gaps))).sum() + strengths.mean() ** 2

    found = minimize(loss, np.zeros(len(candidates)), tol=1e-12).x
    return found - found.mean()


def _round_robin(seed=5, items=60, truth=(1.0, 0.2, -0.4, -0.8)):
    generator = np.random.default_rng(seed)
    duels = []
    for item in range(items):
        for first in range(len(truth)):
            for second in range(first + 1, len(truth)):
                chance = 1 / (1 + np.exp(truth[second] - truth[first]))
                roll = generator.random()
                points = 0.5 if roll > 0.93 else float(generator.random() < chance)
                duels.append(Duel(item, item % 3, first, second, points))
    return duels


def test_strengths_are_the_most_likely_ones_and_their_mean_is_zero():
    duels = _round_robin()
    strengths = bradley_terry(duels, range(4), seed=1, replicates=50)
    values = [strengths[n].value for n in range(4)]
    assert sum(values) == pytest.approx(0, abs=1e-9)
    assert values == pytest.approx(list(_slow_strengths(duels, range(4))), abs=1e-4)
    assert values == sorted(values, reverse=True)


def test_of_two_candidates_the_strength_is_the_log_odds_of_the_wins():
    duels = duels_of([(1, 1), (1, 0), (1, 0.5)])
    strengths = bradley_terry(duels, ["new", "old"], seed=1, replicates=10)
    odds = (4.5 + PRIOR) / (1.5 + PRIOR)
    assert strengths["new"].value == pytest.approx(np.log(odds) / 2)


def test_the_interval_over_items_holds_the_truth_and_is_the_same_for_the_same_seed():
    truth = (1.0, 0.2, -0.4, -0.8)
    held = 0
    for seed in range(40):
        found = bradley_terry(_round_robin(seed, truth=truth), range(4), seed=7, replicates=200)
        held += sum(found[n].low <= truth[n] <= found[n].high for n in range(4))
    assert held / 160 > 0.88
    once, again = (bradley_terry(_round_robin(), range(4), seed=3, replicates=100) for _ in range(2))
    assert once == again


def test_a_candidate_that_never_lost_still_has_a_finite_strength():
    strengths = bradley_terry(duels_of([(1, 1)] * 5), ["new", "old"], seed=1, replicates=20)
    assert 0 < strengths["new"].value < 5
    assert strengths["new"].note == "no interval: every resample gives the same value"


def test_candidates_that_nothing_links_have_no_strengths():
    islands = [*duels_of([(1, 0)]), *duels_of([(1, 0)], first="third", second="fourth")]
    for measure in bradley_terry(islands, ["new", "old", "third", "fourth"], seed=1, replicates=10).values():
        assert measure.reason == NO_CHAIN
    assert bradley_terry([], ["new", "old"], seed=1)["new"].reason == NO_DUELS
    assert bradley_terry(duels_of([(1, 0)]), ["new", "old", "third"], seed=1)["third"].reason == NO_CHAIN


def test_the_interval_of_a_share_holds_the_truth_also_where_verdicts_of_an_item_agree():
    generator = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        # Each item has a leaning of its own, which its three reviewers share.
        leanings = generator.beta(2.1, 0.9, size=40)
        points = (generator.random((40, 3)) < leanings[:, None]).astype(float)
        share = win_share(duels_of(points, reviewers=3))
        held += share.low <= 0.7 <= share.high
    assert held / 300 > 0.92


def test_agreeing_verdicts_are_counted_by_item_whatever_the_side() -> None:
    duels = [
        Duel("one", 1, "x", "y", 1.0),
        Duel("one", 2, "y", "x", 0.0),
        Duel("one", 3, "x", "y", 0.5),
        Duel("one", 1, "x", "z", None),
        Duel("one", 2, "z", "x", None),
        Duel("two", 1, "x", "y", 0.5),
        Duel("two", 2, "x", "y", None),
        Duel("alone", 1, "x", "y", 1.0),
    ]
    # Of x and y one in three pairs of verdicts agrees; of x and z the only one does.
    assert agreeing_shares(duels) == {"one": 2 / 4, "two": 0.0}
