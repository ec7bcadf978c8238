"""Which deliveries an event brings: written by the event's own transaction, at no query more."""

import json
import threading
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from evalapp.campaigns.models import Assignment, AssignmentState
from evalapp.campaigns.services import close_campaign
from evalapp.webhooks.deliveries import deliver_due
from evalapp.webhooks.models import WebhookDelivery
from tests.factories import answers, make_campaign, review_all, submit_review, tagged, walk
from tests.reviews.preferences.conftest import CLEARER, judge
from tests.webhooks.conftest import register


def told(endpoint=None) -> list[str]:
    deliveries = WebhookDelivery.objects.order_by("id")
    return [each.event for each in (deliveries.filter(endpoint=endpoint) if endpoint else deliveries)]


@pytest.mark.django_db
def test_a_campaign_tells_of_its_whole_life(project, manager, reviewer, other_reviewer, endpoint):
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=2)
    assert told() == ["campaign.opened"]
    review_all(campaign, reviewer, {})
    assert told()[1:] == ["review.submitted"] * 4
    review_all(campaign, other_reviewer, {})
    # Two items of two outputs: the item is complete with its fourth review, the campaign with its last item.
    counts = {event: told().count(event) for event in set(told())}
    assert counts == {
        "campaign.opened": 1,
        "review.submitted": 8,
        "item.completed": 2,
        "campaign.completed": 1,
    }
    # Events of one moment are in their order.
    assert told()[-3:-1] == ["item.completed", "campaign.completed"]
    close_campaign(campaign=campaign, by=manager)
    assert told()[-1] == "campaign.closed"


@pytest.mark.django_db
def test_only_those_are_told_who_asked(project, other_project, stranger, manager, reviewer, receiver):
    elsewhere = register(other_project, stranger, receiver.url)
    items = register(project, manager, receiver.url, events=["item.completed"])
    off = register(project, manager, f"{receiver.url}/off")
    off.disabled_at, off.disabled_because = off.created_at, "Switched off."
    off.save()
    review_all(make_campaign(project, [reviewer], rows=2), reviewer, {})
    assert (told(items), told(elsewhere), told(off)) == (["item.completed"] * 2, [], [])


@pytest.mark.django_db
def test_what_is_rolled_back_is_not_told(project, reviewer, endpoint):
    campaign = make_campaign(project, [reviewer], rows=1)
    assignment, entry = next(walk(campaign, reviewer))
    before = told()
    with transaction.atomic():
        submit_one(reviewer, assignment, entry)
        assert len(told()) == len(before) + 1
        transaction.set_rollback(True)
    assert told() == before


def submit_one(reviewer, assignment, entry):
    return submit_review(
        reviewer=reviewer, assignment=assignment, item_output=entry, client_id=uuid4(), answers=answers()
    )


@pytest.mark.django_db
def test_a_submission_asks_no_query_more_for_it(project, manager, reviewer, receiver):
    campaign = make_campaign(project, [reviewer], rows=3)
    asked = []
    for number, (assignment, entry) in enumerate(walk(campaign, reviewer)):
        if number == 2:
            register(project, manager, receiver.url)
        if number in (1, 3):
            with CaptureQueriesContext(connection) as captured:
                submit_one(reviewer, assignment, entry)
            asked.append(len(captured))
        else:
            submit_one(reviewer, assignment, entry)
    assert asked[0] == asked[1]
    assert "review.submitted" in told()


@pytest.mark.django_db
def test_nothing_of_what_is_sent_tells_reviewer_or_candidate(project, manager, reviewer, receiver):
    reviewer.name = "Rosalind Unseen"
    reviewer.save()
    register(project, manager, receiver.url, includes_text=True)
    campaign = make_campaign(
        project,
        [reviewer],
        rows=1,
        texts={"secret-candidate-a": "One text.", "secret-candidate-b": "Another."},
    )
    said = tagged(answers(tone=1), tone=["too-formal"])
    reviews = review_all(campaign, reviewer, {"secret-candidate-a": said})
    deliver_due()
    sent = "\n".join(call.body.decode() for call in receiver.calls)
    assert len(receiver.calls) == len(told()) == 5
    for hidden in (
        "Rosalind",
        reviewer.email,
        "secret-candidate",
        "One text.",
        "item_output",
        "slot",
        '"key"',
    ):
        assert hidden not in sent
    keys = {str(assignment.key) for assignment in Assignment.objects.all()}
    assert not any(key in sent for key in keys)
    told_review = next(body for body in map(json.loads, sent.splitlines()) if body.get("review"))
    assert told_review["review"]["id"] in {review.pk for review in reviews}
    assert set(told_review["review"]) == {"id", "submitted_at", "seconds_active", "is_simulated", "answers"}


