"""REML and Satterthwaite's degrees of freedom, against lme4 1.1-37, lmerTest 3.1-3 and dense algebra."""

from dataclasses import replace

import numpy as np
import pytest

from evalapp.stats import mixed_model
from evalapp.stats.mixed_model import MixedModel, fit_mixed_model
from evalapp.stats.ratings import Ratings
from tests.stats.uneven_scores import uneven

# Davies and Goldsmith (1972), as lme4's Penicillin: 24 plates, each with a zone of the same six samples.
PENICILLIN = """
27 23 26 23 23 21 27 23 26 23 23 21 25 21 25 24 24 20 26 23 25 23 23 20 25 22 26 22 23 20 24 22 25
23 22 19 24 20 23 21 22 19 26 22 26 24 24 21 24 21 24 22 22 20 24 21 24 23 22 19 26 23 26 24 24 21
25 22 26 24 24 20 26 24 26 24 25 22 26 23 26 23 23 20 26 23 25 24 24 22 25 22 25 23 23 20 25 21 24
23 23 20 25 22 24 23 23 19 24 21 23 21 21 19 26 23 26 24 24 21 25 21 24 22 22 18 25 22 25 22 22 20
24 21 24 22 24 19 24 21 24 22 21 18
"""
# The same, as lme4's Pastes: two measurements of each of 30 casks, three from each of 10 batches.
PASTES = """
62.8 62.6 60.1 62.3 62.7 63.1 60 61.4 57.5 56.9 61.1 58.9 58.7 57.5 63.9 63.1 65.4 63.7 57.1 56.4
56.9 58.6 64.7 64.5 55.1 55.1 54.7 54.2 58.8 57.5 63.4 64.9 59.3 58.1 60.5 60 62.5 62.6 61 58.7 56.9
57.7 59.2 59.4 65.2 66 64.8 64.1 54.8 54.8 64 64 57.7 56.8 58.3 59.3 59.2 59.2 58.9 56.6
"""


def fitted(ratings: Ratings, groups: np.ndarray | None = None) -> MixedModel:
    found = fit_mixed_model(replace(ratings, group=groups))
    assert isinstance(found, MixedModel), found
    return found


def test_crossed_and_balanced_it_is_lme4s_and_the_analysis_of_variance() -> None:
    table = np.array(PENICILLIN.split(), dtype=float).reshape(24, 6)
    model = fitted(Ratings.from_table(table.tolist()))
    assert model.variances == pytest.approx(
        {"item": 0.716908, "reviewer": 3.730918, "rest": 0.302415}, abs=2e-6
    )
    assert model.mean == pytest.approx(22.972222, abs=1e-6)
    assert model.precision == pytest.approx((0.8085734, 5.4871), abs=1e-4)
    # Of a full table the plain mean is the best.
    assert model.precision_of(np.full(144, 1 / 144)) == pytest.approx(model.precision, rel=1e-6)


