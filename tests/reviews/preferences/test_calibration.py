"""The calibration round where answers are compared."""

import re

import pytest

from evalapp.accounts.models import Project
from evalapp.campaigns.allocation import NextReview, NoWorkReason
from evalapp.campaigns.calibration import start_round
from evalapp.campaigns.models import (
    Campaign,
    CampaignReviewer,
    Purpose,
)
from evalapp.campaigns.services import add_reviewers
from evalapp.reviews.models import Review
from tests.api.conftest import problem_in, program_of
from tests.campaigns.making import make_campaign
from tests.campaigns.test_allocation import next_for
from tests.cast import client_of, make_user
from tests.reviews.preferences.checking import (
    ADMITTED,
    by_candidate,
    by_position,
    judge_on,
    label,
    make_checked,
)

pytestmark = pytest.mark.django_db


def test_calibration_comes_first_then_the_preferences_then_the_work():
    campaign, (ann, bob) = make_checked(
        rows=12, gold_share=0, repeat_share=0, calibration_items=3, candidates=3
    )
    assert campaign.items_total == 9
    owner = campaign.project.created_by
    page = f"/reviews/campaigns/{campaign.key}/calibration/"
    manager_page = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/calibration/"
    first, second, managing = client_of(ann), client_of(bob), client_of(owner)
    assert "when you have reviewed all items" in first.get(page).text
    assert [purpose for purpose, _ in judge_on(campaign, ann)] == ["calibration"] * 9
    assert next_for(campaign, ann).reason == NoWorkReason.NOT_ADMITTED
    assert "The calibration round is done" in first.get(f"/reviews/campaigns/{campaign.key}/").text
    # Bob is not done: he sees nothing, and Ann sees only her own.
    assert "<article" not in second.get(page).text
    judge_on(campaign, bob, by_position, most=5)
    assert "Reviewer " not in first.get(page).text.split("<article", 1)[1]
    assert second.post(page, {"item": 1, "text": "Too early"}).status_code == 200
    judge_on(campaign, bob, by_position)
    shown = first.get(page).text
    assert shown.count("<article") == 3 and ">You<" in shown and ">Reviewer 2<" in shown
    assert bob.name not in shown and "candidate-label" not in shown
    assert first.post(page, {"item": 1, "text": "**Formal** is what they asked for."}).status_code == 302
    assert "<strong>Formal</strong>" in second.get(page).text
    assert first.post(page, {"item": 1, "text": "  "}).status_code == 400
    for wrong in ("0", "99", "x", ""):
        assert first.post(page, {"item": wrong, "text": "Where?"}).status_code == 404
    Project.objects.update(shows_reviewer_names=True)
    managed = managing.get(manager_page).text
    assert ann.name in managed and "candidate-label" in managed and "Differing preferences" in managed
    campaign_reviewers = {
        campaign_reviewer.user_id: campaign_reviewer for campaign_reviewer in campaign.reviewers.all()
    }
    admit = (
        f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/reviewers/"
        f"{campaign_reviewers[ann.pk].pk}/admit/"
    )
    assert f"{ann.name} is admitted." in managing.post(admit, follow=True).text
    assert isinstance(next_for(campaign, ann), NextReview)
    assert next_for(campaign, bob).reason == NoWorkReason.NOT_ADMITTED
    again = managing.post(manager_page, {"items": 1})
    assert again.status_code == 400 and "0 examples are left" in again.text
    assert {purpose for purpose, _ in judge_on(campaign, ann)} == {"review"}


