"""In a project that masks personal data, nothing that comes in by any way is stored or shown in clear."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.curation.drafts import Edit, edit_rows, open_draft
from evalapp.datasets.api.datasets import ExampleSerializer
from evalapp.datasets.importing import column_samples, preview
from evalapp.datasets.models import Dataset, DatasetVersion
from evalapp.datasets.options import ImportOptions
from evalapp.datasets.services import create_dataset, receive_upload, start_import
from evalapp.datasets.tasks import import_dataset
from evalapp.datasets.vault import look_up
from evalapp.registry.services import register_imported
from evalapp.reviews.models import Correction, Review
from evalapp.reviews.services import amend_review
from evalapp.runs.generation.answers import ImportedAnswer
from evalapp.runs.models import Output
from evalapp.runs.services import import_outputs
from tests.cast import client_of
from tests.curation.conftest import published
from tests.datasets.files import jsonl, upload
from tests.factories import answers as good_answers
from tests.factories import make_rubric, review_all
from tests.monitoring.making import make_stream, sampled_week, send
from tests.ratings.files import carried_out, json_lines, received
from tests.stored_texts import tables_with

NAME, MAIL, OTHER = "Annabell Wexford", "annabell.wexford@example.org", "Osric Plumley"
MARKS = ("Wexford", "annabell", "Plumley")
PROMPT = f"My name is {NAME}, write to {MAIL}."

pytestmark = pytest.mark.django_db


@pytest.fixture
def masking(project: Project) -> Project:
    project.masks_personal_data = True
    project.save()
    return project


@pytest.fixture
def dataset(masking: Project, engineer: User) -> Dataset:
    return create_dataset(project=masking, name="Letters", by=engineer)


@pytest.fixture(autouse=True)
def uploads(settings: object, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)  # type: ignore[attr-defined]


def imported(dataset: Dataset, by: User) -> DatasetVersion:
    rows = [
        {"prompt": PROMPT, "completion": f"Dear Ms Wexford, we wrote to {MAIL}.", "split": "feedback"},
        {"prompt": "What is covered?", "completion": "Bicycles.", "split": "train"},
        {"prompt": "Bad", "split": f"of {MAIL}"},
    ]
    dataset_import = receive_upload(dataset=dataset, upload=upload(jsonl(*rows)), by=by)
    options = ImportOptions(**{**dataset_import.options, "skips_invalid": True})
    shown = preview(dataset_import, options)
    assert not any(mark in str(shown) for mark in MARKS)
    mapped = ImportOptions(
        **{**dataset_import.options, "mapping": {"prompt": "prompt", "completion": "reference"}}
    )
    assert not any(mark in str(column_samples(dataset_import, mapped)) for mark in MARKS)
    job = start_import(dataset_import=dataset_import, options=options, by=by)
    import_dataset(job.pk)
    dataset_import.refresh_from_db()
    assert dataset_import.version is not None, dataset_import.row_errors
    return dataset_import.version


def test_an_imported_file_and_its_mistakes(dataset: Dataset, engineer: User) -> None:
    imported(dataset, engineer)
    assert tables_with(MARKS) == []


def test_imported_outputs_have_the_placeholders_of_their_rows(
    dataset: Dataset, engineer: User, owner: User
) -> None:
    version = imported(dataset, engineer)
    answers = [
        ImportedAnswer(text=f"Dear {NAME}, Mr {OTHER} writes to {MAIL}.", prompt=PROMPT),
        ImportedAnswer(text=f"<think>Mr {OTHER}?</think>All bicycles.", example_row=2, is_row_certain=True),
    ]
    candidate = register_imported(project=dataset.project, label="old", by=engineer)
    run = import_outputs(
        project=dataset.project,
        dataset_version=version,
        candidate=candidate,
        rows=answers,
        name="Old",
        by=engineer,
    )
    texts = list(
        Output.objects.filter(run=run).order_by("example__row_number").values_list("text", "reasoning")
    )
    assert texts == [
        ("Dear ⟨NAME 1⟩, Mr ⟨NAME 2⟩ writes to ⟨EMAIL 1⟩.", ""),
        ("All bicycles.", "Mr ⟨NAME 1⟩?"),
    ]
    assert tables_with(MARKS) == []
    for number, placeholder in ((1, "⟨NAME 2⟩"), (2, "⟨NAME 1⟩")):
        example = version.examples.get(row_number=number)
        assert look_up(example=example, by=owner)[placeholder] == [OTHER]


def test_events_are_masked_and_so_is_their_weekly_sample(
    masking: Project, reviewer: User, owner: User
) -> None:
    stream = make_stream(masking, [reviewer])
    at = (timezone.now() - dt.timedelta(days=2)).isoformat()
    event = {"id": MAIL, "prompt": PROMPT, "output": f"Dear Ms Wexford, Mr {OTHER} writes.", "at": at}
    assert send(stream, [event]).stored == 1
    assert send(stream, [event]).known == 1
    week = sampled_week(stream, count=2)
    assert tables_with(MARKS) == []
    assert week.campaign is not None
    example = week.campaign.dataset_version.examples.get(messages__0__content__startswith="My name")
    originals = look_up(example=example, by=owner)
    assert (originals["⟨NAME 1⟩"], originals["⟨NAME 2⟩"]) == ([NAME, "Wexford"], [OTHER])


def test_imported_ratings_are_masked_and_marks_stay_on_their_words(masking: Project, manager: User) -> None:
    answer = f"Dear Ms Wexford, we pay on Friday. Mr {OTHER} will call."
    row = {
        "id": "1",
        "question": PROMPT,
        "references": [],
        "outputs": {"base": answer},
        "reviews": [
            {
                "system": "base",
                "reviewer": "r1",
                "correctness": 40,
                "comment": f"Mr {OTHER} left us; tell {MAIL}.",
                "correction": f"Dear {NAME}, we pay on Friday.",
                "spans": [
                    {"text": "on Friday", "comments": ["when?"]},
                    {"text": OTHER, "comments": [f"Mr {OTHER}!"]},
                ],
            }
        ],
    }
    ratings_import = received(masking, manager, json_lines(row), "history.jsonl")
    job = carried_out(ratings_import, manager)
    assert job.state == "succeeded", job.error
    assert tables_with(MARKS) == []
    output = Output.objects.get(run__project=masking)
    assert output.text == "Dear Ms ⟨NAME 1⟩, we pay on Friday. Mr ⟨NAME 2⟩ will call."
    review = Review.objects.get()
    assert review.comment == "Mr ⟨NAME 2⟩ left us; tell ⟨EMAIL 1⟩."
    assert Correction.objects.get().text == "Dear ⟨NAME 1⟩, we pay on Friday."
    marked = [output.text[each.start : each.end] for each in review.spans.order_by("start")]
    assert marked == ["on Friday", "⟨NAME 2⟩"]


def test_what_a_reviewer_types_is_masked_with_the_placeholders_of_the_row(
    dataset: Dataset, engineer: User, manager: User, reviewer: User
) -> None:
    version = imported(dataset, engineer)
    candidate = register_imported(project=dataset.project, label="old", by=engineer)
    answers = [ImportedAnswer(text="Dear Ms Wexford, no.", example_row=1, is_row_certain=True)]
    import_outputs(
        project=dataset.project,
        dataset_version=version,
        candidate=candidate,
        rows=answers,
        name="Old",
        by=engineer,
    )
    design = CampaignDesign(
        name="Letters",
        rubric_version=make_rubric(dataset.project),
        dataset_version=version,
        split="feedback",
        candidates=[candidate],
        overlap=1,
        reviewers=[reviewer],
    )
    campaign = open_campaign(
        campaign=create_campaign(project=dataset.project, design=design, by=manager), by=manager
    )
    said = replace(good_answers(), comment=f"Mr {OTHER} knows {MAIL}.", correction=f"Dear {NAME}, yes.")
    (review,) = review_all(campaign, reviewer, {"old": said})
    review.refresh_from_db()
    assert review.comment == "Mr ⟨NAME 2⟩ knows ⟨EMAIL 1⟩."
    assert review.correction.text == "Dear ⟨NAME 1⟩, yes."
    amended = amend_review(
        review=review, by=reviewer, answers=replace(said, comment=f"Ask Mr {OTHER}."), revision=1
    )
    assert amended.comment == "Ask Mr ⟨NAME 2⟩."
    assert tables_with(MARKS) == []


def test_what_is_edited_in_a_draft_is_masked_and_its_originals_are_kept(
    dataset: Dataset, engineer: User, owner: User
) -> None:
    version = imported(dataset, engineer)
    draft = open_draft(base=version, by=engineer)
    edit_rows(draft=draft, edits=[Edit(2, "change", {"references.0": f"Ask Mr {OTHER}."})], by=engineer)
    assert draft.edits.get().changes == {"references.0": "Ask Mr ⟨NAME 1⟩."}
    later = published(draft, engineer)
    assert tables_with(MARKS) == []
    example = later.examples.get(row_number=2)
    assert example.references == ["Ask Mr ⟨NAME 1⟩."]
    assert look_up(example=example, by=owner)["⟨NAME 1⟩"] == [OTHER]


def test_pages_and_the_api_show_placeholders(dataset: Dataset, engineer: User, reviewer: User) -> None:
    version = imported(dataset, engineer)
    base = f"/projects/{dataset.project.slug}/data/{dataset.pk}/"
    for address in (
        base,
        f"{base}v1/",
        f"{base}v1/rows/1/",
        f"{base}v1/?search=Dear",
        f"{base}v1/export/?format=jsonl",
    ):
        page = client_of(engineer).get(address)
        content = b"".join(page).decode()
        assert page.status_code == 200, address
        assert not any(mark in content for mark in MARKS), address
    read = ExampleSerializer(version.examples.get(row_number=1)).data
    assert "⟨NAME 1⟩" in str(read) and not any(mark in str(read) for mark in MARKS)
    assert "⟨NAME 1⟩" in client_of(engineer).get(f"{base}v1/rows/1/").text
