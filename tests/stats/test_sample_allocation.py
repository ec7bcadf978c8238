"""Who is drawn how likely, and where the next reviews tell most."""

import math

import numpy as np
import pytest

from evalapp.stats.ratings import Ratings
from evalapp.stats.sample_allocation import (
    IMPOSSIBLE,
    MOST_RATIO,
    NextReviews,
    Scheme,
    allocate,
    are_possible,
    next_reviews,
)
from evalapp.stats.weighted import Drawn, SampleDesign, weighted_score, weighted_share
from tests.stats.weekly_samples import sampled, week_of_scores

WEEK = {"claims": 2000, "letters": 900, "other": 90, "new law": 10}
RISK = {"claims": 0.02, "letters": 0.05, "new law": 0.4}


@pytest.mark.parametrize("scheme", [Scheme.UNIFORM, Scheme.PROPORTIONAL])
def test_every_output_is_as_likely(scheme: Scheme) -> None:
    found = allocate(WEEK, 60, scheme=scheme)
    assert list(found.probability.values()) == pytest.approx([0.02] * 4)
    assert found.effective == pytest.approx(60)


@pytest.mark.parametrize("wanted", [1, 40, 60, 500, 2990])
def test_what_is_riskier_is_likelier_and_nothing_is_out_of_reach(wanted: int) -> None:
    found = allocate(WEEK, wanted, scheme=Scheme.RISK, risk=RISK)
    likely = found.probability
    assert likely["new law"] >= likely["letters"] >= likely["claims"] >= likely["other"] > 0
    assert max(likely.values()) <= MOST_RATIO * min(likely.values()) * (1 + 1e-9)
    assert max(likely.values()) <= 1
    assert sum(found.expected.values()) == pytest.approx(wanted)
    assert found.effective <= wanted + 1e-9


def test_a_small_week_is_drawn_as_a_whole() -> None:
    assert set(allocate(WEEK, 4000, scheme=Scheme.RISK, risk=RISK).probability.values()) == {1.0}
    assert allocate({"a": 5, "gone": 0}, 3).outputs == {"a": 5}
    assert allocate({}, 3).probability == {}


def test_without_any_risk_every_output_is_as_likely() -> None:
    assert len(set(allocate(WEEK, 60, scheme=Scheme.RISK, risk={}).probability.values())) == 1


@pytest.mark.parametrize("scheme", list(Scheme))
def test_rounded_at_random_the_probabilities_are_exact(scheme: Scheme) -> None:
    found = allocate(WEEK, 60, scheme=scheme, risk=RISK)
    counts = [found.counts(seed=seed) for seed in range(4000)]
    for stratum, expected in found.expected.items():
        numbers = np.array([each[stratum] for each in counts])
        assert numbers.mean() == pytest.approx(expected, abs=4 * numbers.std() / 4000**0.5 + 1e-9)
        if scheme is not Scheme.UNIFORM:
            assert np.abs(numbers - expected).max() < 1
    assert {sum(each.values()) for each in counts} == {60}


def test_what_makes_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="not a sample"):
        allocate(WEEK, 0)
    with pytest.raises(ValueError, match="0 or more"):
        allocate(WEEK, 5, scheme=Scheme.RISK, risk={"claims": -1})
    with pytest.raises(ValueError, match="give 1 or more"):
        allocate(WEEK, 5, most_ratio=0.5)


def reviewed(scores: dict[str, list[float]], sizes: dict[str, int]) -> tuple[Ratings, SampleDesign]:
    rows = [
        (f"{stratum}{number}", stratum, score)
        for stratum, each in scores.items()
        for number, score in enumerate(each)
    ]
    drawn = {item: Drawn(stratum, len(scores[stratum]) / sizes[stratum]) for item, stratum, _ in rows}
    ratings = Ratings.from_columns([row[0] for row in rows], ["a"] * len(rows), [row[2] for row in rows])
    return ratings, SampleDesign(drawn, sizes)


