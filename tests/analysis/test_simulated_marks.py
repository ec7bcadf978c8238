"""What simulated reviews were used for is marked on every page and in every list of choices."""

import re

import pytest

from evalapp.accounts.models import Membership, Project, Role, User
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from evalapp.scoring.services import save_rule_check
from tests.cast import client_of, make_user
from tests.factories import (
    answers,
    example_row,
    make_adapter,
    make_campaign,
    make_version,
    review_all,
    run_scoring,
    tagged,
)
from tests.results_pages import results_of

CHIP = 'class="chip chip-simulated"'


@pytest.fixture
def campaign(project: Project, manager: User, reviewer: User) -> Campaign:
    """People rate two candidates; “plain” was trained on simulated reviews."""
    Project.objects.filter(pk=project.pk).update(is_demonstration=True)
    project.refresh_from_db()
    campaign = make_campaign(project, [reviewer], rows=3)
    save_rule_check(
        project=project, name="Next step", kind="contains", params={"texts": ["next step"]}, by=manager
    )
    run_scoring(campaign)
    ModelVersion.objects.filter(project=project, label="plain").update(is_simulated=True)
    review_all(campaign, reviewer, {"plain": tagged(answers(tone=1), tone=["too-formal"])})
    return campaign


def page_of(person: User, project: Project, path: str) -> str:
    answer = client_of(person).get(f"/projects/{project.slug}/{path}")
    assert answer.status_code == 200, path
    return answer.text


def rows_with(text: str, page: str) -> list[str]:
    """The rows of tables, and headings, that hold the text."""
    parts = re.findall(r"<tr.*?</tr>|<h[23].*?</h[23]>", page, re.DOTALL)
    return [part for part in parts if re.search(rf">\s*{text}\s*<", part)]


@pytest.mark.parametrize("reviewer_type", ["all", "human"])
def test_each_table_of_the_comparison_marks_the_candidate(
    reviewer_type: str, campaign: Campaign, project: Project, manager: User
) -> None:
    address = f"/projects/{project.slug}/results/{campaign.pk}/"
    page = results_of(client_of(manager), address, f"?reviewer_type={reviewer_type}")
    plain = rows_with("plain", page.partition("Who is better · ")[2])
    # People, metrics, rules, reasons, and the difference on four criteria, the total and a share.
    assert len(plain) == 10
    assert all(CHIP in row for row in plain)
    assert not any(CHIP in row for row in rows_with("formal", page.partition("Who is better · ")[2]))
    assert '"plain (simulated)"' in page  # the chart's legend
    assert re.search(r"<option [^>]*>plain \(simulated\)</option>", page)
    lede = page.partition("<section")[0]
    assert CHIP in lede and "plain trained on simulated reviews" in lede


def test_cases_and_items_are_marked(campaign: Campaign, project: Project, manager: User) -> None:
    cases = rows_with("plain", page_of(manager, project, f"results/{campaign.pk}/cases/"))
    case = rows_with(
        "plain", page_of(manager, project, f"results/{campaign.pk}/cases/{campaign.items.first().pk}/")
    )
    assert len(cases) == 3 and all(CHIP in row for row in cases)
    assert len(case) == 1 and CHIP in case[0]

    items = f"campaigns/{campaign.pk}/items/"
    assert CHIP not in page_of(manager, project, items)
    Campaign.objects.filter(pk=campaign.pk).update(is_simulated=True)
    assert CHIP in page_of(manager, project, items)


def test_choices_say_it_in_words(campaign: Campaign, project: Project, engineer: User, manager: User) -> None:
    simulated = make_user("robot", is_simulated=True)
    Membership.objects.create(project=project, user=simulated, role=Role.REVIEWER)
    made = create_dataset(project=project, name="Corrections", by=None)
    version = create_version(
        dataset=made, rows=iter([example_row(1, split="train")]), by=None, is_simulated=True
    )
    adapter = make_adapter(project, "v2", dataset_version=version)
    ModelVersion.objects.filter(pk=adapter.pk).update(is_simulated=True)

    training = page_of(engineer, project, "runs/new/?kind=training")
    assert re.search(r"Corrections v1 \([^)]*\) \(simulated\)</option>", training)
    assert "Base: v2 (simulated)</option>" in training
    generation = page_of(engineer, project, "runs/new/?kind=generation")
    assert re.search(r"v2 \(LoRA, Base\) \(simulated\)\s*</label>", generation)
    design = page_of(manager, project, "campaigns/new/")
    assert re.search(r"plain · Imported outputs \(simulated\)\s*</label>", design)
    assert not re.search(r"formal · Imported outputs \(simulated\)", design)
    assert re.search(r"Robot \(simulated\)\s*</label>", design)
    assert "plain (simulated)</option>" in page_of(manager, project, f"results/{campaign.pk}/decide/")


def test_jobs_of_marked_runs_are_marked(project: Project, engineer: User) -> None:
    adapter = make_adapter(project, "v2", dataset_version=make_version(project))
    run = Run.objects.get(produced=adapter)
    scoring = Job.objects.create(project=project, task="t", title="Score v2", params={"run": run.pk})
    Job.objects.create(project=project, task="t", title="Import", params={"run": "odd", "export": [1]})
    assert CHIP not in page_of(engineer, project, "runs/jobs/")

    Run.objects.filter(pk=run.pk).update(is_simulated=True)
    listed = page_of(engineer, project, "runs/jobs/")
    assert [len(rows_with(title, listed)) for title in ("Score v2", "v2", "Import")] == [1, 1, 1]
    assert [CHIP in rows_with(title, listed)[0] for title in ("Score v2", "v2", "Import")] == [
        True,
        True,
        False,
    ]
    assert CHIP in page_of(engineer, project, f"runs/jobs/{scoring.pk}/")


def test_what_a_simulated_reviewer_did_is_marked_in_the_audit(
    project: Project, owner: User, reviewer: User
) -> None:
    simulated = make_user("robot", is_simulated=True)
    record("review.submitted", by=simulated, project=project)
    record("member.added", by=owner, obj=simulated, project=project)
    record("review.submitted", by=reviewer, project=project)
    page = page_of(owner, project, "settings/audit/")
    marked = [CHIP in row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)[1:]]
    assert marked == [False, True, True]
