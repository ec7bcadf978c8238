"""A person whose data came into a project by every way that there is, and what a project then holds of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.adjudication.models import DiscussionMessage
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.curation.drafts import Edit, edit_rows, open_draft
from evalapp.data_protection.models import Erasure, ErasureState
from evalapp.data_protection.services import start_erasing, start_search
from evalapp.data_protection.tasks import erase_person, search_person
from evalapp.datasets.models import DatasetVersion, VaultEntry
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.search import index_rows
from evalapp.datasets.services import create_dataset, create_version
from evalapp.datasets.vault import opened_originals
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import Review
from tests.cast import client_of, make_project
from tests.factories import answers, corrected, make_flag, make_proposed_rows, make_rubric, review_all
from tests.form_addresses import run_form
from tests.monitoring.making import make_stream, rows_of, send

NAME, MAIL, PHONE = "Annabell Wexford", "annabell.wexford@example.org", "+44 20 7946 0958"
TEXTS = (NAME, "Wexford", MAIL, PHONE)
MARKS = ("annabell", "wexford", "7946 0958", "79460958")
"""In small letters; nothing may hold one of them afterwards."""
OTHER = "Osric Plumley"
SECRET_MAIL = "osric.plumley@example.org"


def everything_stored(*, but: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Every row of every table as text with the table's name, and the vault's originals opened."""
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            yield from ((table, text) for (text,) in cursor.fetchall() if table not in but)
    for entry in VaultEntry.objects.all():
        yield "originals", json.dumps(opened_originals(entry), ensure_ascii=False)


def leaks(marks: Sequence[str] = MARKS) -> list[tuple[str, str]]:
    """Where a mark is stored."""
    return sorted({(table, mark) for table, text in everything_stored() for mark in marks
                   if mark in text.casefold().replace("wexfordshire", "")})  # fmt: skip


NOT_THE_PROJECT_S = (
    "evalapp_job",
    "evalapp_jobevent",
    "evalapp_auditevent",
    "evalapp_erasure",
    "evalapp_user",
    "django_session",
)


def snapshot() -> list[tuple[str, str]]:
    """All that is stored but what tells of the erasures themselves."""
    return sorted(everything_stored(but=NOT_THE_PROJECT_S))


def searched(project: Project, by: User, texts: Sequence[str] = TEXTS, reason: str = "A request") -> Erasure:
    """The erasure after its search, carried out here."""
    erasure = start_search(project=project, texts=texts, reason=reason, by=by)
    assert erasure.job is not None
    search_person(erasure.job.pk)
    return ended(erasure, ErasureState.FOUND)


def erased(project: Project, by: User, texts: Sequence[str] = TEXTS, reason: str = "A request") -> Erasure:
    """The erasure after all of it, carried out here."""
    erasure = start_erasing(erasure=searched(project, by, texts, reason), by=by)
    assert erasure.job is not None
    erase_person(erasure.job.pk)
    return ended(erasure, ErasureState.DONE)


def ended(erasure: Erasure, state: ErasureState) -> Erasure:
    erasure = Erasure.objects.select_related("job", "project").get(pk=erasure.pk)
    assert erasure.job is not None
    assert erasure.job.state == "succeeded", erasure.job.error
    assert erasure.state == state
    return erasure


def row(text: str, answer: str, **fields: object) -> ExampleRow:
    messages = [{"role": "user", "content": text}]
    return ExampleRow(split="feedback", messages=messages, references=[answer], **fields)  # type: ignore[arg-type]


ROWS = (
    row(
        f"My name is {NAME}. Write to {MAIL} or call {PHONE}.",
        f"Dear Ms Wexford, we wrote to {MAIL}.",
        context=f"Client: ANNABELL\n  WEXFORD, {PHONE.replace(' ', '')}",
        metadata={"id": MAIL, "notes": {"by": [f"told by {NAME}"]}, f"said by {NAME}": 1},
        group_key=MAIL,
        provenance={"imported": {"line": f"{NAME} wrote"}},
        pairs=[{"chosen": "Dear Ms Wexford, yes.", "rejected": f"We will call {PHONE}."}],
        rated=[{"answer": f"To {NAME}", "good": True}],
    ),
    row(
        f"My name is {OTHER}, {SECRET_MAIL}. Is hail covered?", f"Yes, {OTHER}, the Wexfordshire policy pays."
    ),
)


