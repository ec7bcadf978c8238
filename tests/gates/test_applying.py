"""A gate freezes when a campaign takes it, and a campaign takes one before its first review
or exploratory.
"""

import pytest
from django.db import IntegrityError, transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.gates.conditions import TOTAL, Condition, ConditionKind
from evalapp.gates.models import CampaignGate, Gate
from evalapp.gates.services import GatePlan, apply_gate, save_gate
from tests.factories import make_campaign, make_rubric, review_all
from tests.gates.making import TONE_FLOOR, make_gate, make_gated_campaign

pytestmark = pytest.mark.django_db


def plan_of(gate: Gate, **changes: object) -> GatePlan:
    same = {
        "name": gate.name,
        "rubric": gate.rubric,
        "conditions": gate.parsed_conditions,
        "planned_reviews": gate.planned_reviews,
    }
    return GatePlan(**{**same, **changes})  # type: ignore[arg-type]


@pytest.fixture
def campaign(project: Project, reviewer: User, engineer: User) -> Campaign:
    return make_campaign(project, [reviewer, engineer], rows=2)


def test_before_the_first_review_it_is_the_campaigns_own_and_frozen(
    campaign: Campaign, project: Project, manager: User
) -> None:
    gate = make_gate(project)
    assert gate.frozen_at is None
    campaign_gate = apply_gate(campaign=campaign, gate=gate, by=manager)
    gate.refresh_from_db()
    assert (campaign_gate.is_exploratory, gate.frozen_at is not None) == (False, True)
    event = AuditEvent.objects.get(action="gate.applied")
    assert (event.data["campaign"], event.data["body_hash"]) == (campaign.pk, gate.body_hash)


def test_another_may_take_its_place_until_the_first_review(
    campaign: Campaign, project: Project, manager: User
) -> None:
    apply_gate(campaign=campaign, gate=make_gate(project, name="First"), by=manager)
    second = apply_gate(campaign=campaign, gate=make_gate(project, name="Second"), by=manager)
    assert list(campaign.applied_gates.all()) == [second]


def test_after_the_first_review_it_is_exploratory_beside_the_campaigns_own(
    campaign: Campaign, project: Project, manager: User, reviewer: User
) -> None:
    own = apply_gate(campaign=campaign, gate=make_gate(project, name="First"), by=manager)
    review_all(campaign, reviewer, {})
    late = apply_gate(campaign=campaign, gate=make_gate(project, name="Second"), by=manager)
    assert late.is_exploratory
    own.refresh_from_db()
    assert not own.is_exploratory


def test_the_database_itself_refuses_a_late_gate_that_poses_as_frozen(
    campaign: Campaign, project: Project, reviewer: User
) -> None:
    review_all(campaign, reviewer, {})
    gate = make_gate(project)
    with pytest.raises(IntegrityError, match="exploratory"), transaction.atomic():
        CampaignGate.objects.create(campaign=campaign, gate=gate, is_exploratory=False)
    late = CampaignGate.objects.create(campaign=campaign, gate=gate, is_exploratory=True)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        CampaignGate.objects.filter(pk=late.pk).update(is_exploratory=False)


def test_the_database_itself_keeps_a_frozen_gate(campaign: Campaign, project: Project, manager: User) -> None:
    gate = make_gate(project)
    Gate.objects.filter(pk=gate.pk).update(alpha=0.04)
    apply_gate(campaign=campaign, gate=gate, by=manager)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Gate.objects.filter(pk=gate.pk).update(alpha=0.05)
    Gate.objects.filter(pk=gate.pk).update(created_by=None)


def test_an_edit_goes_into_it_until_it_is_frozen_and_makes_the_next_version_after(
    campaign: Campaign, project: Project, manager: User
) -> None:
    gate = make_gate(project)
    harder = Condition(ConditionKind.FLOOR, "tone", "Tone", 4.0)
    edited = save_gate(project=project, plan=plan_of(gate, conditions=[harder]), by=manager, gate=gate)
    assert (edited.pk, edited.version, edited.parsed_conditions) == (gate.pk, 1, [harder])
    assert edited.body_hash != gate.body_hash
    apply_gate(campaign=campaign, gate=edited, by=manager)
    edited.refresh_from_db()
    same = save_gate(project=project, plan=plan_of(edited), by=manager, gate=edited)
    assert same.pk == edited.pk
    after = save_gate(project=project, plan=plan_of(edited, conditions=[TONE_FLOOR]), by=manager, gate=edited)
    assert (after.version, after.frozen_at) == (2, None)
    with pytest.raises(ConflictError, match="newer version"):
        save_gate(project=project, plan=plan_of(edited, planned_reviews=3), by=manager, gate=edited)


