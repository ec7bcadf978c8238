"""Gates for machines: written, applied, evaluated and signed, with the refusals of the pages."""

from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.gates.models import GateEvaluation
from evalapp.runs.models import Run
from tests.api.conftest import Program, problem_in, program_of
from tests.factories import answers, make_campaign, make_rubric, review_all
from tests.gates.making import make_gated_campaign, tuned_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(manager: User) -> Program:
    return program_of(manager)


def test_a_gate_is_saved_applied_and_read(project: Project, program: Program, reviewer: User) -> None:
    campaign = make_campaign(project, [reviewer], rows=2)
    body: dict[str, Any] = {
        "name": "Release",
        "rubric": make_rubric(project).rubric.pk,
        "conditions": [{"kind": "floor", "criterion": "tone", "threshold": 4.5}, {"kind": "contamination"}],
    }
    start = f"projects/{project.slug}"
    saved = program.post(f"{start}/gates/", body)
    assert saved.status_code == 201, saved.content
    gate = saved.json()
    assert (gate["version"], gate["frozen_at"], gate["conditions"][0]["name"]) == (1, None, "Tone")
    where = f"{start}/campaigns/{campaign.pk}/gate/"
    nothing = {"verdict": None, "more_reviews": None, "reason": "", "campaign_gate": None, "evaluation": None}
    assert program.get(where).json() == nothing
    assert "has no gate to evaluate" in problem_in(program.post(where), 409)["message"]
    campaign_gate = program.post(f"{where}apply/", {"gate": gate["id"]})
    assert (campaign_gate.status_code, campaign_gate.json()["is_exploratory"]) == (201, False)
    assert campaign_gate.json()["gate"]["frozen_at"]
    again = program.post(f"{start}/gates/", {**body, "planned_reviews": 3}).json()
    assert (again["version"], again["id"] != gate["id"]) == (2, True)
    wrong = problem_in(program.post(f"{start}/gates/", {**body, "name": "Other", "conditions": []}), 400)
    assert "conditions" in wrong["fields"]


def test_a_look_is_posted_read_and_signed_by_another_than_the_trainer(
    project: Project, program: Program, manager: User, owner: User, reviewer: User, engineer: User
) -> None:
    campaign_gate = make_gated_campaign(project, [reviewer, engineer], rows=12, challengers=1)
    for person in (reviewer, engineer):
        review_all(campaign_gate.campaign, person, {"v1 Gated": answers(tone=5)})
    Run.objects.filter(produced=tuned_of(campaign_gate)).update(created_by=manager)
    where = f"projects/{project.slug}/campaigns/{campaign_gate.campaign_id}/gate/"
    posted = program.post(where, {"candidate": "v1 Gated"})
    assert (posted.status_code, posted.json()["verdict"]) == (201, "release")
    assert program.post(where).status_code == 200
    assert program.get(where).json() == posted.json()
    # What is hashed has every digit that was computed; what is read has none of them that says nothing.
    shown = posted.json()["evaluation"]["level"]
    assert shown == 0.05 and GateEvaluation.objects.get().level == pytest.approx(shown)
    assert [each["number"] for each in program.get(f"{where}evaluations/").json()["results"]] == [1]
    assert GateEvaluation.objects.count() == 1
    decision = {
        "campaign": campaign_gate.campaign_id,
        "candidate": tuned_of(campaign_gate).pk,
        "verdict": "release",
        "evaluation": posted.json()["evaluation"]["id"],
    }
    decisions = f"projects/{project.slug}/decisions/"
    assert "You started the training" in problem_in(program.post(decisions, decision), 403)["message"]
    signed = program_of(owner).post(decisions, decision)
    assert (signed.status_code, len(signed.json()["seal"])) == (201, 64)
    file = program.get(f"{decisions}{signed.json()['id']}/dossier/")
    assert b"".join(file.streaming_content).endswith(b"}\n")


def test_a_candidate_that_is_not_there_is_named(project: Project, program: Program, reviewer: User) -> None:
    campaign_gate = make_gated_campaign(project, [reviewer], rows=2)
    where = f"projects/{project.slug}/campaigns/{campaign_gate.campaign_id}/gate/"
    problem = problem_in(program.post(where, {"candidate": "nobody"}), 400)
    assert "There is: v1 Gated" in problem["fields"]["candidate"][0]
