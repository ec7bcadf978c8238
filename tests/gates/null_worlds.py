"""Campaigns of candidates that are exactly as good as a gate must not let through, drawn again and again.

Items and reviewers are new every time, so what is counted is what a gate promises: of candidates at the very
edge, how often one is released at any of the weekly evaluations, with several tried on one test version. Each
evaluation is measured by the gate's own functions at the level that the ledger gives it.
"""

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from evalapp.analysis.scores.campaign_scores import Answer, CampaignScores
from evalapp.campaigns.models import CampaignCandidate
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.evaluation import SMALLEST_LEVEL
from evalapp.gates.lineage import CleanCheck
from evalapp.gates.measuring import Inputs, measure
from evalapp.gates.models import GateVerdict
from evalapp.rubrics.models import Criterion
from evalapp.stats.bounds import clopper_pearson
from evalapp.stats.populations import Population
from evalapp.stats.sequential import Spending, interim_level

TONE = Criterion(pk=1, key="tone", name="Tone", kind="scale", minimum=1, maximum=5, low_threshold=2, weight=1)
ERROR = Criterion(pk=2, key="error", name="Error", kind="yes_no", minimum=0, maximum=1, undesired=1)
CHAMPION, CHALLENGER = CampaignCandidate(pk=1, position=0), CampaignCandidate(pk=2, position=1)
CLEAN = CleanCheck(True, "")

Table = np.ndarray
"""Items × reviewers."""


@dataclass(frozen=True)
class Crossed:
    """Whole scores from normal effects of items, reviewers, both together, cut to 1–5.

    ``liking``: how far reviewers differ about a candidate, beyond being severe towards all.
    """

    centre: float
    item: float = 0.5
    severity: float = 0.35
    liking: float = 0.15
    noise: float = 0.6

    @property
    def mean(self) -> float:
        """The expected score of a new item by a new reviewer, exactly."""
        spread = (self.item**2 + self.severity**2 + self.liking**2 + self.noise**2) ** 0.5
        normal = NormalDist(self.centre, spread)
        return 1 + sum(1 - normal.cdf(edge) for edge in (1.5, 2.5, 3.5, 4.5))

    def table(self, draw: np.random.Generator, items: np.ndarray, severities: np.ndarray) -> Table:
        reviewers = severities.size
        latent = (
            self.centre
            + self.item * items[:, None]
            + self.severity * severities
            + self.liking * draw.normal(size=reviewers)
            + self.noise * draw.normal(size=(items.size, reviewers))
        )
        return np.clip(np.rint(latent), 1, 5).astype(int)


@dataclass(frozen=True)
class RareDisaster:
    """Nearly all fives, and now and then an answer that everybody gives a one."""

    share: float

    @property
    def mean(self) -> float:
        return 5 - 4 * self.share

    def table(self, draw: np.random.Generator, items: np.ndarray, severities: np.ndarray) -> Table:
        is_bad = draw.random(items.size) < self.share
        return np.repeat(np.where(is_bad, 1, 5)[:, None], severities.size, axis=1)


@dataclass(frozen=True)
class Marks:
    """Yes or no with the same rate for every item and reviewer; marks of one item, and of one reviewer, are
    alike.
    """

    rate: float
    alike: float = 0.3

    def table(self, draw: np.random.Generator, items: np.ndarray, severities: np.ndarray) -> Table:
        part = self.alike
        latent = (
            np.sqrt(part) * items[:, None]
            + np.sqrt(part / 4) * severities
            + np.sqrt(1 - part - part / 4) * draw.normal(size=(items.size, severities.size))
        )
        return (latent < NormalDist().inv_cdf(self.rate)).astype(int)


@dataclass(frozen=True)
class World:
    """A gate's one condition and candidates at its edge. ``tables`` by criterion and candidate."""

    condition: Condition
    tables: dict[tuple[Criterion, CampaignCandidate], Any]
    reviewers: int
    per_week: int = 5
    weeks: int = 12
    overlap: int | None = None


