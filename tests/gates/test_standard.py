"""A standard gate is evaluated once for each candidate, when all planned reviews are in."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import ConflictError
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import CampaignGate
from tests.cast import client_of
from tests.factories import answers, review_all
from tests.gates.making import make_gated_campaign

pytestmark = pytest.mark.django_db


@pytest.fixture
def gated(project: Project, reviewer: User, engineer: User) -> CampaignGate:
    return make_gated_campaign(project, [reviewer, engineer], rows=12, challengers=None, population="panel")


def review(gated: CampaignGate, person: User) -> None:
    said = {
        (name, row): answers(tone=4 + row % 2) for name in ("old Gated", "v1 Gated") for row in range(1, 13)
    }
    review_all(gated.campaign, person, said)


def page_of(gated: CampaignGate, person: User) -> str:
    answer = client_of(person).get(
        f"/projects/{gated.campaign.project.slug}/campaigns/{gated.campaign_id}/gate/"
    )
    assert answer.status_code == 200
    return str(answer.text)


def test_it_waits_for_all_reviews_and_then_has_the_whole_level(
    gated: CampaignGate, reviewer: User, engineer: User, manager: User
) -> None:
    candidate = gated.campaign.candidates.get(position=1).model_version
    assert "24 reviews of each candidate are missing" in page_of(gated, manager)
    review(gated, reviewer)
    with pytest.raises(ConflictError) as refused:
        evaluate_gate(campaign_gate=gated, candidate=candidate, by=manager)
    assert refused.value.code == "reviews_missing" and "12 are missing" in refused.value.message
    page = page_of(gated, manager)
    assert "12 reviews of each candidate are missing" in page and "Evaluate gate" not in page
    assert not gated.evaluations.exists()

    review(gated, engineer)
    assert "Evaluate gate" in page_of(gated, manager)
    found = evaluate_gate(campaign_gate=gated, candidate=candidate, by=manager).evaluation
    assert (found.level, found.share, found.number, found.planned) == (pytest.approx(0.05), 1.0, 1, 24)
    assert found.verdict == "release" and found.may_be_signed


def test_of_a_closed_campaign_it_takes_the_reviews_there_are(
    gated: CampaignGate, reviewer: User, manager: User
) -> None:
    review(gated, reviewer)
    close_campaign(campaign=gated.campaign, by=manager)
    gated.campaign.refresh_from_db()
    candidate = gated.campaign.candidates.get(position=1).model_version
    found = evaluate_gate(campaign_gate=gated, candidate=candidate, by=manager).evaluation
    assert (found.level, found.share, found.planned) == (pytest.approx(0.05), 1.0, 12)


def test_what_a_candidate_needs_is_said_before_the_first_review(
    gated: CampaignGate, reviewer: User, manager: User
) -> None:
    page = page_of(gated, manager)
    assert "Needed to pass 4 times in 5" in page and "mean of " in page
    assert "Variances are assumed" in page
    review(gated, reviewer)
    assert "Needed to pass 4 times in 5" in page_of(gated, manager)
