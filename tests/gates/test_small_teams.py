"""A gate about these reviewers: three of them pass a good candidate, and do not pass one at its limit.

Scores are latent normals rounded and cut to 1–5: SD of items 0.5, of an item's answers by one candidate
0.35, of single scores 0.6; reviewers 0.4 severe, neither, 0.4 lenient, who differ by 0.2 about a candidate.
Each item has two of the three in rotation. Five criteria are correlated by 0.5.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

from evalapp.stats.bounds import difference_bounds, mean_bounds, share_bounds
from evalapp.stats.components import variance_components
from evalapp.stats.differences import paired_scores
from evalapp.stats.planning import Design, Requirement, ScalePosition, Spread, power_of_release
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings

Array = npt.NDArray[np.float64]

ITEM, ANSWER, SCORE, LIKING = 0.5, 0.35, 0.6, 0.2
SEVERITIES = np.array([-0.4, 0.0, 0.4])
CRITERIA, CORRELATION = 5, 0.5
LEVEL = 0.05
ENDS = {"smallest": 1.0, "largest": 5.0}
NOISE = float(np.sqrt(ITEM**2 + ANSWER**2 + SCORE**2))


def expected(latent: Array) -> Array:
    """The mean of a normal with SD `NOISE` around ``latent``, rounded and cut to 1–5."""
    cuts = np.array([1.5, 2.5, 3.5, 4.5])
    above: Array = 1 + norm.sf((cuts - latent[..., None]) / NOISE).sum(axis=-1)
    return above


def latent_for(mean: float, shifts: Array) -> float:
    """The centre at which the mean over reviewers with these ``shifts`` is what is wanted."""
    low, high = -5.0, 12.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle + shifts).mean() < mean else (low, middle)
    return (low + high) / 2


class Drawn(NamedTuple):
    """One campaign: by criterion the candidate's and the champion's scores."""

    candidate: list[Ratings]
    champion: list[Ratings]


def campaign(
    generator: np.random.Generator, items: int, *, mean: float, champion: float, criteria: int = 1
) -> Drawn:
    """These three reviewers' means of new items are exactly ``mean`` and ``champion``."""
    item = np.repeat(np.arange(items), 2)
    reviewer = (item + np.tile([0, 1], items)) % 3

    def parts(*shape: int) -> Array:
        """Normals of SD 1, the first axis criteria, correlated."""
        common = generator.normal(size=shape)
        own = generator.normal(size=(criteria, *shape))
        drawn: Array = np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * own
        return drawn

    of_items = ITEM * parts(items)
    drawn = []
    for wanted in (mean, champion):
        answers, single = ANSWER * parts(items), SCORE * parts(item.size)
        found = []
        for place in range(criteria):
            shifts = SEVERITIES + LIKING * generator.normal(size=3)
            centre = latent_for(wanted, shifts)
            latent = centre + shifts[reviewer] + (of_items[place] + answers[place])[item] + single[place]
            scores = np.clip(np.round(latent), 1, 5)
            found.append(Ratings.from_columns(item.tolist(), reviewer.tolist(), scores.tolist()))
        drawn.append(found)
    return Drawn(*drawn)


def floor_met(drawn: Drawn, floor: float) -> bool:
    found = mean_bounds(drawn.candidate[0], population=Population.PANEL, alpha=LEVEL, **ENDS)
    return found.low is not None and found.low >= floor


def margins_met(drawn: Drawn, margin: float) -> list[bool]:
    found = [
        difference_bounds(*each, population=Population.PANEL, alpha=LEVEL, step=1, **ENDS)
        for each in zip(drawn.candidate, drawn.champion, strict=True)
    ]
    return [each.low is not None and each.low > -margin for each in found]


def share_met(draws: int, items: int, floor: float, *, mean: float, seed: int) -> float:
    generator = np.random.default_rng(seed)
    met = [floor_met(campaign(generator, items, mean=mean, champion=mean), floor) for _ in range(draws)]
    return float(np.mean(met))


def test_a_good_candidate_passes_its_floor_and_one_at_the_floor_does_not() -> None:
    assert share_met(60, 60, 3.5, mean=4.3, seed=1) >= 0.95
    assert share_met(150, 60, 4.3, mean=4.3, seed=2) <= 0.10


def test_an_error_in_none_of_sixty_items_is_bounded_as_a_share_of_these_reviewers() -> None:
    none = Ratings.from_table([[0, 0, 0]] * 60)
    found = share_bounds(none, population=Population.PANEL, alpha=LEVEL)
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 60), abs=1e-6)
    assert found.low == 0


