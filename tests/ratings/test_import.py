"""From an uploaded file of ratings to a closed campaign: the services and the job, on the real database."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import TestCase

from evalapp.accounts.models import Project, User
from evalapp.accounts.people import anonymise_person
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Assignment, Campaign, CampaignState
from evalapp.core.errors import ConflictError
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.decisions.deletion import delete_project
from evalapp.imports.flow import discard
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import request_cancel
from evalapp.ratings.models import RatingsImport, RecordedReviewer
from evalapp.ratings.options import RatingsOptions
from evalapp.ratings.services import start_ratings_import
from evalapp.ratings.tasks import import_ratings
from evalapp.reports.content import content_of
from evalapp.reports.services import start_report
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Correction, Review, Score
from evalapp.reviews.services import amend_review
from evalapp.reviews.submitting import CampaignClosedError
from evalapp.rubrics.models import Criterion
from evalapp.runs.models import Output
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_candidates, make_outputs, make_rubric, make_version
from tests.ratings.files import (
    COLUMNS,
    carried_out,
    counts,
    imported,
    json_lines,
    rating,
    ratings,
    received,
    table,
    told,
)


def test_a_table_becomes_a_closed_campaign_that_can_be_compared(
    project: Project, manager: User, uploads: Path
) -> None:
    ratings_import = imported(project, manager, ratings(), file_name="spring.csv")

    campaign = ratings_import.campaign
    assert campaign is not None
    assert (campaign.name, campaign.state, campaign.is_imported) == ("spring", CampaignState.CLOSED, True)
    assert (campaign.items_total, campaign.reviews_total, campaign.overlap) == (2, 8, 2)
    account = (ratings_import.records_read, ratings_import.records_imported, ratings_import.records_refused)
    assert account == (16, 16, 0)
    assert [c.model_version.label for c in campaign.candidates.all()] == ["base", "tuned"]
    assert Score.objects.filter(review__campaign=campaign).count() == 16
    assert list(campaign.rubric_version.criteria.values_list("name", "kind", "minimum", "maximum")) == [
        ("Accuracy", "scale", 1, 5),
        ("Tone", "scale", 1, 5),
    ]
    comparison = compare(load_scores(campaign))
    assert comparison.design.reviews == 8
    assert {row.candidate.model_version.label for row in comparison.rows} == {"base", "tuned"}
    examples = Example.objects.filter(version=campaign.dataset_version).order_by("row_number")
    assert [(e.prompt_text, e.split, e.metadata) for e in examples] == [
        ("Question 1?", "feedback", {"item": "1"}),
        ("Question 2?", "feedback", {"item": "2"}),
    ]
    assert set(Output.objects.values_list("text", flat=True)) == {
        f"Answer {item} of {candidate}." for item in (1, 2) for candidate in ("base", "tuned")
    }
    assert not list(uploads.glob("import-*"))
    assert AuditEvent.objects.filter(action="campaign.imported", actor_id=manager.pk).count() == 1


def test_every_score_is_the_one_in_the_file(project: Project, manager: User) -> None:
    content = table(rating(1, "base", "Mara", "Accuracy", 2), rating(1, "base", "Ole", "Accuracy", 5))

    campaign = imported(project, manager, content).campaign

    said = Review.objects.filter(campaign=campaign).order_by("reviewer__name")
    assert [(r.reviewer.name, r.scores.get().value) for r in said] == [("Mara", 2), ("Ole", 5)]


def test_a_recorded_reviewer_can_never_sign_in_and_is_a_member_of_nothing(
    project: Project, manager: User
) -> None:
    imported(project, manager, ratings(people=("Mara", manager.email)))

    recorded = RecordedReviewer.objects.get(project=project).user
    assert (recorded.name, recorded.is_active, recorded.has_usable_password()) == ("Mara", False, False)
    assert recorded.email.endswith("@deleted.invalid")
    assert not recorded.memberships.exists()
    assert set(Review.objects.values_list("reviewer", flat=True)) == {recorded.pk, manager.pk}

    imported(project, manager, ratings(items=3, people=("mara",)), file_name="later.csv")

    assert RecordedReviewer.objects.count() == 1


def test_texts_times_comments_and_corrections_come_along(project: Project, manager: User) -> None:
    columns = (*COLUMNS, "seconds", "submitted_at", "comment", "correction", "reference", "context")
    whole = (*rating(), 30, "2024-03-01T10:00:00+02:00", "too short", "A better answer.", "Ref.", "Facts.")
    second = (1, "base", "Mara", "Tone", 3, "", "", 30)
    apart = [
        (1, "tuned", "Mara", name, 3, "", f"T{''}", seconds)
        for name, seconds in (("Accuracy", 20), ("Tone", 25))
    ]

    campaign = imported(project, manager, table(whole, second, *apart, columns=columns)).campaign

    assert campaign is not None
    base, tuned = Review.objects.filter(campaign=campaign).order_by("seconds_active")
    assert (base.seconds_active, tuned.seconds_active) == (30, 45)
    assert base.comment == "too short"
    assert base.submitted_at == datetime(2024, 3, 1, 8, tzinfo=UTC)
    assert Correction.objects.get().text == "A better answer."
    example = Example.objects.get(version=campaign.dataset_version)
    assert (example.references, example.context) == (["Ref."], "Facts.")
    campaign_reviewer = campaign.reviewers.get()
    assert (campaign_reviewer.reviews_done, campaign_reviewer.seconds_active) == (2, 75)


def test_the_same_file_is_imported_once(project: Project, other_project: Project, manager: User) -> None:
    waiting = received(project, manager, ratings())
    imported(project, manager, ratings())

    with pytest.raises(ConflictError, match="This file is already imported, as “history”"):
        received(project, manager, ratings(), "renamed.csv")
    with pytest.raises(ConflictError, match="This file is already imported"):
        carried_out(waiting, manager, name="Another name")
    assert received(other_project, manager, ratings()).campaign is None
    with pytest.raises(IntegrityError), transaction.atomic():
        other = Campaign.objects.get()
        other.pk, other.key, other.name = None, uuid.uuid4(), "Other"
        other.save()
        RatingsImport.objects.filter(pk=waiting.pk).update(campaign=other)


def test_of_two_that_wait_with_the_same_file_the_second_is_told(project: Project, manager: User) -> None:
    first, second = received(project, manager, ratings()), received(project, manager, ratings())
    options = RatingsOptions(**second.options)
    late = start_ratings_import(ratings_import=second, options=replace(options, name="Second"), by=manager)
    assert carried_out(first, manager).state == JobState.SUCCEEDED
    before = counts()

    import_ratings(late.pk)

    late.refresh_from_db()
    assert late.state == JobState.FAILED
    assert "This file is already imported" in late.error
    assert counts() == before


def test_a_deleted_project_takes_its_recorded_reviewers_along(
    project: Project, manager: User, owner: User, uploads: Path
) -> None:
    imported(project, manager, ratings())
    waiting = received(project, manager, ratings(items=3))
    people = User.objects.count()
    assert list(uploads.glob("import-*"))

    with TestCase.captureOnCommitCallbacks(execute=True):
        delete_project(project=project, typed_name=project.name, by=owner)

    assert User.objects.count() == people - 2
    assert not RatingsImport.objects.filter(pk=waiting.pk).exists()
    assert not list(uploads.glob("import-*"))


def test_a_recorded_reviewer_s_name_can_be_deleted(project: Project, manager: User) -> None:
    imported(project, manager, ratings(people=("Mara",)))
    admin = User.objects.create_user("admin@cast.example", is_superuser=True)
    recorded = RecordedReviewer.objects.get().user

    anonymise_person(user=recorded, by=admin)

    recorded.refresh_from_db()
    assert recorded.name == f"Former member {recorded.pk}"
    assert not AuditEvent.objects.filter(object_label__contains="Mara").exists()


def test_names_are_matched_with_members_and_candidates(
    project: Project, manager: User, reviewer: User
) -> None:
    (base,) = make_candidates(project, ["base"])

    campaign = imported(
        project,
        manager,
        ratings(people=("MANAGER", "Somebody"), candidates=("Base", "new one")),
        reviewers={"Somebody": reviewer.pk},
    ).campaign

    assert campaign is not None
    assert [c.model_version.label for c in campaign.candidates.all()] == ["base", "new one"]
    assert campaign.candidates.first().model_version == base  # type: ignore[union-attr]
    assert set(Review.objects.values_list("reviewer", flat=True)) == {manager.pk, reviewer.pk}
    assert not RecordedReviewer.objects.exists()


def test_an_existing_rubric_is_used_and_unknown_criteria_are_told(project: Project, manager: User) -> None:
    rubric = make_rubric(project)
    content = table(
        rating(criterion="Accuracy"), rating(criterion="tone", value="n/a"), rating(criterion="Humour")
    )
    ratings_import = received(project, manager, content)

    carried_out(ratings_import, manager, rubric_version=rubric.pk)
    assert told(ratings_import) == [(4, "Humour")]

    job = carried_out(ratings_import, manager, rubric_version=rubric.pk, criteria={"Humour": {"use": "-"}})

    assert job.state == JobState.SUCCEEDED, job.error
    assert (ratings_import.records_imported, ratings_import.records_refused) == (2, 1)
    assert told(ratings_import, refusals=False) == [(4, "Humour")]
    # What was left out is said wherever the figures stand.
    campaign = ratings_import.campaign
    words = "1 of 3 records of the file were left out at import"
    browser, office = client_of(manager), program_of(manager)
    for page in (f"results/{campaign.pk}/", f"campaigns/{campaign.pk}/"):
        assert words in browser.get(f"/projects/{project.slug}/{page}").text
    read = office.get(f"projects/{project.slug}/campaigns/{campaign.pk}/comparison/").json()
    assert read["records"] == {"read": 3, "left_out": 1}
    report = str(content_of(start_report(campaign=campaign, by=manager), progress=lambda *_: None).document)
    assert f"{words}: they are not in these results." in report
    review = Review.objects.get()
    assert {s.criterion.key: (s.value, s.is_not_applicable) for s in review.scores.all()} == {
        "accuracy": (4, False),
        "tone": (None, True),
    }
    rubric.refresh_from_db()
    assert rubric.frozen_at is not None


def test_items_of_a_dataset_are_found_by_their_row_and_stored_answers_are_used(
    project: Project, manager: User
) -> None:
    version = make_version(project, rows=2)
    formal, plain = make_candidates(project, ["formal", "plain"])
    make_outputs(version, {formal: "Formal {n}.", plain: "Plain {n}."})
    before = counts()
    content = table(
        (1, "formal", "Mara", "Accuracy", 4),
        (2, "plain", "Mara", "Accuracy", 3),
        (99, "plain", "Mara", "Accuracy", 3),
        (1, "absent", "Mara", "Accuracy", 3),
    )
    ratings_import = received(project, manager, content)

    carried_out(ratings_import, manager, dataset_version=version.pk)
    assert told(ratings_import) == [(4, "item"), (4, "answer"), (5, "answer")]

    carried_out(ratings_import, manager, dataset_version=version.pk, skips_invalid=True)

    campaign = ratings_import.campaign
    assert campaign is not None
    assert (campaign.dataset_version, campaign.split) == (version, "feedback")
    assert {r.item_output.output.text for r in Review.objects.all()} == {"Formal 1.", "Plain 2."}
    assert counts()["Output"] == before["Output"]
    assert counts()["Dataset"] == before["Dataset"]


@pytest.mark.parametrize(
    ("by", "field", "item"), [("prompt", "item", "Summarise portfolio 2."), ("field", "client", "c-2")]
)
def test_items_of_a_dataset_are_found_by_prompt_or_field(
    project: Project, manager: User, by: str, field: str, item: str
) -> None:
    from evalapp.datasets.services import create_dataset, create_version
    from tests.factories import example_row

    rows = [example_row(number, metadata={"client": f"c-{number}"}) for number in (1, 2, 3)]
    dataset = create_dataset(project=project, name="Clients", by=None)
    version = create_version(dataset=dataset, rows=rows, by=None)
    content = table((item, "base", "Mara", "Accuracy", 4, "", "An answer."))

    ratings_import = imported(
        project, manager, content, dataset_version=version.pk, items_by=by, item_field=field
    )

    assert Review.objects.get().item_output.item.example.row_number == 2
    assert ratings_import.records_imported == 1


def test_items_are_not_found_by_row_number_where_rows_have_ids(project: Project, manager: User) -> None:
    version = make_version(project, rows=3, train=0, metadata=lambda number: {"item": f"c-{4 - number}"})
    content = table(("3", "base", "Mara", "Accuracy", 4, "", "An answer."))

    ratings_import = received(project, manager, content)
    job = carried_out(ratings_import, manager, dataset_version=version.pk)

    assert job.state == "failed"
    assert "The rows of Clients v1 have ids, in the metadata field “item”" in job.error
    assert not Review.objects.exists()


def test_a_reviewer_who_rated_some_answers_of_an_item_has_a_whole_assignment(
    project: Project, manager: User
) -> None:
    content = table(rating(1, "base", "Mara"), rating(1, "tuned", "Mara"), rating(1, "base", "Ole"))

    campaign = imported(project, manager, content).campaign

    assignments = Assignment.objects.filter(campaign=campaign).order_by("outputs_total")
    assert [(p.state, p.outputs_total, p.reviews_done, p.open_slots) for p in assignments] == [
        ("submitted", 1, 1, []),
        ("submitted", 2, 2, []),
    ]


def test_imported_reviews_stay_as_they_came(project: Project, manager: User) -> None:
    imported(project, manager, table(rating(reviewer=manager.email)))
    review = Review.objects.select_related("campaign").get()

    with pytest.raises(CampaignClosedError):
        amend_review(review=review, by=manager, answers=ReviewAnswers({"accuracy": 1}), revision=1)


def test_a_cancelled_import_leaves_nothing(
    project: Project, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalapp.ratings import importing

    ratings_import = received(project, manager, ratings())
    before = counts()
    real = importing.check_stage

    def cancelled(*arguments: Any) -> int:
        request_cancel(job=Job.objects.get(), by=manager)
        return real(*arguments)

    monkeypatch.setattr(importing, "check_stage", cancelled)
    monkeypatch.setattr("evalapp.jobs.work.Work.is_cancelled", property(lambda self: True))

    job = carried_out(ratings_import, manager)

    assert job.state == JobState.CANCELLED
    assert counts() == before


def test_a_discarded_upload_is_gone(project: Project, manager: User, uploads: Path) -> None:
    ratings_import = received(project, manager, ratings())

    with pytest.raises(IntegrityError), transaction.atomic():
        RatingsImport.objects.filter(pk=ratings_import.pk).update(stored_name=None)
    discard(ratings_import, by=manager)

    assert not RatingsImport.objects.exists()


def test_spans_are_found_and_kept_and_missing_ones_are_told(project: Project, manager: User) -> None:
    line = {
        "id": "a",
        "question": "Why?",
        "outputs": {"base": "Because 🙂 of rain. It rains."},
        "reviews": [
            {
                "system": "base",
                "reviewer": "Mara",
                "overall": 55,
                "ranks": {"overall": 1},
                "spans": [
                    {"text": "of rain", "comments": ["right"]},
                    {"text": "of snow", "label": "wrong", "comments": []},
                ],
            },
            {"system": "base", "reviewer": "Ole", "overall": 100, "ranks": {"overall": 2}, "extra": [1]},
        ],
    }

    ratings_import = imported(project, manager, json_lines(line, {**line, "id": "b"}), "nested.jsonl")

    assert ratings_import.spans_missing == 2
    assert told(ratings_import, refusals=False) == [
        (1, "reviews[2].extra"),
        (1, "reviews[1].spans[2]"),
        (2, "reviews[2].extra"),
        (2, "reviews[1].spans[2]"),
    ]
    review = Review.objects.filter(reviewer__name="Mara").first()
    assert review is not None
    assert review.comment == "“of snow” (wrong)"
    span = review.spans.get()
    text = review.item_output.output.text
    assert (text[span.start : span.end], span.comment) == ("of rain", "right")
    assert span.criterion.options[span.label - 1]["label"] == "Marked"
    criteria = Criterion.objects.order_by("position").values_list("name", "minimum", "maximum", "weight")
    assert [(name, low, high, float(weight)) for name, low, high, weight in criteria] == [
        ("overall", 0, 100, 1.0),
        ("ranks: overall", 1, 2, 0.0),
        ("Marks", 0, 1, 0.0),
    ]


def test_a_worker_that_dies_after_storing_changes_nothing_when_it_comes_back(
    project: Project, manager: User
) -> None:
    ratings_import = imported(project, manager, ratings())
    Job.objects.filter(pk=ratings_import.job_id).update(state=JobState.QUEUED, finished_at=None)
    before = counts()
    import_ratings(ratings_import.job_id)  # type: ignore[arg-type]

    assert counts() == before
    assert DatasetVersion.objects.count() == 1


@pytest.mark.parametrize("criteria", [("Accuracy", "Tone"), ("Tone",)])
def test_a_criterion_that_nobody_could_answer_is_kept(
    project: Project, manager: User, criteria: tuple[str, ...]
) -> None:
    content = table(
        *(
            rating(item, "base", person, criterion, "N/A" if criterion == "Tone" else 3 + item % 2)
            for item in (1, 2)
            for person in ("Mara", "Ole")
            for criterion in criteria
        )
    )
    campaign = imported(project, manager, content).campaign
    assert campaign is not None
    tone = campaign.rubric_version.criteria.get(name="Tone")
    assert (tone.kind, tone.minimum, tone.maximum, tone.allows_not_applicable) == ("scale", 1, 5, True)
    assert tone.scores.filter(is_not_applicable=True).count() == 4
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/").text
    assert "Tone" in page and "N/A" in page


def test_items_of_a_client_are_one_in_every_interval(project: Project, manager: User) -> None:
    rows = [
        [*rating(item, candidate, person, "Tone", 1 + (item + len(person)) % 5), f"client {item // 3}"]
        for item in range(1, 13)
        for candidate in ("base", "tuned")
        for person in ("Mara", "Ole")
    ]
    campaign = imported(project, manager, table(*rows, columns=(*COLUMNS, "client"))).campaign
    assert campaign is not None
    groups = Example.objects.filter(version=campaign.dataset_version).order_by("row_number")
    assert list(groups.values_list("group_key", flat=True)) == [
        f"client {item // 3}" for item in range(1, 13)
    ]
    assert compare(load_scores(campaign)).design.groups == 5


def test_items_of_a_line_each_have_their_group(project: Project, manager: User) -> None:
    lines = [
        {
            "id": f"{story}-{number}",
            "group": f"story {story}",
            "question": f"What happens in {story}, {number}?",
            "outputs": {"base": "Nothing.", "tuned": "Much."},
            "reviews": [
                {"system": system, "reviewer": "Mara", "accuracy": 3 + number} for system in ("base", "tuned")
            ],
        }
        for story in (1, 2)
        for number in (0, 1)
    ]
    campaign = imported(project, manager, json_lines(*lines), file_name="stories.jsonl").campaign
    assert campaign is not None
    groups = Example.objects.filter(version=campaign.dataset_version).values_list("group_key", flat=True)
    assert sorted(groups) == ["story 1", "story 1", "story 2", "story 2"]


def test_an_item_of_two_clients_is_told_and_one_that_is_left_out_is_not(
    project: Project, manager: User
) -> None:
    columns = (*COLUMNS, "client")
    rows = [
        [*rating(1, reviewer=person), client]
        for person, client in (("Mara", "A"), ("Ole", " A "), ("Eva", ""), ("Ida", "B"))
    ]
    ratings_import = received(project, manager, table(*rows, columns=columns))
    assert carried_out(ratings_import, manager, checks_only=True).state == "succeeded"
    assert told(ratings_import) == [(5, "client")]
