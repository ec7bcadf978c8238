"""Changes to a review are requested with a reason, and it is amended and resubmitted; it
counts all the time.
"""

import uuid
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import User
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign, CampaignReviewer, ItemOutput
from evalapp.campaigns.services import close_campaign, pause_campaign, remove_reviewer
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.reviews.change_requests import request_changes, withdraw_change_request
from evalapp.reviews.models import ChangeRequest, Review
from evalapp.reviews.presentation import review_url
from evalapp.reviews.queries import answers_of
from evalapp.reviews.services import amend_review
from tests.adjudication.conftest import address, name_distinctly
from tests.cast import client_of

pytestmark = pytest.mark.django_db
WHY = "Row 1 is friendlier than a 1: read its last sentence."


@pytest.fixture
def review(disputed: ItemOutput, reviewer: User) -> Review:
    return Review.objects.select_related("campaign__project", "campaign__rubric_version", "assignment").get(
        item_output=disputed, reviewer=reviewer
    )


def amend(review: Review, by: User, tone: int) -> Review:
    review = Review.objects.select_related("campaign__project", "campaign__rubric_version").get(pk=review.pk)
    said = answers_of(review)
    changed = replace(said, scores={**said.scores, "tone": tone})
    return amend_review(review=review, by=by, answers=changed, revision=review.revision)


@pytest.mark.parametrize(
    "page", ["adjudication/change-requests/", "adjudication/reviews/{review}/request-changes/"]
)
def test_access(page: str, request: pytest.FixtureRequest, campaign: Campaign, review: Review) -> None:
    place = address(campaign, page.format(review=review.pk))
    expected = {"owner": 200, "manager": 200, "engineer": 403, "reviewer": 403, "stranger": 404}
    found = {name: client_of(request.getfixturevalue(name)).get(place).status_code for name in expected}
    assert found == expected
    assert client_of(None).get(place).status_code == 302


def test_the_whole_way(campaign: Campaign, review: Review, manager: User, reviewer: User) -> None:
    mine, theirs = client_of(reviewer), client_of(manager)
    case = theirs.get(address(campaign, f"cases/{review.item_output.item_id}/"))
    place = address(campaign, f"adjudication/reviews/{review.pk}/request-changes/")
    assert place in case.text

    sent = theirs.post(place, {"reason": f"  {WHY} "})

    assert sent.status_code == 302
    assert "Changes requested to 1 review" in mine.get("/reviews/").text
    assert WHY in mine.get("/reviews/").text
    assert "Changes requested" in mine.get("/reviews/submitted/").text
    assert WHY in mine.get(review_url(review)).text
    assert "Changes requested" in theirs.get(address(campaign, f"cases/{review.item_output.item_id}/")).text
    # It counts meanwhile.
    assert len(load_scores(campaign).answers) == 8 * 5

    amend(review, reviewer, tone=4)

    stored = ChangeRequest.objects.get()
    assert (stored.reason, stored.state, stored.revision, stored.resubmitted_revision) == (
        WHY, "resubmitted", 1, 2,
    )  # fmt: skip
    assert "Changes requested" not in mine.get("/reviews/").text
    assert "Resubmitted" in theirs.get(address(campaign, "adjudication/change-requests/")).text
    actions = AuditEvent.objects.filter(object_id=review.pk, object_type="review").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == [
        "review.submitted", "review.changes_requested", "review.amended", "review.resubmitted",
    ]  # fmt: skip


def test_a_resubmission_that_changes_nothing_is_none(
    campaign: Campaign, review: Review, manager: User, reviewer: User
) -> None:
    request_changes(review=review, by=manager, reason=WHY)
    with pytest.raises(InvalidError, match="The review is unchanged"):
        amend(review, reviewer, tone=1)
    assert ChangeRequest.objects.get().state == "changes_requested"
    body = {"client_id": str(uuid.uuid4()), "answers": answers_of(review).as_dict(), "revision": 1}
    answer = client_of(reviewer).post(
        review_url(review), body, content_type="application/json", headers={"Accept": "application/json"}
    )
    assert answer.status_code == 400
    assert "appeal" in answer.json()["error"]["message"]
    # What answered it may be sent once more, because its answer was lost on the way.
    amend(review, reviewer, tone=4)
    stale = Review.objects.select_related("campaign__project", "campaign__rubric_version").get(pk=review.pk)
    again = amend_review(review=stale, by=reviewer, answers=answers_of(stale), revision=1)
    assert again.revision == 2


