"""An assignment that was never somebody's is not theirs to see, to write at or to take,
whatever they send.
"""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from evalapp.campaigns.leases import return_lapsed_assignments
from evalapp.campaigns.models import Assignment, AssignmentState
from evalapp.reviews.models import Draft, Review
from tests.campaigns.making import make_open_campaign
from tests.reviews.conftest import body, claim, post, submit, url_of
from tests.reviews.preferences.conftest import claim as claim_comparison
from tests.reviews.preferences.conftest import url_of as comparison_url

pytestmark = pytest.mark.django_db
FORMS = [
    {"client_id": str(uuid4()), "criterion-accuracy": "99"},
    {"client_id": str(uuid4()), "action": "mark", "quote-marks": "a word"},
    {"client_id": str(uuid4())},
]


@pytest.mark.parametrize("form", FORMS, ids=["wrong value", "mark", "empty"])
def test_a_form_shows_nothing_of_somebody_elses_assignment(
    campaign, reviewer, other_reviewer, client_for, form
):
    address = url_of(claim(campaign, reviewer))
    answer = client_for(other_reviewer).post(address, form)
    assert answer.status_code == 404
    assert client_for(reviewer).post(address, form).status_code in (200, 400)


def test_a_form_shows_nothing_of_somebody_elses_comparison(project, reviewer, other_reviewer, client_for):
    campaign = make_open_campaign(
        project, [reviewer, other_reviewer], rows=2, candidates=2, method="pairwise"
    )
    address = comparison_url(claim_comparison(campaign, reviewer))
    assert client_for(other_reviewer).post(address, {"client_id": str(uuid4())}).status_code == 404
    assert client_for(reviewer).post(address, {"client_id": str(uuid4())}).status_code == 400
    assert not Review.objects.exists()


@pytest.mark.parametrize("action", ["", "draft/", "skip/", "flag/"])
def test_nothing_is_kept_of_what_is_sent_to_a_foreign_assignment(
    campaign, reviewer, other_reviewer, client_for, action
):
    address = url_of(claim(campaign, reviewer)) + action
    sent = body() if action == "" else {"answers": {"comment": "x"}, "reason": "x", "note": "x"}
    assert post(client_for(other_reviewer), address, sent).status_code == 404
    assert not Draft.objects.exists() and not Review.objects.exists()


def test_a_free_assignment_that_was_never_offered_cannot_be_taken(campaign, reviewer, client_for):
    assignment = Assignment.objects.filter(campaign=campaign, state=AssignmentState.AVAILABLE).latest("rank")
    answer = post(client_for(reviewer), f"/reviews/{assignment.key}/0/", body())
    assert answer.status_code == 404
    assignment.refresh_from_db()
    assert (assignment.state, assignment.reviewer) == (AssignmentState.AVAILABLE, None)


def test_who_had_it_last_may_still_submit_after_the_lease(campaign, reviewer, client_for):
    address = url_of(claim(campaign, reviewer))
    Assignment.objects.filter(reviewer=reviewer).update(lease_expires_at=timezone.now() - timedelta(hours=1))
    return_lapsed_assignments(campaign=campaign)
    assert not Assignment.objects.filter(reviewer=reviewer).exists()
    assert post(client_for(reviewer), address, body()).status_code == 201


def test_who_submitted_one_answer_keeps_the_way_to_it(campaign, reviewer, other_reviewer, client_for):
    upcoming = claim(campaign, reviewer)
    submit(campaign, reviewer, upcoming)
    Assignment.objects.filter(pk=upcoming.assignment.id).update(
        state=AssignmentState.IN_PROGRESS,
        reviewer=other_reviewer,
        last_reviewer=other_reviewer,
        lease_expires_at=timezone.now() + timedelta(hours=1),
    )
    address = url_of(upcoming)
    assert client_for(reviewer).get(address).status_code == 200
    amended = {**body(), "revision": 1}
    amended["answers"]["comment"] = "Said otherwise."
    assert post(client_for(reviewer), address, amended).status_code == 200


@pytest.mark.parametrize("depth", [20, 450, 600, 900, 1_500, 5_000])
@pytest.mark.parametrize("action", ["", "draft/"])
def test_deep_json_is_refused_in_words(campaign, reviewer, client_for, action, depth):
    address = url_of(claim(campaign, reviewer)) + action
    text = '{"answers":' + "[" * depth + "]" * depth + "}"
    answer = client_for(reviewer).post(
        address, text, content_type="application/json", headers={"Accept": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
