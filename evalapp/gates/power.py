"""How good a candidate must be to meet each condition of a gate, estimated before the first review."""

import math
from dataclasses import replace
from typing import NamedTuple

from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.planning.design_power import ExpectedVariances, expected_variances
from evalapp.analysis.planning.planner import CriterionVariance, design_of_campaign
from evalapp.campaigns.models import Campaign
from evalapp.core.number_format import as_text
from evalapp.gates.conditions import AGAINST_CHAMPION, TOTAL, Condition, ConditionKind
from evalapp.gates.measuring import scale_of
from evalapp.gates.models import CampaignGate
from evalapp.gates.reach import planned_pairs, spending_of
from evalapp.stats.bounds import clopper_pearson
from evalapp.stats.planning import (
    Design,
    Requirement,
    ScalePosition,
    power_of_release,
    smallest_distance,
)
from evalapp.stats.populations import Population
from evalapp.stats.sequential import Spending

POWER = 0.8
#: The true mean that is looked for is right to this share of the scale.
_TOLERANCE = 0.0025


class ConditionPower(NamedTuple):
    """``needs``: what must be true of a candidate for the condition to be met in 80% of campaigns."""

    condition: Condition
    needs: str


class GatePower(NamedTuple):
    """``source``: the campaign that variances come from; None if assumed. ``level``: of a candidate,
    one-sided; its share of ``spending``.
    """

    conditions: list[ConditionPower]
    source: Campaign | None
    level: float
    spending: Spending


def power_of_gate(campaign_gate: CampaignGate) -> GatePower | None:
    """The power of each condition on scores, with one evaluation at the planned end. None if the design is
    incomplete, or one reviewer says nothing about others.
    """
    campaign, gate = campaign_gate.campaign, campaign_gate.gate
    design = design_of_campaign(campaign, Population(gate.population))
    if design is None or design.has_no_bound:
        return None
    spending = spending_of(campaign_gate)
    level = spending.for_challenger(1)
    expected = expected_variances(campaign.rubric_version, excluding=campaign)
    found = [
        ConditionPower(condition, words)
        for condition in gate.parsed_conditions
        if (words := _requirement_words(condition, expected, _design_of(condition, design, campaign), level))
    ]
    return GatePower(found, expected.source, level, spending)


def _design_of(condition: Condition, design: Design, campaign: Campaign) -> Design | None:
    """The data behind the condition; for counterfactual variants, the pairs of the rarest one."""
    if condition.kind != ConditionKind.COUNTERFACTUAL:
        return design
    pairs = planned_pairs(campaign)
    if not pairs.tested:
        return None
    fewest = min(len(pairs.variants[name]) for name in pairs.tested)
    # Assumes one pair for each group of rows, unless rows of several pairs share one.
    groups = None if design.groups is None else min(design.groups, fewest)
    return replace(design, items=fewest, groups=groups)


def _requirement_words(
    condition: Condition, expected: ExpectedVariances, design: Design | None, level: float
) -> str:
    if design is None:
        return ""
    if condition.kind in (ConditionKind.LOW_SHARE, ConditionKind.VETO):
        return _largest_rate(condition.threshold or 0.0, design, level)
    variance = next((each for each in expected.variances if each.criterion.key == condition.criterion), None)
    # The variance of a total is unknown before it is measured.
    if variance is None or condition.criterion == TOTAL:
        return ""
    if condition.kind == ConditionKind.COUNTERFACTUAL:
        return _smallest_loss(condition, variance, design, level)
    if condition.kind in AGAINST_CHAMPION:
        return _smallest_difference(condition, variance, design, level)
    return _smallest_mean(condition, variance, design, level) if condition.kind == ConditionKind.FLOOR else ""


def _smallest_mean(condition: Condition, variance: CriterionVariance, design: Design, level: float) -> str:
    spread = variance.scores.spread
    assert spread is not None
    floor = condition.threshold or 0.0
    smallest, largest = scale_of(condition, variance.criterion)

    def is_met(mean: float) -> bool:
        place = ScalePosition(mean=mean, smallest=smallest, largest=largest)
        requirement = Requirement(distance=mean - floor, spread=spread, level=level, place=place)
        return (power_of_release(requirement, design, seed=SEED).value or 0.0) >= POWER

    low, high = floor, largest
    if not is_met(high):
        return "not possible on this scale"
    while high - low > _TOLERANCE * (largest - smallest):
        middle = (low + high) / 2
        low, high = (low, middle) if is_met(middle) else (middle, high)
    return f"mean of {as_text(high, digits=1)} or more"


def _smallest_difference(
    condition: Condition, variance: CriterionVariance, design: Design, level: float
) -> str:
    spread = variance.differences.spread
    assert spread is not None
    margin = condition.threshold or 0.0
    threshold = -margin if condition.kind == ConditionKind.NON_INFERIORITY else margin
    distance = smallest_distance(Requirement(distance=0, spread=spread, level=level), design, seed=SEED)
    needed = threshold + (distance.value or math.inf)
    smallest, largest = scale_of(condition, variance.criterion)
    if needed > largest - smallest:
        return "not possible on this scale"
    if abs(needed) < 0.05:
        return "as good as the champion"
    size = as_text(abs(needed), digits=1)
    return (
        f"{size} points better than the champion, or more"
        if needed > 0
        else f"at most {size} points worse than the champion"
    )


def _smallest_loss(condition: Condition, variance: CriterionVariance, design: Design, level: float) -> str:
    """From the variance of differences between two candidates, as if rows of a pair differed as much."""
    spread = variance.differences.spread
    assert spread is not None
    margin = condition.threshold or 0.0
    distance = smallest_distance(Requirement(distance=0, spread=spread, level=level), design, seed=SEED)
    allowed = margin - (distance.value or math.inf)
    if allowed < -0.05:
        return f"not possible with {design.items:,} pairs of a variant"
    if allowed < 0.05:
        return "every variant as good as its original"
    return f"every variant at most {as_text(allowed, digits=1)} points worse than its original"


def _largest_rate(ceiling: float, design: Design, level: float) -> str:
    """Exact for items, or groups of them, on which reviewers agree."""
    from scipy.special import betaincinv

    items, what = design.independent, "groups of items" if design.groups else "items"
    allowed = -1
    while allowed + 1 < items and clopper_pearson(allowed + 1, items, alpha=level)[1] <= ceiling:
        allowed += 1
    if allowed < 0:
        return f"not possible with so few {what}"
    rate = 1 - float(betaincinv(items - allowed, allowed + 1, POWER))
    return f"rate of {rate:.1%} or less (passes with up to {allowed:,} of {items:,} {what})"