def test_it_can_be_withdrawn_once(
    campaign: Campaign, review: Review, manager: User, owner: User, reviewer: User
) -> None:
    sent = request_changes(review=review, by=manager, reason=WHY)
    place = address(campaign, f"adjudication/change-requests/{sent.pk}/withdraw/")

    assert client_of(owner).post(place).status_code == 302

    sent.refresh_from_db()
    assert sent.state == "withdrawn"
    assert "Changes requested" not in client_of(reviewer).get("/reviews/").text
    assert client_of(owner).post(place).status_code == 409
    with pytest.raises(ConflictError):
        withdraw_change_request(change_request=sent, by=manager)
    # And then changes can be requested anew.
    assert request_changes(review=review, by=manager, reason="Another reason.").state == "changes_requested"


def test_one_at_a_time(review: Review, manager: User, owner: User) -> None:
    request_changes(review=review, by=manager, reason=WHY)
    with pytest.raises(ConflictError, match="already requested"):
        request_changes(review=review, by=owner, reason="Once more.")
    with pytest.raises(IntegrityError), transaction.atomic():
        ChangeRequest.objects.create(review=review, revision=1, reason="x", requested_by=owner)
    with pytest.raises(IntegrityError), transaction.atomic():
        ChangeRequest.objects.update(is_withdrawn=True)


@pytest.mark.parametrize("reason", ["", " \n ", "\u200b", "x" * 2001, "a\x00b", "\ud800"])
def test_a_reason_is_needed_and_can_be_stored(review: Review, manager: User, reason: str) -> None:
    with pytest.raises(InvalidError) as refused:
        request_changes(review=review, by=manager, reason=reason)
    assert list(refused.value.fields) == ["reason"]
    place = address(review.campaign, f"adjudication/reviews/{review.pk}/request-changes/")
    if reason.isascii():
        assert client_of(manager).post(place, {"reason": reason}).status_code == 400
    assert not ChangeRequest.objects.exists()


def test_it_works_while_the_campaign_runs_alone(campaign: Campaign, review: Review, manager: User) -> None:
    pause_campaign(campaign=campaign, by=manager)
    sent = request_changes(review=review, by=manager, reason=WHY)
    withdraw_change_request(change_request=sent, by=manager)
    close_campaign(campaign=campaign, by=manager)
    with pytest.raises(ConflictError, match="closed"):
        request_changes(review=review, by=manager, reason=WHY)
    answer = client_of(manager).post(
        address(campaign, f"adjudication/reviews/{review.pk}/request-changes/"), {"reason": WHY}
    )
    assert answer.status_code == 409
    assert "This campaign is closed" in answer.text


def test_what_was_not_answered_before_the_end_is_said(
    campaign: Campaign, review: Review, manager: User, reviewer: User
) -> None:
    request_changes(review=review, by=manager, reason=WHY)
    close_campaign(campaign=campaign, by=manager)
    assert "Expired" in client_of(manager).get(address(campaign, "adjudication/change-requests/")).text
    assert "Changes requested" not in client_of(reviewer).get("/reviews/").text
    assert client_of(reviewer).get(review_url(review)).status_code == 200


def test_not_to_oneself_nor_to_somebody_who_cannot_amend(
    campaign: Campaign, review: Review, manager: User, reviewer: User
) -> None:
    with pytest.raises(NotAllowedError):
        request_changes(review=review, by=reviewer, reason=WHY)
    campaign_reviewer = CampaignReviewer.objects.select_related("campaign__project", "user").get(
        campaign=campaign, user=reviewer
    )
    remove_reviewer(campaign_reviewer=campaign_reviewer, by=manager)
    with pytest.raises(ConflictError, match="left the campaign"):
        request_changes(review=review, by=manager, reason=WHY)
    review.is_simulated = True
    with pytest.raises(ConflictError, match="simulated"):
        request_changes(review=review, by=manager, reason=WHY)


def test_pages_of_the_reviewer_name_nobody(
    campaign: Campaign, review: Review, manager: User, reviewer: User, other_reviewer: User
) -> None:
    request_changes(review=review, by=manager, reason=WHY)
    name_distinctly(manager, other_reviewer)
    for place in ("/reviews/", "/reviews/submitted/", review_url(review), f"{review_url(review)}discussion/"):
        text = client_of(reviewer).get(place).text
        for person in (manager, other_reviewer):
            assert person.email not in text
            assert str(person) not in text


def test_lists_take_as_many_queries_for_three_as_for_one(
    campaign: Campaign, manager: User, reviewer: User
) -> None:
    def queries(user: User, place: str) -> int:
        client = client_of(user)
        client.get(place)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(place).status_code == 200
        return len(captured)

    first, *others = Review.objects.filter(reviewer=reviewer).select_related("campaign__project")[:3]
    request_changes(review=first, by=manager, reason=WHY)
    places = [(manager, address(campaign, "adjudication/change-requests/")), (reviewer, "/reviews/")]
    one = [queries(*place) for place in places]
    for review in others:
        request_changes(review=review, by=manager, reason=WHY)
    assert [queries(*place) for place in places] == one
