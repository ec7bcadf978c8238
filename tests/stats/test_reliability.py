import itertools

import numpy as np
import pandas as pd
import pytest

from evalapp.stats.ratings import Ratings
from evalapp.stats.reliability import FORMS, OPPOSED, SAME_MEANS, IccForm, icc

#: Shrout and Fleiss (1979), table 2: six targets, four judges.
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
PUBLISHED = {"1": 0.17, "2,1": 0.29, "2,k": 0.62}
ORACLE_NAMES = {"1": "ICC(1,1)", "2,1": "ICC(A,1)", "2,k": "ICC(A,k)"}


def table(items: int, reviewers: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    quality, severity = generator.normal(3, 0.8, (items, 1)), generator.normal(0, 0.35, (1, reviewers))
    return np.clip(np.round(quality + severity + generator.normal(0, 0.6, (items, reviewers))), 1, 5)


def thinned(scores: np.ndarray, share: float) -> list[list[float | None]]:
    keep = np.random.default_rng(9).random(scores.shape) >= share
    return [
        [value if kept else None for value, kept in zip(row, mask, strict=True)]
        for row, mask in zip(scores.tolist(), keep.tolist(), strict=True)
    ]


@pytest.mark.parametrize("form", FORMS)
def test_icc_of_the_published_example(form: str) -> None:
    assert icc(Ratings.from_table(JUDGES), form=form).value == pytest.approx(PUBLISHED[form], abs=0.005)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(5))
def test_icc_and_its_interval_equal_pingouin(form: str, seed: int) -> None:
    scores = table(25, 4, seed)
    frame = pd.DataFrame(
        [(item, reviewer, score) for (item, reviewer), score in np.ndenumerate(scores)],
        columns=["item", "reviewer", "score"],
    )
    import pingouin  # takes long to import, in every test process

    oracle = pingouin.intraclass_corr(frame, "item", "reviewer", "score").set_index("Type")
    expected = oracle.loc[ORACLE_NAMES[form]]
    found = icc(Ratings.from_table(scores.tolist()), form=form)
    assert found.value == pytest.approx(expected["ICC"], abs=1e-9)
    assert [found.low, found.high] == pytest.approx(list(expected["CI95"]), abs=0.0051)
    assert found.n == 25


@pytest.mark.parametrize("form", FORMS)
def test_missing_scores_change_little_and_give_an_interval(form: str) -> None:
    scores = table(400, 5, 3)
    full = icc(Ratings.from_table(scores.tolist()), form=form)
    partial = icc(Ratings.from_table(thinned(scores, 0.3)), form=form)
    assert partial.value == pytest.approx(full.value, abs=0.06)
    assert partial.low < partial.value < partial.high
    assert partial.note == "over items, for this panel"


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        (Ratings.from_table([]), "no scores"),
        (Ratings.from_table([[1], [2]]), "one reviewer"),
        (Ratings.from_table([[1, 2]]), "one item"),
        (Ratings.from_table([[1, None], [None, 2]]), "no item has two scores"),
        (Ratings.from_table([[3, 3], [3, 3]]), "no variation"),
    ],
)
def test_icc_that_cannot_be_told_says_why(ratings: Ratings, reason: str) -> None:
    for form in FORMS:
        assert icc(ratings, form=form).reason == reason


def test_negative_reliability_is_shown() -> None:
    assert icc(Ratings.from_table([[1, 5], [5, 1], [2, 4], [4, 2]]), form="1").value < -0.5


@pytest.mark.parametrize("form", FORMS)
def test_perfect_agreement_is_one_without_an_interval(form: str) -> None:
    found = icc(Ratings.from_table([[1, 1], [3, 3], [5, 5]]), form=form)
    assert found.value == pytest.approx(1)
    assert found.low is None
    assert found.note.startswith("no interval")


def test_two_groups_that_never_meet_have_an_icc_of_one_score() -> None:
    apart = Ratings.from_table(
        [[1, 2, None, None], [4, 5, None, None], [None, None, 2, 2], [None, None, 5, 4]]
    )
    assert icc(apart, form="1").defined
    for form in ("2,1", "2,k"):
        measure = icc(apart, form=form)
        assert measure.defined or measure.reason


def test_icc_refuses_repeats_and_unknown_forms() -> None:
    with pytest.raises(ValueError, match="twice"):
        icc(Ratings.from_columns(["a", "a"], ["r", "r"], [1, 2]))
    with pytest.raises(ValueError, match="1; 2,1; 2,k"):
        icc(Ratings.from_table(JUDGES), form="3,1")


def test_reviewers_who_contradict_each_other_throughout_get_no_reliability_of_their_mean() -> None:
    opposed = Ratings.from_table([[1, 5], [2, 4], [3, 3], [4, 2], [5, 1]])
    single = icc(opposed, form="2,1")
    assert single.value is not None and single.value < -1
    assert (single.low, single.note) == (None, SAME_MEANS)
    assert icc(opposed, form="2,k").reason == OPPOSED


@pytest.mark.parametrize(("items", "reviewers"), [(2, 2), (2, 3), (3, 2), (3, 3), (4, 2)])
def test_every_small_table_has_a_value_or_a_reason(items: int, reviewers: int) -> None:
    # In which order items come makes no difference.
    rows = itertools.product(range(1, 4), repeat=reviewers)
    for table in itertools.combinations_with_replacement(rows, items):
        ratings = Ratings.from_table([list(row) for row in table])
        for form in FORMS:
            found = icc(ratings, form=form)
            assert (
                not found.defined or found.low is None or (found.high is not None and found.low < found.high)
            )
            assert found.defined or found.reason


@pytest.mark.parametrize("form", FORMS)
def test_items_of_one_mean_have_no_interval_and_say_so(form: IccForm) -> None:
    found = icc(Ratings.from_table([[1, 2, 3], [2, 3, 1], [3, 1, 2]]), form=form)
    assert (found.low, found.high) == (None, None)
    assert "all items have the same mean" in found.note or found.reason
