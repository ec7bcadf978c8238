"""Prediction-powered means: the formula by hand, no gain from noise, and intervals that hold."""

import numpy as np
import pytest

from evalapp.stats.populations import Population
from evalapp.stats.prediction_powered import (
    ASSUMPTION,
    FEWEST_FOR_GAIN,
    LEAST_WORTH,
    PredictionPowered,
    in_words,
    prediction_powered_mean,
)
from evalapp.stats.ratings import Ratings
from proofs.simulations import report_share, simulated

MEAN, SEVERITY_SD, NOISE_SD = 3.5, 0.35, 0.6


def sampled(
    generator: np.random.Generator,
    *,
    reviewed: int,
    further: int,
    reviewers: int,
    r: float,
    severity_sd: float = SEVERITY_SD,
) -> tuple[Ratings, dict[int, float]]:
    """Items whose quality correlates ``r`` with a metric on a scale of its own; the first are reviewed."""
    quality = generator.normal(0, 1, reviewed + further)
    metric = 0.3 + 0.1 * (r * quality + np.sqrt(1 - r**2) * generator.normal(size=quality.size))
    severity = generator.normal(0, severity_sd, reviewers)
    rows = [
        (item, reviewer, MEAN + 0.5 * quality[item] - severity[reviewer] + generator.normal(0, NOISE_SD))
        for item in range(reviewed)
        for reviewer in range(reviewers)
    ]
    ratings = Ratings.from_columns(*[list(column) for column in zip(*rows, strict=True)])
    return ratings, dict(enumerate(metric.tolist()))


PANEL, REVIEWERS = Population.PANEL, Population.REVIEWERS


def one_reviewer(scores: list[float]) -> Ratings:
    return Ratings.from_table([[score] for score in scores])


def test_mean_equals_the_formula_by_hand() -> None:
    human = [1.0, 2, 2, 3, 4, 3, 5, 4, 4, 5]
    metric = [0.1, 0.2, 0.3, 0.3, 0.5, 0.4, 0.6, 0.5, 0.7, 0.8]
    further = [0.2, 0.1, 0.3, 0.4, 0.2]
    everywhere = dict(enumerate(metric + further))
    found = prediction_powered_mean(one_reviewer(human), everywhere, population=PANEL)
    slope = np.cov(human, metric)[0, 1] / np.var(metric, ddof=1)
    weight = slope * 5 / 15
    assert found.weight.value == pytest.approx(weight)
    assert found.mean.value == pytest.approx(np.mean(human) + weight * (np.mean(further) - np.mean(metric)))
    assert found.classical.value == pytest.approx(3.3)
    assert found.correlation.value == pytest.approx(np.corrcoef(human, metric)[0, 1])
    assert found.most.value == pytest.approx(1 / (1 - found.correlation.value**2))
    assert (found.reviewed, found.unreviewed, found.mean.note) == (10, 5, "")
    assert found.assumption == ASSUMPTION


def test_weight_is_the_one_with_the_smallest_variance() -> None:
    ratings, metric = sampled(np.random.default_rng(1), reviewed=40, further=200, reviewers=3, r=0.7)
    found = prediction_powered_mean(ratings, metric, population=REVIEWERS)
    human = ratings.item_means()
    seen = np.array([metric[item] for item in ratings.items])
    spread = np.var(list(metric.values()), ddof=1)

    def variance(weight: float) -> float:
        cross = np.cov(human, seen)[0, 1] * spread / np.var(seen, ddof=1)
        return (human.var() - 2 * weight * cross + weight**2 * spread) / 40 + weight**2 * spread / 200

    best = found.weight.value
    assert variance(best) < min(variance(best - 0.05), variance(best + 0.05))


def test_units_of_the_metric_do_not_matter_and_neither_does_its_direction() -> None:
    ratings, metric = sampled(np.random.default_rng(2), reviewed=30, further=100, reviewers=3, r=0.6)
    found = prediction_powered_mean(ratings, metric, population=REVIEWERS)
    turned = prediction_powered_mean(
        ratings, {item: 7 - 100 * value for item, value in metric.items()}, population=REVIEWERS
    )
    assert turned.mean.value == pytest.approx(found.mean.value)
    assert turned.mean.half_width == pytest.approx(found.mean.half_width)
    assert turned.correlation.value == pytest.approx(-found.correlation.value)