def test_more_items_of_the_same_kind_bring_the_bounds_nearer() -> None:
    drawn = campaign(np.random.default_rng(3), 40, mean=4.0, champion=4.0)
    floors = [
        mean_bounds(drawn.candidate[0], population=Population.PANEL, alpha=LEVEL, times=times, **ENDS).low
        for times in (1, 4)
    ]
    margins = [
        difference_bounds(
            drawn.candidate[0],
            drawn.champion[0],
            population=Population.PANEL,
            alpha=LEVEL,
            times=times,
            **ENDS,
        )
        for times in (1, 4)
    ]
    assert floors[0] < floors[1] < 4.2
    assert margins[1].half_width == pytest.approx(margins[0].half_width / 2, rel=0.05)


@pytest.mark.verification
def test_floors_reach_the_power_and_the_level_that_a_small_team_needs() -> None:
    found = {
        "floor 3.5 at 4.3, 60 items": share_met(2000, 60, 3.5, mean=4.3, seed=11),
        "floor 4.0 at 4.3, 60 items": share_met(2000, 60, 4.0, mean=4.3, seed=12),
        "floor 4.0 at 4.3, 90 items": share_met(2000, 90, 4.0, mean=4.3, seed=13),
        **{f"at the floor {each}": share_met(2000, 60, each, mean=each, seed=14) for each in (3.5, 4.3, 4.8)},
    }
    print(found)
    assert found["floor 3.5 at 4.3, 60 items"] >= 0.99
    assert found["floor 4.0 at 4.3, 60 items"] >= 0.80
    assert found["floor 4.0 at 4.3, 90 items"] >= 0.95
    assert max(value for name, value in found.items() if name.startswith("at the floor")) <= 0.06


@pytest.mark.verification
def test_margins_reach_the_power_and_the_level_that_a_small_team_needs() -> None:
    generator = np.random.default_rng(21)
    alike = np.array(
        [
            margins_met(campaign(generator, 60, mean=4.3, champion=4.3, criteria=CRITERIA), 0.3)
            for _ in range(1000)
        ]
    )
    # Farther from the end scores vary more: five at once are shown in three of four campaigns.
    further = np.array(
        [
            margins_met(campaign(generator, 60, mean=4.0, champion=4.0, criteria=CRITERIA), 0.3)
            for _ in range(1000)
        ]
    )
    worse = np.array(
        [
            margins_met(campaign(generator, 60, mean=4.0, champion=4.3, criteria=CRITERIA), 0.3)
            for _ in range(1000)
        ]
    )
    near_the_end = [margins_met(campaign(generator, 60, mean=4.5, champion=4.8), 0.3)[0] for _ in range(2000)]
    print(
        alike.mean(axis=0),
        alike.all(axis=1).mean(),
        further.all(axis=1).mean(),
        worse.mean(axis=0),
        np.mean(near_the_end),
    )
    assert alike.mean() >= 0.90 and alike.all(axis=1).mean() >= 0.80
    assert further.mean() >= 0.90 and further.all(axis=1).mean() >= 0.70
    assert worse.mean() <= 0.06 and np.mean(near_the_end) <= 0.07


@pytest.fixture(scope="module")
def known() -> dict[float, Drawn]:
    """What a plan knows of candidates with these means: a campaign so large that it is the truth."""
    generator = np.random.default_rng(1)
    return {mean: campaign(generator, 4000, mean=mean, champion=mean) for mean in (4.3, 4.0)}


def planned(spread: Ratings, distance: float, items: int, place: ScalePosition) -> float:
    design = Design(items=items, reviewers=3, overlap=2, population=Population.PANEL)
    variances = Spread.of(variance_components(spread))
    return (
        power_of_release(Requirement(distance=distance, spread=variances, place=place), design).value or 0.0
    )


@pytest.mark.parametrize(
    ("mean", "floor", "items"),
    [(4.3, 4.0, 60), (4.3, 4.0, 90), (4.3, 4.1, 60), (4.0, 3.5, 30), (4.0, 3.7, 60)],
)
@pytest.mark.verification
def test_the_planned_power_of_a_floor_is_that_of_campaigns(
    known: dict[float, Drawn], mean: float, floor: float, items: int
) -> None:
    place = ScalePosition(mean=mean, **ENDS)
    told = planned(known[mean].candidate[0], mean - floor, items, place)
    assert told == pytest.approx(share_met(800, items, floor, mean=mean, seed=5), abs=0.07)


@pytest.mark.parametrize(("mean", "margin"), [(4.3, 0.3), (4.0, 0.3), (4.0, 0.2)])
@pytest.mark.verification
def test_the_planned_power_of_a_margin_is_that_of_campaigns(
    known: dict[float, Drawn], mean: float, margin: float
) -> None:
    pairs = paired_scores(known[mean].candidate[0], known[mean].champion[0])
    told = planned(pairs, margin, 60, ScalePosition(mean=mean, difference=0.0, **ENDS))
    generator = np.random.default_rng(7)
    met = [margins_met(campaign(generator, 60, mean=mean, champion=mean), margin)[0] for _ in range(800)]
    assert told == pytest.approx(np.mean(met), abs=0.05)
