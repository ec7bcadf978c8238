"""The remaining steps before “is tuning better than a good prompt?” has an answer, with links."""

from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from evalapp.accounts.models import Project
from evalapp.accounts.permissions import Permission
from evalapp.analysis.tuning.contest import campaigns_between, prompts_over_base_of
from evalapp.datasets.models import Split
from evalapp.jobs.models import JobState
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Output

HELD_OUT = (Split.TEST, Split.FEEDBACK, Split.VALIDATION)


class Step(NamedTuple):
    """``text``: what to do, or what was done; ``href``: the link, for people with ``permission``."""

    text: str
    is_done: bool
    href: str = ""
    action: str = ""
    permission: str = ""


class SharedRows(NamedTuple):
    dataset_version: int
    split: str
    prompt: int
    rows: int


def steps_to_answer(project: Project, tuned: ModelVersion | None) -> list[Step]:
    """The steps in order: a tuned candidate, a prompt, outputs of both for the same rows, a campaign, its
    reviews.
    """
    if tuned is None or tuned.base is None:
        href = f"{reverse('run_new', args=[project.slug])}?kind=training"
        train = Step(
            "Tune a model: nothing has been trained here yet.",
            False,
            href,
            "Train",
            Permission.START_RUNS.name,
        )
        return [train]
    steps = [Step(f"“{tuned.label}” is tuned from {tuned.base.model.name}.", True)]
    prompts = list(prompts_over_base_of(tuned))
    if prompts:
        tried = "1 prompt was" if len(prompts) == 1 else f"{len(prompts)} prompts were"
        steps.append(Step(f"{tried} tried on the same base.", True))
    else:
        query = urlencode({"source": "prompt", "base": tuned.base_id})
        href = f"{reverse('model_new', args=[project.slug])}?{query}"
        text = (
            "Write the best prompt you can for the same base model; a few examples from the training rows"
            " help."
        )
        steps.append(Step(text, False, href, "New prompt", Permission.EDIT_MODELS.name))
    shared = shared_rows(tuned, prompts)
    steps.append(_answers(project, tuned, prompts, shared))
    steps += _reviews(project, tuned, shared)
    return steps


def shared_rows(tuned: ModelVersion, prompts: list[ModelVersion]) -> SharedRows | None:
    """Held-out rows that both the tuned candidate and a prompt have answered: the latest prompt's split with
    most rows.
    """
    done = Output.objects.filter(run__job__state=JobState.SUCCEEDED, example__split__in=HELD_OUT)
    own = set(done.filter(candidate=tuned).values_list("example", flat=True))
    for prompt in prompts:
        counts: dict[tuple[int, str], set[int]] = {}
        found = done.filter(candidate=prompt, example__in=own)
        for example, version, split in found.values_list("example", "example__version", "example__split"):
            counts.setdefault((version, split), set()).add(example)
        if counts:
            (version, split), rows = max(counts.items(), key=lambda each: (len(each[1]), each[0]))
            return SharedRows(version, split, prompt.pk, len(rows))
    return None


def _answers(
    project: Project, tuned: ModelVersion, prompts: list[ModelVersion], shared: SharedRows | None
) -> Step:
    if shared is not None:
        return Step(f"Both have answered the same {shared.rows:,} {shared.split} rows.", True)
    candidates = [tuned.pk, *(prompt.pk for prompt in prompts), tuned.base_id]
    query = urlencode([("candidates", pk) for pk in candidates] + [("splits", Split.TEST.value)])
    return Step(
        "Let both answer the same held-out rows in one run, so that both use the same decoding.",
        False,
        f"{reverse('run_new', args=[project.slug])}?kind=generation&{query}" if prompts else "",
        "Generate answers",
        Permission.START_RUNS.name,
    )


def _reviews(project: Project, tuned: ModelVersion, shared: SharedRows | None) -> list[Step]:
    campaign = campaigns_between(tuned).first()
    if campaign is not None:
        href = reverse("campaign_detail", args=[project.slug, campaign.pk])
        compared = Step(f"The campaign “{campaign.name}” compares them.", True)
        wait = Step(
            "Reviewers rate the answers.", False, href, "See the campaign", Permission.VIEW_CAMPAIGNS.name
        )
        return [compared, wait]
    href = ""
    if shared is not None:
        query = [("dataset_version", shared.dataset_version), ("split", shared.split)]
        query += [("candidates", tuned.pk), ("candidates", shared.prompt)]
        href = f"{reverse('campaign_new', args=[project.slug])}?{urlencode(query)}"
    text = "Have people rate both, blind, in one campaign."
    return [
        Step(text, False, href, "Create campaign", Permission.EDIT_CAMPAIGNS.name),
        Step("Reviewers rate the answers.", False),
    ]
