"""Tags for a campaign's gate."""

from collections.abc import Mapping
from typing import Any

from django import template

from evalapp.campaigns.models import Campaign
from evalapp.datasets.models import DatasetVersion
from evalapp.gates.conditions import AGAINST_CHAMPION
from evalapp.gates.models import GateEvaluation
from evalapp.gates.queries import applied_gates, has_reviews, last_evaluation
from evalapp.gates.reviews_needed import reviews_needed_of

register = template.Library()

STATES = {
    "met": ("Met", "ok"),
    "not_met": ("Not met", "bad"),
    "undecided": ("Undecided", "warn"),
}
_SHARES = ("low_share", "veto")


@register.inclusion_tag("gates/panel.html", takes_context=True)
def gate_panel(context: template.Context, campaign: Campaign) -> dict[str, Any]:
    """The campaign's gate and its last verdict, or the way to apply one; empty in campaigns that compare
    outputs.
    """
    campaign_gate = [] if campaign.compares else applied_gates(campaign)
    first = campaign_gate[0] if campaign_gate else None
    evaluation = last_evaluation(first) if first is not None else None
    return {
        "campaign": campaign,
        "project": campaign.project,
        "may": context.get("may") or set(),
        "campaign_gate": first,
        "has_reviews": first is None and has_reviews(campaign),
        "more": len(campaign_gate) - 1,
        "evaluation": evaluation,
        "waiting": reviews_needed_of(first) if first is not None and evaluation is None else None,
    }


@register.inclusion_tag("gates/release_line.html", takes_context=True)
def release_line(context: template.Context, campaign: Campaign, conclusion: Any) -> dict[str, Any]:
    """Whether to release: by the campaign's gate, else by the candidate comparison's conclusion."""
    return {**gate_panel(context, campaign), "conclusion": conclusion}


@register.inclusion_tag("gates/results.html")
def gate_results(evaluation: GateEvaluation) -> dict[str, Any]:
    """Each condition with its numbers, level and reason."""
    rows = []
    for result in evaluation.record["results"]:
        label, tone = STATES[result["state"]]
        is_difference = result["condition"]["kind"] in AGAINST_CHAMPION
        rows.append(
            {
                **result,
                "label": label,
                "tone": tone,
                "is_share": _is_share(result),
                "against": evaluation.campaign_gate.champion if is_difference else None,
            }
        )
    return {"rows": rows, "evaluation": evaluation, "record": evaluation.record}


def _is_share(result: Mapping[str, Any]) -> bool:
    return result["condition"]["kind"] in _SHARES


@register.inclusion_tag("gates/verdict.html")
def gate_verdict(evaluation: GateEvaluation) -> dict[str, Any]:
    """The verdict in a sentence: how many more reviews it needs, its basis, and whether it counts."""
    not_met = [each for each in evaluation.record["results"] if each["state"] == "not_met"]
    undecided = [each for each in evaluation.record["results"] if each["state"] == "undecided"]
    return {
        "evaluation": evaluation,
        "record": evaluation.record,
        "not_met": len(not_met),
        "undecided": len(undecided),
        "total": len(evaluation.record["results"]),
    }


@register.simple_tag
def spent_splits(version: DatasetVersion) -> list[str]:
    """Names of the dataset version's splits on which more candidates than planned were evaluated."""
    spent = version.ledgers.exclude(spent_at=None).order_by("split")
    return [ledger.get_split_display().lower() for ledger in spent]


@register.filter
def as_level(level: float) -> str:
    """A one-sided level in percent, with two decimals at most; "under 0.01%" below that."""
    percent = level * 100
    if percent < 0.01:
        return "under 0.01%"
    return f"{percent:.2f}".rstrip("0").rstrip(".") + "%"
