"""Campaigns for tests: real rows, made by the services wherever there is one."""

from collections.abc import Sequence
from typing import Any

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job, JobState
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_imported
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import create_rubric
from evalapp.runs.models import Output, Run, RunCandidate, RunKind
from tests.cast import make_project, make_user

PROMPT = "Summarise portfolio {n} for its owner."
REFERENCE = "The reference of portfolio {n}."
FACTS = "Portfolio {n} holds 60% shares."


def make_version(
    project: Project, *, rows: int = 4, split: str = "test", name: str = "Clients"
) -> DatasetVersion:
    return create_version(
        dataset=create_dataset(project=project, name=name, by=None),
        rows=(
            ExampleRow(
                split=split,
                messages=[{"role": "user", "content": PROMPT.format(n=n)}],
                references=[REFERENCE.format(n=n)],
                context=FACTS.format(n=n),
            )
            for n in range(rows)
        ),
        by=None,
    )


def make_candidates(project: Project, labels: Sequence[str]) -> list[ModelVersion]:
    return [register_imported(project=project, label=label, by=None) for label in labels]


def make_outputs(
    version: DatasetVersion, candidates: Sequence[ModelVersion], *, name: str = "Answers", samples: int = 1
) -> Run:
    """``samples`` answers of each candidate to each example, as if a run had made them."""
    from django.utils import timezone

    project = version.dataset.project
    job = Job.objects.create(
        project=project,
        task="evalapp.runs.tasks.import_outputs",
        title=name,
        state=JobState.SUCCEEDED,
        finished_at=timezone.now(),
    )
    run = Run.objects.create(
        project=project, kind=RunKind.IMPORT, name=name, job=job, dataset_version=version, splits=["test"]
    )
    for position, candidate in enumerate(candidates):
        RunCandidate.objects.create(run=run, model_version=candidate, key=f"candidate-{position}")
        Output.objects.bulk_create(
            Output(
                run=run,
                example=example,
                candidate=candidate,
                sample_index=sample,
                text=f"**Answer** {'abcdefgh'[position]} to row {example.row_number}.",
                finish_reason="stop",
                prompt_tokens=77_771,
                completion_tokens=88_882,
                seconds=99.993,
            )
            for example in version.examples.order_by("row_number")
            for sample in range(samples)
        )
    return run


def make_rubric(project: Project, name: str = "House rubric") -> RubricVersion:
    rubric = create_rubric(project=project, name=name, template="summaries", by=None)
    return rubric.versions.get()


def make_campaign(
    project: Project, reviewers: Sequence[User], *, rows: int = 4, candidates: int = 2, **options: Any
) -> Campaign:
    """A draft with ``rows`` items of ``candidates`` outputs; options as of `create_campaign`."""
    version = make_version(project, rows=rows, name=options.pop("dataset", "Clients"))
    name = options.pop("name", "Spring round")
    models = make_candidates(project, [f"candidate-label-{n} of {name}" for n in range(candidates)])
    make_outputs(version, models)
    options.setdefault("overlap", min(2, len(reviewers)))
    return create_campaign(
        project=project,
        design=CampaignDesign(
            name=name,
            rubric_version=make_rubric(project, options.pop("rubric", "House rubric")),
            dataset_version=version,
            split="test",
            candidates=models,
            reviewers=reviewers,
            **options,
        ),
        by=project.created_by,
    )


def make_open_campaign(project: Project, reviewers: Sequence[User], **options: Any) -> Campaign:
    return open_campaign(campaign=make_campaign(project, reviewers, **options), by=project.created_by)


def make_team(count: int, name: str = "Big round") -> tuple[Project, list[User]]:
    """A project with an owner and ``count`` reviewers."""
    owner = make_user(f"{name} owner")
    people = [make_user(f"{name} reviewer {n}") for n in range(count)]
    members = {f"reviewer{n}": person for n, person in enumerate(people)}
    return make_project(name, owner=owner, **members), people
