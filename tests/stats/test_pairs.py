import choix
import numpy as np
import pytest

from evalapp.stats.pairs import (
    NO_CHAIN,
    NO_PREFERENCES,
    PRIOR,
    PairPreference,
    agreeing_shares,
    both_bad_share,
    bradley_terry,
    first_side_share,
    preference_win_rate,
)
from evalapp.stats.proportions import wilson_interval


def pairs_of(points, *, first="new", second="old", reviewers=2):
    return [
        PairPreference(item, f"r{reviewer}", first, second, each)
        for item, row in enumerate(points)
        for reviewer, each in enumerate(row[:reviewers])
    ]


def test_a_tie_is_half_a_win_and_both_bad_is_left_out():
    share = preference_win_rate(pairs_of([(1, 1), (0.5, 0.5), (0, None), (None, None)]))
    assert share.value == pytest.approx((1 + 0.5 + 0) / 3)
    assert share.n == 3
    assert share.low < share.value < share.high
    bad = both_bad_share(pairs_of([(1, 1), (0.5, 0.5), (0, None), (None, None)]))
    assert bad.value == pytest.approx((0 + 0 + 0.5 + 1) / 4)


def test_a_candidate_that_wins_everything_has_an_interval_that_stays_within_one():
    share = preference_win_rate(pairs_of([(1, 1)] * 10))
    assert (share.value, share.high) == (1, 1)
    assert 0.6 < share.low < 0.8


def test_reviewers_who_say_the_same_of_an_item_do_not_count_as_many():
    alike = preference_win_rate(pairs_of([(1, 1)] * 6 + [(0, 0)] * 6))
    low, high = wilson_interval(12, 24, level=0.95)
    assert alike.low < low < high < alike.high


def test_without_a_preference_there_is_no_share():
    assert preference_win_rate([]).reason == NO_PREFERENCES
    assert preference_win_rate(pairs_of([(None, None)])).reason == NO_PREFERENCES


def test_the_side_that_stands_first_is_told_from_the_candidate_that_is_better():
    # The better one stands first in half of the items, and wins wherever it stands.
    fair = [PairPreference(n, "r", "x", "y", float(n % 2)) for n in range(40)]
    assert first_side_share(fair).value == 0.5
    measure = first_side_share(pairs_of([(1, 1), (1, 1), (1, 1), (0, 0)] * 12))
    assert measure.value == 0.75
    assert measure.low > 0.5
    assert first_side_share([PairPreference(0, "r", "x", "y", 0.5)]).reason == NO_PREFERENCES


def _strengths_by_choix(pairs, candidates):
    position = {each: n for n, each in enumerate(candidates)}
    wins = np.zeros((len(candidates),) * 2)
    for pair in pairs:
        if pair.points is not None:
            wins[position[pair.first], position[pair.second]] += pair.points
            wins[position[pair.second], position[pair.first]] += 1 - pair.points
    wins += PRIOR * ((wins + wins.T) > 0)
    return choix.ilsr_pairwise_dense(wins, tol=1e-13, max_iter=1000)


def round_robin(seed=5, items=60, truth=(1.0, 0.2, -0.4, -0.8), ties=0.07):
    generator = np.random.default_rng(seed)
    pairs = []
    for item in range(items):
        for first in range(len(truth)):
            for second in range(first + 1, len(truth)):
                chance = 1 / (1 + np.exp(truth[second] - truth[first]))
                roll = generator.random()
                points = 0.5 if roll > 1 - ties else float(generator.random() < chance)
                pairs.append(PairPreference(item, item % 3, first, second, points))
    return pairs


def test_strengths_are_the_most_likely_ones_and_their_mean_is_zero():
    pairs = round_robin()
    strengths = bradley_terry(pairs, range(4))
    values = [strengths[n].value for n in range(4)]
    assert sum(values) == pytest.approx(0, abs=1e-9)
    assert values == pytest.approx(list(_strengths_by_choix(pairs, range(4))), abs=1e-9)
    assert values == sorted(values, reverse=True)


