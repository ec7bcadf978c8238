"""One reviewer beside the others: equal to the pair's own measures where there is one other."""

import numpy as np
import pytest

from evalapp.stats.against_others import ALONE, against_others, mean_kappa, reviewer_against_panel
from evalapp.stats.agreement import gwet_ac2, krippendorff_alpha, percent_agreement, quadratic_kappa
from evalapp.stats.ratings import Ratings
from evalapp.stats.reliability import icc

LEVELS = (1, 2, 3, 4, 5)


def panel(reviewers: int, *, items: int = 30, seed: int = 1) -> Ratings:
    generator = np.random.default_rng(seed)
    true = generator.integers(1, 6, items)[:, None]
    scores = np.clip(true + generator.integers(-1, 2, (items, reviewers)), 1, 5)
    return Ratings.from_table(scores.tolist())


def test_with_one_other_every_value_is_the_pairs() -> None:
    pair = panel(2)
    found = against_others(pair, 0, levels=LEVELS, replicates=50)
    expected = {
        "alpha": krippendorff_alpha(pair, replicates=50),
        "kappa": quadratic_kappa(pair, 0, 1, replicates=50),
        "ac2": gwet_ac2(pair, levels=LEVELS, replicates=50),
        "icc_1": icc(pair, form="1", replicates=50),
        "icc_2_1": icc(pair, form="2,1", replicates=50),
        "icc_2_k": icc(pair, form="2,k", replicates=50),
        "exact": percent_agreement(pair, replicates=50),
        "within_one": percent_agreement(pair, within=1, replicates=50),
    }
    for field, measure in expected.items():
        mine = getattr(found, field)
        assert mine.value == pytest.approx(measure.value, abs=1e-9), field
        assert mine.n == 30
        assert mine.low is not None and mine.low <= mine.value <= mine.high, field


def test_nominal_answers_take_their_own_measures() -> None:
    pair = panel(2)
    found = against_others(pair, 0, levels=LEVELS, is_ordered=False, replicates=50)
    assert found.alpha.value == pytest.approx(
        krippendorff_alpha(pair, scale="nominal", replicates=50).value, abs=1e-9
    )
    assert found.ac2.value == pytest.approx(
        gwet_ac2(pair, levels=LEVELS, weights="identity", replicates=50).value, abs=1e-9
    )
    assert found.kappa.reason == found.within_one.reason == "the answers have no order"


def test_an_item_counts_once_however_many_others_there_are() -> None:
    # Item 0: agrees with none of two; item 1: agrees with its one other. The mean is over items.
    found = against_others(Ratings.from_table([[3, 4, 5], [2, 2, None]]), 0, levels=LEVELS, replicates=50)
    assert found.exact.value == pytest.approx(0.5)
    assert found.within_one.value == pytest.approx((0.5 + 1) / 2)
    assert found.exact.n == 2


def test_the_odd_one_out_is_seen() -> None:
    scores = np.array(np.random.default_rng(4).integers(1, 6, (60, 1)).repeat(3, axis=1))
    scores[:, 2] = np.random.default_rng(5).permutation(scores[:, 2])
    ratings = Ratings.from_table(scores.tolist())
    alphas = [against_others(ratings, each, levels=LEVELS, replicates=100).alpha.value for each in range(3)]
    assert alphas[2] < 0.3 < min(alphas[:2])  # type: ignore[type-var]


def test_who_shares_no_item_and_who_never_varies_are_said() -> None:
    alone = Ratings.from_table([[3, None], [None, 4]])
    assert against_others(alone, 0, levels=LEVELS).alpha.reason == ALONE
    equal = Ratings.from_table([[4, 4]] * 5)
    found = against_others(equal, 0, levels=LEVELS, replicates=20)
    assert found.alpha.reason == found.kappa.reason == found.icc_2_1.reason == "no variation"
    assert found.exact.value == 1.0
    one = against_others(Ratings.from_table([[4, 5]]), 0, levels=LEVELS, replicates=20)
    assert one.exact.note == "no interval: one item"
    assert one.icc_2_1.reason == "one item"
    with pytest.raises(ValueError, match="not among the levels"):
        against_others(Ratings.from_table([[9, 4]]), 0, levels=LEVELS)


def test_mean_kappa_is_the_mean_of_the_pairs() -> None:
    ratings = panel(4)
    pairs = [
        quadratic_kappa(ratings, one, other, replicates=20).value for one in range(4) for other in range(one)
    ]
    found = mean_kappa(ratings, replicates=200)
    assert found.value == pytest.approx(sum(pairs) / 6, abs=1e-9)  # type: ignore[arg-type]
    assert found.n == 30
    assert found.low is not None and found.high is not None and found.low < found.value < found.high  # type: ignore[operator]
    assert mean_kappa(Ratings.from_table([[3], [4]])).reason == "one reviewer"
    assert mean_kappa(Ratings.from_table([[4, 4]] * 3)).reason == "no variation"
    assert mean_kappa(Ratings.from_table([[4, None], [None, 3]])).reason == "no item has two scores"


