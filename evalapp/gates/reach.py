"""Conditions of a gate that its campaign cannot meet, however good a candidate is."""

from evalapp.analysis.scores.counterfactual_items import (
    CounterfactualItems,
    counterfactual_items,
    pair_items,
)
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.campaigns.planned_items import PlannedItems, planned_items
from evalapp.core.number_format import as_text
from evalapp.datasets.counterfactuals.variants import FIELD
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.measuring import no_pairs_words, scale_of
from evalapp.gates.models import CampaignGate
from evalapp.gates.queries import ledger_of
from evalapp.gates.reviews_needed import planned_challengers
from evalapp.rubrics.models import Criterion
from evalapp.stats.bounds import best_bound, items_for_best, items_for_none, share_without_any
from evalapp.stats.sequential import Spending

RATES = (ConditionKind.LOW_SHARE, ConditionKind.VETO)


def unreachable_conditions(campaign_gate: CampaignGate) -> list[str]:
    """A sentence for each condition that no result could meet: too few items for a rate or a floor, or fewer
    items or reviewers than required. Assumes one evaluation at the planned end, which has the highest level.
    """
    campaign = campaign_gate.campaign
    level, planned = level_of(campaign_gate), planned_items(campaign)
    reviewers = campaign.reviewers.count()
    criteria = {each.key: each for each in campaign.rubric_version.criteria.all()}
    sentences = [
        _why_unreachable(condition, level=level, planned=planned, reviewers=reviewers)
        for condition in campaign_gate.gate.parsed_conditions
    ]
    if any(each.kind == ConditionKind.COUNTERFACTUAL for each in campaign_gate.gate.parsed_conditions):
        sentences += _why_pairs_missing(campaign_gate)
    sentences += [
        _why_floor_unreachable(condition, criteria.get(condition.criterion), level=level, planned=planned)
        for condition in campaign_gate.gate.parsed_conditions
        if condition.kind == ConditionKind.FLOOR and planned.items
    ]
    return [each for each in sentences if each]


def planned_pairs(campaign: Campaign) -> CounterfactualItems:
    """The pairs among its items; for a draft, among all rows that it may take."""
    if campaign.state != CampaignState.DRAFT:
        return counterfactual_items(campaign)
    marks = campaign.dataset_version.examples.filter(
        split=campaign.split, metadata__has_key=FIELD
    ).values_list("pk", f"metadata__{FIELD}")
    return pair_items(
        (pk, str(mark.get("pair", "")), str(mark.get("perturbation", "")), str(mark.get("variant", "")))
        for pk, mark in marks
        if isinstance(mark, dict)
    )


def _why_pairs_missing(campaign_gate: CampaignGate) -> list[str]:
    pairs = planned_pairs(campaign_gate.campaign)
    if pairs.tested:
        return []
    return [
        f"{condition.words}. It cannot be measured: {no_pairs_words(pairs)}."
        for condition in campaign_gate.gate.parsed_conditions
        if condition.kind == ConditionKind.COUNTERFACTUAL
    ]


def _why_floor_unreachable(
    condition: Condition, criterion: Criterion | None, *, level: float, planned: PlannedItems
) -> str:
    ends = scale_of(condition, criterion)
    limit = condition.threshold or 0.0
    best = best_bound(planned.independent, alpha=level, smallest=ends[0], largest=ends[1])
    if best >= limit:
        return ""
    wanted = items_for_best(limit, alpha=level, smallest=ends[0], largest=ends[1])
    takes = (
        f"no number of {planned.noun} shows a mean at the end of the scale"
        if wanted is None
        else f"it takes {wanted:,} {planned.noun}"
    )
    return (
        f"{condition.words}. Even if every score were the best possible, {planned.words} show only a mean of"
        f" at least {as_text(best, digits=2)}; {takes}."
    )


def spending_of(campaign_gate: CampaignGate) -> Spending:
    """The ledger's level and the candidates that share it; an exploratory gate shares nothing."""
    gate, ledger = campaign_gate.gate, ledger_of(campaign_gate.campaign)
    if campaign_gate.is_exploratory:
        return Spending(level=gate.alpha, challengers=1)
    challengers = planned_challengers(campaign_gate) if ledger is None else ledger.challengers
    alpha = gate.alpha if ledger is None else min(gate.alpha, ledger.alpha)
    return Spending(level=alpha, challengers=challengers)


def level_of(campaign_gate: CampaignGate) -> float:
    """The level that a candidate may spend in all."""
    return spending_of(campaign_gate).for_challenger(1)


def _why_unreachable(condition: Condition, *, level: float, planned: PlannedItems, reviewers: int) -> str:
    limit = condition.threshold or 0
    if condition.kind in RATES and planned.items:
        wanted = items_for_none(ceiling=limit, alpha=level)
        if wanted > planned.independent:
            least = share_without_any(items=planned.independent, alpha=level)
            return (
                f"{condition.words}. Even without a single such score, {planned.words} show only that it is"
                f" at most {least:.1%}; it takes {wanted:,} {planned.noun}."
            )
    if condition.kind == ConditionKind.ITEMS and planned.items < limit:
        return f"{condition.words}. The campaign has {planned.items:,}."
    if condition.kind == ConditionKind.REVIEWERS and reviewers < limit:
        return f"{condition.words}. The campaign has {reviewers:,}."
    return ""