def test_the_next_reviews_go_where_scores_vary_and_outputs_are_many() -> None:
    sizes = {"even": 1000, "uneven": 1000, "small": 50}
    scores = {"even": [4.0, 4, 4, 5] * 4, "uneven": [1.0, 5, 2, 5] * 4, "small": [1.0, 5, 2, 4]}
    found = next_reviews(*reviewed(scores, sizes), 40, bounds=(1, 5))
    assert isinstance(found, NextReviews)
    assert found.reviews == 40 == sum(found.by_stratum.values())
    assert found.by_stratum["uneven"] > found.by_stratum["even"] > found.by_stratum["small"]
    assert found.gain["uneven"] == max(found.gain.values())
    shares = [(len(scores[each]) + found.by_stratum[each]) / sizes[each] for each in ("uneven", "even")]
    assert shares[0] <= MOST_RATIO * shares[1] * 1.1
    assert found.then < 0.75 * found.now


def test_no_more_reviews_are_promised_than_the_week_has_outputs() -> None:
    sizes = {"a": 12, "b": 9}
    found = next_reviews(*reviewed({"a": [1.0, 5] * 5, "b": [2.0, 3] * 4}, sizes), 40, bounds=(1, 5))
    assert isinstance(found, NextReviews)
    assert (found.reviews, found.by_stratum) == (3, {"a": 2, "b": 1})
    assert found.then == pytest.approx(0, abs=1e-9)
    assert next_reviews(*reviewed({"a": [3.0] * 9}, {"a": 90}), bounds=(1, 5)) == "no interval: no variation"


def test_without_a_mark_more_reviews_still_bring_the_upper_end_down() -> None:
    found = next_reviews(*reviewed({"a": [0.0] * 30, "b": [0.0] * 10}, {"a": 900, "b": 300}), 40)
    assert isinstance(found, NextReviews)
    assert min(found.by_stratum.values()) >= 10
    assert found.then == pytest.approx(found.now / 2, rel=0.1)


@pytest.mark.parametrize("is_share", [False, True])
def test_so_many_further_reviews_narrow_it_as_foretold(is_share: bool) -> None:
    generator = np.random.default_rng(6)
    week = week_of_scores(generator, (1500, 800, 400), (3.6, 3.0, 2.4))
    if is_share:
        week = week._replace(value=(week.value <= 2).astype(float))
    foretold, became = [], []
    for _ in range(60):
        first = sampled(generator, week, (20, 12, 8))
        found = next_reviews(first.reviews, first.design, 40, bounds=None if is_share else (1, 5))
        assert isinstance(found, NextReviews)
        more = [number + found.by_stratum[stratum] for stratum, number in enumerate((20, 12, 8))]
        then = sampled(generator, week, more)
        estimate = (
            weighted_share(then.reviews, then.design)
            if is_share
            else weighted_score(then.reviews, then.design, bounds=(1, 5))
        )
        foretold.append(found.then)
        became.append(estimate.measure.half_width)
    assert np.mean(foretold) == pytest.approx(np.mean(became), rel=0.06)


@pytest.mark.parametrize(
    ("probabilities", "outputs", "possible"),
    [
        ([0.01] * 10, 1_000, True),
        ([0.01] * 10, 100, False),
        ([0.01] * 10, 20_000, False),
        ([0.5], 1, True),
        ([1.0] * 5, 5, True),
        ([0.02] * 5 + [0.01] * 5, 750, True),
        ([1e-9] * 10, 90_000_000, False),
    ],
)
def test_probabilities_of_another_size_are_told(
    probabilities: list[float], outputs: int, possible: bool
) -> None:
    assert are_possible(probabilities, outputs) is possible
    # The same by the terms of Poisson's distribution.
    draws = len(probabilities)
    expected = outputs * draws / sum(1 / each for each in probabilities)
    below = sum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(draws))
    at = math.exp(draws * math.log(expected) - expected - math.lgamma(draws + 1))
    assert (min(below + at, 1 - below) >= IMPOSSIBLE) is possible


def test_independent_draws_are_always_possible() -> None:
    generator = np.random.default_rng(1)
    for _ in range(500):
        likely = generator.choice([0.01, 0.03], size=2_000)
        taken = likely[generator.random(2_000) < likely]
        assert are_possible(taken.tolist(), 2_000)
