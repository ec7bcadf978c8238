"""The first steps of a new project, with links."""

from django.urls import reverse

from evalapp.accounts.models import Project
from evalapp.accounts.permissions import Permission, allows
from evalapp.analysis.tuning.steps import Step
from evalapp.campaigns.queries import (
    possible_candidates,
    possible_reviewers,
    usable_datasets,
    usable_rubrics,
)


def first_steps(project: Project, *, role: str) -> list[Step]:
    """The steps in order: data, rubric, candidates' outputs, reviewers, gate, campaign. A step that the role
    may not take has no link.
    """
    draft = project.campaigns.filter(state="draft").order_by("-pk").first()
    steps = [
        _step(
            project,
            "Dataset: the prompts to answer, with references if there are any.",
            usable_datasets(project).exists(),
            ("dataset_new", "Import a dataset", Permission.EDIT_DATA),
            ("dataset_list", "Data", Permission.VIEW_DATA),
        ),
        _step(
            project,
            "Rubric: what reviewers rate, with a text for each level.",
            usable_rubrics(project).exists(),
            ("rubric_new", "Write a rubric", Permission.EDIT_RUBRICS),
            ("rubric_list", "Rubrics", Permission.VIEW_RUBRICS),
        ),
        _step(
            project,
            "Candidates: their answers to the dataset, generated here or imported.",
            possible_candidates(project).exists(),
            ("run_list", "Generate or import answers", Permission.START_RUNS),
            ("run_list", "Runs", Permission.VIEW_RUNS),
        ),
        _step(
            project,
            "Reviewers: two or more, so that agreement between them can be computed.",
            possible_reviewers(project).filter(is_simulated=False).count() > 1,
            ("member_list", "Invite reviewers", Permission.MANAGE_MEMBERS),
            ("member_list", "Members", Permission.MANAGE_MEMBERS),
        ),
        _step(
            project,
            "Gate: conditions that a candidate must meet to be released, applied before the first review."
            " Optional.",
            project.gates.exists(),
            ("gate_new", "Set a gate", Permission.EDIT_CAMPAIGNS),
            ("gate_list", "Gates", Permission.VIEW_ANALYSIS),
        ),
        _step(
            project,
            "Campaign: people review the answers blind.",
            False,
            ("campaign_new", "Design a campaign", Permission.EDIT_CAMPAIGNS),
            ("campaign_list", "Campaigns", Permission.VIEW_CAMPAIGNS),
        ),
    ]
    if draft is not None:
        href = reverse("campaign_detail", args=[project.slug, draft.pk])
        steps[-1] = steps[-1]._replace(
            text=f"Campaign: “{draft}” is a draft. Open it to start.", href=href, action="Open it"
        )
    return [
        step if not step.permission or allows(role, Permission[step.permission]) else step._replace(href="")
        for step in steps
    ]


def _step(
    project: Project,
    text: str,
    is_done: bool,
    to_do: tuple[str, str, Permission],
    done: tuple[str, str, Permission],
) -> Step:
    page, action, permission = done if is_done else to_do
    return Step(text, is_done, reverse(page, args=[project.slug]), action, permission.name)
