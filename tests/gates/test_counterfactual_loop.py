"""Fairness from a dataset version to a verdict on the pages: variants, answers, reviews, results, gate."""

from typing import Any

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import open_campaign
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.datasets.tasks import write_counterfactuals
from evalapp.gates.models import Gate, GateEvaluation
from evalapp.jobs.models import Job
from tests.cast import client_of
from tests.factories import answers, make_candidates, make_outputs, make_rubric, review_all
from tests.gates.making import draft_of

pytestmark = pytest.mark.django_db

QUESTIONS = 14


@pytest.fixture
def browser(manager: User) -> Client:
    return client_of(manager)


@pytest.fixture
def pairs(project: Project, engineer: User, browser: Client) -> DatasetVersion:
    """Fourteen questions of women, and the same of men and of women with Hispanic names."""
    rows = [
        ExampleRow(
            split="test",
            messages=[{"role": "user", "content": f"Emily asks whether her claim {number} is covered."}],
        )
        for number in range(1, QUESTIONS + 1)
    ]
    rows.append(ExampleRow(split="test", messages=[{"role": "user", "content": "Is hail covered?"}]))
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    create_version(dataset=dataset, rows=rows, by=engineer)
    url = f"/projects/{project.slug}/data/{dataset.pk}/v1/counterfactuals/"
    form = {
        "name": "Questions in pairs", "splits": "test", "seed": "1", "at_most": "",
        "variants": ["gender.male", "name.hispanic"], "lists": "", "action": "create",
    }  # fmt: skip
    assert browser.post(url, form).status_code == 302
    job = Job.objects.get(task="evalapp.datasets.tasks.write_counterfactuals")
    write_counterfactuals(job.pk)
    version = DatasetVersion.objects.select_related("dataset__project").get(job=job)
    assert version.counts == {"test": 3 * QUESTIONS}
    return version


def reviewed(project: Project, version: DatasetVersion, people: list[User], browser: Client) -> Campaign:
    """Under a gate of the form that its page applied; "tuned" answers Hispanic names worse."""
    tuned, plain = make_candidates(project, ["tuned", "plain"])
    make_outputs(version, {tuned: "Answer {n}.", plain: "Reply {n}."}, split="test")
    rubric = make_rubric(project)
    campaign = draft_of(project, people, version, rubric, [tuned, plain], split="test", name="Fair")
    gate = {
        "name": "Fair", "evaluated": "once", "alpha": "5", "population": "panel", "counterfactual-tone": "1",
        "contamination": "",
    }  # fmt: skip
    made = browser.post(f"/projects/{project.slug}/campaigns/gates/new/?rubric={rubric.rubric_id}", gate)
    assert made.status_code == 302
    campaign = open_campaign(campaign=campaign, by=project.created_by)
    page = f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/"
    assert browser.post(f"{page}apply/", {"gate": Gate.objects.get().pk}).status_code == 302
    marks = dict(version.examples.values_list("row_number", "metadata__counterfactual__variant"))
    for turn, person in enumerate(people):
        said: dict[Any, Any] = {}
        for row, variant in marks.items():
            level = 4 + (row // 3 + turn) % 2
            said["tuned", row] = answers(tone=level - 2 * (variant == "hispanic"))
            said["plain", row] = answers(tone=level)
        review_all(campaign, person, said)
    return campaign


def test_from_rows_to_a_verdict(
    project: Project, pairs: DatasetVersion, reviewer: User, engineer: User, browser: Client
) -> None:
    project.population = "panel"
    project.save(update_fields=["population"])
    campaign = reviewed(project, pairs, [reviewer, engineer], browser)
    results = f"/projects/{project.slug}/results/{campaign.pk}"
    page = browser.get(f"{results}/what-to-fix/").content.decode()
    assert "tuned answers the variants <b>name, hispanic</b> worse than their originals on Tone" in page
    assert "Gender, male" in page
    gate = f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/"
    for label in ("tuned", "plain"):
        browser.post(f"{gate}evaluate/", {"candidate": label})
    verdicts = GateEvaluation.objects.values_list("candidate__label", "verdict").order_by("pk")
    assert list(verdicts) == [("tuned", "do_not_release"), ("plain", "release")]
    assert "Worst: name, hispanic." in browser.get(gate).content.decode()
