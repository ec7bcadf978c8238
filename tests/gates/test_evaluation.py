"""An evaluation is recorded once, spends a part of its ledger's level, and counts what people said alone."""

import pytest
from django.db import IntegrityError, transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.services import add_reviewers, open_campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.services import create_dataset, create_version
from evalapp.dossier import digest
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import CampaignGate, GateEvaluation, Ledger
from evalapp.gates.queries import ledger_rows
from evalapp.gates.services import apply_gate
from evalapp.registry.models import ModelVersion
from evalapp.reports.decision_sections import verdict_words
from evalapp.reviews.models import Review
from evalapp.reviews.services import amend_review
from evalapp.runs.models import ContaminationDecision, Run
from evalapp.stats.sequential import interim_levels
from tests.cast import client_of
from tests.factories import answers, example_row, make_outputs, review_all
from tests.gates.making import TONE_FLOOR, draft_of, make_gate, make_gated_campaign, tuned_of
from tests.kept_cast import FIXTURES, Cast, again
from tests.ratings.files import imported, rating, table

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES

GOOD = {f"v1 {name}": answers(tone=5) for name in ("Gated", "Second")}


@pytest.fixture(scope="module")
def half_reviewed(cast: Cast) -> CampaignGate:
    campaign_gate = make_gated_campaign(cast.project, [cast.reviewer, cast.engineer], challengers=1)
    review_all(campaign_gate.campaign, cast.reviewer, GOOD)
    return campaign_gate


@pytest.fixture
def campaign_gate(half_reviewed: CampaignGate) -> CampaignGate:
    """The reviewer has reviewed all of it, the engineer nothing."""
    return again(half_reviewed)


