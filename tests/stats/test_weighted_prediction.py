"""A week's mean with a metric of all outputs: what it gains, what it costs, how often its interval holds."""

from typing import NamedTuple

import numpy as np
import pytest

from evalapp.stats.ratings import Ratings
from evalapp.stats.weighted import Drawn, SampleDesign
from evalapp.stats.weighted_prediction import (
    MetricMean,
    WeightedPrediction,
    predicted_score,
    predicted_share,
)
from proofs.simulations import report_share, simulated
from tests.stats.weekly_samples import Week, sampled, week_of_scores

SIZES, DRAWN, ANSWERS = (1500, 800, 500, 200), (21, 14, 16, 9), (0.95, 0.9, 0.7, 0.6)
LEVELS = (3.6, 3.2, 2.8, 2.4)


def usual_week() -> Week:
    return week_of_scores(np.random.default_rng(1), SIZES, LEVELS)


def metric_of(week: Week, r: float, seed: int = 2) -> np.ndarray:
    """Correlates ``r`` with the values, on a scale of its own."""
    if np.isnan(r):
        return np.full(week.value.size, 0.4)
    standard = (week.value - week.value.mean()) / week.value.std()
    noise = np.random.default_rng(seed).normal(size=week.value.size)
    return 0.5 + 0.1 * (r * standard + np.sqrt(1 - r**2) * noise)


def everywhere(week: Week, metric: np.ndarray) -> dict[int, MetricMean]:
    return {
        stratum: MetricMean(size, float(metric[week.stratum == stratum].mean()))
        for stratum, size in week.sizes.items()
    }


class Result(NamedTuple):
    """``share`` of intervals that held the week's mean; their mean half-width over the classical ones'."""

    share: float
    width: float
    bias: float


def held(
    week: Week,
    r: float,
    *,
    draws: int,
    seed: int,
    is_share: bool = False,
    drawn: tuple[int, ...] = DRAWN,
    answers: tuple[float, ...] | None = ANSWERS,
) -> Result:
    generator, metric = np.random.default_rng(seed), metric_of(week, r)
    known, means = dict(enumerate(metric.tolist())), everywhere(week, metric)
    inside, widths, classical, off = [], [], [], []
    for number in range(draws):
        found = sampled(generator, week, drawn, answers=answers)
        prediction = (
            predicted_share(found.reviews, found.design, known, means, seed=number)
            if is_share
            else predicted_score(found.reviews, found.design, known, means, bounds=(1, 5), seed=number)
        )
        measure = prediction.estimate.measure
        if measure.low is None:
            continue
        inside.append(measure.low <= week.mean <= measure.high)
        widths.append(measure.half_width)
        classical.append(prediction.classical.measure.half_width)
        off.append(measure.value - week.mean)
    return Result(float(np.mean(inside)), float(np.mean(widths) / np.mean(classical)), float(np.mean(off)))


def once(r: float = 0.7, *, drawn: tuple[int, ...] = DRAWN, **changed: object) -> WeightedPrediction:
    week = usual_week()
    metric = metric_of(week, r)
    found = sampled(np.random.default_rng(3), week, drawn)
    given = {"metric": dict(enumerate(metric.tolist())), "everywhere": everywhere(week, metric)} | changed
    return predicted_score(found.reviews, found.design, **given, bounds=(1, 5))


def test_a_metric_that_agrees_narrows_and_one_of_nothing_hardly_widens() -> None:
    week = usual_week()
    good, useless = (held(week, r, draws=150, seed=4) for r in (0.8, 0.0))
    assert good.width < 0.8 and 0.89 <= good.share <= 1
    assert 0.99 <= useless.width <= 1.03
    assert abs(good.bias) < 0.03 and abs(useless.bias) < 0.05


def test_a_constant_metric_changes_nothing() -> None:
    found = once(float("nan"))
    assert found.estimate.measure.value == found.classical.measure.value
    assert found.estimate.measure.low == found.classical.measure.low
    assert (found.gain.value, found.weight.value) == (1, 0)


def test_one_stratum_is_the_difference_estimator_by_hand() -> None:
    """All but one fold of ten have the slope of the others, so with a perfect metric every score is 0.5 + the
    metric's mean over all outputs.
    """
    metric = {item: float(item % 5) for item in range(200)}
    ratings = Ratings.from_columns(range(40), ["a"] * 40, [0.5 + metric[item] / 2 for item in range(40)])
    design = SampleDesign({item: Drawn("all", 0.2) for item in range(40)})
    means = {"all": MetricMean(200, 2.4)}
    found = predicted_score(ratings, design, metric, means, bounds=(0, 5))
    assert found.estimate.measure.value == pytest.approx(0.5 + 2.4 / 2, abs=1e-6)
    assert found.weight.value == pytest.approx(0.5)


def test_it_is_undefined_where_it_would_mislead() -> None:
    assert "fewer than 20" in once(drawn=(5, 4, 4, 4)).estimate.measure.reason
    assert "no metric" in once(metric={}).estimate.measure.reason
    assert "every output" in once(everywhere={0: MetricMean(1500, 0.5)}).estimate.measure.reason
    with pytest.raises(ValueError, match="not finite"):
        once(metric=dict.fromkeys(range(3000), float("inf")))
    rare = usual_week()._replace(value=(np.arange(3000) % 30 == 0).astype(float))
    found = sampled(np.random.default_rng(1), rare, (30, 20, 16, 8))
    metric = metric_of(rare, 0.5)
    share = predicted_share(
        found.reviews, found.design, dict(enumerate(metric.tolist())), everywhere(rare, metric)
    )
    assert share.estimate.measure.reason == "fewer than 10 marks at the effective number of outputs"
    assert share.classical.measure.defined


@pytest.mark.verification
@pytest.mark.parametrize("drawn", [(18, 12, 10, 8), DRAWN, (60, 40, 30, 20)])
@pytest.mark.parametrize("seed", [31])
def test_intervals_of_a_mean_hold_it_in_93_to_97_of_100_draws(drawn: tuple[int, ...], seed: int) -> None:
    week = usual_week()
    for r in (float("nan"), 0.0, 0.3, 0.6, 0.9):
        draws = simulated(2000)
        found = held(week, r, draws=draws, seed=seed, drawn=drawn)
        print(f"{drawn}, r {r}: {found}")
        assert report_share("means with a metric", found.share, draws, at_least=0.93, at_most=0.97)
        assert found.width <= 1.03
        assert abs(found.bias) < 0.01


@pytest.mark.verification
@pytest.mark.parametrize("seed", [41])
def test_intervals_of_a_rate_hold_it(seed: int) -> None:
    week = usual_week()
    week = week._replace(value=(week.value <= 2).astype(float))
    for drawn in (DRAWN, (60, 40, 30, 20)):
        for r in (0.0, 0.3, 0.6, 0.9):
            draws = simulated(2000)
            found = held(week, r, draws=draws, seed=seed, is_share=True, drawn=drawn)
            print(f"{drawn}, r {r}: {found}")
            assert report_share("rates with a metric", found.share, draws, at_least=0.93)
            assert found.width <= 1.03
