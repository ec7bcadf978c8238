"""The p value of a release is as rare as it says, also at the small levels that alpha spending leaves."""

import numpy as np
import pytest

from evalapp.stats.ratings import Ratings
from evalapp.stats.release import release_bound, release_p
from evalapp.stats.scores import crossed_spread
from tests.stats.simulation import drawn_ratings


def null_p_values(
    draws: int, *, reviewers: int, reviewer_sd: float, items: int = 40, overlap: int | None = None
) -> np.ndarray:
    generator = np.random.default_rng(1)
    found = []
    for _ in range(draws):
        score = (
            generator.normal(0, 0.5, (items, 1))
            + generator.normal(0, reviewer_sd, (1, reviewers))
            + generator.normal(0, 0.8, (items, reviewers))
        )
        rank = np.argsort(generator.random(score.shape), axis=1)
        item, reviewer = np.nonzero(rank < (overlap or reviewers))
        ratings = Ratings.from_columns(item.tolist(), reviewer.tolist(), score[item, reviewer].tolist())
        found.append(release_p(ratings, exceeds=0.0).value)
    return np.array(found)


def test_p_falls_as_the_mean_rises_above_the_floor() -> None:
    ratings = drawn_ratings(np.random.default_rng(2), 60, 6)
    values = [release_p(ratings, exceeds=floor).value for floor in (2.5, 3.0, 3.5, 4.0, 4.5)]
    assert values == sorted(values)
    assert values[0] < 0.01 < 0.5 < values[-1]
    centre = float(ratings.item_means().mean())
    # Exactly a half without a tail on one side.
    assert release_p(ratings, exceeds=centre).value == pytest.approx(0.5, abs=0.03)


def test_careful_degrees_are_never_more() -> None:
    generator = np.random.default_rng(3)
    for overlap in (None, 2):
        for _ in range(20):
            ratings = drawn_ratings(generator, 30, 4, overlap=overlap)
            usual, careful = crossed_spread(ratings), crossed_spread(ratings, careful=True)
            assert careful.error == usual.error
            assert 1 <= careful.degrees <= usual.degrees


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[4], [2]], "one reviewer"),
        ([[4, 2]], "one item"),
        ([[3, 3], [3, 3]], "no variation"),
        ([], "no scores"),
    ],
)
def test_what_is_no_evidence_says_why(table: list[list[float]], reason: str) -> None:
    assert release_p(Ratings.from_table(table), exceeds=3.0).reason == reason


@pytest.mark.parametrize("level", [0.05, 0.01, 0.0004])
def test_bound_and_p_say_the_same(level: float) -> None:
    ratings = drawn_ratings(np.random.default_rng(4), 50, 5)
    bound = release_bound(ratings, level=level).value
    assert release_p(ratings, exceeds=bound).value == pytest.approx(level)
    assert release_p(ratings, exceeds=bound - 0.01).value < level


def test_bound_refuses_a_level_that_is_a_confidence() -> None:
    with pytest.raises(ValueError, match="one-sided chance"):
        release_bound(Ratings.from_table([[1, 2], [3, 4]]), level=0.95)
    assert release_bound(Ratings.from_table([[1], [3]]), level=0.05).reason == "one reviewer"


def test_few_reviewers_who_differ_do_not_release_by_chance() -> None:
    found = null_p_values(1500, reviewers=3, reviewer_sd=0.5)
    assert (found <= 0.005).mean() <= 0.008


@pytest.mark.verification
@pytest.mark.parametrize("reviewer_sd", [0.1, 0.25, 0.5])
@pytest.mark.parametrize(("reviewers", "overlap"), [(2, None), (3, None), (4, 2), (6, None), (8, 3)])
def test_p_is_as_rare_as_it_says_at_small_levels(
    reviewers: int, overlap: int | None, reviewer_sd: float
) -> None:
    found = null_p_values(12_000, reviewers=reviewers, reviewer_sd=reviewer_sd, overlap=overlap)
    for level in (0.05, 0.025, 0.005):
        assert (found <= level).mean() <= level + 2.5 * np.sqrt(level / len(found))