def test_who_became_a_reviewer_after_the_first_review_is_counted_apart(
    campaign_gate: CampaignGate, other_reviewer: User, manager: User
) -> None:
    campaign = campaign_gate.campaign
    assert add_reviewers(campaign=campaign, reviewers=[other_reviewer], by=manager) == 1
    review_all(campaign, other_reviewer, GOOD)
    evaluation = evaluate_gate(
        campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager
    ).evaluation
    assert (evaluation.record["reviewers"], evaluation.record["reviewers_added_later"]) == (2, 1)
    page = client_of(manager).get(f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/").text
    assert "by 2 reviewers (1 added after the first review)" in page
    assert "2 reviewers (1 added after the first review)" in verdict_words(evaluation)


def test_nobody_of_imported_ratings_was_added_later(empty_project: Project, manager: User) -> None:
    given = (rating(item, "base", f"rater {n}", "Tone", 4) for item in range(1, 4) for n in (1, 2))
    imported(empty_project, manager, table(*given))
    campaign = empty_project.campaigns.get()
    gate = make_gate(empty_project, rubric=campaign.rubric_version.rubric, name="Imported")
    evaluation = evaluate_gate(
        campaign_gate=apply_gate(campaign=campaign, gate=gate, by=manager),
        candidate=campaign.candidates.get().model_version,
        by=manager,
    ).evaluation
    assert (evaluation.record["reviewers"], evaluation.record["reviewers_added_later"]) == (2, 0)


def test_a_look_keeps_what_it_saw_and_never_changes(
    campaign_gate: CampaignGate, engineer: User, manager: User
) -> None:
    review_all(campaign_gate.campaign, engineer, GOOD)
    found = evaluate_gate(campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager)
    evaluation = GateEvaluation.objects.get()
    assert (found.is_new, found.evaluation, evaluation.number, evaluation.challenger) == (
        True,
        evaluation,
        1,
        1,
    )
    assert evaluation.level == pytest.approx(0.05)
    assert evaluation.body_hash == digest(evaluation.record)
    assert evaluation.record["items"] == 6
    assert evaluation.record["reviewers"] == 2
    assert len(evaluation.reviews.split("\n")) == 24
    (result,) = evaluation.record["results"]
    assert (result["state"], result["measure"]["value"]) == ("met", 5.0)
    event = AuditEvent.objects.get(action="gate.evaluated")
    assert (event.actor_id, event.data["body_hash"]) == (manager.pk, evaluation.body_hash)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        GateEvaluation.objects.update(verdict="not_yet")


def test_without_a_new_review_the_last_evaluation_stands_and_nothing_is_spent(
    campaign_gate: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    first = evaluate_gate(campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager)
    again = evaluate_gate(campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager)
    assert (again.evaluation, again.is_new) == (first.evaluation, False)
    # What was said otherwise since is no further evidence.
    review = Review.objects.order_by("pk").first()
    assert review is not None
    amend_review(review=review, by=reviewer, answers=answers(tone=1), revision=1)
    with pytest.raises(ConflictError, match="no more reviews") as caught:
        evaluate_gate(campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager)
    assert caught.value.code == "no_more_reviews"
    review_all(campaign_gate.campaign, engineer, GOOD)
    next_one = evaluate_gate(
        campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager
    ).evaluation
    assert (next_one.number, next_one.share) == (2, 1.0)
    assert next_one.reviews.count('"counts":false') == 1


def test_half_way_little_is_spent_and_at_the_planned_end_what_is_open_is_not_shown(
    campaign_gate: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    v1 = tuned_of(campaign_gate)
    half = evaluate_gate(campaign_gate=campaign_gate, candidate=v1, by=manager).evaluation
    assert (half.verdict, half.share, half.planned) == ("not_yet", 0.5, 12)
    first, second = interim_levels(0.05, [0.5, 1.0])
    assert half.level == pytest.approx(first)
    mixed = {("v1 Gated", row): answers(tone=1 if row % 2 else 5) for row in range(1, 7)}
    review_all(campaign_gate.campaign, engineer, mixed)
    whole = evaluate_gate(campaign_gate=campaign_gate, candidate=v1, by=manager).evaluation
    assert (whole.verdict, whole.level) == ("do_not_release", pytest.approx(second))
    review = Review.objects.filter(reviewer=engineer).first()
    assert review is not None
    amend_review(review=review, by=engineer, answers=answers(tone=2), revision=1)
    with pytest.raises(ConflictError, match="spent at the planned end, 12 reviews") as caught:
        evaluate_gate(campaign_gate=campaign_gate, candidate=v1, by=manager)
    assert caught.value.code == "budget_spent"


def test_a_candidate_more_than_planned_spends_the_version_also_from_another_campaign(
    campaign_gate: CampaignGate, project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    campaign = campaign_gate.campaign
    evaluate_gate(campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager)
    other = ModelVersion.objects.create(
        model=tuned_of(campaign_gate).model,
        project=project,
        number=9,
        label="v2",
        kind="lora",
        base=tuned_of(campaign_gate).base,
    )
    make_outputs(campaign.dataset_version, {other: "Another {n}."}, split="test")
    rubric = campaign.rubric_version
    second = draft_of(
        project, [reviewer, engineer], campaign.dataset_version, rubric, [other], split="test", name="Second"
    )
    open_campaign(campaign=second, by=manager)
    gate = make_gate(project, rubric=rubric.rubric, name="More", challengers=9)
    applied_again = apply_gate(campaign=second, gate=gate, by=manager)
    review_all(second, reviewer, {})
    evaluation = evaluate_gate(campaign_gate=applied_again, candidate=other, by=manager).evaluation
    ledger = Ledger.objects.get()
    # The first gate's plan holds, whatever the second would like.
    assert (ledger.challengers, ledger.spent_at is not None) == (1, True)
    assert (evaluation.is_exploratory, evaluation.ledger, evaluation.level) == (True, None, 0.05)
    assert "development data" in evaluation.record["why_beside_ledger"]


def test_a_second_campaign_of_a_candidate_is_another_test_with_a_part_of_the_level_of_its_own(
    empty_project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    """Going on with the evaluations of the first would release what is no better in 7 of 100 campaigns at a
    level of 5%.
    """
    first = make_gated_campaign(empty_project, [reviewer, engineer], challengers=2)
    campaign, gate, candidate = first.campaign, first.gate, tuned_of(first)
    review_all(campaign, reviewer, GOOD)
    assert evaluate_gate(campaign_gate=first, candidate=candidate, by=manager).evaluation.challenger == 1
    evaluations = []
    for name in ("Second", "Third"):
        again = draft_of(
            empty_project, [reviewer, engineer], campaign.dataset_version, campaign.rubric_version,
            [candidate], split=campaign.split, name=name,
        )  # fmt: skip
        open_campaign(campaign=again, by=manager)
        applied_again = apply_gate(campaign=again, gate=gate, by=manager)
        for person in (reviewer, engineer):
            review_all(again, person, {})
        evaluations.append(
            evaluate_gate(campaign_gate=applied_again, candidate=candidate, by=manager).evaluation
        )
    second, third = evaluations
    assert (second.challenger, second.number, second.share) == (2, 1, 1.0)
    assert second.level == pytest.approx(gate.alpha / 2)
    assert (third.ledger, third.is_exploratory) == (None, True)
    assert "counts once for each" in third.record["why_beside_ledger"]
    rows = ledger_rows(Ledger.objects.get())
    assert [(row.challenger, row.campaign.name) for row in rows] == [(1, campaign.name), (2, "Second")]
    page = client_of(manager).get(f"/projects/{empty_project.slug}/campaigns/{campaign.pk}/gate/").text
    assert "Each campaign of a candidate is a test of its own." in page
    assert '<td data-label="Campaign">Second</td>' in page


def test_what_was_trained_on_the_tested_prompts_fails_and_what_is_unknown_is_open(
    empty_project: Project, reviewer: User, manager: User
) -> None:
    clean = Condition(ConditionKind.CONTAMINATION)
    dataset = create_dataset(project=empty_project, name="Leaking", by=None)
    leaking = create_version(dataset=dataset, rows=iter([example_row(1, split="train")]), by=None)
    campaign_gate = make_gated_campaign(empty_project, [reviewer], TONE_FLOOR, clean, trained_on=leaking)
    review_all(campaign_gate.campaign, reviewer, {})
    evaluation = evaluate_gate(
        campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager
    ).evaluation
    assert evaluation.verdict == "do_not_release"
    assert "same prompt" in evaluation.record["results"][1]["reason"]
    assert [each["role"] for each in evaluation.record["datasets"]] == ["tested", "training"]
    own = make_gated_campaign(empty_project, [reviewer], TONE_FLOOR, clean, name="Second")
    review_all(own.campaign, reviewer, {})
    held = evaluate_gate(campaign_gate=own, candidate=tuned_of(own), by=manager).evaluation.record["results"][
        1
    ]
    assert (held["state"], "None of the 6 tested prompts" in held["reason"]) == ("met", True)


def test_no_gate_passes_in_silence_what_an_owner_let_be_trained_on_rows_that_evaluate(
    empty_project: Project, reviewer: User, manager: User, owner: User
) -> None:
    clean = Condition(ConditionKind.CONTAMINATION)
    dataset = create_dataset(project=empty_project, name="Leaking", by=None)
    leaking = create_version(dataset=dataset, rows=iter([example_row(1, split="train")]), by=None)
    decision = ContaminationDecision.objects.create(
        project=empty_project, dataset_version=leaking, reason="It is public.", rows_hash="0" * 64,
        decided_by=owner,
        rows=[{"training_row": 1, "training_hash": "a", "evaluation_row": 1, "evaluation_hash": "b"}],
    )  # fmt: skip
    found = []
    for name, first_row in (("Tests the row", 1), ("Tests others", 500)):
        campaign_gate = make_gated_campaign(
            empty_project, [reviewer], TONE_FLOOR, clean, name=name, trained_on=leaking, first_row=first_row
        )
        Run.objects.filter(produced=tuned_of(campaign_gate)).update(contamination_decision=decision)
        review_all(campaign_gate.campaign, reviewer, {})
        record = evaluate_gate(
            campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager
        ).evaluation.record
        result = record["results"][1]
        assert "1 row of Leaking v1" in result["reason"]
        assert "“It is public.”" in result["reason"]
        (allowed,) = record["contamination"]["allowed"]
        assert (allowed["rows"], allowed["rows_hash"], allowed["reason"]) == ([1], "0" * 64, "It is public.")
        found.append(result["state"])
    assert found == ["not_met", "met"]


@pytest.mark.parametrize("split", ["validation"])
def test_rows_on_which_checkpoints_are_chosen_are_exploratory(
    empty_project: Project, reviewer: User, manager: User, split: str
) -> None:
    campaign_gate = make_gated_campaign(empty_project, [reviewer], split=split)
    review_all(campaign_gate.campaign, reviewer, {})
    evaluation = evaluate_gate(
        campaign_gate=campaign_gate, candidate=tuned_of(campaign_gate), by=manager
    ).evaluation
    assert evaluation.is_exploratory
    assert not Ledger.objects.exists()


def test_simulated_reviews_are_shown_as_such_in_a_demonstration_and_spend_nothing(
    empty_project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    empty_project.is_demonstration = True
    empty_project.save(update_fields=["is_demonstration"])
    campaign_gate = make_gated_campaign(empty_project, [reviewer, engineer])
    review_all(campaign_gate.campaign, reviewer, GOOD, is_simulated=True)
    v1 = tuned_of(campaign_gate)
    simulated = evaluate_gate(campaign_gate=campaign_gate, candidate=v1, by=manager).evaluation
    assert (simulated.is_simulated, simulated.ledger, simulated.is_exploratory) == (True, None, False)
    review_all(campaign_gate.campaign, engineer, GOOD)
    real = evaluate_gate(campaign_gate=campaign_gate, candidate=v1, by=manager).evaluation
    assert (real.is_simulated, real.number, real.record["reviewers"]) == (False, 1, 1)
    assert Ledger.objects.count() == 1


def test_what_cannot_be_evaluated_is_refused(empty_project: Project, reviewer: User, manager: User) -> None:
    campaign_gate = make_gated_campaign(empty_project, [reviewer], challengers=1)
    v1 = tuned_of(campaign_gate)
    with pytest.raises(InvalidError, match="has no review yet"):
        evaluate_gate(campaign_gate=campaign_gate, candidate=v1, by=manager)
    assert campaign_gate.champion is not None
    with pytest.raises(InvalidError, match="is the champion"):
        evaluate_gate(campaign_gate=campaign_gate, candidate=campaign_gate.champion, by=manager)
    draft = make_gated_campaign(empty_project, [reviewer], name="Draft", is_open=False)
    with pytest.raises(InvalidError, match="has not been opened"):
        evaluate_gate(campaign_gate=draft, candidate=tuned_of(draft), by=manager)
    with pytest.raises(InvalidError, match="is not a candidate"):
        evaluate_gate(campaign_gate=campaign_gate, candidate=tuned_of(draft), by=manager)
    assert not Ledger.objects.exists()
