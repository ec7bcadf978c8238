"""The closing question: asked once at the end, and silent about what is true."""

import re
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.registry.models import TUNED_KINDS
from evalapp.reviews.closing import answer_closing, asked_outputs, closing_questions
from evalapp.reviews.models import Belief, ClosingAnswer, Review
from tests.cast import client_of
from tests.closing_campaign import OTHER, TUNED, make_tuned_campaign
from tests.factories import make_campaign, review_all, walk
from tests.reviews.conftest import seat_of

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


def test_it_is_asked_when_a_reviewers_part_is_done_and_not_before(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    client = client_of(reviewer)
    next_url = f"/reviews/campaigns/{campaign.key}/"
    assert client.get(closing_url(campaign)).status_code == 302
    with pytest.raises(ConflictError, match="still something to review"):
        answer_closing(seat=seat_of(campaign, reviewer), beliefs={(uuid4(), 0): 1})
    review_all(campaign, reviewer, {})

    json = client.get(next_url, headers={"Accept": "application/json"}).json()
    assert json["no_work"]["closing_url"] == closing_url(campaign)
    assert "One last question" in client.get(next_url).text
    page = client.get(closing_url(campaign))
    assert page.status_code == 200 and len(fields_of(page.text)) == 6

    # Who has not reviewed anything is not asked, and the owner has no seat.
    assert client_of(other_reviewer).get(closing_url(campaign)).status_code == 302
    assert client_of(campaign.project.created_by).get(closing_url(campaign)).status_code == 404


def test_three_of_each_kind_in_an_order_that_tells_nothing_and_stays(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, {})
    asked = asked_outputs(seat_of(campaign, reviewer))
    kinds = [is_tuned(each.item_output_id) for each in asked]
    assert sorted(kinds) == [False] * 3 + [True] * 3
    assert asked == asked_outputs(seat_of(campaign, reviewer))
    orders = set()
    for seed in range(30):
        Campaign.objects.filter(pk=campaign.pk).update(seed=seed)
        orders.add(
            tuple(is_tuned(each.item_output_id) for each in asked_outputs(seat_of(campaign, reviewer)))
        )
    assert len(orders) > 8


def test_answers_are_stored_once_and_the_page_says_the_same_whether_right_or_wrong(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    said = {}
    for person, sign in ((reviewer, 1), (other_reviewer, -1)):
        review_all(campaign, person, {})
        client = client_of(person)
        asked = asked_outputs(seat_of(campaign, person))
        beliefs = {
            f"belief-{each.place_key}-{each.slot}": str(2 * sign if is_tuned(each.item_output_id) else -sign)
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
    page = client_of(reviewer).get(closing_url(campaign)).text
    for secret in (TUNED, OTHER, "lora", "imported", "candidate-"):
        assert secret not in page
    ids = {str(each.item_output_id) for each in asked_outputs(seat_of(campaign, reviewer))}
    values = set(re.findall(r'(?:value|name|id|href|data-\w+)="(\d+)"', page))
    assert not values & {each for each in ids if int(each) > 2}


def test_it_can_be_left_out(campaign: Campaign, reviewer: User) -> None:
    review_all(campaign, reviewer, {})
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
    page = client_of(reviewer).post(closing_url(campaign), form)
    assert page.status_code == 400 and words in page.text
    assert CampaignReviewer.objects.get(campaign=campaign, user=reviewer).closing_at is None


def test_an_unknown_belief_is_refused_by_service_and_database(campaign: Campaign, reviewer: User) -> None:
    review_all(campaign, reviewer, {})
    seat = seat_of(campaign, reviewer)
    first = asked_outputs(seat)[0]
    with pytest.raises(InvalidError, match="from -2 to 2"):
        answer_closing(seat=seat, beliefs={(first.place_key, first.slot): 3})
    with pytest.raises(IntegrityError), transaction.atomic():
        ClosingAnswer.objects.create(
            campaign=campaign, item_output_id=first.item_output_id, reviewer=reviewer, belief=3
        )
    assert set(Belief.values) == {-2, -1, 0, 1, 2}


def test_nothing_is_asked_where_nothing_was_hidden(project: Project, reviewer: User) -> None:
    shown = make_tuned_campaign(project, [reviewer], is_blind=False, name="Open round")
    untuned = make_campaign(project, [reviewer], rows=2, name="Untuned round")
    for campaign in (shown, untuned):
        review_all(campaign, reviewer, {})
        assert closing_questions(seat_of(campaign, reviewer)) == []


def test_it_is_not_asked_while_others_may_still_leave_something(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    first, _ = next(walk(campaign, reviewer))
    assert first is not None
    # In hand: not over, whatever else is left.
    assert closing_questions(seat_of(campaign, reviewer)) == []
