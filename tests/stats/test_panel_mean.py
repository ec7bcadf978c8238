"""The mean of these reviewers and its errors, against clubSandwich 0.5.11 and by simulation."""

from dataclasses import replace

import numpy as np
import pytest

from evalapp.stats.panel_mean import PanelMean, panel_mean
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import student_quantile
from tests.stats.uneven_scores import uneven


def defined(found: PanelMean | str) -> PanelMean:
    assert isinstance(found, PanelMean), found
    return found


def test_it_is_club_sandwichs_by_item_and_by_document() -> None:
    ratings, groups = uneven("abc")
    by_item, by_document = defined(panel_mean(ratings)), defined(panel_mean(replace(ratings, group=groups)))
    assert (by_item.mean, by_item.error, by_item.degrees) == pytest.approx(
        (2.583333333, 0.151452007, 16.88372)
    )
    assert (by_document.mean, by_document.error, by_document.degrees) == pytest.approx(
        (2.583333333, 0.222132815, 3.648915), rel=1e-6
    )


def test_of_a_full_table_it_is_students_t_over_items() -> None:
    table = np.random.default_rng(3).normal(3, 1, (12, 3))
    found, means = defined(panel_mean(Ratings.from_table(table.tolist()))), table.mean(axis=1)
    assert (found.mean, found.degrees) == pytest.approx((means.mean(), 11))
    assert found.error == pytest.approx(means.std(ddof=1) / 12**0.5)


def test_every_reviewer_of_the_panel_weighs_the_same_however_many_they_reviewed() -> None:
    # "a" scores twice as many items as "b", and two lower.
    items = [*range(12), *range(6)]
    scores = [2 + item % 2 for item in range(12)] + [4 + item % 2 for item in range(6)]
    ratings = Ratings.from_columns(items, ["a"] * 12 + ["b"] * 6, scores)
    assert defined(panel_mean(ratings)).mean == pytest.approx(3.5)


@pytest.mark.parametrize("in_groups", [False, True])
def test_its_interval_holds_the_panels_mean(in_groups: bool) -> None:
    """30 items by two of three reviewers who differ by 0.8: 93 to 97% of 1,500 draws, give or take chance."""
    generator = np.random.default_rng(11)
    severity = np.array([-0.4, 0.0, 0.4])
    groups = np.arange(30) // 3
    first = np.arange(30) % 3
    item, reviewer = np.repeat(np.arange(30), 2), np.column_stack([first, (first + 1) % 3]).ravel()
    held = 0
    for _ in range(1500):
        level = generator.normal(0, 0.5, 30) + in_groups * generator.normal(0, 0.4, 10)[groups]
        taste = generator.normal(0, 0.35, (30, 3))
        score = 3.4 + severity[reviewer] + level[item] + taste[item, reviewer] + generator.normal(0, 0.6, 60)
        ratings = Ratings.from_columns(item.tolist(), reviewer.tolist(), score.tolist())
        found = defined(panel_mean(replace(ratings, group=groups if in_groups else None)))
        held += abs(found.mean - 3.4) <= student_quantile(0.95, found.degrees) * found.error
    assert 0.925 <= held / 1500 <= 0.975


def test_it_is_undefined_where_it_would_mislead() -> None:
    ratings, _ = uneven()
    few = "reviewers with fewer than 5 items"
    assert panel_mean(ratings) == few
    assert panel_mean(Ratings.from_table([[3, 4], [4, 5], [2, 2], [5, 5]])) == few
    assert panel_mean(replace(uneven("abc")[0], group=np.zeros(18, dtype=int))) == "one group"
    assert panel_mean(Ratings.from_table([[3, 3]] * 6)) == "no variation"
    # One did 5 of 105 items: their mean is a third of the panel's, and known twenty times less.
    generator = np.random.default_rng(5)
    items, people = [*range(100), *range(100, 105)], ["a"] * 100 + ["b"] * 5
    scores = generator.normal(3, 1, 105).tolist()
    found = panel_mean(Ratings.from_columns(items, people, scores))
    assert found == "reviewers with very unequal numbers of reviews"