def test_nested_it_is_lme4s() -> None:
    values = [float(each) for each in PASTES.split()]
    casks = [place // 2 for place in range(60)]
    ratings = Ratings.from_columns(casks, list(range(60)), values)
    model = fitted(ratings, np.array(ratings.items) // 3)
    assert model.variances == pytest.approx({"item": 8.433667, "group": 1.657308, "rest": 0.678}, abs=2e-5)
    assert model.precision == pytest.approx((0.6768700, 9.0), abs=1e-4)


def test_uneven_it_is_lme4s_with_and_without_groups() -> None:
    ratings, groups = uneven()
    model = fitted(ratings)
    assert model.variances == pytest.approx(
        {"item": 0.194354, "reviewer": 0.720528, "rest": 0.444499}, abs=5e-6
    )
    assert (model.mean, model.precision.error) == pytest.approx((2.987853, 0.460398), abs=2e-6)
    model = fitted(ratings, groups)
    assert model.variances == pytest.approx(
        {"item": 0.007555, "group": 0.195603, "reviewer": 0.589922, "rest": 0.4752}, abs=5e-6
    )
    assert (model.mean, model.precision.error) == pytest.approx((3.031563, 0.456802), abs=2e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(18, 3, 2), (12, 6, 3), (6, 20, 8)])
def test_mean_and_precision_are_those_of_dense_algebra(shape: tuple[int, int, int], seed: int) -> None:
    items, reviewers, each = shape
    generator = np.random.default_rng(seed)
    severity = generator.normal(0, 0.4, reviewers)
    cells = [
        (item, reviewer, float(np.clip(round(3 + severity[reviewer] + generator.normal(0, 0.9)), 1, 5)))
        for item in range(items)
        for reviewer in generator.choice(reviewers, each, replace=False).tolist()
    ]
    ratings = Ratings.from_columns(*zip(*cells, strict=True))
    groups = np.array(ratings.items) // 3 if seed % 2 else None
    model = fitted(ratings, groups)
    levels = {"item": ratings.item, "reviewer": ratings.reviewer}
    levels |= {} if groups is None else {"group": groups[ratings.item]}
    parts = [
        np.equal.outer(levels[name], levels[name]).astype(float) if name in levels else np.eye(len(ratings))
        for name in model.variances
    ]
    whole = sum(variance * part for variance, part in zip(model.variances.values(), parts, strict=True))
    inverse, ones = np.linalg.inv(whole), np.ones(len(ratings))
    weights = inverse @ ones / (ones @ inverse @ ones)
    projection = inverse - np.outer(inverse @ ones, weights)
    information = [[np.trace(projection @ a @ projection @ b) / 2 for b in parts] for a in parts]
    plain = np.full(len(ratings), 1 / len(ratings))
    assert model.mean == pytest.approx(weights @ ratings.score, abs=1e-9)
    for found, used in ((model.precision, weights), (model.precision_of(plain), plain)):
        squares = np.array([used @ part @ used for part in parts])
        variance = used @ whole @ used
        degrees = 2 * variance**2 / (squares @ np.linalg.inv(information) @ squares)
        assert found == pytest.approx((variance**0.5, degrees), rel=1e-6)

    # No variance nearby, within the bounds, is more likely.
    def likelihood(variances: np.ndarray) -> float:
        tried = sum(variance * part for variance, part in zip(variances, parts, strict=True))
        inverse = np.linalg.inv(tried)
        left = inverse - np.outer(inverse @ ones, ones @ inverse) / (ones @ inverse @ ones)
        logs = np.linalg.slogdet(tried)[1] + np.log(ones @ inverse @ ones)
        return float(-0.5 * (logs + ratings.score @ left @ ratings.score))

    best = np.array(list(model.variances.values()))
    for place in range(best.size):
        for step in (-0.01, 0.01):
            near = best.copy()
            near[place] = max(near[place] + step, 1e-6 if place == best.size - 1 else 0)
            assert likelihood(near) <= likelihood(best) + 1e-9


def test_factors_that_the_design_cannot_separate_are_one() -> None:
    # One score of each item: what is the item's is in the rest. One reviewer: nothing is known of others.
    single = fitted(Ratings.from_columns(range(8), "abababab", [1, 3, 2, 4, 2, 5, 3, 4]))
    assert set(single.variances) == {"reviewer", "rest"}
    alone = fitted(Ratings.from_columns([1, 1, 2, 2, 3, 3], "aaaaaa", [1, 2, 4, 4, 3, 5]))
    assert set(alone.variances) == {"item", "rest"}
    # A group of one item each is the item, and one group of all is nothing.
    ratings, _ = uneven()
    assert fitted(ratings, np.arange(18)).variances == fitted(ratings).variances
    assert fitted(ratings, np.zeros(18, dtype=int)).variances == fitted(ratings).variances


def test_a_component_at_zero_still_takes_degrees_of_freedom() -> None:
    # Reviewers agree by chance: their component is zero, which six scores of theirs do not prove.
    table = [[1, 1, 2], [2, 2, 1], [4, 3, 4], [5, 5, 4], [3, 4, 4], [2, 3, 3]]
    model = fitted(Ratings.from_table(table))
    assert model.variances["reviewer"] == 0
    assert 0 < model.precision.degrees < 5


def test_scores_without_any_rest_are_fitted() -> None:
    model = fitted(Ratings.from_table([[1, 2], [2, 3], [3, 4], [4, 5]]))
    assert model.variances["rest"] == pytest.approx(0, abs=1e-4)
    assert model.variances["item"] == pytest.approx(5 / 3, rel=1e-3)


def test_what_cannot_be_fitted_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fit_mixed_model(Ratings.from_columns([], [], [])) == "no scores"
    assert fit_mixed_model(Ratings.from_columns([1], [1], [3])) == "one score"
    assert fit_mixed_model(Ratings.from_table([[3, 3], [3, 3]])) == "no variation"
    assert fit_mixed_model(Ratings.from_table([[1, 2, None], [None, 2, None]])) == "3 scores"
    monkeypatch.setattr(mixed_model, "MOST_LEVELS", 2)
    assert fit_mixed_model(uneven()[0]) == "more than 2 items and more than 2 reviewers"


def test_scores_that_share_neither_item_nor_reviewer_have_students_t() -> None:
    apart = fitted(Ratings.from_columns([1, 2, 3, 4], "abcd", [1, 2, 3, 5]))
    spread = np.std([1, 2, 3, 5], ddof=1)
    assert apart.mean == 2.75
    assert apart.precision == pytest.approx((spread / 2, 3))
    assert apart.precision_of(np.full(4, 0.25)) == pytest.approx((spread / 2, 3))
