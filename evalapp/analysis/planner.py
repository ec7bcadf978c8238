"""How likely a design is to show what is expected, from the variances of a campaign's own scores."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from evalapp.analysis.differences import SEED
from evalapp.analysis.picked import why_no_means
from evalapp.analysis.scores import CampaignScores
from evalapp.campaigns.models import Campaign
from evalapp.measure import Measure, signature
from evalapp.rubrics.models import Criterion
from evalapp.stats.components import variance_components
from evalapp.stats.differences import NO_PAIRS, paired_scores
from evalapp.stats.planning import (
    Design,
    Requirement,
    Spread,
    items_for_joint_power,
    joint_power,
    power_of,
    precision,
    smallest_difference,
)
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import FOR_THIS_PANEL

Kind = Literal["difference", "floor"]

ONE_REVIEWER = "one person scored: how far reviewers differ is not known, so assume it"


class Variance(NamedTuple):
    """``spread`` of one criterion, or the ``reason`` why it is not known; ``note``: what is missing in it."""

    spread: Spread | None
    reason: str = ""
    note: str = ""


class CriterionVariance(NamedTuple):
    """Of ``scores`` where a floor is planned, of paired ``differences`` where a difference is."""

    criterion: Criterion
    scores: Variance
    differences: Variance


class Detectable(NamedTuple):
    """The smallest true difference between two candidates, and distance from a floor, that a design finds
    with 80% power: two-sided and one-sided at 5%.
    """

    criterion: Criterion
    difference: Measure
    distance: Measure


class Aim(NamedTuple):
    """``expected`` difference against ``bound`` as the margin (how much worse is still as good), or expected
    mean against ``bound`` as the floor.
    """

    key: str
    name: str
    kind: Kind
    expected: float
    bound: float
    spread: Spread

    @property
    def distance(self) -> float:
        return self.expected + self.bound if self.kind == "difference" else self.expected - self.bound


class PlannedAim(NamedTuple):
    aim: Aim
    power: Measure


class Plan(NamedTuple):
    """``joint``: the chance that every aim passes; ``items``: for 80% of it, as this many reviewers do them."""

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
        by_candidate = [scores.ratings(criterion, candidate) for candidate in scores.candidates]
        pairs = [paired_scores(each, by_candidate[0]) for each in by_candidate[1:]]
        found.append(CriterionVariance(criterion, _pooled(by_candidate), _pooled(pairs, nothing=NO_PAIRS)))
    return found


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
    """The campaign as it will be once all reviews are in; None with fewer than 2 items or without a reviewer."""
    reviewers = campaign.reviewers.count()
    if campaign.items_total < 2 or not reviewers:
        return None
    return Design(
        items=campaign.items_total, reviewers=reviewers, overlap=max(1, min(campaign.overlap, reviewers))
    )


def detectable(variances: Sequence[CriterionVariance], design: Design) -> list[Detectable]:
    """What the design can tell on each criterion."""
    return [
        Detectable(each.criterion, _smallest(each.differences, design, 2), _smallest(each.scores, design, 1))
        for each in variances
    ]


def _smallest(variance: Variance, design: Design, sides: Literal[1, 2]) -> Measure:
    if variance.spread is None:
        return Measure.undefined(variance.reason, signature=signature("smallest-difference", sides=sides))
    return smallest_difference(variance.spread, design, sides=sides)


def plan(aims: Sequence[Aim], design: Design, *, level: float, correlation: float = 0.0) -> Plan:
    """Power of each aim, tested one-sided as a release is, and of all together."""
    note = FOR_THIS_PANEL if design.reviewers == 1 else ""
    requirements: Mapping[str, Requirement] = {
        aim.key: Requirement(distance=aim.distance, spread=aim.spread, level=level) for aim in aims
    }
    planned = [
        PlannedAim(
            aim,
            Measure(
                value=power_of(
                    aim.distance, precision(aim.spread, design, careful=True), level=level, sides=1
                ),
                n=design.items,
                note=note,
                signature=signature("power-of-release", level=level, sides=1, degrees="careful"),
            ),
        )
        for aim in aims
    ]
    joint = joint_power(requirements, design, correlation=correlation, seed=SEED)
    items = items_for_joint_power(
        requirements, reviewers=design.reviewers, overlap=design.overlap, correlation=correlation, seed=SEED
    )
    return Plan(planned, joint, items)
