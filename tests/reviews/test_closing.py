"""The closing question: asked once at the end, and silent about what is true."""

import re
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from evalapp.accounts.models import Project, Role, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.registry.models import TUNED_KINDS
from evalapp.reviews.closing import QUESTION_PERIOD, answer_closing, closing_questions, drawn_outputs
from evalapp.reviews.models import Belief, ClosingAnswer, Review
from evalapp.reviews.services import amend_review
from evalapp.reviews.submitting import CampaignClosedError
from tests.cast import client_of
from tests.closing_campaign import OTHER, TUNED, make_tuned_campaign
from tests.factories import review_all
from tests.reviews.conftest import GOOD, campaign_reviewer_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    return make_tuned_campaign(project, [reviewer, other_reviewer])


def closing_url(campaign: Campaign) -> str:
    return f"/reviews/campaigns/{campaign.key}/closing/"


def fields_of(page: str) -> list[str]:
    return sorted(set(re.findall(r'name="(belief-[^"]+)"', page)))


def is_tuned(item_output_id: int) -> bool:
    review = Review.objects.filter(item_output=item_output_id).first()
    assert review is not None
    return review.item_output.candidate.model_version.kind in TUNED_KINDS


def close(campaign: Campaign) -> None:
    close_campaign(campaign=campaign, by=campaign.project.created_by)


def test_it_is_asked_when_the_campaign_is_closed_and_not_before(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    client = client_of(reviewer)
    next_url = f"/reviews/campaigns/{campaign.key}/"
    review_all(campaign, reviewer, {})
    # What they reviewed can still be amended.
    assert client.get(closing_url(campaign)).status_code == 302
    assert "One last question" not in client.get(next_url).text
    with pytest.raises(ConflictError, match="not asked now"):
        answer_closing(campaign_reviewer=campaign_reviewer_of(campaign, reviewer), beliefs={(uuid4(), 0): 1})
    close(campaign)
    json = client.get(next_url, headers={"Accept": "application/json"}).json()
    assert json["no_work"]["closing_url"] == closing_url(campaign)
    for url in (next_url, "/reviews/"):
        assert "One last question" in client.get(url).text
    page = client.get(closing_url(campaign))
    assert page.status_code == 200 and len(fields_of(page.text)) == 6
    review = Review.objects.filter(reviewer=reviewer).select_related("assignment").first()
    assert review is not None
    with pytest.raises(CampaignClosedError):
        amend_review(review=review, by=reviewer, answers=GOOD, revision=1)

    # Who has not reviewed anything is not asked, and the owner is no campaign reviewer.
    assert client_of(other_reviewer).get(closing_url(campaign)).status_code == 302
    assert client_of(campaign.project.created_by).get(closing_url(campaign)).status_code == 404


def test_an_old_campaign_and_whoever_may_see_the_results_are_not_asked(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, {})
    close(campaign)
    campaign.project.memberships.filter(user=other_reviewer).update(role=Role.ENGINEER)
    assert closing_questions(campaign_reviewer_of(campaign, reviewer)) != []
    assert closing_questions(campaign_reviewer_of(campaign, other_reviewer)) == []
    Campaign.objects.update(closed_at=timezone.now() - QUESTION_PERIOD)
    assert closing_questions(campaign_reviewer_of(campaign, reviewer)) == []


def test_answers_are_stored_once_and_the_page_says_the_same_whether_right_or_wrong(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    said = {}
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, {})
    close(campaign)
    for person, sign in ((reviewer, 1), (other_reviewer, -1)):
        client = client_of(person)
        asked = drawn_outputs(campaign_reviewer_of(campaign, person))
        beliefs = {
            f"belief-{each.assignment_key}-{each.slot}": str(
                2 * sign if is_tuned(each.item_output_id) else -sign
            )
            for each in asked
        }
        answer = client.post(closing_url(campaign), beliefs)
        assert (answer.status_code, answer["Location"]) == (302, "/reviews/")
        again = client.post(closing_url(campaign), beliefs)
        assert again.status_code == 302 and again["Location"] == f"/reviews/campaigns/{campaign.key}/"
        assert client.get(closing_url(campaign)).status_code == 302
        said[sign] = [
            client.get(url).text.replace(person.name, "")
            for url in ("/reviews/", "/reviews/submitted/", f"/reviews/campaigns/{campaign.key}/")
        ]
        for text in said[sign]:
            assert TUNED not in text and OTHER not in text and "One last question" not in text
    strip = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9]{64}|\d+")
    assert "Thank you" in said[1][0]
    assert [strip.sub("", text) for text in said[1][:1]] == [strip.sub("", text) for text in said[-1][:1]]
    assert ClosingAnswer.objects.count() == 12
    event = AuditEvent.objects.filter(action="closing.answered").first()
    assert event is not None and event.data == {"answers": 6}


