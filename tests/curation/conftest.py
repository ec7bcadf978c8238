from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.curation.models import DatasetDraft, HealthCheck
from evalapp.curation.publishing import start_publishing
from evalapp.curation.services import start_check
from evalapp.curation.tasks import check_health, publish_draft
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version


def row(prompt: str, *answers: str, split: str = "train", **fields: Any) -> ExampleRow:
    messages = [{"role": "user", "content": prompt}]
    return ExampleRow(split=split, messages=messages, references=list(answers), **fields)


def checked(version: DatasetVersion, by: User) -> HealthCheck:
    """The version after its health check, carried out here."""
    check = start_check(version=version, by=by)
    assert check.job is not None
    check_health(check.job.pk)
    check.job.refresh_from_db()
    assert check.job.state == "succeeded", check.job.error
    check.refresh_from_db()
    return check


def published(draft: DatasetDraft, by: User, note: str = "") -> DatasetVersion:
    """The version that the draft becomes, written here."""
    job = start_publishing(draft=draft, note=note, by=by)
    publish_draft(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    return DatasetVersion.objects.get(published_draft=draft)


def rows_of(check: HealthCheck, kind: str) -> list[int]:
    found = check.findings.filter(kind=kind, example__isnull=False)
    return sorted(found.values_list("example__row_number", flat=True))


@pytest.fixture
def version_of(project: Project, engineer: User) -> Callable[[Iterable[ExampleRow]], DatasetVersion]:
    def make(rows: Iterable[ExampleRow]) -> DatasetVersion:
        number = project.datasets.count()
        dataset = create_dataset(project=project, name=f"Questions {number}", by=engineer)
        return create_version(dataset=dataset, rows=rows, by=engineer)

    return make


MESSY: Sequence[ExampleRow] = (
    row("Is hail on the car roof covered by the basic plan?", "Yes, up to 5,000 euros after the excess."),
    row(
        "Is theft of a bicycle covered when it was locked?",
        "Yes, by the household policy at its current value.",
    ),
    row(
        "is THEFT of a bicycle covered, when it was locked",
        "Yes, by the household policy at its current value.",
    ),
    row(
        "Is please theft of a bicycle covered when it was locked?",
        "Yes, by the household policy at its current value!",
    ),
    row("Is hail on the car roof covered by the basic plan?", "No, never."),
    row("My name is Anna Schmidt, mail anna@mail.example.org. Who pays?", "Dear Anna Schmidt, we do."),
    row("What does the excess mean for a burst pipe at home?"),
    row(
        "How long do I have to report a burst pipe in the cellar?",
        "As an AI language model, I cannot help with that.",
    ),
    row("How long may a repair of the broken window take in summer?", "Two weeks.", split="test"),
    row("How long may a repair of the broken window take in summer", "Two weeks."),
)