def at_the_floor(world: Any, **options: Any) -> World:
    condition = Condition(ConditionKind.FLOOR, "tone", "Tone", world.mean)
    return World(condition, {(TONE, CHALLENGER): world}, **options)


def at_the_margin(champion: Crossed, centre: float, **options: Any) -> World:
    challenger = replace(champion, centre=centre)
    margin = champion.mean - challenger.mean
    condition = Condition(ConditionKind.NON_INFERIORITY, "tone", "Tone", margin)
    return World(condition, {(TONE, CHALLENGER): challenger, (TONE, CHAMPION): champion}, **options)


def no_better(champion: Crossed, **options: Any) -> World:
    condition = Condition(ConditionKind.SUPERIORITY, "tone", "Tone", 0.0)
    return World(condition, {(TONE, CHALLENGER): champion, (TONE, CHAMPION): champion}, **options)


def at_the_ceiling(rate: float, **options: Any) -> World:
    condition = Condition(ConditionKind.VETO, "error", "Error", rate)
    return World(condition, {(ERROR, CHALLENGER): Marks(rate)}, **options)


def weekly_scores(world: World, draw: np.random.Generator) -> list[CampaignScores]:
    """One campaign with new items and new reviewers, as each weekly evaluation finds it."""
    count = world.per_week * world.weeks
    items, severities = draw.normal(size=count), draw.normal(size=world.reviewers)
    rank = np.argsort(draw.random((count, world.reviewers)), axis=1)
    is_given = rank < (world.overlap or world.reviewers)
    answers = []
    for (criterion, candidate), drawn in world.tables.items():
        table = drawn.table(draw, items, severities)
        answers += [
            Answer(
                int(item),
                int(item) * 10 + candidate.pk,
                candidate.pk,
                int(reviewer),
                criterion.pk,
                int(table[item, reviewer]),
                False,
            )
            for item, reviewer in zip(*np.nonzero(is_given), strict=True)
        ]
    return [
        _scores([answer for answer in answers if answer.item_id < world.per_week * week])
        for week in range(1, world.weeks + 1)
    ]


def _scores(answers: list[Answer]) -> CampaignScores:
    nothing: Any = None
    return CampaignScores(
        campaign=nothing,
        candidates=[CHAMPION, CHALLENGER],
        criteria=[TONE, ERROR],
        rules=[],
        answers=answers,
        tags=[],
        outputs=[],
        corpus={},
        assignments={},
        names=nothing,
    )


def is_released(world: World, levels: list[float], draw: np.random.Generator) -> bool:
    """Whether one challenger is released at any evaluation."""
    for week, (scores, level) in enumerate(zip(weekly_scores(world, draw), levels, strict=True), start=1):
        inputs = Inputs(
            scores, CHALLENGER, CHAMPION, level, CLEAN, week == world.weeks, level, Population.REVIEWERS
        )
        if measure([world.condition], inputs).verdict == GateVerdict.RELEASE:
            return True
    return False


def ledger_levels(world: World, *, alpha: float, challengers: int) -> list[list[float]]:
    """What the ledger gives each challenger at each evaluation, as `evalapp.gates.evaluation` asks for it."""
    spending = Spending(level=alpha, challengers=challengers)
    shares = [week / world.weeks for week in range(1, world.weeks + 1)]
    return [
        [
            interim_level(spending, challenger=number, shares=shares[:week]).value or SMALLEST_LEVEL
            for week in range(1, world.weeks + 1)
        ]
        for number in range(1, challengers + 1)
    ]


def false_releases(world: World, *, alpha: float, challengers: int, versions: int, seed: int) -> int:
    """On how many of ``versions`` test versions any of the challengers is released."""
    draw = np.random.default_rng(seed)
    levels = ledger_levels(world, alpha=alpha, challengers=challengers)
    found = 0
    for _ in range(versions):
        found += any(is_released(world, each, draw) for each in levels)
    return found


def simulation_interval(found: int, of: int) -> tuple[float, float]:
    """95% for the rate itself, from the number of simulations."""
    return clopper_pearson(found, of, alpha=0.025)
