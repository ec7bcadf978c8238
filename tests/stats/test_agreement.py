import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from evalapp.stats.agreement import (
    SCALES,
    gwet_ac2,
    krippendorff_alpha,
    percent_agreement,
    quadratic_kappa,
)
from evalapp.stats.ratings import Ratings
from proofs.simulations import report_share, simulated

NONE = None
#: Krippendorff (2011), the data of his section C: 4 observers, 12 units, values missing.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
    [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
]
PUBLISHED = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}
WORKED = [list(unit) for unit in zip(*OBSERVERS, strict=True)]

tables = st.integers(2, 4).flatmap(
    lambda reviewers: st.lists(
        st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=reviewers, max_size=reviewers),
        min_size=2,
        max_size=12,
    )
)


def constant(rows: int) -> Ratings:
    return Ratings.from_table([[4, 4, 4]] * rows)


@pytest.mark.parametrize("scale", SCALES)
def test_alpha_of_the_published_example(scale: str) -> None:
    alpha = krippendorff_alpha(Ratings.from_table(WORKED), scale=scale)
    assert alpha.value == pytest.approx(PUBLISHED[scale], abs=5e-4)
    assert alpha.n == 11


@settings(max_examples=150)
@given(tables, st.sampled_from(SCALES))
def test_alpha_equals_the_reference_implementation(table: list[list[int | None]], scale: str) -> None:
    found = krippendorff_alpha(Ratings.from_table(table), scale=scale, replicates=2)
    assume(found.defined)
    data = np.array([[np.nan if value is None else value for value in row] for row in table]).T
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement=scale)
    assert found.value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_alpha_of_a_fine_scale_equals_the_reference_implementation(scale: str) -> None:
    generator = np.random.default_rng(4)
    data = np.round(generator.uniform(0, 100, (60, 1)) + generator.normal(0, 15, (60, 4)), 1).clip(0)
    found = krippendorff_alpha(Ratings.from_table(data.tolist()), scale=scale, replicates=20)
    assert found.value == pytest.approx(
        krippendorff.alpha(reliability_data=data.T, level_of_measurement=scale), abs=1e-9
    )


@settings(max_examples=50)
@given(tables, st.randoms(use_true_random=False))
def test_order_of_items_and_reviewers_changes_no_agreement(
    table: list[list[int | None]], random: object
) -> None:
    reviewers = list(range(len(table[0])))
    random.shuffle(reviewers)
    shuffled = [[row[reviewer] for reviewer in reviewers] for row in reversed(table)]
    for measure in (krippendorff_alpha, percent_agreement):
        first, second = (measure(Ratings.from_table(each), replicates=50) for each in (table, shuffled))
        assert second.value == (None if first.value is None else pytest.approx(first.value))
        assert (first.reason, first.n) == (second.reason, second.n)


def test_alpha_of_independent_ratings_tends_to_zero() -> None:
    scores = np.random.default_rng(1).integers(1, 6, (4000, 3))
    alpha = krippendorff_alpha(Ratings.from_table(scores.tolist()))
    assert alpha.value == pytest.approx(0, abs=0.03)
    assert alpha.low < 0 < alpha.high


def test_opposed_reviewers_give_a_negative_alpha_unclamped() -> None:
    assert krippendorff_alpha(Ratings.from_table([[1, 5], [5, 1], [1, 5], [5, 1]])).value < -0.5


def test_interval_is_labelled_and_reproducible() -> None:
    ratings = Ratings.from_table(WORKED)
    first, again, other = (krippendorff_alpha(ratings, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.signature != other.signature
    assert first.note == "over items, for this panel"
    assert first.low < first.value < first.high


@pytest.mark.verification
def test_alpha_interval_covers_at_about_its_level() -> None:
    generator = np.random.default_rng(6)

    def draw(items: int) -> Ratings:
        quality = generator.normal(3, 0.8, (items, 1))
        return Ratings.from_table(
            np.clip(np.round(quality + generator.normal(0, 0.7, (items, 3))), 1, 5).tolist()
        )

    truth = krippendorff_alpha(draw(200_000), replicates=2).value
    runs = simulated(600)
    found = [krippendorff_alpha(draw(80), replicates=600) for _ in range(runs)]
    share = float(np.mean([each.low <= truth <= each.high for each in found]))
    assert report_share("alpha's interval holds it", share, runs, at_least=0.91, at_most=0.98)


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        (Ratings.from_table([]), "no scores"),
        (Ratings.from_columns(["a", "b"], ["r", "s"], [None, None]), "every answer is N/A"),
        (Ratings.from_table([[1], [2]]), "one reviewer"),
        (Ratings.from_table([[1, None], [None, 2]]), "no item has two scores"),
        (constant(5), "no variation"),
    ],
)
def test_alpha_that_cannot_be_told_says_why(ratings: Ratings, reason: str) -> None:
    for scale in SCALES:
        assert krippendorff_alpha(ratings, scale=scale).reason == reason


