"""The planner: statistical power of a design, from the variances of a campaign's own scores."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.finder_campaign import why_no_means
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.campaigns.queries import cost_of_draft
from evalapp.measure import Measure, signature
from evalapp.rubrics.models import Criterion
from evalapp.stats.components import variance_components
from evalapp.stats.differences import NO_PAIRS, paired_scores
from evalapp.stats.planning import (
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

FAR = "the champion's mean is not known, so the ends of the scale are assumed to be far"
NO_INTERVAL = "one reviewer: a difference has no interval for reviewers like these"
ONE_REVIEWER = "only one person scored, so the variance between reviewers is not known: type an assumption"


class Variance(NamedTuple):
    """``spread`` of one criterion, or the ``reason`` why it is not known; ``note``: what is missing in it."""

    spread: Spread | None
    reason: str = ""
    note: str = ""


class CriterionVariance(NamedTuple):
    """Of ``scores`` where a floor is planned, of paired ``differences`` where a difference is. ``champion``:
    the mean of the candidate that the others are compared with, ``mean``: of all candidates; None where
    nobody scored.
    """

    criterion: Criterion
    scores: Variance
    differences: Variance
    champion: float | None = None
    mean: float | None = None


class Detectable(NamedTuple):
    """The smallest true difference between two candidates (two-sided 5%), and distance of the candidates'
    mean from a floor by a gate's bound (one-sided 5%), that a design finds with 80% power.
    """

    criterion: Criterion
    difference: Measure
    distance: Measure


class Aim(NamedTuple):
    """``expected`` difference against ``bound`` as the margin (how much worse is still as good), or expected
    mean against ``bound`` as the floor. ``ends`` of the scale; ``champion``: its mean, None where it is not
    known.
    """

    key: str
    name: str
    kind: Kind
    expected: float
    bound: float
    spread: Spread
    ends: tuple[int, int]
    champion: float | None = None

    @property
    def distance(self) -> float:
        return self.expected + self.bound if self.kind == "difference" else self.expected - self.bound

    @property
    def place(self) -> ScalePosition | None:
        """Where on the scale this is expected; None for a difference to a champion of unknown mean."""
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
    """``joint``: the chance that every aim passes; ``items``: for 80% of it, as this many
    reviewers do them.
    """

    aims: list[PlannedAim]
    joint: Measure
    items: Measure


def variances_of(scores: CampaignScores) -> list[CriterionVariance]:
    """Every scale criterion; the mean over candidates, and over the pairs of the first with each other."""
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


def _pooled(groups: Iterable[Ratings], *, nothing: str = "no scores") -> Variance:
    groups = [group for group in groups if len(group)]
    if not groups:
        return Variance(None, nothing)
    parts = [variance_components(group) for group in groups if len(group) > 1]
    spreads = [Spread.of(each) for each in parts if max(each.item, each.reviewer, each.rest) > 0]
    if not spreads:
        return Variance(None, "no variation" if parts else "one score")

    def mean(values: Iterable[float]) -> float:
        return math.sqrt(sum(value**2 for value in values) / len(spreads))

    spread = Spread(
        item=mean(each.item for each in spreads),
        reviewer=mean(each.reviewer for each in spreads),
        rest=mean(each.rest for each in spreads),
    )
    is_alone = not any(each.reviewer_apart for each in parts)
    return Variance(spread, note=ONE_REVIEWER if is_alone else "")


def design_of_campaign(campaign: Campaign) -> Design | None:
    """The campaign as it will be once all reviews are in, about the project's population; None with fewer
    than 2 items or without a reviewer.
    """
    reviewers = campaign.reviewers.count()
    is_draft = campaign.state == CampaignState.DRAFT
    items = cost_of_draft(campaign).items if is_draft else campaign.items_total
    if items < 2 or not reviewers:
        return None
    return Design(
        items=items,
        reviewers=reviewers,
        overlap=max(1, min(campaign.overlap, reviewers)),
        population=Population(campaign.project.population),
    )


def detectable(variances: Sequence[CriterionVariance], design: Design) -> list[Detectable]:
    """The smallest difference and distance that the design finds on each criterion."""
    return [
        Detectable(each.criterion, _difference(each, design), _distance(each, design)) for each in variances
    ]


def _difference(variance: CriterionVariance, design: Design) -> Measure:
    spread = variance.differences.spread
    if spread is None:
        return Measure.undefined(variance.differences.reason, signature=signature("smallest-difference"))
    if design.has_no_bound:
        return Measure.undefined(NO_INTERVAL, n=design.items, signature=signature("smallest-difference"))
    return smallest_difference(spread, design)


def _distance(variance: CriterionVariance, design: Design) -> Measure:
    spread, mean = variance.scores.spread, variance.mean
    if spread is None or mean is None:
        return Measure.undefined(variance.scores.reason, signature=signature("smallest-distance"))
    smallest, largest = variance.criterion.rules.range
    place = ScalePosition(mean=mean, smallest=smallest, largest=largest)
    return smallest_distance(Requirement(distance=0, spread=spread, place=place), design, seed=SEED)


def plan(aims: Sequence[Aim], design: Design, *, level: float, correlation: float = 0.0) -> Plan:
    """Power of each aim, tested one-sided as a release is, and of all together."""
    requirements: Mapping[str, Requirement] = {
        aim.key: Requirement(distance=aim.distance, spread=aim.spread, level=level, place=aim.place)
        for aim in aims
    }
    planned = [PlannedAim(aim, _power(aim, requirements[aim.key], design)) for aim in aims]
    joint = joint_power(requirements, design, correlation=correlation, seed=SEED)
    items = items_for_joint_power(
        requirements,
        reviewers=design.reviewers,
        overlap=design.overlap,
        population=design.population,
        correlation=correlation,
        seed=SEED,
    )
    return Plan(planned, joint, items)


def _power(aim: Aim, requirement: Requirement, design: Design) -> Measure:
    found = power_of_release(requirement, design, seed=SEED)
    # A margin alone is bent by the ends of the scale: beyond "no difference" there is nothing else to bend.
    is_far = requirement.place is None and aim.bound > 0
    return replace(found, note="; ".join(filter(None, (found.note, FAR if is_far else ""))))