@pytest.fixture
def world(project: Project, engineer: User, reviewer: User, owner: User) -> SimpleNamespace:
    return make_world(project, engineer, reviewer, owner)


@pytest.fixture
def masked_world(project: Project, engineer: User, reviewer: User, owner: User) -> SimpleNamespace:
    Project.objects.filter(pk=project.pk).update(masks_personal_data=True)
    project.refresh_from_db()
    return make_world(project, engineer, reviewer, owner)


@pytest.fixture
def second_world(stranger: User, engineer: User, reviewer: User) -> SimpleNamespace:
    """The same of another project."""
    project = make_project("Elsewhere", owner=stranger, engineer=engineer, reviewer=reviewer)
    return make_world(project, engineer, reviewer, stranger)


def make_world(project: Project, engineer: User, reviewer: User, owner: User) -> SimpleNamespace:
    """The person in rows of a dataset, imported outputs, reviews, a flag, a discussion, events, an edit of a
    draft, proposed rows and a note.
    """
    dataset = create_dataset(project=project, name="Letters", by=engineer)
    version = create_version(dataset=dataset, rows=ROWS, by=engineer)
    _import_outputs(project, version, engineer)
    campaign = _campaign(project, version, reviewer, owner)
    reviews = _review(campaign, reviewer)
    make_flag(campaign, reviewer, note=f"This is about {NAME}.")
    DiscussionMessage.objects.create(
        campaign=campaign,
        item_output=ItemOutput.objects.filter(item__campaign=campaign).first(),
        author=reviewer,
        text=f"I know Ms {NAME}.",
    )
    make_proposed_rows(campaign, engineer)
    stream = make_stream(project, [reviewer], outputs_per_week=1)
    fields = {"prompt": f"I am {NAME}", "output": f"Hello {NAME}", "context": MAIL, "topic": MAIL}
    at = timezone.now()
    send(stream, [*rows_of(1, at, **fields), *rows_of(1, at, first=2), {**rows_of(1, at)[0], "id": MAIL}])
    draft = open_draft(base=version, by=engineer)
    edit = Edit(2, "change", {"references.0": f"Ask {NAME}, not {OTHER}."}, reason=f"so says {NAME}")
    edit_rows(draft=draft, edits=[edit], by=engineer)
    index_rows(version)
    return SimpleNamespace(
        project=project, version=version, campaign=campaign, reviews=reviews, stream=stream, draft=draft,
        owner=owner, engineer=engineer,
    )  # fmt: skip


def _import_outputs(project: Project, version: DatasetVersion, engineer: User) -> None:
    texts = (f"Dear Annabell Wexford, {OTHER} will pay.", "The policy pays.")
    rows = [{"row": number, "text": text} for number, text in enumerate(texts, start=1)]
    file = SimpleUploadedFile("answers.jsonl", "".join(json.dumps(each) + "\n" for each in rows).encode())
    form = {
        "name": "plain",
        "dataset_version": version.pk,
        "candidate": "",
        "new_label": "plain",
        "file": file,
    }
    page = client_of(engineer).post(run_form(project, "import"), form, follow=True)
    assert "Imported 2 answers." in page.text


def _campaign(project: Project, version: DatasetVersion, reviewer: User, owner: User) -> Campaign:
    design = CampaignDesign(
        name="Letters of spring",
        rubric_version=make_rubric(project, "Rubric of letters"),
        dataset_version=version,
        split="feedback",
        candidates=list(ModelVersion.objects.filter(project=project, label="plain")),
        overlap=1,
        reviewers=[reviewer],
    )
    return open_campaign(campaign=create_campaign(project=project, design=design, by=owner), by=owner)


def _review(campaign: Campaign, reviewer: User) -> list[Review]:
    said = replace(answers(), comment="")
    of_person = corrected(said, f"Dear Ms {NAME}, we pay.", comment=f"{MAIL} is wrong, {OTHER} is right.")
    return review_all(campaign, reviewer, {("plain", 1): of_person})
