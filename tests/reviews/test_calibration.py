"""The calibration round."""

from dataclasses import replace

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.allocation import NextReview, NoWorkReason
from evalapp.campaigns.calibration import add_note, start_round
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.core.errors import ConflictError, InvalidError
from tests.api.conftest import problem_in, program_of
from tests.campaigns.making import make_campaign
from tests.campaigns.test_allocation import next_for
from tests.cast import client_of
from tests.factories import answers
from tests.reviews.checking import make_checked, review_on

pytestmark = pytest.mark.django_db


def test_calibration_comes_first_then_the_answers_then_the_work() -> None:
    campaign, (ann, bob) = make_checked(
        rows=12, gold_share=0, repeat_share=0, calibration_items=3, candidates=2
    )
    assert campaign.items_total == 9
    owner = campaign.project.created_by
    assert owner is not None
    page = f"/reviews/campaigns/{campaign.key}/calibration/"
    manager_page = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/calibration/"
    first, second = client_of(ann), client_of(bob)
    assert "when you have rated all items" in first.get(page).text
    assert [purpose for purpose, _ in review_on(campaign, ann, lambda _: answers(tone=5))] == [
        "calibration"
    ] * 6
    assert next_for(campaign, ann).reason == NoWorkReason.NOT_ADMITTED
    assert "The calibration round is done" in first.get(f"/reviews/campaigns/{campaign.key}/").text
    # Bob is not done: he sees nothing, and Ann sees only her own.
    assert "<article" not in second.get(page).text
    review_on(campaign, bob, lambda _: answers(tone=2), most=5)
    assert "Reviewer " not in first.get(page).text.split("<article", 1)[1]
    assert second.post(page, {"item": 1, "text": "Too early"}).status_code == 200
    review_on(campaign, bob, lambda _: replace(answers(tone=2), tags={"tone": ["too-formal"]}))
    shown = first.get(page).text
    assert "<td>2, too formal</td>" in shown
    assert shown.count("<article") == 3 and ">You<" in shown and ">Reviewer 2<" in shown
    assert bob.name not in shown and "candidate-label" not in shown
    assert first.post(page, {"item": 1, "text": "**Formal** is what they asked for."}).status_code == 302
    assert "<strong>Formal</strong>" in second.get(page).text
    assert first.post(page, {"item": 1, "text": "  "}).status_code == 400
    for wrong in ("0", "99", "x", ""):
        assert first.post(page, {"item": wrong, "text": "Where?"}).status_code == 404
    Project.objects.update(shows_reviewer_names=True)
    managed = client_of(owner).get(manager_page).text
    assert ann.name in managed and "candidate-label" in managed and "0.8" in managed
    campaign_reviewers = {
        campaign_reviewer.user_id: campaign_reviewer for campaign_reviewer in campaign.reviewers.all()
    }
    admit = (
        f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/reviewers/"
        f"{campaign_reviewers[ann.pk].pk}/admit/"
    )
    assert f"{ann.name} is admitted." in client_of(owner).post(admit, follow=True).text
    assert client_of(owner).post(admit).status_code == 409
    assert isinstance(next_for(campaign, ann), NextReview)
    assert next_for(campaign, bob).reason == NoWorkReason.NOT_ADMITTED
    # Another round for who is not admitted.
    again = client_of(owner).post(manager_page, {"items": 1})
    assert again.status_code == 400 and "0 examples are left" in again.text
    assert {purpose for purpose, _ in review_on(campaign, ann)} == {"review"}


def test_another_round_asks_who_is_not_admitted_yet() -> None:
    campaign, (ann, bob) = make_checked(
        rows=12, gold_share=0, repeat_share=0, calibration_items=2, item_choice="random", examples_wanted=6
    )
    for person in (ann, bob):
        review_on(campaign, person)
    CampaignReviewer.objects.filter(user=ann).update(admitted_at="2026-01-01T00:00Z")
    assert start_round(campaign=campaign, wanted=2, by=None) == 1
    assert review_on(campaign, bob, most=9)[0][0] == "calibration"
    assert {purpose for purpose, _ in review_on(campaign, ann)} == {"review"}
    CampaignReviewer.objects.update(admitted_at="2026-01-01T00:00Z")
    with pytest.raises(InvalidError, match="Everybody is admitted"):
        start_round(campaign=campaign, wanted=1, by=None)


def test_a_note_stays_with_calibration(project: Project, reviewer: User) -> None:
    campaign, _ = make_checked(rows=6, gold_share=0, repeat_share=0)
    item = campaign.items.first()
    assert item is not None
    with pytest.raises(ConflictError):
        add_note(item=item, author=reviewer, text="Hello")


def test_programs_set_gold_and_run_the_calibration(project: Project, manager: User, reviewer: User) -> None:
    draft = make_campaign(
        project, [reviewer], rows=8, candidates=1, overlap=1, gold_share=10, calibration_items=1
    )
    program, address = program_of(manager), f"projects/{project.slug}/campaigns/{draft.pk}/"
    refused = program.post(f"{address}gold/", {"answers": [{"row": 99, "criterion": "tone", "value": 4}]})
    assert "answers[0]: there is no row “99”" in problem_in(refused, 400)["fields"]["answers"][0]
    stored = program.post(f"{address}gold/", {"answers": [{"row": 1, "criterion": "tone", "value": 4}]})
    assert stored.json() == {"stored": 1}
    (known,) = program.get(f"{address}gold/").json()["results"]
    assert {name: known[name] for name in ("row", "criterion", "value", "tolerance", "candidate")} == {
        "row": 1, "criterion": "tone", "value": 4, "tolerance": 0, "candidate": ""
    }  # fmt: skip
    opened = program.post(f"{address}open/").json()
    assert (opened["items_total"], opened["gold_share"], opened["calibration_items"]) == (6, 10, 1)
    review_on(Campaign.objects.get(pk=draft.pk), reviewer)
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
    review_on(Campaign.objects.get(pk=draft.pk), reviewer)
    (checked,) = program.get(f"{address}checks/").json()["people"]
    assert (checked["reviewer"], checked["gold_right"], checked["repeats_compared"]) == (
        1,
        checked["gold_answered"],
        0,
    )
