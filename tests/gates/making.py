"""Gates, and campaigns that take them, for tests."""

from collections.abc import Callable, Sequence
from typing import Any

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.datasets.models import DatasetVersion
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.models import CampaignGate, Gate
from evalapp.gates.services import GatePlan, apply_gate, save_gate
from evalapp.registry.models import ModelVersion
from tests.factories import make_adapter, make_candidates, make_outputs, make_rubric, make_version

TONE_FLOOR = Condition(ConditionKind.FLOOR, "tone", "Tone", 2.5)


def make_gate(
    project: Project,
    *conditions: Condition,
    rubric: Any = None,
    name: str = "Release",
    **plan: Any,
) -> Gate:
    """By default one that asks for a lower bound of tone of at least 2.5, as reviews come in."""
    rubric = rubric or make_rubric(project, f"Rubric of {name}").rubric
    plan = {"population": "reviewers", "challengers": 5, **plan}
    wanted = GatePlan(name=name, rubric=rubric, conditions=conditions or (TONE_FLOOR,), **plan)
    return save_gate(project=project, plan=wanted, by=project.created_by)


def make_gated_campaign(
    project: Project,
    reviewers: Sequence[User],
    *conditions: Condition,
    rows: int = 6,
    split: str = "test",
    name: str = "Gated",
    trained_on: DatasetVersion | None = None,
    is_open: bool = True,
    first_row: int = 1,
    group: Callable[[int], str] = lambda number: "",
    **plan: Any,
) -> CampaignGate:
    """An open campaign of "old" (imported) and "v1" (an adapter) with a gate, before its first review."""
    version = make_version(
        project, rows=rows, split=split, name=f"Clients of {name}", first_row=first_row, group=group
    )
    (old,) = make_candidates(project, [f"old {name}"])
    tuned = make_adapter(project, f"v1 {name}", dataset_version=trained_on or version)
    make_outputs(version, {old: "Old answer {n}.", tuned: "New answer {n}."}, split=split)
    rubric = make_rubric(project, f"Rubric of {name}")
    campaign = draft_of(project, reviewers, version, rubric, [old, tuned], split=split, name=name)
    gate = make_gate(project, *conditions, rubric=rubric.rubric, name=f"Gate of {name}", **plan)
    if is_open:
        open_campaign(campaign=campaign, by=project.created_by)
    return apply_gate(campaign=campaign, gate=gate, champion=old, by=project.created_by)


def draft_of(
    project: Project,
    reviewers: Sequence[User],
    version: DatasetVersion,
    rubric: Any,
    candidates: list[ModelVersion],
    *,
    split: str,
    name: str,
) -> Campaign:
    return create_campaign(
        project=project,
        design=CampaignDesign(
            name=name,
            rubric_version=rubric,
            dataset_version=version,
            split=split,
            candidates=candidates,
            overlap=len(reviewers),
            reviewers=reviewers,
        ),
        by=project.created_by,
    )


def tuned_of(campaign_gate: CampaignGate) -> ModelVersion:
    return ModelVersion.objects.get(campaign_entries__campaign=campaign_gate.campaign, kind="lora")
