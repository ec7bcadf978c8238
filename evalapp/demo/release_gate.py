"""The demonstration's gate, applied before the first review and evaluated after the last."""

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import Gate, GateEvaluation
from evalapp.gates.queries import applied_gates
from evalapp.gates.services import GatePlan, apply_gate, save_gate
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import Rubric

GATE_NAME = "Release"
# Keys of the rubric template for summaries. The veto's 0.25 is the lowest error share that 20 items can rule
# out at the level available to one of five candidates.
CONDITIONS = (
    Condition(ConditionKind.FLOOR, "tone", "Tone", 3.5),
    Condition(ConditionKind.FLOOR, "clarity", "Clarity", 3.0),
    Condition(ConditionKind.SUPERIORITY, "tone", "Tone", 0.5),
    Condition(ConditionKind.NON_INFERIORITY, "accuracy", "Accuracy", 0.5),
    Condition(ConditionKind.VETO, "material-factual-error", "Material factual error", 0.25),
    Condition(ConditionKind.ITEMS, threshold=20),
    Condition(ConditionKind.REVIEWERS, threshold=3),
    Condition(ConditionKind.CONTAMINATION),
)


def release_gate(*, project: Project, rubric: Rubric, by: User) -> Gate:
    """The newest version of the gate, created at the first call."""
    gate = project.gates.filter(name=GATE_NAME).order_by("-version").first()
    return gate or save_gate(project=project, plan=GatePlan(GATE_NAME, rubric, CONDITIONS), by=by)


def take_release_gate(*, campaign: Campaign, champion: ModelVersion, by: User) -> None:
    """Apply the gate to a campaign without reviews, against the champion."""
    gate = release_gate(project=campaign.project, rubric=campaign.rubric_version.rubric, by=by)
    apply_gate(campaign=campaign, gate=gate, champion=champion, by=by)


def ask_release_gate(*, campaign: Campaign, candidate: ModelVersion, by: User) -> GateEvaluation | None:
    """Record an evaluation of the candidate; None if the campaign has no gate. With simulated reviews it is
    marked as simulated, spends no false-release budget and is never signed.
    """
    campaign_gate = next(iter(applied_gates(campaign)), None)
    return (
        evaluate_gate(campaign_gate=campaign_gate, candidate=candidate, by=by).evaluation
        if campaign_gate is not None
        else None
    )
