import numpy as np
import pytest

from evalapp.stats.resampling import (
    item_weights,
    kind_weights,
    pattern_weights,
    percentile_interval,
    unit_weights,
)


def test_percentile_interval_leaves_half_of_the_rest_at_each_end() -> None:
    values = np.arange(1001.0)
    assert percentile_interval(values, level=0.9)[:2] == pytest.approx((50, 950))


def test_a_few_undefined_resamples_are_left_out_and_many_forbid_an_interval() -> None:
    values = np.arange(100.0)
    values[:4] = np.nan
    assert percentile_interval(values, level=0.95).low is not None
    values[:10] = np.nan
    assert percentile_interval(values, level=0.95).note == "no interval: undefined in 10% of the resamples"


def test_each_resample_draws_as_many_units_as_there_are() -> None:
    weights = np.concatenate(list(unit_weights(300_000, replicates=7, seed=1)))
    assert weights.shape == (7, 300_000)
    assert set(weights.sum(axis=1)) == {300_000}
    assert weights.var() == pytest.approx(1, abs=0.01)


def test_drawing_kinds_is_drawing_units_and_counting_their_kinds() -> None:
    multiplicity = np.array([70.0, 25, 5])
    weights = np.concatenate(list(pattern_weights(multiplicity, replicates=20_000, seed=1)))
    assert set(weights.sum(axis=1)) == {100}
    assert weights.mean(axis=0) == pytest.approx(multiplicity, rel=0.02)
    share = multiplicity / 100
    assert weights.var(axis=0) == pytest.approx(100 * share * (1 - share), rel=0.05)


def test_items_of_a_group_are_drawn_together() -> None:
    group = np.array([7, 7, 3, 9, 3, 7])
    drawn = np.concatenate(list(item_weights(6, group, replicates=200, seed=1)))
    assert drawn.shape == (200, 6)
    for code in (3, 7, 9):
        assert (drawn[:, group == code].std(axis=1) == 0).all()
    groups = np.concatenate(list(unit_weights(3, replicates=200, seed=1)))
    assert (drawn[:, [2, 0, 3]] == groups).all()
    kind = np.array([0, 1, 1, 0, 2, 0])
    by_kind = np.concatenate(list(kind_weights(kind, group, replicates=200, seed=1)))
    assert (by_kind == np.stack([drawn[:, kind == each].sum(axis=1) for each in range(3)], axis=1)).all()