@pytest.mark.django_db
def test_a_comparison_is_told_of_without_what_was_chosen(project, manager, reviewer, receiver):
    register(project, manager, receiver.url, includes_text=True)
    campaign = make_campaign(
        project, [reviewer], rows=1, texts={"hidden-a": "One.", "hidden-b": "Two."}, method="pairwise"
    )
    judge(campaign, reviewer, CLEARER)
    assert told()[-3:] == ["item.completed", "campaign.completed", "review.submitted"]
    deliver_due()
    body = json.loads(receiver.calls[-1].body)
    assert set(body["review"]) == {"id", "submitted_at", "seconds_active", "is_simulated", "comment"}
    assert body["item"]["link"].endswith(f"/results/{campaign.pk}/preferences/")
    assert "hidden" not in receiver.calls[-1].body.decode()


@pytest.mark.django_db
def test_links_lead_to_the_pages_of_the_site_as_its_manager_sees_it(project, reviewer, endpoint, receiver):
    campaign = make_campaign(project, [reviewer], rows=1, texts={"one": "Text."})
    review_all(campaign, reviewer, {})
    deliver_due()
    bodies = {body["event"]: body for body in (json.loads(call.body) for call in receiver.calls)}
    item = bodies["item.completed"]["item"]
    base = f"https://evalapp.example/projects/{project.slug}"
    assert bodies["campaign.completed"]["campaign"]["link"] == f"{base}/campaigns/{campaign.pk}/"
    assert item["link"] == f"{base}/results/{campaign.pk}/cases/{item['id']}/"
    assert "answers" not in bodies["review.submitted"]["review"]


@pytest.mark.django_db(transaction=True)
def test_the_last_two_assignments_filled_at_one_moment_tell_of_completion_once(
    project, manager, reviewer, other_reviewer, receiver
):
    endpoint = register(project, manager, receiver.url)
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=1, texts={"one": "Text."})
    offered = [(who, *next(walk(campaign, who))) for who in (reviewer, other_reviewer)]
    filled = threading.Barrier(2, timeout=10)

    def submit(who, assignment, entry):
        try:
            with transaction.atomic():
                filled.wait()
                submit_one(who, assignment, entry)
        finally:
            connection.close()

    threads = [threading.Thread(target=submit, args=each) for each in offered]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Assignment.objects.values_list("state", flat=True)) == {AssignmentState.SUBMITTED}
    assert told(endpoint).count("item.completed") == 1
    assert told(endpoint).count("campaign.completed") == 1


@pytest.mark.django_db(transaction=True)
def test_a_second_reviewer_waits_for_the_first_and_then_sees_the_item_complete(
    project, manager, reviewer, other_reviewer, receiver
):
    """The order that a plain look would miss: the first has filled its assignment and not committed yet."""
    endpoint = register(project, manager, receiver.url)
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=1, texts={"one": "Text."})
    first, second = [(who, *next(walk(campaign, who))) for who in (reviewer, other_reviewer)]
    is_filled, may_commit = threading.Event(), threading.Event()

    def submit_and_wait():
        try:
            with transaction.atomic():
                submit_one(*first)
                is_filled.set()
                may_commit.wait(10)
        finally:
            connection.close()

    def submit_second():
        try:
            submit_one(*second)
        finally:
            connection.close()

    threads = [threading.Thread(target=submit_and_wait), threading.Thread(target=submit_second)]
    threads[0].start()
    assert is_filled.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    may_commit.set()
    for thread in threads:
        thread.join()
    assert told(endpoint).count("item.completed") == 1
    assert told(endpoint).count("campaign.completed") == 1
