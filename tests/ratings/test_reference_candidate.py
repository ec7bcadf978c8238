"""A published set rates the people's own translations beside the systems': they are the references."""

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.analysis.agreement.measures import correlation_rows
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.datasets.models import Example
from evalapp.metrics.registry import METRICS
from evalapp.scoring.services import SCORE_TASK
from evalapp.scoring.tasks import score_run
from tests.cast import client_of
from tests.ratings.files import carried_out, imported, received, table
from tests.ratings.test_views import post_form, work_off

pytestmark = pytest.mark.django_db
COLUMNS = ("item", "system", "annotator", "fluency", "prompt", "answer")
SYSTEMS = ("human", "online-a", "online-b")


def file() -> bytes:
    rows = [
        (
            item,
            system,
            "Mara",
            1 + (item * (place + 1)) % 5,
            f"Translate sentence {item}.",
            " ".join(["The house that stands by the river is", *(["old"] * (place + 1)), f"in year {item}."]),
        )
        for item in range(1, 9)
        for place, system in enumerate(SYSTEMS)
    ]
    return table(*rows, columns=COLUMNS)


def test_its_answers_are_the_references_and_it_stays_a_candidate(project: Project, manager: User) -> None:
    campaign = imported(project, manager, file(), reference_candidate="human").campaign
    assert campaign is not None
    assert list(Example.objects.order_by("row_number").values_list("references", flat=True)) == [
        [f"The house that stands by the river is old in year {item}."] for item in range(1, 9)
    ]
    for job in project.jobs.filter(task=SCORE_TASK):
        score_run(job.pk)
    scores = load_scores(campaign)
    assert [each.model_version.label for each in scores.candidates] == list(SYSTEMS)
    (row,) = correlation_rows(scores, METRICS["rougeL"])
    assert row.spearman.n == 16 and "human" in row.left_out


def test_the_form_offers_the_files_candidates(project: Project, manager: User) -> None:
    office: Client = client_of(manager)
    ratings_import = received(project, manager, file())
    page = f"/projects/{project.slug}/campaigns/ratings/{ratings_import.pk}/"
    post_form(office, page, "check")
    work_off(project)
    assert "Candidate that is the reference" in office.get(page).text
    post_form(office, page, "start", reference_candidate="human")
    work_off(project)
    assert Example.objects.exclude(references=[]).count() == 8


def test_a_name_that_is_none_is_refused(project: Project, manager: User) -> None:
    ratings_import = received(project, manager, file())
    job = carried_out(ratings_import, manager, reference_candidate="nobody")
    assert "The file has no candidate “nobody”." in job.error
