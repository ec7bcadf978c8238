"""A candidate that was trained elsewhere passes a contamination check by somebody's word, which is kept."""

import pytest
from django.db import InternalError, transaction
from django.db.utils import DatabaseError

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.services import open_campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.gates.attestations import attest_training_data
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import CampaignGate, TrainingDataAttestation
from evalapp.gates.services import apply_gate
from evalapp.registry.models import ModelVersion
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import (
    answers,
    make_adapter,
    make_candidates,
    make_outputs,
    make_rubric,
    make_version,
    review_all,
)
from tests.gates.making import TONE_FLOOR, draft_of, make_gate

pytestmark = pytest.mark.django_db

WORD = "The vendor trained it on their own letters of 2023; our questions are of 2026."


@pytest.fixture
def gated(project: Project, reviewer: User, engineer: User) -> CampaignGate:
    """An imported candidate against an adapter that was trained here, all reviewed."""
    version = make_version(project, rows=12, split="test", name="Clients")
    (bought,) = make_candidates(project, ["bought"])
    champion = make_adapter(project, "v1", dataset_version=version)
    make_outputs(version, {champion: "Old answer {n}.", bought: "New answer {n}."}, split="test")
    rubric = make_rubric(project)
    campaign = draft_of(
        project, [reviewer, engineer], version, rubric, [champion, bought], split="test", name="Bought"
    )
    gate = make_gate(
        project,
        TONE_FLOOR,
        Condition(ConditionKind.CONTAMINATION),
        rubric=rubric.rubric,
        challengers=None,
        population="panel",
    )
    open_campaign(campaign=campaign, by=project.created_by)
    applied = apply_gate(campaign=campaign, gate=gate, champion=champion, by=project.created_by)
    for person in (reviewer, engineer):
        said = {(name, row): answers(tone=4 + row % 2) for name in ("v1", "bought") for row in range(1, 13)}
        review_all(campaign, person, said)
    return applied


def address(gated: CampaignGate, end: str = "") -> str:
    return f"/projects/{gated.campaign.project.slug}/campaigns/{gated.campaign_id}/gate/{end}"


def candidate_of(gated: CampaignGate) -> ModelVersion:
    return gated.campaign.candidates.get(position=1).model_version


def test_without_a_word_it_cannot_pass_and_with_one_it_does(
    gated: CampaignGate, manager: User, reviewer: User
) -> None:
    browser = client_of(manager)
    page = browser.get(address(gated)).text
    assert "bought cannot pass yet: it was not trained here" in page

    sent = {"campaign_gate": gated.pk, "candidate": "bought", "statement": WORD}
    assert client_of(reviewer).post(address(gated, "attest/"), sent).status_code == 403
    assert browser.post(address(gated, "attest/"), sent).status_code == 302
    page = browser.get(address(gated)).text
    assert "cannot pass yet" not in page and "attested by Manager" in page and "letters of 2023" in page
    assert AuditEvent.objects.filter(action="training_data.attested", actor_id=manager.pk).count() == 1

    found = evaluate_gate(campaign_gate=gated, candidate=candidate_of(gated), by=manager).evaluation
    assert found.verdict == "release"
    result = found.record["results"][1]
    assert result["state"] == "met"
    assert result["reason"].startswith("bought was not created here, so its training data is not known here.")
    assert f"“{WORD}”" in result["reason"]
    assert found.record["contamination"]["attested"]["statement"] == WORD


def test_unattested_it_is_undecided(gated: CampaignGate, manager: User) -> None:
    found = evaluate_gate(campaign_gate=gated, candidate=candidate_of(gated), by=manager).evaluation
    assert found.record["results"][1]["state"] == "undecided"
    assert found.record["contamination"]["attested"] is None


def test_what_is_known_here_is_compared_and_not_attested(gated: CampaignGate, manager: User) -> None:
    champion = gated.champion
    assert champion is not None
    with pytest.raises(InvalidError, match="is known here"):
        attest_training_data(campaign=gated.campaign, candidate=champion, statement=WORD, by=manager)


def test_a_word_says_how_and_is_given_once(gated: CampaignGate, manager: User) -> None:
    candidate = candidate_of(gated)
    with pytest.raises(InvalidError, match="Say how you know this"):
        attest_training_data(campaign=gated.campaign, candidate=candidate, statement=" ", by=manager)
    attest_training_data(campaign=gated.campaign, candidate=candidate, statement=WORD, by=manager)
    with pytest.raises(ConflictError, match="attested already"):
        attest_training_data(campaign=gated.campaign, candidate=candidate, statement="Again.", by=manager)
    with pytest.raises((InternalError, DatabaseError)), transaction.atomic():
        TrainingDataAttestation.objects.update(statement="Another.")


def test_by_machine(gated: CampaignGate, manager: User) -> None:
    program = program_of(manager)
    route = f"projects/{gated.campaign.project.slug}/campaigns/{gated.campaign_id}/gate/attestations/"
    sent = {"candidate": "bought", "statement": WORD}
    made = program.post(route, sent)
    assert (made.status_code, made.json()["label"]) == (201, "bought"), made.content
    assert [each["statement"] for each in program.get(route).json()["results"]] == [WORD]
    assert program.post(route, {**sent, "candidate": "other"}).status_code == 400
