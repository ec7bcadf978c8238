"""The design form: what is refused is told where it was written."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from tests.cast import client_of
from tests.factories import make_candidates, make_outputs, make_rubric, make_version

pytestmark = pytest.mark.django_db


def test_a_design_that_is_refused_says_why_in_the_form(
    project: Project, manager: User, reviewer: User
) -> None:
    version, rubric = make_version(project), make_rubric(project)
    (candidate,) = make_candidates(project, ["plain"])
    make_outputs(version, {candidate: "Answer {n}."})

    answer = client_of(manager).post(
        f"/projects/{project.slug}/campaigns/new/",
        {
            "name": "Round",
            "rubric_version": rubric.pk,
            "dataset_version": version.pk,
            "split": "feedback",
            "candidates": [candidate.pk],
            "reviewers": [reviewer.pk],
            "overlap": 9,
            "lease_minutes": 30,
        },
    )

    assert answer.status_code == 400
    page = answer.content.decode()
    assert "9 reviewers an item need at least 9 people; 1 chosen." in page.split("<aside")[0]
    assert not Campaign.objects.exists()