def test_of_two_candidates_the_strength_is_the_log_odds_of_the_wins():
    pairs = pairs_of([(1, 1), (1, 0), (1, 0.5)])
    strengths = bradley_terry(pairs, ["new", "old"])
    odds = (4.5 + PRIOR) / (1.5 + PRIOR)
    assert strengths["new"].value == pytest.approx(np.log(odds) / 2)


@pytest.mark.parametrize(
    ("truth", "items", "least"),
    [
        pytest.param((1.0, 0.2, -0.4, -0.8), 60, 0.92, id="close"),
        pytest.param((2.5, 0.0, -2.5), 12, 0.92, id="far apart"),
        pytest.param((3.0, 0.0), 20, 0.9, id="nearly always"),
        pytest.param((0.0, 0.0, 0.0), 8, 0.92, id="equal"),
    ],
)
def test_the_interval_over_items_holds_the_truth(truth, items, least):
    centred = np.array(truth) - np.mean(truth)
    held = []
    for seed in range(150):
        found = bradley_terry(round_robin(seed, items=items, truth=truth, ties=0), range(len(truth)))
        held += [found[n].low <= each <= found[n].high for n, each in enumerate(centred)]
    assert np.mean(held) >= least


def test_preferences_of_one_item_that_agree_count_once():
    alone = bradley_terry(round_robin(items=30), range(4))
    copied = bradley_terry([pair for pair in round_robin(items=30) for _ in range(5)], range(4))
    assert copied[0].half_width > 0.8 * alone[0].half_width


def test_a_candidate_that_never_lost_has_a_finite_strength_and_an_interval_that_does_not_feign_certainty():
    strengths = bradley_terry(pairs_of([(1, 1)] * 5), ["new", "old"])
    new = strengths["new"]
    assert 0 < new.value < 5
    # Ten of ten wins: Wilson's interval for their share begins at 72%, which is half of 0.95 in log odds.
    assert new.low < 0.5 and new.high > 3
    assert bradley_terry(pairs_of([(1, 1)]), ["new", "old"])["new"].note == "no interval: one item"


def test_candidates_that_nothing_links_have_no_strengths():
    islands = [*pairs_of([(1, 0)]), *pairs_of([(1, 0)], first="third", second="fourth")]
    for measure in bradley_terry(islands, ["new", "old", "third", "fourth"]).values():
        assert measure.reason == NO_CHAIN
    assert bradley_terry([], ["new", "old"])["new"].reason == NO_PREFERENCES
    assert bradley_terry(pairs_of([(1, 0)]), ["new", "old", "third"])["third"].reason == NO_CHAIN


def test_the_interval_of_a_share_holds_the_truth_also_where_preferences_of_an_item_agree():
    generator = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        # Each item has a leaning of its own, which its three reviewers share.
        leanings = generator.beta(2.1, 0.9, size=40)
        points = (generator.random((40, 3)) < leanings[:, None]).astype(float)
        share = preference_win_rate(pairs_of(points, reviewers=3))
        held += share.low <= 0.7 <= share.high
    assert held / 300 > 0.92


def test_agreeing_preferences_are_counted_by_item_whatever_the_side() -> None:
    pairs = [
        PairPreference("one", 1, "x", "y", 1.0),
        PairPreference("one", 2, "y", "x", 0.0),
        PairPreference("one", 3, "x", "y", 0.5),
        PairPreference("one", 1, "x", "z", None),
        PairPreference("one", 2, "z", "x", None),
        PairPreference("two", 1, "x", "y", 0.5),
        PairPreference("two", 2, "x", "y", None),
        PairPreference("alone", 1, "x", "y", 1.0),
    ]
    # Of x and y one in three pairs of preferences agrees; of x and z the only one does.
    assert agreeing_shares(pairs) == {"one": 2 / 4, "two": 0.0}
