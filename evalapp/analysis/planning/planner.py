"""The planner: statistical power of a design, from the variances of a campaign's own scores."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.finder_campaign import why_no_means
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.planned_items import planned_items
from evalapp.measure import Measure, signature
from evalapp.rubrics.models import Criterion
from evalapp.stats.components import variance_components
from evalapp.stats.differences import NO_PAIRS, paired_scores
from evalapp.stats.mixed_model import fit_mixed_model
from evalapp.stats.planning import (
    PARTS,
    Design,
    Requirement,
    ScalePosition,
    Spread,
    items_for_joint_power,
    joint_power,
    power_of_release,
    smallest_difference,
    smallest_distance,
)
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings

Kind = Literal["difference", "floor"]

FAR_ENDS_NOTE = "the champion's mean is not known, so the ends of the scale are assumed to be far"
NO_INTERVAL = "one reviewer: a difference has no interval for reviewers like these"
ONE_REVIEWER = "only one person scored, so the variance between reviewers is not known: enter an assumption"


class Variance(NamedTuple):
    """``spread`` of one criterion, or the ``reason`` why it is unknown; ``note``: its limitations."""

    spread: Spread | None
    reason: str = ""
    note: str = ""


class CriterionVariance(NamedTuple):
    """``scores``: for plans with a floor; ``differences`` (paired): for plans with a difference.
    ``champion``: mean of the reference candidate; ``mean``: of all candidates; None without scores.
    """

    criterion: Criterion
    scores: Variance
    differences: Variance
    champion: float | None = None
    mean: float | None = None


@dataclass(frozen=True)
class Detectable:
    """What a design finds with 80% power: the smallest true difference between two candidates (two-sided 5%),
    and the smallest distance of a candidate's mean from a floor by a gate's bound (one-sided 5%). Each is
    computed when first needed; the distance takes a simulation.
    """

    variance: CriterionVariance
    design: Design

    @property
    def criterion(self) -> Criterion:
        return self.variance.criterion

    @cached_property
    def difference(self) -> Measure:
        spread = self.variance.differences.spread
        if spread is None:
            return Measure.undefined(
                self.variance.differences.reason, signature=signature("smallest-difference")
            )
        if self.design.has_no_bound:
            return Measure.undefined(
                NO_INTERVAL, n=self.design.items, signature=signature("smallest-difference")
            )
        return smallest_difference(spread, self.design)

    @cached_property
    def distance(self) -> Measure:
        spread, mean = self.variance.scores.spread, self.variance.mean
        if spread is None or mean is None:
            return Measure.undefined(self.variance.scores.reason, signature=signature("smallest-distance"))
        smallest, largest = self.criterion.rules.range
        place = ScalePosition(mean=mean, smallest=smallest, largest=largest)
        return smallest_distance(Requirement(distance=0, spread=spread, place=place), self.design, seed=SEED)


class Aim(NamedTuple):
    """An ``expected`` difference with ``bound`` as the margin (how much worse still counts as good), or an
    expected mean with ``bound`` as the floor. ``ends`` of the scale; ``champion``: its mean, None if unknown.
    """

    key: str
    name: str
    kind: Kind
    expected: float
    bound: float
    spread: Spread
    ends: tuple[float, float]
    champion: float | None = None

    @property
    def distance(self) -> float:
        return self.expected + self.bound if self.kind == "difference" else self.expected - self.bound

    @property
    def place(self) -> ScalePosition | None:
        """The expected place on the scale; None for a difference from a champion of unknown mean."""
        smallest, largest = self.ends
        if self.kind == "floor":
            return ScalePosition(mean=self.expected, smallest=smallest, largest=largest)
        if self.champion is None:
            return None
        challenger = min(max(self.champion + self.expected, smallest), largest)
        middle = (self.champion + challenger) / 2
        return ScalePosition(mean=middle, smallest=smallest, largest=largest, difference=self.expected)


class PlannedAim(NamedTuple):
    aim: Aim
    power: Measure


class Plan(NamedTuple):
    """``joint``: the probability that every aim passes; ``items``: needed for 80% of it, with as many
    reviewers.
    """

    aims: list[PlannedAim]
    joint: Measure
    items: Measure


def variances_of(scores: CampaignScores) -> list[CriterionVariance]:
    """Variances of every scale criterion: averaged over candidates, and over the pairs of the first with each
    other one.
    """
    if reason := why_no_means(scores):
        unknown = Variance(None, reason)
        return [CriterionVariance(criterion, unknown, unknown) for criterion in scores.scales]
    found = []
    for criterion in scores.scales:
        by_candidate = [scores.numbers_given(criterion, candidate) for candidate in scores.candidates]
        pairs = [paired_scores(each, by_candidate[0]) for each in by_candidate[1:]]
        means = [_mean(each) for each in by_candidate]
        known = [mean for mean in means if mean is not None]
        found.append(
            CriterionVariance(
                criterion,
                _pooled(by_candidate),
                _pooled(pairs, nothing=NO_PAIRS),
                champion=means[0],
                mean=sum(known) / len(known) if known else None,
            )
        )
    return found


def _mean(ratings: Ratings) -> float | None:
    return float(ratings.item_means().mean()) if len(ratings) else None


def _pooled(ratings: Iterable[Ratings], *, nothing: str = "no scores") -> Variance:
    given = [each for each in ratings if len(each)]
    if not given:
        return Variance(None, nothing)
    whole = [each for each in given if len(each) > 1]
    spreads = [spread for each in whole if (spread := _spread_of(each)) is not None]
    if not spreads:
        return Variance(None, "no variation" if whole else "one score")

    def mean(part: str) -> float:
        return math.sqrt(sum(getattr(each, part) ** 2 for each in spreads) / len(spreads))

    spread = Spread(**{part: mean(part) for part in PARTS})
    is_alone = all(len(each.reviewers) < 2 for each in whole)
    return Variance(spread, note=ONE_REVIEWER if is_alone else "")


def _spread_of(ratings: Ratings) -> Spread | None:
    """The variance components of scores; None if nothing varies, or the data are too few to separate them."""
    if ratings.group is not None:
        model = fit_mixed_model(ratings)
        return None if isinstance(model, str) else Spread.of_model(model)
    parts = variance_components(ratings)
    return Spread.of(parts) if max(parts.item, parts.reviewer, parts.rest) > 0 else None


def design_of_campaign(campaign: Campaign, population: Population | None = None) -> Design | None:
    """The campaign's design once all reviews are in, for the given or the project's population; None with
    fewer than 2 items, a single group, or no reviewer.
    """
    reviewers = campaign.reviewers.count()
    items, groups = planned_items(campaign)
    if items < 2 or groups == 1 or not reviewers:
        return None
    return Design(
        items=items,
        reviewers=reviewers,
        overlap=max(1, min(campaign.overlap, reviewers)),
        population=population or Population(campaign.project.population),
        groups=groups,
    )


def detectable(variances: Sequence[CriterionVariance], design: Design) -> list[Detectable]:
    """The smallest difference and distance that the design finds on each criterion."""
    return [Detectable(each, design) for each in variances]


def plan(aims: Sequence[Aim], design: Design, *, level: float, correlation: float = 0.0) -> Plan:
    """Power of each aim, tested one-sided as for a release, and of all together."""
    requirements: Mapping[str, Requirement] = {
        aim.key: Requirement(distance=aim.distance, spread=aim.spread, level=level, place=aim.place)
        for aim in aims
    }
    planned = [PlannedAim(aim, _power(aim, requirements[aim.key], design)) for aim in aims]
    joint = joint_power(requirements, design, correlation=correlation, seed=SEED)
    items = items_for_joint_power(requirements, design, correlation=correlation, seed=SEED)
    return Plan(planned, joint, items)


def _power(aim: Aim, requirement: Requirement, design: Design) -> Measure:
    found = power_of_release(requirement, design, seed=SEED)
    # The ends of the scale affect only a margin above 0; a test against "no difference" does not depend on
    # them.
    is_far = requirement.place is None and aim.bound > 0
    return replace(found, note="; ".join(filter(None, (found.note, FAR_ENDS_NOTE if is_far else ""))))