def test_a_letter_in_the_round_is_the_answer_that_stood_there_for_the_reader():
    campaign, (ann, bob) = make_checked(rows=8, gold_share=0, repeat_share=0, calibration_items=4)
    judge_on(campaign, ann, by_position)
    judge_on(campaign, bob, by_candidate)
    rows = re.findall(
        r'<th scope="row">(You|Reviewer \d)</th><td>([^<]+)</td>',
        client_of(ann).get(f"/reviews/campaigns/{campaign.key}/calibration/").text,
    )
    assert [words for name, words in rows if name == "You"] == ["A is better"] * 4
    theirs = [words for name, words in rows if name != "You"]
    for item, words in zip(
        campaign.items.filter(purpose=Purpose.CALIBRATION).order_by("pk"), theirs, strict=True
    ):
        mine = Review.objects.get(comparison__item=item, reviewer=ann)
        judged = Review.objects.get(comparison__item=item, reviewer=bob)
        preferred = judged.preference.outputs["ab".index(judged.preference.choice)]
        assert words == f"{'AB'[mine.preference.outputs.index(preferred)]} is better"


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_another_round_asks_who_is_not_admitted_yet_and_later_people_get_their_checks(method):
    campaign, (ann, bob) = make_checked(
        rows=16,
        gold=2,
        repeat_share=0,
        calibration_items=2,
        item_choice="random",
        examples_wanted=6,
        method=method,
    )
    for person in (ann, bob):
        judge_on(campaign, person)
    CampaignReviewer.objects.filter(user=ann).update(admitted_at=ADMITTED)
    assert start_round(campaign=campaign, wanted=2, by=None) == 1
    assert judge_on(campaign, bob, most=9)[0][0] == "calibration"
    assert {purpose for purpose, _ in judge_on(campaign, ann)} <= {"review", "gold"}
    late = make_user("late one")
    campaign.project.memberships.create(user=late, role="reviewer")
    add_reviewers(campaign=campaign, reviewers=[late], by=None)
    assert [purpose for purpose, _ in judge_on(campaign, late)] == ["calibration"] * 4
    assert campaign.assignments.filter(assigned_to=late, purpose=Purpose.GOLD).count() == 2


def test_programs_set_gold_and_run_the_calibration(project, manager, reviewer):
    draft = make_campaign(
        project, [reviewer], rows=8, overlap=1, gold_share=10, calibration_items=1, method="pairwise"
    )
    program, address = program_of(manager), f"projects/{project.slug}/campaigns/{draft.pk}/"
    known = {"row": 1, "candidate": label(draft, 0), "against": label(draft, 1), "outcome": "better"}
    refused = program.post(f"{address}gold-preferences/", {"preferences": [{**known, "row": 99}]})
    assert "preferences[0]: there is no row “99”" in problem_in(refused, 400)["fields"]["preferences"][0]
    assert program.post(f"{address}gold-preferences/", {"preferences": [known]}).json() == {"stored": 1}
    (stored,) = program.get(f"{address}gold-preferences/").json()["results"]
    assert {name: stored[name] for name in (*known, "tie_counts")} == {**known, "tie_counts": False}
    problem_in(
        program.post(f"{address}gold/", {"answers": [{"row": 1, "criterion": "tone", "value": 4}]}), 409
    )
    opened = program.post(f"{address}open/").json()
    assert (opened["items_total"], opened["gold_share"], opened["calibration_items"]) == (6, 10, 1)
    judge_on(Campaign.objects.get(pk=draft.pk), reviewer)
    waiting = {
        "reviewer": 1,
        "person": None,
        "name": "Reviewer 1",
        "is_admitted": False,
        "items_done": 1,
        "items_wanted": 1,
        "distance": None,
    }
    assert program.get(f"{address}calibration/").json() == {"people": [waiting]}
    assert program.post(f"{address}calibration/1/admit/").json() == {
        "people": [{**waiting, "is_admitted": True}]
    }
    judge_on(Campaign.objects.get(pk=draft.pk), reviewer)
    (checked,) = program.get(f"{address}checks/").json()["people"]
    assert checked["gold_right"] == checked["gold_answered"]
    assert (checked["reviewer"], checked["sides_compared"], checked["mean_tau"]) == (1, 0, None)
