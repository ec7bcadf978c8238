from itertools import combinations, permutations

import numpy as np
import pytest
from krippendorff import alpha as krippendorff_of_counts
from scipy.stats import kendalltau

from evalapp.stats.agreement import NO_OVERLAP, NO_VARIATION, ONE_REVIEWER
from evalapp.stats.pair_agreement import preference_alpha, same_preference_share
from evalapp.stats.pairs import NO_PREFERENCES, PairPreference

NAMES = ("ant", "bee", "cat")


def rankings(seed: int = 3, *, items: int = 24, people: int = 3, spread: float = 0.8) -> np.ndarray:
    """Ranks, items × people × candidates, where the first candidate tends to be the best."""
    generator = np.random.default_rng(seed)
    latent = np.array([1.0, 0.0, -0.6]) + generator.normal(0, 0.5, (items, 1, 3))
    said = latent + generator.normal(0, spread, (items, people, 3))
    return (-said).argsort(axis=2).argsort(axis=2) + 1


def told_by_twos(ranks: np.ndarray, order=NAMES, *, turn=lambda item, person: False) -> list[PairPreference]:
    """The same rankings of the same candidates, with the candidates listed in ``order``."""
    pairs = []
    for item, row in enumerate(ranks):
        for person, own in enumerate(row):
            place = dict(zip(NAMES, own.tolist(), strict=True))
            for first, second in combinations(order, 2):
                one, other = (second, first) if turn(item, person) else (first, second)
                pairs.append(PairPreference(item, person, one, other, float(place[one] < place[other])))
    return pairs


def told(measure) -> tuple:
    return (measure.value, measure.low, measure.high, measure.n, measure.note)


@pytest.mark.parametrize("measured", [preference_alpha, same_preference_share])
def test_agreement_is_the_same_in_whatever_order_the_candidates_are_listed(measured) -> None:
    ranks = rankings()
    found = {told(measured(told_by_twos(ranks, order), replicates=200)) for order in permutations(NAMES)}
    assert len(found) == 1
    ((value, low, high, n, _),) = found
    assert low < value < high and n == 24
    # Nor does it matter on which side each of them saw an answer.
    turned = told_by_twos(ranks, turn=lambda item, person: (item + person) % 2)
    assert told(measured(turned, replicates=200)) in found


def test_of_complete_rankings_it_is_the_mean_of_kendalls_tau_over_every_two_reviewers() -> None:
    ranks = rankings()
    taus = [kendalltau(one, other).statistic for row in ranks for one, other in combinations(row, 2)]
    assert preference_alpha(told_by_twos(ranks), replicates=50).value == pytest.approx(np.mean(taus))


def test_of_complete_pairs_it_is_kendalls_coefficient_of_agreement() -> None:
    # Six judges, one pair an item: u = 8 Σ C(γ, 2) / (m(m − 1)n(n − 1)) − 1 has one pair an item here.
    wins = [6, 4, 3, 1, 5, 0, 2]
    pairs = [
        PairPreference(item, judge, "x", "y", float(judge < won))
        for item, won in enumerate(wins)
        for judge in range(6)
    ]
    agreeing = sum(won * (won - 1) / 2 + (6 - won) * (5 - won) / 2 for won in wins)
    u = 2 * agreeing / (len(wins) * 15) - 1
    assert preference_alpha(pairs, replicates=50).value == pytest.approx(u)


def test_with_ties_and_both_bad_it_is_krippendorffs_alpha_of_preferences_in_both_orientations() -> None:
    generator = np.random.default_rng(8)
    codes = generator.choice(4, size=(4000, 3), p=[0.5, 0.2, 0.2, 0.1])
    points = {0: 1.0, 1: 0.0, 2: 0.5, 3: None}
    agreeing = generator.random(4000) < 0.4
    codes[agreeing] = codes[agreeing][:, :1]
    pairs = [
        PairPreference(item, person, "x", "y", points[int(code)])
        for item, row in enumerate(codes)
        for person, code in enumerate(row)
        if (item + person) % 4
    ]
    counts = np.zeros((2, 4000, 4))
    for pair in pairs:
        code = {1.0: 0, 0.0: 1, 0.5: 2, None: 3}[pair.points]
        counts[0, pair.item, code] += 1
        counts[1, pair.item, {0: 1, 1: 0}.get(code, code)] += 1
    oracle = krippendorff_of_counts(
        value_counts=counts.reshape(8000, 4), level_of_measurement="nominal", value_domain=range(4)
    )
    found = preference_alpha(pairs, replicates=50)
    # The two differ by a preference's pairing with its own mirror image alone, one in the number of
    # preferences.
    assert found.value == pytest.approx(oracle, abs=2e-4)
    assert 0.2 < found.value < 0.5


def test_reviewers_who_toss_a_coin_agree_by_nothing_however_few_they_are() -> None:
    generator = np.random.default_rng(21)
    found = [
        preference_alpha(
            [
                PairPreference(item, person, "x", "y", float(generator.integers(2)))
                for item in range(6)
                for person in range(2)
            ],
            replicates=1,
        ).value
        for _ in range(400)
    ]
    assert np.mean(found) == pytest.approx(0, abs=0.06)


def test_the_interval_resamples_items_with_all_pairs_of_a_ranking() -> None:
    ranks = rankings(items=40)
    alone = preference_alpha([pair for pair in told_by_twos(ranks) if "cat" not in pair[2:4]], replicates=500)
    copied = [
        pair._replace(first=f"{pair.first}{n}", second=f"{pair.second}{n}")
        for pair in told_by_twos(ranks)
        if "cat" not in pair[2:4]
        for n in range(9)
    ]
    # Nine copies of one pair within an item are no more evidence than one.
    assert preference_alpha(copied, replicates=500).half_width == pytest.approx(alone.half_width, rel=0.15)


def test_the_interval_holds_the_true_agreement() -> None:
    truth = preference_alpha(told_by_twos(rankings(seed=1, items=6000)), replicates=1).value
    held = 0
    for seed in range(200):
        found = preference_alpha(told_by_twos(rankings(seed=100 + seed, items=40)), replicates=200)
        held += found.low <= truth <= found.high
    assert held / 200 > 0.89


@pytest.mark.parametrize("measured", [preference_alpha, same_preference_share])
def test_what_cannot_be_told_says_why(measured) -> None:
    assert measured([]).reason == NO_PREFERENCES
    assert (
        measured([PairPreference(1, "r", "x", "y", 1.0), PairPreference(2, "r", "x", "y", 1.0)]).reason
        == ONE_REVIEWER
    )
    apart = [PairPreference(1, "r", "x", "y", 1.0), PairPreference(1, "s", "x", "z", 1.0)]
    assert measured(apart).reason == NO_OVERLAP
    with pytest.raises(ValueError, match="two preferences on the same two answers"):
        measured([PairPreference(1, "r", "x", "y", 1.0), PairPreference(1, "r", "y", "x", 1.0)])


def test_where_all_prefer_the_same_it_is_perfect_and_where_all_are_ties_it_has_no_variation() -> None:
    def given(points):
        return [PairPreference(item, person, "x", "y", points) for item in range(8) for person in range(2)]

    assert preference_alpha(given(1.0)).value == 1
    assert preference_alpha(given(0.5)).reason == NO_VARIATION
    assert same_preference_share(given(0.5)).value == 1
