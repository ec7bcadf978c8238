"""A design that cannot work is refused before anything starts, in a sentence beside its field: on the page,
by the API and by the service alike.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import RubricVersion
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import make_candidates, make_outputs, make_rubric, make_version

pytestmark = pytest.mark.django_db

Change = Callable[[CampaignDesign], dict[str, Any]]


@pytest.fixture
def design(project: Project, reviewer: User) -> CampaignDesign:
    """One that is sound: two items, one candidate, one reviewer."""
    version, rubric = make_version(project, rows=2), make_rubric(project)
    (candidate,) = make_candidates(project, ["plain"])
    make_outputs(version, {candidate: "Answer {n}."})
    return CampaignDesign(
        name="Round",
        rubric_version=rubric,
        dataset_version=version,
        split="feedback",
        candidates=[candidate],
        overlap=1,
        reviewers=[reviewer],
    )


def _no_examples(design: CampaignDesign) -> dict[str, Any]:
    return {"split": "test"}


def _no_answers(design: CampaignDesign) -> dict[str, Any]:
    version: DatasetVersion = make_version(design.dataset_version.dataset.project, name="Unanswered")
    return {"dataset_version": version}


def _no_reviewers(design: CampaignDesign) -> dict[str, Any]:
    return {"reviewers": []}


def _no_candidates(design: CampaignDesign) -> dict[str, Any]:
    return {"candidates": []}


def _too_much_overlap(design: CampaignDesign) -> dict[str, Any]:
    return {"overlap": 2}


def _late(design: CampaignDesign) -> dict[str, Any]:
    return {"deadline": (timezone.now() - timedelta(days=1)).replace(second=0, microsecond=0)}


REFUSED = [
    pytest.param(
        _no_examples,
        "split",
        "Clients v1 has no test examples, so there would be nothing to review.",
        id="no items",
    ),
    pytest.param(
        _no_answers,
        "candidates",
        "No feedback example of Unanswered v1 has an answer of every chosen candidate, so there would be"
        " nothing to review. Generate or import the answers first, or choose another split.",
        id="no answers",
    ),
    pytest.param(_no_reviewers, "reviewers", "Choose at least one reviewer.", id="no reviewers"),
    pytest.param(_no_candidates, "candidates", "Choose at least one candidate.", id="no candidates"),
    pytest.param(
        _too_much_overlap,
        "overlap",
        "2 reviewers per item need at least 2 people; 1 chosen. Choose more people or fewer reviewers per"
        " item.",
        id="overlap above the number of reviewers",
    ),
    pytest.param(
        _late,
        "deadline",
        "The deadline is in the past. Choose a later one, or none.",
        id="deadline in the past",
    ),
]


def as_sent(design: CampaignDesign, **changes: Any) -> dict[str, Any]:
    """The design's fields as ids, for a form or a body."""
    values = {**vars(design), **changes}
    kept = (
        *("name", "split", "overlap", "lease_minutes"),
        *("rubric_version", "dataset_version", "candidates", "reviewers", "deadline"),
    )
    return {name: _id_of(values[name]) for name in kept if values[name] is not None}


def _id_of(value: Any) -> Any:
    if isinstance(value, list):
        return [each.pk for each in value]
    return value.pk if isinstance(value, DatasetVersion | RubricVersion | ModelVersion) else value


@pytest.mark.parametrize(("change", "field", "sentence"), REFUSED)
def test_a_design_that_cannot_work_is_refused_before_anything_starts(
    change: Change, field: str, sentence: str, design: CampaignDesign, project: Project, manager: User
) -> None:
    changes = change(design)

    with pytest.raises(InvalidError) as caught:
        create_campaign(
            project=project, design=CampaignDesign(**{**vars(design), **changes}), by=project.created_by
        )
    assert sentence in caught.value.fields[field]

    sent = as_sent(design, **changes)
    when = {"deadline": sent["deadline"].strftime("%Y-%m-%dT%H:%M")} if "deadline" in sent else {}
    page = client_of(manager).post(f"/projects/{project.slug}/campaigns/new/", {**sent, **when})
    assert page.status_code == 400
    assert sentence in page.text.split("<aside")[0]

    body = {**sent, **({"deadline": sent["deadline"].isoformat()} if "deadline" in sent else {})}
    problem = problem_in(program_of(manager).post(f"projects/{project.slug}/campaigns/", body), 400)
    assert sentence in problem["fields"][field]
    assert not Campaign.objects.exists()


def test_the_design_that_the_refused_ones_differ_from_is_made(
    design: CampaignDesign, project: Project, manager: User
) -> None:
    page = client_of(manager).post(f"/projects/{project.slug}/campaigns/new/", as_sent(design))
    assert page.status_code == 302
    assert Campaign.objects.get().name == "Round"


def test_all_that_is_wrong_is_told_at_once(design: CampaignDesign, project: Project, manager: User) -> None:
    """What cannot be read, what is not there and what cannot stay; nothing of what hangs on
    the unreadable.
    """
    sent = as_sent(design)
    wrong = {
        **sent,
        "name": 7,
        "rubric_version": 10**9,
        "item_choice": "some",
        "examples_wanted": 1,
        "lease_minutes": 1,
        "deadline": "2020-01-01T00:00:00Z",
        "overlap": 2,
        "surprise": True,
    }
    problem = problem_in(program_of(manager).post(f"projects/{project.slug}/campaigns/", wrong), 400)
    assert set(problem["fields"]) == {
        *("name", "rubric_version", "item_choice", "lease_minutes", "surprise"),
        *("deadline", "overlap"),
    }
    assert problem["fields"]["rubric_version"] == [f"This project has no rubric version with id {10**9}."]
    assert problem["fields"]["overlap"][0].startswith("2 reviewers per item need")
    # Of a list, the place in it; the others are still looked up and held against the rest.
    body = {**sent, "candidates": ["7", *sent["candidates"]], "reviewers": [10**9], "split": "test"}
    problem = problem_in(program_of(manager).post(f"projects/{project.slug}/campaigns/cost/", body), 400)
    assert set(problem["fields"]) == {"candidates.0", "reviewers", "split"}
    page = client_of(manager).post(
        f"/projects/{project.slug}/campaigns/new/",
        {**sent, "name": "", "overlap": 2, "deadline": "2020-01-01T00:00"},
    )
    assert page.status_code == 400
    for sentence in ("This field is required", "2 reviewers per item need", "The deadline is in the past."):
        assert sentence in page.text
    problem_in(program_of(manager).post(f"projects/{project.slug}/campaigns/", []), 400)
    assert not Campaign.objects.exists()
