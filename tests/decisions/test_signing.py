"""A gate's verdict is signed by somebody who did not train the candidate, and only through it one ships."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from evalapp.accounts.models import Project, User
from evalapp.analysis import keeping
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.decisions.dossiers import dossier_lines
from evalapp.decisions.models import Decision
from evalapp.decisions.services import decide
from evalapp.dossier import check, main
from evalapp.gates.looks import look_at
from evalapp.gates.models import CampaignGate, GateEvaluation
from evalapp.gates.services import take_gate
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all
from tests.gates.making import make_gate, make_gated_campaign, tuned_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def taken(project: Project, reviewer: User, engineer: User) -> CampaignGate:
    """Whose candidate, trained by the engineer, passes: all fives by two people on twelve items."""
    taken = make_gated_campaign(project, [reviewer, engineer], rows=12, challengers=1)
    Run.objects.filter(produced=tuned_of(taken)).update(created_by=engineer)
    return taken


def looked(taken: CampaignGate, *people: User, tone: int = 5) -> GateEvaluation:
    for person in people:
        review_all(taken.campaign, person, {"v1 Gated": answers(tone=tone)})
    return look_at(taken=taken, candidate=tuned_of(taken), by=None).evaluation


def sign(
    evaluation: GateEvaluation, by: User, verdict: str = "ship", replaces: int | None = None
) -> Decision:
    return decide(
        campaign=evaluation.taken.campaign,
        candidate=evaluation.candidate,
        verdict=verdict,
        note="As agreed.",
        by=by,
        evaluation=evaluation,
        replaces=replaces,
    )


def test_a_signed_ship_moves_the_champion_and_is_sealed(
    taken: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    evaluation = looked(taken, reviewer, engineer)
    assert evaluation.verdict == "ship"
    decision = sign(evaluation, manager)
    evaluation.candidate.refresh_from_db()
    assert evaluation.candidate.alias == "champion"
    assert (decision.evaluation, len(decision.seal)) == (evaluation, 64)
    assert sign(evaluation, manager) == decision
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Decision.objects.filter(pk=decision.pk).update(note="Otherwise.")


def test_signing_a_look_waits_for_no_comparison(
    taken: CampaignGate, reviewer: User, engineer: User, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = looked(taken, reviewer, engineer)
    monkeypatch.setattr(keeping, "MOST_AT_REQUEST", 10)
    decision = sign(evaluation, manager)
    assert decision.evidence["standing"]["computed_at"] is None
    assert decision.evidence["total"]["reason"] == "not computed yet"
    assert decision.seal


def test_a_signed_look_is_signed_anew_only_by_who_has_seen_that(
    taken: CampaignGate, project: Project, reviewer: User, engineer: User, manager: User, owner: User
) -> None:
    evaluation = looked(taken, reviewer, engineer)
    address = f"/projects/{project.slug}/gates/looks/{evaluation.pk}/sign/"
    browser = client_of(owner)
    assert "What is signed now replaces it" not in browser.get(address).text
    refusal = sign(evaluation, manager, "do_not_ship")

    # The owner's form was opened before that.
    late = browser.post(address, {"verdict": "ship", "note": "It passed.", "replaces": ""})
    assert late.status_code == 409
    assert "Manager has signed “do not ship” on this look" in late.text and "It passed." in late.text
    assert Decision.objects.get() == refusal and not ModelVersion.objects.filter(alias="champion").exists()
    assert f'name="replaces" value="{refusal.pk}"' in late.text
    body = {
        "campaign": taken.campaign_id, "candidate": evaluation.candidate_id, "verdict": "ship",
        "note": "", "evaluation": evaluation.pk,
    }  # fmt: skip
    program = program_of(owner)
    assert program.post(f"projects/{project.slug}/decisions/", body).status_code == 409
    assert "What is signed now replaces it" in browser.get(address).text

    again = browser.post(address, {"verdict": "ship", "note": "It passed.", "replaces": refusal.pk})
    assert again.status_code == 302 and Decision.objects.latest("pk").verdict == "ship"
    other = {**body, "verdict": "do_not_ship", "note": "Wait.", "replaces": Decision.objects.latest("pk").pk}
    assert program.post(f"projects/{project.slug}/decisions/", other).status_code == 201


def test_who_started_the_training_does_not_sign(
    taken: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    Run.objects.filter(produced=tuned_of(taken)).update(created_by=manager)
    evaluation = looked(taken, reviewer, engineer)
    with pytest.raises(NotAllowedError, match="You started the training of v1 Gated"):
        sign(evaluation, manager)
    address = f"/projects/{taken.campaign.project.slug}/gates/looks/{evaluation.pk}/sign/"
    page = client_of(manager).get(address).content.decode()
    assert "You started the training of v1 Gated" in page
    assert "Sign</button>" not in page
    answer = client_of(manager).post(address, {"verdict": "ship", "note": ""})
    assert (answer.status_code, "You started the training" in answer.content.decode()) == (403, True)
    assert not Decision.objects.exists()


def test_nothing_ships_past_the_gate(
    taken: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    evaluation = looked(taken, reviewer, engineer, tone=2)
    assert evaluation.verdict == "do_not_ship"
    with pytest.raises(ConflictError, match="cannot be signed as “ship”"):
        sign(evaluation, manager)
    unsigned = {"campaign": taken.campaign, "candidate": evaluation.candidate, "note": "", "by": manager}
    with pytest.raises(ConflictError, match="has the gate"):
        decide(verdict="ship", **unsigned)  # type: ignore[arg-type]
    assert decide(verdict="not_yet", **unsigned).seal == ""  # type: ignore[arg-type]
    assert sign(evaluation, manager, "do_not_ship").seal


def test_nothing_ships_round_the_gate_by_a_campaign_that_has_none(
    taken: CampaignGate, project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    beside = make_campaign(project, [reviewer], name="Beside the gate")
    review_all(beside, reviewer, {})
    candidate = beside.candidates.select_related("model_version").first()
    assert candidate is not None
    said = {"campaign": beside, "candidate": candidate.model_version, "note": "", "by": manager}
    with pytest.raises(ConflictError, match="This project decides by the gate “Gate of Gated"):
        decide(verdict="ship", **said)  # type: ignore[arg-type]
    page = client_of(manager).post(
        f"/projects/{project.slug}/compare/{beside.pk}/decide/",
        {"candidate": candidate.model_version_id, "verdict": "ship", "note": ""},
    )
    assert (page.status_code, "decides by the gate “Gate of Gated" in page.text) == (400, True)
    assert decide(verdict="do_not_ship", **said).verdict == "do_not_ship"  # type: ignore[arg-type]
    # One that was taken late is not "none", and ships nothing either.
    late = make_gate(project, rubric=beside.rubric_version.rubric, name="Late")
    take_gate(campaign=beside, gate=late, champion=candidate.model_version, by=manager)
    with pytest.raises(
        ConflictError, match=r"took “Late.*” after its first review, so that it explores: a candidate"
    ):
        decide(verdict="ship", **said)  # type: ignore[arg-type]
    assert not ModelVersion.objects.filter(alias="champion").exists()
    evaluation = looked(taken, reviewer, engineer)
    assert sign(evaluation, manager).candidate == evaluation.candidate


def test_the_form_offers_what_can_be_decided_and_leads_to_the_gate_that_forbids_the_rest(
    taken: CampaignGate, project: Project, reviewer: User, manager: User
) -> None:
    beside = make_campaign(project, [reviewer], name="Beside the gate")
    review_all(beside, reviewer, {})
    review_all(taken.campaign, reviewer, {})
    for campaign in (beside, taken.campaign):
        page = client_of(manager).get(f"/projects/{project.slug}/compare/{campaign.pk}/decide/").text
        assert 'value="not_yet"' in page and 'value="ship"' not in page
        assert f'href="/projects/{project.slug}/campaigns/{taken.campaign_id}/gate/">See the gate' in page
        assert "champion." not in page
    assert (
        "which Gated took before its first review"
        in client_of(manager).get(f"/projects/{project.slug}/compare/{beside.pk}/decide/").text
    )
    taken.delete()
    page = client_of(manager).get(f"/projects/{project.slug}/compare/{beside.pk}/decide/").text
    assert 'value="ship"' in page and "See the gate" not in page


def test_only_the_newest_look_at_that_candidate_is_signed(
    project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    taken = make_gated_campaign(project, [reviewer, engineer], rows=2)
    first = looked(taken, reviewer)
    looked(taken, engineer)
    with pytest.raises(ConflictError, match="newer look"):
        sign(first, manager, "not_yet")
    other = make_gated_campaign(project, [reviewer], rows=2, name="Other")
    review_all(other.campaign, reviewer, {})
    with pytest.raises(InvalidError, match="not at that candidate"):
        decide(
            campaign=other.campaign,
            candidate=tuned_of(other),
            verdict="not_yet",
            note="",
            by=manager,
            evaluation=first,
        )


def test_what_explores_or_is_simulated_is_not_signed(
    project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    explored = make_gated_campaign(project, [reviewer, engineer], rows=2, split="validation")
    with pytest.raises(InvalidError, match="exploratory"):
        sign(looked(explored, reviewer), manager, "not_yet")


def test_the_dossier_is_downloaded_holds_and_ends_with_the_seal_on_the_page(
    taken: CampaignGate,
    reviewer: User,
    engineer: User,
    manager: User,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    decision = sign(looked(taken, reviewer, engineer), manager)
    address = f"/projects/{taken.campaign.project.slug}/decisions/{decision.pk}/"
    page = client_of(engineer).get(address).content.decode()
    assert decision.seal in page
    assert "The one condition holds" in page
    answer = client_of(engineer).get(f"{address}dossier/")
    file = tmp_path / "dossier.jsonl"
    file.write_bytes(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    found = check(file.read_text(encoding="utf-8").splitlines(keepends=True), seal=decision.seal)
    assert (found.problem, found.reviews, found.seal) == ("", 48, decision.seal)
    assert main([str(file), "--seal", decision.seal]) == 0
    assert "The chain holds" in capsys.readouterr().out
    assert manager.name not in file.read_text(encoding="utf-8")


def test_the_dossier_of_an_early_look_that_shows_nothing_holds_too(
    taken: CampaignGate, reviewer: User, manager: User
) -> None:
    decision = sign(looked(taken, reviewer), manager, "not_yet")
    found = check(dossier_lines(decision), seal=decision.seal)
    assert (found.problem, found.reviews) == ("", 24)


def test_a_decision_without_a_gate_has_no_dossier(
    taken: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    looked(taken, reviewer, engineer)
    decision = decide(
        campaign=taken.campaign, candidate=tuned_of(taken), verdict="not_yet", note="", by=manager
    )
    address = f"/projects/{taken.campaign.project.slug}/decisions/{decision.pk}/"
    assert "without a gate" in client_of(manager).get(address).content.decode()
    assert client_of(manager).get(f"{address}dossier/").status_code == 409


def test_any_record_that_is_changed_is_named(
    taken: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    decision = sign(looked(taken, reviewer, engineer), manager)
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
    taken: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    evaluation = looked(taken, reviewer, engineer)
    said: dict[str, Any] = {
        "campaign": taken.campaign, "candidate": evaluation.candidate, "by": manager, "evaluation": evaluation,
    }  # fmt: skip
    with pytest.raises(InvalidError, match=r"The gate says ship\. Say why you decide otherwise") as refused:
        decide(verdict="do_not_ship", note=" ", **said)
    assert set(refused.value.fields) == {"note"}
    assert decide(verdict="do_not_ship", note="The licence is not settled.", **said).seal
