import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from evalapp.stats.differences import holm, paired_difference, sign_flip_p
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from proofs.simulations import report_share, simulated
from tests.stats.simulation import drawn_ratings

PANEL, REVIEWERS = Population.PANEL, Population.REVIEWERS


def shifted(ratings: Ratings, by: float) -> Ratings:
    return ratings.with_scores(ratings.score + by)


def test_difference_is_over_pairs_of_one_reviewer_on_one_item() -> None:
    challenger = Ratings.from_columns(["a", "a", "b", "c"], ["r", "s", "r", "r"], [5, 4, 3, 1])
    champion = Ratings.from_columns(["a", "a", "b", "d"], ["r", "s", "s", "r"], [3, 3, 5, 1])
    found = paired_difference(challenger, champion, population=REVIEWERS, seed=1)
    assert (found.difference.value, found.difference.n) == (1.5, 1)
    assert found.win_rate.value == 1.0


def test_severity_cancels_within_a_reviewer() -> None:
    ratings = drawn_ratings(np.random.default_rng(2), 30, 4)
    found = paired_difference(shifted(ratings, 0.5), ratings, population=REVIEWERS, seed=1)
    assert found.difference.value == pytest.approx(0.5)
    assert found.difference.note == "no interval: no variation" or found.difference.half_width < 1e-6
    assert found.p_permutation.value == pytest.approx(1 / 10_001)


@pytest.mark.parametrize("population", Population)
def test_the_other_direction_is_the_mirror_image(population: Population) -> None:
    challenger, champion = (drawn_ratings(np.random.default_rng(seed), 30, 4) for seed in (3, 4))
    there, back = (
        paired_difference(*sides, population=population, seed=1, span=4, step=1)
        for sides in ((challenger, champion), (champion, challenger))
    )
    for name in ("difference", "p", "win_rate", "p_permutation", "other_difference", "other_p"):
        mirrored, other = getattr(there.mirrored(), name), getattr(back, name)
        assert mirrored.as_dict() == pytest.approx(other.as_dict()), name
    assert there.mirrored().mirrored().difference.as_dict() == pytest.approx(there.difference.as_dict())


def test_ties_count_half_towards_the_win_rate() -> None:
    challenger, champion = Ratings.from_table([[3, 4], [3, 2]]), Ratings.from_table([[3, 3], [4, 2]])
    assert paired_difference(
        challenger, champion, population=REVIEWERS, seed=1
    ).win_rate.value == pytest.approx(0.5)


def test_nothing_shared_is_undefined_with_the_reason() -> None:
    found = paired_difference(
        Ratings.from_columns(["a"], ["r"], [1]),
        Ratings.from_columns(["a"], ["s"], [1]),
        population=REVIEWERS,
        seed=1,
    )
    reasons = {
        found.difference.reason,
        found.p.reason,
        found.p_permutation.reason,
        found.win_rate.reason,
    }
    assert reasons == {"no reviewer scored both candidates on the same item"}


def test_items_that_different_people_scored_are_compared_by_their_means() -> None:
    items = [item for item in range(8) for _ in range(2)]
    people = [f"{item}-{number}" for item in range(8) for number in range(2)]
    champion = Ratings.from_columns(items, people, [2, 3] * 8)
    challenger = Ratings.from_columns(items, [f"{each} too" for each in people], [4, 4, 4, 5] * 4)
    found = paired_difference(challenger, champion, population=PANEL, seed=1)
    assert found.difference.value == pytest.approx(1.75)
    low, high = found.difference.low, found.difference.high
    assert low is not None and high is not None and 1.5 < low < 1.75 < high < 2
    assert found.difference.note == "of item means, because mostly different people scored the two"
    assert found.other_difference.reason == "no reviewer scored both candidates on the same item"


def test_a_reviewer_is_no_evidence_about_reviewers() -> None:
    found = paired_difference(
        Ratings.from_table([[5], [4]]), Ratings.from_table([[3], [3]]), population=REVIEWERS, seed=1
    )
    assert (found.difference.value, found.difference.note) == (1.5, "no interval: one reviewer")
    assert found.p.reason == "one reviewer"
    assert found.p_permutation.value == 0.5