def test_a_name_in_use_and_a_second_application_are_refused(
    campaign: Campaign, project: Project, manager: User
) -> None:
    gate = make_gate(project)
    with pytest.raises(ConflictError, match="already"):
        save_gate(project=project, plan=plan_of(gate), by=manager)
    apply_gate(campaign=campaign, gate=gate, by=manager)
    with pytest.raises(ConflictError, match="already"):
        apply_gate(campaign=campaign, gate=gate, by=manager)


@pytest.mark.parametrize(
    ("conditions", "plan", "message"),
    [
        ([], {}, "at least one criterion"),
        ([Condition(ConditionKind.ITEMS, threshold=10)], {}, "at least one criterion"),
        ([TONE_FLOOR, TONE_FLOOR], {}, "twice"),
        ([Condition(ConditionKind.FLOOR, "tone", "Tone", None)], {}, "give a number"),
        ([Condition(ConditionKind.FLOOR, "tone", "Tone", float("nan"))], {}, "give a number"),
        ([Condition(ConditionKind.FLOOR, "gone", "Gone", 4)], {}, "no criterion “Gone”"),
        ([Condition(ConditionKind.FLOOR, "material-factual-error", "Error", 4)], {}, "is not a scale"),
        ([Condition(ConditionKind.VETO, "tone", "Tone", 0.0)], {}, "above 0%"),
        (
            [Condition(ConditionKind.LOW_SHARE, "tone", "Tone", 0.1)],
            {},
            "the highest score that counts as low",
        ),
        ([Condition(ConditionKind.LOW_SHARE, TOTAL, "Total", 0.1, 2)], {}, "only a criterion"),
        ([Condition(ConditionKind.NON_INFERIORITY, "tone", "Tone", 0.0)], {}, "margin above 0"),
        ([Condition(ConditionKind.SUPERIORITY, "tone", "Tone", -1.0)], {}, "cannot be negative"),
        ([TONE_FLOOR, Condition(ConditionKind.ITEMS, threshold=0)], {}, "whole number of items"),
        ([TONE_FLOOR, Condition(ConditionKind.CONTAMINATION, threshold=1)], {}, "no threshold"),
        ([TONE_FLOOR], {"alpha": 5.0}, "budget between"),
        ([TONE_FLOOR], {"planned_reviews": 0}, "reviews of each"),
        ([TONE_FLOOR], {"challengers": 0}, "candidates"),
    ],
)
def test_a_gate_that_cannot_stand_is_refused_with_the_reason(
    project: Project, manager: User, conditions: list[Condition], plan: dict[str, object], message: str
) -> None:
    rubric = make_rubric(project).rubric
    wanted = GatePlan(name="Release", rubric=rubric, conditions=conditions, **plan)  # type: ignore[arg-type]
    with pytest.raises(InvalidError) as caught:
        save_gate(project=project, plan=wanted, by=manager)
    assert message in " ".join(text for texts in caught.value.fields.values() for text in texts)
    assert not Gate.objects.exists()


def test_a_campaign_has_only_a_gate_that_its_rubric_and_candidates_fit(
    campaign: Campaign, project: Project, manager: User
) -> None:
    better = Condition(ConditionKind.SUPERIORITY, "tone", "Tone", 0.0)
    against = make_gate(project, better, name="Against")
    with pytest.raises(InvalidError, match="no champion among its candidates"):
        apply_gate(campaign=campaign, gate=against, by=manager)
    plain = campaign.candidates.get(model_version__label="plain").model_version
    assert apply_gate(campaign=campaign, gate=against, champion=plain, by=manager).champion == plain
    elsewhere = make_gated_campaign(project, [manager], name="Elsewhere").champion
    with pytest.raises(InvalidError, match="not a candidate"):
        apply_gate(campaign=campaign, gate=against, champion=elsewhere, by=manager)


def test_a_campaign_that_compares_takes_none(
    project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    pairs = make_campaign(project, [reviewer, engineer], rows=2, method="pairwise", name="Pairs")
    with pytest.raises(InvalidError, match="compares outputs"):
        apply_gate(campaign=pairs, gate=make_gate(project), by=manager)
