"""Changes to a review are requested with a reason; it counts as it is, and is resubmitted."""

import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evalapp.audit.models import AuditEvent
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.reviews.change_requests import request_changes
from evalapp.reviews.models import ChangeRequest, Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.tasks import preference_of
from evalapp.reviews.presentation import task_url
from evalapp.reviews.services import amend_review
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.reviews.preferences.conftest import judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def review(campaign, reviewer) -> Review:
    return judge(campaign, reviewer, PreferenceAnswers("a", None, "Shorter.")).review


def test_changes_are_requested_seen_by_its_reviewer_and_resubmitted(review, campaign, reviewer, manager):
    base = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    office, mine = client_of(manager), client_of(reviewer)
    address = f"{base}adjudication/reviews/{review.pk}/request-changes/"
    case = f"{base}cases/{review.comparison.item_id}/"
    assert f'href="{address}"' in office.get(case).text
    form = office.get(address).text
    assert "Shorter." in form and "Reviewer 1" in form and reviewer.email not in form
    empty = office.post(address, {"reason": " "})
    assert empty.status_code == 400
    sent = office.post(address, {"reason": "Look at the figures in the second."}, follow=True)
    assert "Changes requested. The review counts as it is" in sent.text
    again = office.post(address, {"reason": "Twice."})
    assert again.status_code == 409 and "already requested" in again.text
    # It counts as it is, and its reviewer finds it.
    assert campaign.reviews.count() == 1
    home = mine.get("/reviews/").text
    assert "Changes requested to 1 review" in home and "Look at the figures in the second." in home
    assignment, slot = review.assignment.key, review.slot
    own = f"/reviews/{assignment}/{slot}/"
    assert f'href="{own}"' in home
    assert "Look at the figures in the second." in mine.get(own).text
    assert "Changes requested" in mine.get("/reviews/submitted/").text
    listed = office.get(f"{base}adjudication/change-requests/").text
    assert "Open" in listed and "Reviewer 1" in listed and reviewer.email not in listed
    amend_review(review=review, by=reviewer, answers=PreferenceAnswers("b", None, "I see."), revision=1)
    change_request = ChangeRequest.objects.get()
    assert (change_request.state, change_request.resubmitted_revision) == ("resubmitted", 2)
    assert "Changes requested" not in mine.get("/reviews/").text
    assert "Resubmitted" in office.get(f"{base}adjudication/change-requests/").text
    actions = set(AuditEvent.objects.filter(object_type="review").values_list("action", flat=True))
    assert {"review.changes_requested", "review.resubmitted"} <= actions


def test_a_resubmission_that_changes_nothing_is_none(review, reviewer, manager):
    sent = request_changes(review=review, by=manager, reason="Look again.")
    same = {"client_id": str(uuid.uuid4()), "answers": preference_of(review).as_dict(), "revision": 1}
    answer = client_of(reviewer).post(
        task_url(review.assignment.key, review.slot),
        same,
        content_type="application/json",
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 400
    assert "The review is unchanged. Changes to it were requested" in answer.json()["error"]["message"]
    sent.refresh_from_db()
    assert sent.state == "changes_requested"
    # What answered it may be sent once more, because its answer was lost on the way.
    for _ in range(2):
        amend_review(review=review, by=reviewer, answers=PreferenceAnswers("b", None, "I see."), revision=1)
    sent.refresh_from_db()
    assert (sent.state, sent.resubmitted_revision) == ("resubmitted", 2)


def test_a_request_is_withdrawn_once(review, campaign, manager):
    sent = request_changes(review=review, by=manager, reason="Look again.")
    address = (
        f"/projects/{campaign.project.slug}/results/{campaign.pk}/adjudication/"
        f"change-requests/{sent.pk}/withdraw/"
    )
    office = client_of(manager)
    assert "Withdrawn." in office.post(address, follow=True).text
    assert office.post(address).status_code == 409
    sent.refresh_from_db()
    assert sent.state == "withdrawn"


def test_nobody_sends_back_their_own_nor_after_the_end(review, campaign, reviewer, manager):
    with pytest.raises(NotAllowedError):
        request_changes(review=review, by=reviewer, reason="Mine.")
    with pytest.raises(InvalidError):
        request_changes(review=review, by=manager, reason="\n ")
    campaign.reviewers.filter(user=reviewer).update(left_at="2026-01-01T00:00Z")
    with pytest.raises(ConflictError, match="has left"):
        request_changes(review=review, by=manager, reason="Look again.")
    close_campaign(campaign=campaign, by=None)
    with pytest.raises(ConflictError, match="is closed"):
        request_changes(review=review, by=manager, reason="Look again.")


def test_who_still_judges_here_neither_reads_nor_sends_back(review, campaign, other_reviewer, manager):
    campaign.project.memberships.filter(user=other_reviewer).update(role="manager")
    base = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    requests = f"{base}adjudication/change-requests/"
    for address in (f"{base}adjudication/reviews/{review.pk}/request-changes/", requests):
        assert client_of(other_reviewer).get(address).status_code == 403
        assert client_of(manager).get(address).status_code == 200


def test_the_database_keeps_one_open_request_and_one_way_to_end(review, manager):
    given = {"review": review, "revision": 1, "reason": "Look.", "requested_by": manager}
    ChangeRequest.objects.create(**given)
    for bad in ({}, {"is_withdrawn": True}, {"resubmitted_revision": 2}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ChangeRequest.objects.create(**given, **bad)


def test_programs_do_the_same(review, campaign, reviewer, manager):
    root = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/change-requests/"
    office, mine = program_of(manager), program_of(reviewer)
    unknown = office.post(root, {"review": 10**9, "reason": "Look."})
    assert "review" in problem_in(unknown, 400)["fields"]
    sent = office.post(root, {"review": review.pk, "reason": "Look."})
    assert (sent.status_code, sent.json()["state"]) == (201, "changes_requested")
    (waiting,) = mine.get("reviews/change-requests/").json()["results"]
    assert (waiting["assignment"], waiting["reason"], waiting["revision"]) == (
        str(review.assignment.key),
        "Look.",
        1,
    )
    assert [each["id"] for each in office.get(root).json()["results"]] == [sent.json()["id"]]
    withdraw = f"{root}{sent.json()['id']}/withdraw/"
    assert office.post(withdraw).status_code == 204
    problem_in(office.post(withdraw), 409)
    assert mine.get("reviews/change-requests/").json()["results"] == []


def test_the_list_reads_the_same_for_one_and_for_three(campaign, reviewer, manager):
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/adjudication/change-requests/"
    queries = []
    for count in (1, 2):
        for _ in range(count):
            sent = judge(campaign, reviewer).review
            request_changes(review=sent, by=manager, reason="Look again.")
        with CaptureQueriesContext(connection) as captured:
            assert client_of(manager).get(address).status_code == 200
        queries.append(len(captured))
    assert ChangeRequest.objects.count() == 3 and queries[0] == queries[1]