def test_the_page_tells_no_more_than_the_review_screen(campaign: Campaign, reviewer: User) -> None:
    review_all(campaign, reviewer, {})
    close(campaign)
    page = client_of(reviewer).get(closing_url(campaign)).text
    for secret in (TUNED, OTHER, "lora", "imported", "candidate-"):
        assert secret not in page
    ids = {str(each.item_output_id) for each in drawn_outputs(campaign_reviewer_of(campaign, reviewer))}
    values = set(re.findall(r'(?:value|name|id|href|data-\w+)="(\d+)"', page))
    assert not values & {each for each in ids if int(each) > 2}


def test_it_can_be_left_out(campaign: Campaign, reviewer: User) -> None:
    review_all(campaign, reviewer, {})
    close(campaign)
    client = client_of(reviewer)
    client.post(closing_url(campaign), {"action": "decline"})
    assert not ClosingAnswer.objects.exists()
    assert CampaignReviewer.objects.get(campaign=campaign, user=reviewer).closing_at is not None
    assert "One last question" not in client.get(f"/reviews/campaigns/{campaign.key}/").text


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({}, "at least one of the texts"),
        ({"belief-nonsense-0": "1"}, "cannot be read"),
        ({"belief-11111111-1111-4111-8111-111111111111-0": "1"}, "not one of the texts"),
        ({"belief-11111111-1111-4111-8111-111111111111-0": "x"}, "cannot be read"),
    ],
)
def test_what_cannot_be_an_answer_is_refused_and_may_be_tried_again(
    campaign: Campaign, reviewer: User, form: dict[str, str], words: str
) -> None:
    review_all(campaign, reviewer, {})
    close(campaign)
    page = client_of(reviewer).post(closing_url(campaign), form)
    assert page.status_code == 400 and words in page.text
    assert CampaignReviewer.objects.get(campaign=campaign, user=reviewer).closing_at is None


def test_an_unknown_belief_is_refused_by_service_and_database(campaign: Campaign, reviewer: User) -> None:
    review_all(campaign, reviewer, {})
    close(campaign)
    campaign_reviewer = campaign_reviewer_of(campaign, reviewer)
    first = drawn_outputs(campaign_reviewer)[0]
    with pytest.raises(InvalidError, match="from -2 to 2"):
        answer_closing(campaign_reviewer=campaign_reviewer, beliefs={(first.assignment_key, first.slot): 3})
    with pytest.raises(IntegrityError), transaction.atomic():
        ClosingAnswer.objects.create(
            campaign=campaign, item_output_id=first.item_output_id, reviewer=reviewer, belief=3
        )
    assert set(Belief.values) == {-2, -1, 0, 1, 2}


def test_nothing_is_asked_where_nothing_was_hidden(project: Project, reviewer: User) -> None:
    shown = make_tuned_campaign(project, [reviewer], is_blind=False, name="Open round")
    review_all(shown, reviewer, {})
    close(shown)
    assert closing_questions(campaign_reviewer_of(shown, reviewer)) == []