def test_the_seed_fixes_the_p_value() -> None:
    generator = np.random.default_rng(3)
    first, second = drawn_ratings(generator, 40, 3), drawn_ratings(generator, 40, 3)
    p_values = [
        paired_difference(first, second, population=REVIEWERS, seed=seed).p_permutation for seed in (1, 1, 2)
    ]
    assert p_values[0] == p_values[1]
    assert p_values[0].signature != p_values[2].signature


@pytest.mark.parametrize("size", [8, 40])
def test_permutation_p_equals_scipy(size: int) -> None:
    differences = np.random.default_rng(size).normal(0.3, 1, size)
    expected = permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(0)
    )
    found = sign_flip_p(differences, permutations=20_000, seed=0)
    assert found == pytest.approx(expected.pvalue, abs=1e-9 if size == 8 else 0.01)


def test_grouped_flips_keep_the_distribution_on_a_coarse_scale() -> None:
    differences = np.array([1.0, 1, 1, -1, 0, 0, 2, -1, 1, 0.5, 0.5, 1, 1, -2, 1])
    exact = sign_flip_p(differences, permutations=2**15, seed=0)
    assert sign_flip_p(differences, permutations=30_000, seed=0) == pytest.approx(exact, abs=0.01)


def test_interval_widens_when_reviewers_disagree_about_the_difference() -> None:
    """An interval that ignored reviewer × candidate would call these two alike."""
    agree = Ratings.from_table([[1.0, 0.9, 1.1], [0.9, 1.1, 1.0], [1.1, 1.0, 0.9]] * 10)
    split = Ratings.from_table([[2.0, 0.9, 0.1], [1.9, 1.1, 0.0], [2.1, 1.0, -0.1]] * 10)
    zero = Ratings.from_table([[0.0, 0.0, 0.0]] * 30)
    narrow, wide = (
        paired_difference(each, zero, population=REVIEWERS, seed=1).difference.half_width
        for each in (agree, split)
    )
    assert wide > 10 * narrow


@pytest.mark.verification
def test_difference_covers_zero_at_its_level_when_reviewers_have_favourites() -> None:
    generator = np.random.default_rng(8)
    held, runs = 0, simulated(3000)
    for _ in range(runs):
        ratings = drawn_ratings(generator, 30, 4)
        favour = generator.normal(0, 0.3, 4)[ratings.reviewer] + generator.normal(0, 0.4, 30)[ratings.item]
        other = ratings.with_scores(ratings.score + favour + generator.normal(0, 0.8, len(ratings)))
        interval = paired_difference(other, ratings, population=REVIEWERS, seed=1, permutations=1).difference
        held += interval.low <= 0 <= interval.high
    assert report_share("intervals of differences", held / runs, runs, at_least=0.93, at_most=0.97)


def test_holm_of_a_worked_example() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    with pytest.raises(ValueError, match="outside 0 to 1"):
        holm({"a": 1.5})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_rejects_exactly_what_the_step_down_procedure_rejects(
    p_values: list[float], level: float
) -> None:
    """Holm (1979): go up the ordered p values and stop at the first above level / (names left)."""
    rejected: set[str] = set()
    ordered = sorted((p, str(place)) for place, p in enumerate(p_values))
    for rank, (p, name) in enumerate(ordered):
        if p * (len(ordered) - rank) > level:
            break
        rejected.add(name)
    adjusted = holm({str(place): p for place, p in enumerate(p_values)})
    assert {name for name, p in adjusted.items() if p <= level} == rejected