def test_one_item_has_an_alpha_but_no_interval() -> None:
    alpha = krippendorff_alpha(Ratings.from_table([[1, 2, 2]]))
    assert alpha.defined
    assert (alpha.low, alpha.note) == (None, "no interval: one item")


def test_alpha_refuses_what_it_cannot_mean() -> None:
    with pytest.raises(ValueError, match="hidden repeats"):
        krippendorff_alpha(Ratings.from_columns(["a", "a"], ["r", "r"], [1, 2]))
    with pytest.raises(ValueError, match="nominal, ordinal, interval, ratio"):
        krippendorff_alpha(constant(2), scale="likert")
    with pytest.raises(ValueError, match="no negative scores"):
        krippendorff_alpha(Ratings.from_table([[-1, 2], [1, 1]]), scale="ratio")


def test_percent_agreement_averages_items() -> None:
    ratings = Ratings.from_table([[1, 1, 2], [3, 3, 3], [1, 5, None], [4, None, None]])
    assert percent_agreement(ratings).value == pytest.approx((1 / 3 + 1 + 0) / 3)
    assert percent_agreement(ratings, within=1).value == pytest.approx(2 / 3)
    assert percent_agreement(ratings).n == 3


def test_full_agreement_is_a_value_without_an_interval() -> None:
    share = percent_agreement(constant(5))
    assert (share.value, share.note) == (1.0, "no interval: every resample gives the same value")


def test_a_handful_of_items_gives_a_value_and_no_interval() -> None:
    few = Ratings.from_table([[1, 2, 1], [4, 4, 5], [2, 3, 2], [5, 5, 5]])
    for measure in (krippendorff_alpha(few), percent_agreement(few), gwet_ac2(few, levels=[1, 2, 3, 4, 5])):
        assert measure.value is not None and measure.low is None
        assert measure.note == "no interval: 4 items are too few to resample"
    more = Ratings.from_table([[1, 2, 1], [4, 4, 5], [2, 3, 2], [5, 5, 5], [3, 3, 4]])
    assert krippendorff_alpha(more).low is not None


def test_ac1_of_the_published_example() -> None:
    """The four raters of the irrCAC package by the author of AC1: 0.77544."""
    found = gwet_ac2(Ratings.from_table(WORKED), levels=[1, 2, 3, 4, 5], weights="identity")
    assert (found.value, found.n) == (pytest.approx(0.77544, abs=5e-6), 11)


def test_ac2_survives_skew_where_alpha_does_not() -> None:
    skewed = Ratings.from_table([[5, 5]] * 95 + [[5, 4], [4, 5]] * 2 + [[5, 4]])
    assert krippendorff_alpha(skewed).value < 0.05
    assert gwet_ac2(skewed, levels=[1, 2, 3, 4, 5]).value > 0.95


def test_ac2_takes_the_whole_scale_and_refuses_strangers() -> None:
    with pytest.raises(ValueError, match="5 is not among"):
        gwet_ac2(Ratings.from_table([[5, 4]]), levels=[1, 2, 3, 4])
    assert gwet_ac2(constant(3), levels=[1, 2, 3, 4, 5]).value == 1.0
    assert gwet_ac2(Ratings.from_table([[1], [2]]), levels=[1, 2]).reason == "one reviewer"


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=30))
def test_quadratic_kappa_equals_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    found = quadratic_kappa(Ratings.from_table([list(pair) for pair in pairs]), 0, 1, replicates=2)
    first, second = zip(*pairs, strict=True)
    assume(len(set(first + second)) > 1)
    expected = cohen_kappa_score(first, second, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.n == len(pairs)


def test_kappa_that_cannot_be_told_says_why() -> None:
    apart = Ratings.from_table([[1, None], [None, 2]])
    assert quadratic_kappa(apart, 0, 1).reason == "the two reviewers share no item"
    assert quadratic_kappa(apart, 0, "absent").reason == "the two reviewers share no item"
    assert quadratic_kappa(constant(4), 0, 1).reason == "no variation"
    with pytest.raises(ValueError, match="two different reviewers"):
        quadratic_kappa(apart, 0, 0)


def test_items_of_one_document_make_the_interval_wider() -> None:
    """Ten documents of six items each, alike inside a document."""
    generator = np.random.default_rng(3)
    rows = []
    for _ in range(10):
        level, apart = generator.integers(1, 6), generator.integers(0, 3)
        rows += [[level, min(level + apart, 5)]] * 6
    alone = Ratings.from_table(rows)
    items, people = [row for row in range(60) for _ in range(2)], ["a", "b"] * 60
    scores = [score for row in rows for score in row]
    groups = {item: item // 6 for item in range(60)}
    grouped = Ratings.from_columns(items, people, scores, groups=groups)
    for measure in (
        krippendorff_alpha,
        percent_agreement,
        lambda ratings: quadratic_kappa(ratings, *ratings.reviewers),
    ):
        narrow, wide = measure(alone), measure(grouped)
        assert wide.value == pytest.approx(narrow.value)
        assert (wide.high - wide.low) > 1.5 * (narrow.high - narrow.low)
