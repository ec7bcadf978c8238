"""A gate's verdict is signed by somebody who did not train the candidate, and only through it one is
released.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from evalapp.accounts.models import Project, User
from evalapp.analysis.stored import stored_results
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.decisions.dossiers import dossier_lines
from evalapp.decisions.models import Decision
from evalapp.decisions.services import decide
from evalapp.dossier import check, main
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import CampaignGate, GateEvaluation
from evalapp.gates.services import apply_gate
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from tests.api.conftest import program_of
from tests.cast import client_of, make_project
from tests.factories import answers, make_campaign, review_all
from tests.gates.making import make_gate, make_gated_campaign, tuned_of
from tests.kept_cast import FIXTURES, Cast, again

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES


@pytest.fixture(scope="module")
def gated(cast: Cast) -> CampaignGate:
    """Whose candidate, trained by the engineer, passes: all fives by two people on twelve items."""
    people = [cast.reviewer, cast.engineer]
    campaign_gate = make_gated_campaign(cast.project, people, rows=12, challengers=1)
    Run.objects.filter(produced=tuned_of(campaign_gate)).update(created_by=cast.engineer)
    return campaign_gate


@pytest.fixture(scope="module")
def reviewed_project(cast: Cast) -> Project:
    return make_project(
        "Reviewed", owner=cast.owner, manager=cast.manager, engineer=cast.engineer, reviewer=cast.reviewer
    )


@pytest.fixture(scope="module")
def passed(cast: Cast, reviewed_project: Project) -> GateEvaluation:
    """As `gated`, of another project, and passed."""
    people = [cast.reviewer, cast.engineer]
    campaign_gate = make_gated_campaign(reviewed_project, people, rows=12, challengers=1)
    Run.objects.filter(produced=tuned_of(campaign_gate)).update(created_by=cast.engineer)
    return evaluated(campaign_gate, *people)


@pytest.fixture
def campaign_gate(gated: CampaignGate) -> CampaignGate:
    return again(gated)


@pytest.fixture
def evaluation(passed: GateEvaluation) -> GateEvaluation:
    return again(passed)


def evaluated(campaign_gate: CampaignGate, *people: User, tone: int = 5) -> GateEvaluation:
    for person in people:
        review_all(campaign_gate.campaign, person, {"v1 Gated": answers(tone=tone)})
    return evaluate_gate(campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=None).evaluation


def sign(
    evaluation: GateEvaluation, by: User, verdict: str = "release", replaces: int | None = None
) -> Decision:
    return decide(
        campaign=evaluation.campaign_gate.campaign,
        candidate=evaluation.candidate,
        verdict=verdict,
        note="As agreed.",
        by=by,
        evaluation=evaluation,
        replaces=replaces,
    )


def test_a_signed_ship_moves_the_champion_and_is_sealed(evaluation: GateEvaluation, manager: User) -> None:
    assert evaluation.verdict == "release"
    decision = sign(evaluation, manager)
    evaluation.candidate.refresh_from_db()
    assert evaluation.candidate.alias == "champion"
    assert (decision.evaluation, len(decision.seal)) == (evaluation, 64)
    assert sign(evaluation, manager) == decision
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Decision.objects.filter(pk=decision.pk).update(note="Otherwise.")


def test_signing_a_look_waits_for_no_comparison(
    evaluation: GateEvaluation,
    manager: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    decision = sign(evaluation, manager)
    assert decision.evidence["freshness"]["computed_at"] is None
    assert decision.evidence["total"]["reason"] == "not computed yet"
    assert decision.seal


def test_a_signed_look_is_signed_anew_only_by_who_has_seen_that(
    evaluation: GateEvaluation, manager: User, owner: User
) -> None:
    project = evaluation.campaign_gate.campaign.project
    address = f"/projects/{project.slug}/results/gate-evaluations/{evaluation.pk}/sign/"
    browser = client_of(owner)
    assert "A new signature replaces it" not in browser.get(address).text
    refusal = sign(evaluation, manager, "do_not_release")

    # The owner's form was opened before that.
    late = browser.post(address, {"verdict": "release", "note": "It passed.", "replaces": ""})
    assert late.status_code == 409
    assert "Manager has signed “do not release” on this evaluation" in late.text and "It passed." in late.text
    assert Decision.objects.get() == refusal and not ModelVersion.objects.filter(alias="champion").exists()
    assert f'name="replaces" value="{refusal.pk}"' in late.text
    body = {
        "campaign": evaluation.campaign_gate.campaign_id, "candidate": evaluation.candidate_id,
        "verdict": "release", "note": "", "evaluation": evaluation.pk,
    }  # fmt: skip
    program = program_of(owner)
    assert program.post(f"projects/{project.slug}/decisions/", body).status_code == 409
    assert "A new signature replaces it" in browser.get(address).text

    again = browser.post(address, {"verdict": "release", "note": "It passed.", "replaces": refusal.pk})
    assert again.status_code == 302 and Decision.objects.latest("pk").verdict == "release"
    other = {
        **body,
        "verdict": "do_not_release",
        "note": "Wait.",
        "replaces": Decision.objects.latest("pk").pk,
    }
    assert program.post(f"projects/{project.slug}/decisions/", other).status_code == 201


def test_who_started_the_training_does_not_sign(evaluation: GateEvaluation, manager: User) -> None:
    Run.objects.filter(produced=evaluation.candidate).update(created_by=manager)
    with pytest.raises(NotAllowedError, match="You started the training of v1 Gated"):
        sign(evaluation, manager)
    project = evaluation.campaign_gate.campaign.project
    address = f"/projects/{project.slug}/results/gate-evaluations/{evaluation.pk}/sign/"
    page = client_of(manager).get(address).content.decode()
    assert "You started the training of v1 Gated" in page
    assert "Sign</button>" not in page
    answer = client_of(manager).post(address, {"verdict": "release", "note": ""})
    assert (answer.status_code, "You started the training" in answer.content.decode()) == (403, True)
    assert not Decision.objects.exists()


def test_nothing_ships_past_the_gate(
    campaign_gate: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    evaluation = evaluated(campaign_gate, reviewer, engineer, tone=2)
    assert evaluation.verdict == "do_not_release"
    with pytest.raises(ConflictError, match="cannot be signed as “release”"):
        sign(evaluation, manager)
    unsigned = {
        "campaign": campaign_gate.campaign,
        "candidate": evaluation.candidate,
        "note": "",
        "by": manager,
    }
    with pytest.raises(ConflictError, match="has the gate"):
        decide(verdict="release", **unsigned)  # type: ignore[arg-type]
    assert decide(verdict="not_yet", **unsigned).seal == ""  # type: ignore[arg-type]
    assert sign(evaluation, manager, "do_not_release").seal


def test_nothing_ships_round_the_gate_by_a_campaign_that_has_none(
    campaign_gate: CampaignGate, project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    beside = make_campaign(project, [reviewer], name="Beside the gate")
    review_all(beside, reviewer, {})
    candidate = beside.candidates.select_related("model_version").first()
    assert candidate is not None
    said = {"campaign": beside, "candidate": candidate.model_version, "note": "", "by": manager}
    with pytest.raises(ConflictError, match="This project decides by the gate “Gate of Gated"):
        decide(verdict="release", **said)  # type: ignore[arg-type]
    page = client_of(manager).post(
        f"/projects/{project.slug}/results/{beside.pk}/decide/",
        {"candidate": candidate.model_version_id, "verdict": "release", "note": ""},
    )
    assert (page.status_code, "decides by the gate “Gate of Gated" in page.text) == (400, True)
    assert decide(verdict="do_not_release", **said).verdict == "do_not_release"  # type: ignore[arg-type]
    # One that was applied late is not "none", and releases nothing either.
    late = make_gate(project, rubric=beside.rubric_version.rubric, name="Late")
    apply_gate(campaign=beside, gate=late, champion=candidate.model_version, by=manager)
    with pytest.raises(
        ConflictError, match=r"applied “Late.*” after its first review, so it is exploratory: a candidate"
    ):
        decide(verdict="release", **said)  # type: ignore[arg-type]
    assert not ModelVersion.objects.filter(alias="champion").exists()
    evaluation = evaluated(campaign_gate, reviewer, engineer)
    assert sign(evaluation, manager).candidate == evaluation.candidate


def test_the_form_offers_what_can_be_decided_and_leads_to_the_gate_that_forbids_the_rest(
    campaign_gate: CampaignGate, project: Project, reviewer: User, manager: User
) -> None:
    beside = make_campaign(project, [reviewer], name="Beside the gate")
    review_all(beside, reviewer, {})
    review_all(campaign_gate.campaign, reviewer, {})
    for campaign in (beside, campaign_gate.campaign):
        page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/decide/").text
        assert 'value="not_yet"' in page and 'value="release"' not in page
        assert (
            f'href="/projects/{project.slug}/campaigns/{campaign_gate.campaign_id}/gate/">See the gate'
            in page
        )
        assert "champion." not in page
    assert (
        "which Gated applied before its first review"
        in client_of(manager).get(f"/projects/{project.slug}/results/{beside.pk}/decide/").text
    )
    campaign_gate.delete()
    page = client_of(manager).get(f"/projects/{project.slug}/results/{beside.pk}/decide/").text
    assert 'value="release"' in page and "See the gate" not in page


def test_only_the_newest_evaluation_of_that_candidate_is_signed(
    empty_project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    campaign_gate = make_gated_campaign(empty_project, [reviewer, engineer], rows=2)
    first = evaluated(campaign_gate, reviewer)
    evaluated(campaign_gate, engineer)
    with pytest.raises(ConflictError, match="newer evaluation"):
        sign(first, manager, "not_yet")
    other = make_gated_campaign(empty_project, [reviewer], rows=2, name="Other")
    review_all(other.campaign, reviewer, {})
    with pytest.raises(InvalidError, match="belongs to another candidate or campaign"):
        decide(
            campaign=other.campaign,
            candidate=tuned_of(other),
            verdict="not_yet",
            note="",
            by=manager,
            evaluation=first,
        )


def test_what_explores_or_is_simulated_is_not_signed(
    empty_project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    explored = make_gated_campaign(empty_project, [reviewer, engineer], rows=2, split="validation")
    with pytest.raises(InvalidError, match="exploratory"):
        sign(evaluated(explored, reviewer), manager, "not_yet")


def test_the_dossier_is_downloaded_holds_and_ends_with_the_seal_on_the_page(
    evaluation: GateEvaluation,
    engineer: User,
    manager: User,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    decision = sign(evaluation, manager)
    address = f"/projects/{evaluation.campaign_gate.campaign.project.slug}/results/decisions/{decision.pk}/"
    page = client_of(engineer).get(address).content.decode()
    assert decision.seal in page
    assert "The one condition is met" in page
    answer = client_of(engineer).get(f"{address}dossier/")
    file = tmp_path / "dossier.jsonl"
    file.write_bytes(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    found = check(file.read_text(encoding="utf-8").splitlines(keepends=True), seal=decision.seal)
    assert (found.problem, found.reviews, found.seal) == ("", 48, decision.seal)
    assert main([str(file), "--seal", decision.seal]) == 0
    assert "The chain is valid" in capsys.readouterr().out
    assert manager.name not in file.read_text(encoding="utf-8")


def test_the_dossier_of_an_early_look_that_shows_nothing_holds_too(
    campaign_gate: CampaignGate, reviewer: User, manager: User
) -> None:
    decision = sign(evaluated(campaign_gate, reviewer), manager, "not_yet")
    found = check(dossier_lines(decision), seal=decision.seal)
    assert (found.problem, found.reviews) == ("", 24)


def test_a_decision_without_a_gate_has_no_dossier(evaluation: GateEvaluation, manager: User) -> None:
    campaign = evaluation.campaign_gate.campaign
    decision = decide(
        campaign=campaign,
        candidate=evaluation.candidate,
        verdict="not_yet",
        note="",
        by=manager,
    )
    address = f"/projects/{campaign.project.slug}/results/decisions/{decision.pk}/"
    assert "without a gate" in client_of(manager).get(address).content.decode()
    assert client_of(manager).get(f"{address}dossier/").status_code == 409


def test_any_record_that_is_changed_is_named(evaluation: GateEvaluation, manager: User) -> None:
    decision = sign(evaluation, manager)
    lines = list(dossier_lines(decision))
    kinds = [json.loads(line)["kind"] for line in lines]
    assert set(kinds) == {"gate", "dataset", "candidate", "review", "evaluation", "decision", "seal"}
    for kind in dict.fromkeys(kinds):
        position = kinds.index(kind)
        record = json.loads(lines[position])
        record["body"] = {**record["body"], "changed": True}
        changed = [*lines[:position], json.dumps(record), *lines[position + 1 :]]
        assert check(changed).problem.startswith(f"Record {position + 1} ({kind}): its content"), kind


def test_what_is_decided_otherwise_than_the_gate_says_has_a_reason(
    evaluation: GateEvaluation, manager: User
) -> None:
    said: dict[str, Any] = {
        "campaign": evaluation.campaign_gate.campaign, "candidate": evaluation.candidate, "by": manager,
        "evaluation": evaluation,
    }  # fmt: skip
    with pytest.raises(
        InvalidError, match=r"The gate says release\. Give a reason for deciding otherwise"
    ) as refused:
        decide(verdict="do_not_release", note=" ", **said)
    assert set(refused.value.fields) == {"note"}
    assert decide(verdict="do_not_release", note="The licence is not settled.", **said).seal