def test_three_reviewers_who_agree_decide_for_this_panel_and_tell_little_of_others() -> None:
    """18 items, two of three reviewers each: the better one wins 35 of 36 pairs."""
    generator = np.random.default_rng(18)
    cells = [(item, (item + place) % 3) for item in range(18) for place in range(2)]
    items, reviewers = zip(*cells, strict=True)
    lead = [2 + int(item + reviewer == 3) for item, reviewer in cells]
    lead[5] = -1
    base = generator.integers(1, 3, 36)
    challenger = Ratings.from_columns(items, reviewers, (base + lead).tolist())
    champion = Ratings.from_columns(items, reviewers, base.tolist())

    found = paired_difference(challenger, champion, population=PANEL, seed=1, span=4)

    assert found.p.value < 1e-6
    assert found.difference.low > 1.5
    assert found.difference.high - found.difference.low < 0.8
    assert found.win_rate.low > 0.75
    turned = paired_difference(challenger, champion, population=REVIEWERS, seed=1, span=4)
    assert (turned.difference, turned.p) == (found.other_difference, found.other_p)
    assert (turned.other_difference, turned.other_p) == (found.difference, found.p)
    assert turned.difference.half_width > found.difference.half_width


@pytest.mark.parametrize("lead", [0, 1, -2])
def test_differences_that_are_all_the_same_are_known_but_for_rounding(lead: int) -> None:
    """Scores are rounded to whole levels, so 18 items by 3 reviewers leave an error of √(1/6/54)."""
    champion = drawn_ratings(np.random.default_rng(4), 18, 3)
    found = paired_difference(shifted(champion, lead), champion, population=PANEL, seed=1, span=4, step=1)
    from scipy.stats import t

    reach = t.ppf(0.975, 17) * (1 / 6 / 54) ** 0.5
    assert (found.difference.value, found.difference.half_width) == pytest.approx((lead, reach))
    assert (found.p.value < 0.001) == (lead != 0)
    # Of other reviewers three who agree say less, and one says nothing.
    assert found.other_difference.half_width == pytest.approx(reach * t.ppf(0.975, 2) / t.ppf(0.975, 17))
    unrounded = paired_difference(shifted(champion, lead), champion, population=PANEL, seed=1, span=4)
    assert unrounded.p.reason == unrounded.other_p.reason == "no variation"


def test_nearly_constant_differences_are_not_known_better_than_rounding_allows() -> None:
    champion = Ratings.from_table([[3.0, 3.0]] * 20)
    lead = np.ones(40)
    lead[0] = 2
    challenger = champion.with_scores(champion.score + lead)
    rounded, plain = (
        paired_difference(challenger, champion, population=PANEL, seed=1, span=4, step=step).difference
        for step in (1, 0)
    )
    assert rounded.half_width > 2 * plain.half_width


def test_items_of_one_document_count_as_one() -> None:
    generator = np.random.default_rng(7)
    item, document = np.arange(60), np.arange(60) // 6
    lead = 0.3 + generator.normal(0, 0.6, 10)[document] + generator.normal(0, 0.3, 60)
    zero = Ratings.from_columns(item.tolist(), ["a"] * 60, [0.0] * 60)
    alone = zero.with_scores(lead)
    groups = {each: f"document {each // 6}" for each in range(60)}
    grouped = Ratings.from_columns(item.tolist(), ["a"] * 60, lead.tolist(), groups=groups)
    narrow, wide = (
        paired_difference(each, zero, population=PANEL, seed=1).difference for each in (alone, grouped)
    )
    assert wide.value == pytest.approx(narrow.value)
    assert wide.half_width > 1.7 * narrow.half_width


def test_items_that_differ_alike_by_two_reviewers_who_vary_have_the_interval_of_the_rounding():
    items, reviewers = list(range(10)) * 2, [0] * 10 + [1] * 10
    better = Ratings.from_columns(
        items, reviewers, [4 + (n + r) % 2 for n, r in zip(items, reviewers, strict=True)]
    )
    worse = Ratings.from_columns(items, reviewers, [2] * 20)
    found = paired_difference(better, worse, population=Population.PANEL, seed=1, permutations=100, step=1.0)
    assert found.difference.value == pytest.approx(2.5)
    assert found.reach is not None and found.reach.error == pytest.approx(1 / np.sqrt(6 * 20))
    assert found.p.value is not None and found.p.value < 1e-6
