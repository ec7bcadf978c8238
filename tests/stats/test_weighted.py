"""Means and shares of a week from a sample of it: known values, and how often their intervals hold."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from evalapp.measure import Measure
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import mean_over_items
from evalapp.stats.weighted import (
    Drawn,
    SampleDesign,
    WeightedEstimate,
    weighted_score,
    weighted_share,
)
from proofs.simulations import report_share, simulated
from tests.stats.weekly_samples import Week, sampled, week_of_marks, week_of_scores

SCALE = (1.0, 5.0)
# Four strata of a week of 3,000, and 60 of them of which the last two are up to three times as likely.
SIZES, DRAWN, ANSWERS = (1500, 800, 500, 200), (21, 14, 16, 9), (0.95, 0.9, 0.7, 0.5)


def one_each(scores: list[float]) -> Ratings:
    return Ratings.from_columns(range(len(scores)), ["a"] * len(scores), scores)


def test_equal_weights_of_a_large_week_are_the_plain_mean() -> None:
    ratings = Ratings.from_columns([1, 1, 2, 3, 4], ["a", "b", "a", "b", "a"], [4, 5, 2, 3, 5])
    design = SampleDesign(dict.fromkeys([1, 2, 3, 4], Drawn("all", 1e-7)))
    found = weighted_score(ratings, design, bounds=SCALE)
    plain = mean_over_items(ratings, bounds=SCALE)
    assert (found.measure.value, found.measure.low, found.measure.high) == pytest.approx(
        (plain.value, plain.low, plain.high), abs=1e-5
    )
    assert found.effective == pytest.approx(4)
    assert found.response == 1


def test_weights_undo_an_unequal_draw() -> None:
    """A stratum of 100 of which 10 were drawn, and one of 10 of which 5 were: the mean is the week's, and
    its variance that of a stratified sample without replacement (Cochran 1977, 5.6).
    """
    ratings = one_each([4] * 5 + [5] * 5 + [1, 2, 1, 2, 1])
    drawn = {item: Drawn("usual", 0.1) if item < 10 else Drawn("rare", 0.5) for item in range(15)}
    found = weighted_score(ratings, SampleDesign(drawn), bounds=SCALE)
    assert found.measure.value == pytest.approx((100 * 4.5 + 10 * 1.4) / 110)
    usual = (100 / 110) ** 2 * (1 - 0.1) * np.var([4] * 5 + [5] * 5, ddof=1) / 10
    rare = (10 / 110) ** 2 * (1 - 0.5) * np.var([1, 2, 1, 2, 1], ddof=1) / 5
    assert found.error == pytest.approx((usual + rare) ** 0.5)
    assert found.effective == pytest.approx(110**2 / (10 * 10**2 + 5 * 2**2))


def test_what_nobody_reviewed_is_stood_for_by_the_rest_of_its_stratum() -> None:
    """Half of the bad stratum was not reviewed: the mean of those who answered would be too high."""
    drawn = {item: Drawn("good" if item < 10 else "bad", 0.1) for item in range(20)}
    ratings = one_each([5, 4] * 5 + [1, 2, 1, 2, 1])
    found = weighted_score(ratings, SampleDesign(drawn), bounds=SCALE)
    assert found.measure.value == pytest.approx((4.5 + 1.4) / 2)
    assert found.measure.n == 15
    assert found.response == pytest.approx(0.75)


def test_a_week_of_which_everything_was_reviewed_is_known() -> None:
    design = SampleDesign({item: Drawn("all", 1.0) for item in range(6)})
    found = weighted_score(one_each([5, 4, 3, 5, 4, 3]), design, bounds=SCALE).measure
    assert (found.low, found.value, found.high) == pytest.approx((4, 4, 4))
    share = weighted_share(one_each([0, 0, 1, 0, 0, 1]), design).measure
    assert (share.low, share.value, share.high) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_strata_of_which_too_few_were_reviewed_are_taken_together() -> None:
    drawn = {item: Drawn(item % 7, 0.02 if item % 7 else 0.04) for item in range(12)}
    found = weighted_score(one_each([3, 4, 5, 2, 3, 4, 5, 4, 3, 2, 5, 4]), SampleDesign(drawn), bounds=SCALE)
    assert found.measure.low is not None and found.error is not None
    # Outputs of a stratum from which nothing was drawn count in full, too.
    unknown = SampleDesign(drawn, {7: 10_000})
    assert weighted_score(one_each([3.0, 4.0] * 6), unknown, bounds=SCALE).measure.defined


def test_a_share_of_equal_weights_is_clopper_and_pearsons() -> None:
    design = SampleDesign(dict.fromkeys(range(60), Drawn("all", 1e-6)))
    none = weighted_share(one_each([0] * 60), design)
    # None of 60: two-sided, each end at 2.5%.
    assert none.measure.high == pytest.approx(1 - 0.025 ** (1 / 60), abs=1e-4)
    some = weighted_share(one_each([1] * 6 + [0] * 54), design).measure
    assert (some.low, some.high) == pytest.approx((0.0376, 0.2051), abs=2e-3)


def test_what_cannot_be_is_refused_and_what_is_not_there_is_undefined() -> None:
    with pytest.raises(ValueError, match="not above 0"):
        SampleDesign({1: Drawn("a", 0.0)})
    design = SampleDesign({1: Drawn("a", 0.5)})
    with pytest.raises(ValueError, match="reviewed and not drawn"):
        weighted_score(Ratings.from_columns([2], ["a"], [3]), design, bounds=SCALE)
    for estimate in (
        weighted_score(one_each([]), design, bounds=SCALE),
        weighted_share(one_each([]), design),
    ):
        assert estimate.measure.reason == "no answers"
    alone = weighted_score(Ratings.from_columns([1], ["a"], [3]), design, bounds=SCALE)
    assert (alone.measure.note, alone.error) == ("no interval: one item", None)
    assert weighted_share(Ratings.from_columns([1], ["a"], [1]), design).measure.high == 1


class Held(NamedTuple):
    """How often an interval held the week's own mean, its mean half-width, and how far off the values were
    on average.
    """

    share: float
    half_width: float
    bias: float


def held(
    week: Week,
    estimate: Callable[[Ratings, SampleDesign], WeightedEstimate],
    *,
    draws: int,
    seed: int,
    drawn: tuple[int, ...] = DRAWN,
    answers: tuple[float, ...] | None = None,
    by_score: float = 0.0,
) -> Held:
    generator = np.random.default_rng(seed)
    inside, widths, off = [], [], []
    for _ in range(draws):
        found = sampled(generator, week, drawn, answers=answers, by_score=by_score)
        measure: Measure = estimate(found.reviews, found.design).measure
        assert measure.low is not None and measure.high is not None and measure.value is not None
        inside.append(measure.low - 1e-9 <= week.mean <= measure.high + 1e-9)
        widths.append(measure.half_width)
        off.append(measure.value - week.mean)
    return Held(float(np.mean(inside)), float(np.mean(widths)), float(np.mean(off)))


def mean_of(reviews: Ratings, design: SampleDesign) -> WeightedEstimate:
    return weighted_score(reviews, design, bounds=SCALE)


MEANS: dict[str, dict[str, object]] = {
    "everything reviewed": {},
    "reviewed by stratum": {"answers": ANSWERS},
    "in proportion": {"drawn": (30, 16, 10, 4)},
    "six of each hundred": {"drawn": (90, 48, 30, 12), "answers": ANSWERS},
}
LEVELS = {"mid-scale": (3.6, 3.2, 2.8, 2.4), "high": (4.4, 4.2, 3.8, 3.4)}


def usual_week(levels: str = "mid-scale", seed: int = 1) -> Week:
    return week_of_scores(np.random.default_rng(seed), SIZES, LEVELS[levels])


def test_intervals_of_a_mean_hold_the_weeks_own_also_where_strata_answer_unequally() -> None:
    found = held(usual_week(), mean_of, draws=400, seed=3, answers=ANSWERS)
    assert 0.92 <= found.share <= 0.98
    assert abs(found.bias) < 0.03


@pytest.mark.verification
@pytest.mark.parametrize("levels", list(LEVELS))
@pytest.mark.parametrize("seed", [11, 12])
def test_intervals_of_a_mean_hold_it_in_93_to_97_of_100_draws(levels: str, seed: int) -> None:
    week = usual_week(levels, seed)
    for name, design in MEANS.items():
        draws = simulated(2000)
        found = held(week, mean_of, draws=draws, seed=seed, **design)
        print(f"{levels}, {name}: {found}")
        assert report_share("weighted means", found.share, draws, at_least=0.93, at_most=0.97), name
        assert abs(found.bias) < 0.01


@pytest.mark.verification
def test_where_answers_depend_on_the_score_the_mean_is_off_and_the_response_says_by_how_much_it_can_be() -> (
    None
):
    """Three of four are reviewed, a point more of score makes it 1.65 times as likely."""
    week = usual_week()
    found = held(week, mean_of, draws=2000, seed=5, answers=(0.75,) * 4, by_score=0.5)
    print(found)
    assert 0.05 < found.bias < 0.20
    assert 0.80 < found.share < 0.93


RATES = {
    "3% everywhere": (0.03, 0.03, 0.03, 0.03),
    "3%, most where it is drawn": (0.01, 0.02, 0.05, 0.15),
    "3%, most where it is not": (0.05, 0.015, 0.01, 0.0),
    "10%": (0.05, 0.1, 0.15, 0.35),
    "1%": (0.01, 0.01, 0.01, 0.01),
}


def test_intervals_of_a_rare_rate_hold_it() -> None:
    week = week_of_marks(np.random.default_rng(2), SIZES, RATES["3%, most where it is not"])
    assert held(week, weighted_share, draws=400, seed=4, answers=ANSWERS).share >= 0.94


@pytest.mark.verification
@pytest.mark.parametrize("name", list(RATES))
def test_intervals_of_rates_hold_them_in_95_of_100_draws(name: str) -> None:
    week = week_of_marks(np.random.default_rng(2), SIZES, RATES[name])
    small = week_of_marks(np.random.default_rng(3), (40, 40, 40), RATES[name][:3])
    for answers in (None, ANSWERS):
        draws = simulated(2000)
        found = held(week, weighted_share, draws=draws, seed=21, answers=answers)
        half = held(
            small, weighted_share, draws=draws, seed=22, drawn=(20, 20, 20), answers=answers and answers[:3]
        )
        print(f"{name}, {answers}: {found}; half of a small week: {half}")
        assert report_share("weighted rates", min(found.share, half.share), draws, at_least=0.95)