def judged_panel(reviewers: int, *, items: int = 200, seed: int = 4, noise: float = 1.0) -> Ratings:
    """A judge who answers as people do: the last column."""
    generator = np.random.default_rng(seed)
    true = generator.normal(3, 1, items)[:, None]
    said = np.clip(np.rint(true + generator.normal(0, noise, (items, reviewers + 1))), 1, 5)
    rows = [
        (item, "judge" if person == reviewers else person, float(score))
        for item, own in enumerate(said)
        for person, score in enumerate(own)
    ]
    return Ratings.from_columns(*zip(*rows, strict=True))


@pytest.mark.parametrize("ordered", [True, False])
def test_of_two_people_the_panels_alpha_is_that_of_the_two(ordered: bool) -> None:
    ratings = judged_panel(2)
    people = Ratings.from_columns(
        *zip(
            *(
                (int(item), int(person), float(score))
                for item, person, score in zip(ratings.item, ratings.reviewer, ratings.score, strict=True)
                if ratings.reviewers[person] != "judge"
            ),
            strict=True,
        )
    )
    found = reviewer_against_panel(ratings, "judge", levels=LEVELS, is_ordered=ordered, replicates=200)
    scale = "ordinal" if ordered else "nominal"
    pair = krippendorff_alpha(people, scale=scale, replicates=1)
    assert found.panel_alpha.value == pytest.approx(pair.value, abs=1e-9)
    assert found.alpha_gap.value == pytest.approx(found.alpha.value - found.panel_alpha.value)
    assert found.alpha_gap.low < found.alpha_gap.value < found.alpha_gap.high
    assert (found.kappa is None) is not ordered


def test_a_judge_who_answers_as_one_of_them_agrees_as_far_as_they_do() -> None:
    for people in (2, 3, 5):
        gaps = [
            reviewer_against_panel(judged_panel(people, seed=seed), "judge", levels=LEVELS, replicates=1)
            for seed in range(40)
        ]
        assert np.mean([each.alpha_gap.value for each in gaps]) == pytest.approx(0, abs=0.02)
        assert np.mean([each.kappa_gap.value for each in gaps]) == pytest.approx(0, abs=0.02)


def test_both_are_of_the_same_items_and_of_every_persons_score() -> None:
    # Items 0 to 19 have three people, who agree on none; items 20 to 39 one alone, with whom the judge
    # agrees.
    rows = [(item, person, float(1 + (item + person) % 3)) for item in range(20) for person in range(3)]
    rows += [(item, "judge", 1.0) for item in range(20)]
    rows += [(item, who, 2.0) for item in range(20, 40) for who in (0, "judge")]
    found = reviewer_against_panel(
        Ratings.from_columns(*zip(*rows, strict=True)),
        "judge",
        levels=LEVELS,
        is_ordered=False,
        replicates=50,
    )
    assert (found.alpha.n, found.panel_alpha.n, found.alpha_gap.n) == (20, 20, 20)
    assert found.panel_alpha.value < 0
    # The order in which scores come in has no part in it.
    again = reviewer_against_panel(
        Ratings.from_columns(*zip(*rows[::-1], strict=True)),
        "judge",
        levels=LEVELS,
        is_ordered=False,
        replicates=50,
    )
    assert again.alpha.value == pytest.approx(found.alpha.value)
    assert again.alpha_gap.value == pytest.approx(found.alpha_gap.value)


def test_where_nobody_shares_an_item_with_another_the_panel_is_undefined() -> None:
    rows = [(item, who, float(1 + item % 4)) for item in range(12) for who in ("a", "judge")]
    found = reviewer_against_panel(
        Ratings.from_columns(*zip(*rows, strict=True)), "judge", levels=LEVELS, replicates=50
    )
    assert (found.alpha.value, found.alpha.n) == (1.0, 12)
    assert found.panel_alpha.value is None and found.alpha_gap.reason


def test_items_of_one_document_make_every_interval_wider_and_no_value_other() -> None:
    """Each item of ten documents stands there six times."""
    each = panel(4, items=10, seed=5)
    item = [6 * code + copy for code in each.item.tolist() for copy in range(6)]
    columns = (item, np.repeat(each.reviewer, 6).tolist(), np.repeat(each.score, 6).tolist())
    alone = Ratings.from_columns(*columns)
    grouped = Ratings.from_columns(*columns, groups={number: number // 6 for number in range(60)})
    for measures in (
        lambda ratings: against_others(ratings, 0, levels=LEVELS).alpha,
        lambda ratings: reviewer_against_panel(ratings, 0, levels=LEVELS)[0],
        lambda ratings: reviewer_against_panel(ratings, 0, levels=LEVELS)[1],
        lambda ratings: reviewer_against_panel(ratings, 0, levels=LEVELS)[2],
        mean_kappa,
    ):
        narrow, wide = measures(alone), measures(grouped)
        assert wide.value == pytest.approx(narrow.value)
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