@pytest.mark.parametrize("r", [0.0, 0.2, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("further", [10, 100, 5000])
def test_gain_stays_under_its_limit(r: float, further: int) -> None:
    for seed in range(5):
        ratings, metric = sampled(np.random.default_rng(seed), reviewed=25, further=further, reviewers=2, r=r)
        found = prediction_powered_mean(ratings, metric, population=REVIEWERS)
        assert found.gain.value <= found.most.value + 1e-9


def test_known_limits_of_the_gain() -> None:
    """r 0.2 gives 4% at most, r 0.7 gives 96%."""
    for r, percent in ((0.2, 4), (0.7, 96)):
        assert round(100 * (1 / (1 - r**2) - 1)) == percent
    ratings, metric = sampled(np.random.default_rng(3), reviewed=4000, further=400_000, reviewers=1, r=0.7)
    found = prediction_powered_mean(ratings, metric, population=PANEL)
    # Noise of single scores takes r from 0.7 to 0.7 · √(0.25 / 0.61).
    assert found.correlation.value == pytest.approx(0.7 * np.sqrt(0.25 / 0.61), abs=0.03)
    assert found.gain.value == pytest.approx(found.most.value, rel=0.01)


def test_reviewers_part_of_the_interval_cannot_be_narrowed() -> None:
    ratings, metric = sampled(
        np.random.default_rng(4), reviewed=60, further=6000, reviewers=3, r=0.95, severity_sd=1.0
    )
    crossed = prediction_powered_mean(ratings, metric, population=REVIEWERS)
    items = prediction_powered_mean(ratings, metric, population=PANEL)
    assert items.mean.half_width < 0.8 * items.classical.half_width
    assert crossed.mean.half_width > 0.9 * crossed.classical.half_width
    assert crossed.mean.note == ""


@pytest.mark.parametrize(
    ("human", "metric", "reason"),
    [
        ([1.0, 2, 3], [0.1, 0.2, 0.3, 0.4], "fewer than 10 reviewed items with the metric"),
        ([1.0, 2] * 5, [0.1, 0.2] * 5, "every item with the metric has been reviewed"),
        ([3.0] * 10, [0.1 * each for each in range(12)], "no variation in the human scores"),
        ([1.0, 2] * 5, [0.5] * 12, "no variation in the metric"),
    ],
)
def test_what_cannot_be_told_says_why(human: list[float], metric: list[float], reason: str) -> None:
    found = prediction_powered_mean(one_reviewer(human), dict(enumerate(metric)), population=PANEL)
    assert found.mean.reason == found.gain.reason == reason
    assert found.classical.defined
    assert reason in in_words(found)


def test_no_scores_at_all_is_no_crash() -> None:
    found = prediction_powered_mean(Ratings.from_columns([], [], []), {1: 0.5}, population=REVIEWERS)
    assert not found.mean.defined
    assert found.classical.reason == "no scores"


def test_one_reviewer_has_no_interval_over_reviewers() -> None:
    ratings, metric = sampled(np.random.default_rng(5), reviewed=20, further=50, reviewers=1, r=0.6)
    assert (
        prediction_powered_mean(ratings, metric, population=REVIEWERS).mean.note
        == "no interval: one reviewer"
    )


def test_reviewed_items_without_a_metric_take_no_part() -> None:
    ratings, metric = sampled(np.random.default_rng(6), reviewed=20, further=50, reviewers=2, r=0.6)
    found = prediction_powered_mean(ratings, {**metric, 0: None, 1: None}, population=REVIEWERS)
    assert found.reviewed == found.classical.n == 18
    with pytest.raises(ValueError, match="the metric of 3 is nan"):
        prediction_powered_mean(ratings, {**metric, 3: float("nan")}, population=REVIEWERS)


def test_mean_and_interval_stay_on_the_scale() -> None:
    human = [4.0, 5, 5, 5, 4, 5, 5, 4, 5, 5]
    metric = [0.5, 0.9, 0.9, 0.8, 0.5, 0.9, 0.8, 0.4, 0.9, 0.9]
    found = prediction_powered_mean(
        one_reviewer(human), dict(enumerate([*metric, *[3.0] * 30])), population=PANEL, bounds=(1, 5)
    )
    assert found.mean.value == found.mean.high == 5


def test_the_words_tell_the_gain_and_its_limit() -> None:
    ratings, metric = sampled(np.random.default_rng(7), reviewed=200, further=5000, reviewers=3, r=0.9)
    text = in_words(prediction_powered_mean(ratings, metric, population=REVIEWERS))
    assert text.startswith("With r 0.")
    assert "% more reviewed items" in text
    ratings, metric = sampled(np.random.default_rng(8), reviewed=200, further=50, reviewers=3, r=0.0)
    assert "adds nothing" in in_words(prediction_powered_mean(ratings, metric, population=REVIEWERS))


def gains(draws: int, *, reviewed: int, r: float) -> list[float]:
    found = []
    for seed in range(draws):
        ratings, metric = sampled(
            np.random.default_rng(seed), reviewed=reviewed, further=500, reviewers=1, r=r
        )
        mean = prediction_powered_mean(ratings, metric, population=PANEL)
        found.append((mean.gain.value or 1.0) - 1)
        # Whoever reads a gain below the limit reads that it may be chance.
        assert mean.is_uncertain is (reviewed < FEWEST_FOR_GAIN and found[-1] >= LEAST_WORTH)
    return found


def test_a_metric_that_says_nothing_seems_worth_something_on_few_reviewed_items() -> None:
    of_ten, of_enough = (gains(1000, reviewed=n, r=0.0) for n in (10, FEWEST_FOR_GAIN))
    assert np.mean(np.array(of_ten) >= 0.25) > 0.05
    assert np.mean(np.array(of_enough) >= 0.25) < 0.015


def coverage(draws: int, *, reviewed: int, reviewers: int, r: float) -> tuple[float, float]:
    """Share of intervals that hold the true mean, and the mean ratio of widths to the classical ones."""
    generator = np.random.default_rng(9)
    found: list[PredictionPowered] = []
    for _ in range(draws):
        ratings, metric = sampled(generator, reviewed=reviewed, further=600, reviewers=reviewers, r=r)
        found.append(prediction_powered_mean(ratings, metric, population=REVIEWERS))
    held = [each.mean.low <= MEAN <= each.mean.high for each in found]
    widths = [each.mean.half_width / each.classical.half_width for each in found]
    return float(np.mean(held)), float(np.mean(widths))


def test_interval_covers_and_is_narrower() -> None:
    held, width = coverage(300, reviewed=30, reviewers=5, r=0.9)
    assert held >= 0.91
    assert width < 0.98


@pytest.mark.verification
@pytest.mark.parametrize("r", [0.0, 0.4, 0.8])
@pytest.mark.parametrize(("reviewed", "reviewers"), [(15, 4), (30, 4), (60, 6)])
def test_interval_covers_at_its_level(reviewed: int, reviewers: int, r: float) -> None:
    runs = simulated(3000)
    held, _ = coverage(runs, reviewed=reviewed, reviewers=reviewers, r=r)
    assert report_share("prediction-powered intervals", held, runs, at_least=0.93, at_most=0.975)
