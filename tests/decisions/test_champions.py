"""Where a gate decides, nobody becomes champion by hand past it."""

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.campaigns.models import CampaignCandidate
from evalapp.core.errors import ConflictError, NotAllowedError
from evalapp.decisions.champions import set_alias_by_hand
from evalapp.decisions.services import decide
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import CampaignGate
from evalapp.gates.services import apply_gate
from evalapp.registry.models import ModelVersion
from tests.cast import client_of
from tests.factories import answers, make_campaign, make_candidates, review_all
from tests.gates.making import make_gate, make_gated_campaign, tuned_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign_gate(project: Project, reviewer: User, engineer: User) -> CampaignGate:
    return make_gated_campaign(project, [reviewer, engineer], rows=12, challengers=1)


def alias_of(version: ModelVersion) -> str:
    version.refresh_from_db()
    return version.alias


def champion_of(campaign_gate: CampaignGate) -> ModelVersion:
    assert campaign_gate.champion is not None
    return campaign_gate.champion


def test_a_tuned_candidate_is_not_crowned_by_hand(
    campaign_gate: CampaignGate, engineer: User, manager: User, project: Project
) -> None:
    tuned = tuned_of(campaign_gate)
    browser: Client = client_of(manager)
    page = browser.post(reverse("model_alias", args=[project.slug, tuned.pk]), {"alias": "champion"})
    assert page.status_code == 409
    assert "becomes champion when somebody signs a gate evaluation with the verdict “release”" in page.text
    secret = create_api_token(user=manager, name="Pipeline", by=manager).secret
    api = browser.post(
        reverse("api_model_alias", args=[project.slug, tuned.pk]),
        {"alias": "champion"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert api.status_code == 409
    assert alias_of(tuned) == ""
    set_alias_by_hand(version=tuned, alias="challenger", by=engineer)
    assert alias_of(tuned) == "challenger"


def test_the_first_champion_that_nobody_trained_is_set_by_hand_and_stays(
    campaign_gate: CampaignGate, manager: User
) -> None:
    old = champion_of(campaign_gate)
    set_alias_by_hand(version=old, alias="champion", by=manager)
    for alias in ("", "challenger"):
        with pytest.raises(ConflictError, match="it stays champion until another version is signed"):
            set_alias_by_hand(version=old, alias=alias, by=manager)
    assert alias_of(old) == "champion"


def test_one_that_was_champion_is_set_again(
    campaign_gate: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    old, tuned = champion_of(campaign_gate), tuned_of(campaign_gate)
    set_alias_by_hand(version=old, alias="champion", by=manager)
    for person in (reviewer, engineer):
        review_all(campaign_gate.campaign, person, {"v1 Gated": answers(tone=5)})
    evaluation = evaluate_gate(campaign_gate=campaign_gate, candidate=tuned, by=None).evaluation
    decide(
        campaign=campaign_gate.campaign,
        candidate=tuned,
        verdict="release",
        note="",
        by=manager,
        evaluation=evaluation,
    )
    assert (alias_of(old), alias_of(tuned)) == ("", "champion")
    set_alias_by_hand(version=old, alias="champion", by=manager)
    assert (alias_of(old), alias_of(tuned)) == ("champion", "")
    set_alias_by_hand(version=tuned, alias="champion", by=manager)
    assert (alias_of(old), alias_of(tuned)) == ("", "champion")


def test_a_gate_applied_late_binds_nobody(project: Project, reviewer: User, manager: User) -> None:
    campaign = make_campaign(project, [reviewer])
    review_all(campaign, reviewer, {})
    late = apply_gate(campaign=campaign, gate=make_gate(project), by=manager)
    assert late.is_exploratory
    for entry in campaign.candidates.select_related("model_version"):
        set_alias_by_hand(version=entry.model_version, alias="champion", by=manager)
        assert alias_of(entry.model_version) == "champion"


def test_imported_answers_on_which_a_gate_decides_are_no_first_champion(
    campaign_gate: CampaignGate, project: Project, reviewer: User, manager: User
) -> None:
    other = make_gated_campaign(project, [reviewer], name="Second")
    judged, fresh = make_candidates(project, ["tuned elsewhere", "of another supplier"])
    CampaignCandidate.objects.filter(campaign=other.campaign, model_version__kind="lora").update(
        model_version=judged
    )
    with pytest.raises(ConflictError, match="an API model or imported outputs that no gate decides on"):
        set_alias_by_hand(version=judged, alias="champion", by=manager)
    set_alias_by_hand(version=fresh, alias="champion", by=manager)
    assert (alias_of(judged), alias_of(fresh)) == ("", "champion")


def test_the_champion_changes_only_by_who_may_decide(
    project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    version, other = make_candidates(project, ["plain", "formal"])
    browser = client_of(engineer)
    address = reverse("model_alias", args=[project.slug, version.pk])
    page = browser.post(address, {"alias": "champion"})
    assert page.status_code == 403
    assert "your role here may not decide on a cycle" in page.text
    assert browser.post(address, {"alias": "challenger"}).status_code == 302
    set_alias_by_hand(version=other, alias="champion", by=manager)
    with pytest.raises(NotAllowedError, match="is a decision"):
        set_alias_by_hand(version=other, alias="", by=engineer)
    assert (alias_of(version), alias_of(other)) == ("challenger", "champion")
    champion = reverse("model_version", args=[project.slug, other.pk])
    shown = reverse("model_version", args=[project.slug, version.pk])
    assert "Set alias" not in browser.get(champion).text
    assert 'value="champion"' not in browser.get(shown).text
    assert 'value="champion"' in client_of(manager).get(shown).text
