"""Real threads on real connections: what is true one by one must be true all at once."""

import random
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.db.models import Count, Max
from django.utils import timezone

from evalapp.accounts.models import ApiToken, Membership, User
from evalapp.accounts.people import anonymise_person, update_profile
from evalapp.accounts.services import remove_member
from evalapp.accounts.tokens import create_api_token
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.allocation import NextReview, NoWorkReason, next_review
from evalapp.campaigns.gold import GoldRow, set_gold
from evalapp.campaigns.leases import return_lapsed_assignments
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, CampaignReviewer, ItemOutput
from evalapp.campaigns.running import reassign, release_claimed
from evalapp.campaigns.services import close_campaign, open_campaign
from evalapp.core.errors import ConflictError, InvalidError, MissingError, StaleError
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.drafts import DraftPlace, save_draft
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.services import amend_review
from evalapp.reviews.submitting import CampaignClosedError
from tests.at_once import at_once
from tests.campaigns.making import make_campaign, make_open_campaign, make_team
from tests.reviews.conftest import GOOD, campaign_reviewer_of, claim, submit
from tests.traces import traces_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_tabs_share_one_hand():
    project, (person,) = make_team(1)
    campaign = make_open_campaign(project, [person], rows=30, candidates=2, overlap=1)
    at_once(
        12,
        lambda _: [next_review(campaign_reviewer=campaign_reviewer_of(campaign, person)) for _ in range(3)],
    )
    assignments = Assignment.objects.filter(state=AssignmentState.IN_PROGRESS)
    assert assignments.count() == 5
    assert assignments.values("item").distinct().count() == 5


def waits_for_disk() -> str:
    return str(connection.connection.execute("SHOW synchronous_commit").fetchone()[0])


@pytest.fixture
def durable():
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = 'on'")
        yield
        cursor.execute("RESET synchronous_commit")


def test_a_claim_does_not_wait_for_the_disk_and_a_submission_does(durable):
    project, (person,) = make_team(1)
    campaign = make_open_campaign(project, [person], rows=3, candidates=1, overlap=1)
    seen = {}

    def look(execute, sql, parameters, many, context):
        result = execute(sql, parameters, many, context)
        for what, beginning in (
            ("claim", "UPDATE evalapp_assignment p"),
            ("review", "INSERT INTO evalapp_review "),
        ):
            if beginning in sql and "filled" not in sql:
                seen[what] = waits_for_disk()
        return result

    with connection.execute_wrapper(look):
        submit(campaign, person)
    assert seen == {"claim": "off", "review": "on"}
    assert waits_for_disk() == "on"


def test_a_claim_within_another_transaction_leaves_that_one_durable(durable):
    project, (person,) = make_team(1)
    campaign = make_open_campaign(project, [person], rows=3, candidates=1, overlap=1)
    with transaction.atomic():
        claim(campaign, person)
        assert waits_for_disk() == "on"


def test_two_tabs_amend_one_after_the_other_or_not_at_all():
    project, (person,) = make_team(1)
    campaign = make_open_campaign(project, [person], rows=1, candidates=1, overlap=1)
    review = submit(campaign, person).review

    def work(number):
        mine = Review.objects.select_related("campaign__rubric_version", "campaign__project").get(
            pk=review.pk
        )
        answers = ReviewAnswers({**GOOD.scores, "tone": 1 + number % 5}, comment=f"Tab {number}")
        return amend_review(review=mine, by=person, answers=answers, revision=1)

    results = at_once(8, work)
    assert [type(result) for result in results if isinstance(result, Exception)] == [StaleError] * 7
    review.refresh_from_db()
    assert (review.revision, review.revisions.count(), review.scores.count()) == (2, 1, 5)


def test_twenty_clients_with_leases_that_expire_at_random_fill_the_quota_exactly():
    project, people = make_team(20)
    campaign = make_open_campaign(project, people, rows=40, candidates=2, overlap=3)

    def work(number):
        chance = random.Random(number)
        lost = 0
        for _ in range(4000):
            # Back to the pool, as after a request.
            connection.close()
            found = next_review(campaign_reviewer=campaign_reviewer_of(campaign, people[number]))
            if not isinstance(found, NextReview):
                if found.reason in (NoWorkReason.ALL_DONE, NoWorkReason.NOTHING_LEFT_FOR_YOU):
                    return lost
                return_lapsed_assignments()
                continue
            if chance.random() < 0.2:
                # Whoever holds it now: time passes for anybody.
                Assignment.objects.filter(pk=found.assignment.id, state=AssignmentState.IN_PROGRESS).update(
                    lease_expires_at=timezone.now() - timedelta(hours=1)
                )
            if chance.random() < 0.1:
                continue
            try:
                submit(campaign, people[number], found)
            except ConflictError:
                lost += 1
        raise AssertionError("The campaign never ended for this reviewer.")

    results = at_once(20, work)
    assert [result for result in results if isinstance(result, Exception)] == []
    # Leases can lapse in the hands of the last ones; then there is work for whoever comes back.
    Assignment.objects.filter(state=AssignmentState.IN_PROGRESS).update(
        lease_expires_at=timezone.now() - timedelta(hours=1)
    )
    return_lapsed_assignments()
    for person in people:
        while isinstance(
            found := next_review(campaign_reviewer=campaign_reviewer_of(campaign, person)), NextReview
        ):
            submit(campaign, person, found)
    left = Assignment.objects.exclude(state=AssignmentState.SUBMITTED)
    assert left.count() == 0
    per_output = Review.objects.values("item_output").annotate(
        n=Count("id"), people=Count("reviewer", distinct=True)
    )
    counts = {(row["n"], row["people"]) for row in per_output}
    assert counts == {(3, 3)}
    assert Review.objects.count() == 40 * 2 * 3 == ItemOutput.objects.count() * 3
    done = sum(CampaignReviewer.objects.values_list("reviews_done", flat=True))
    assert done == Review.objects.count()


def test_what_is_held_and_not_begun_changes_hands_and_the_quota_stays_exact():
    project, people = make_team(12)
    campaign = make_open_campaign(project, people, rows=40, candidates=2, overlap=1)
    # Three fill their hands and go; one of them is released by the manager, by and by.
    for person in people[:3]:
        for _ in range(5):
            next_review(campaign_reviewer=campaign_reviewer_of(campaign, person))

    def work(number):
        person = people[3 + number]
        chance, lost = random.Random(number), 0
        for _ in range(2000):
            connection.close()
            found = next_review(campaign_reviewer=campaign_reviewer_of(campaign, person))
            if not isinstance(found, NextReview):
                return lost
            if chance.random() < 0.1:
                release_claimed(campaign_reviewer=campaign_reviewer_of(campaign, people[0]), by=None)
            try:
                submit(campaign, person, found)
            except ConflictError as error:
                # Somebody who had nothing took it, which is told; the text is kept.
                assert "Your text is kept" in str(error)
                lost += 1
        raise AssertionError("The campaign never ended for this reviewer.")

    results = at_once(9, work)
    assert [result for result in results if isinstance(result, Exception)] == []
    # The others did all but what is on the screens of those who went.
    left = Assignment.objects.exclude(state=AssignmentState.SUBMITTED)
    assert {(assignment.state, assignment.reviewer_id) for assignment in left} <= {
        (AssignmentState.IN_PROGRESS, person.pk) for person in people[:3]
    }
    assert left.count() == left.values("reviewer").distinct().count()
    for person in people[:3]:
        while isinstance(
            found := next_review(campaign_reviewer=campaign_reviewer_of(campaign, person)), NextReview
        ):
            submit(campaign, person, found)
    assert not campaign.assignments.exclude(state=AssignmentState.SUBMITTED).exists()
    assert Review.objects.count() == 80 == Review.objects.values("item_output").distinct().count()
    at_two = Review.objects.values("assignment").annotate(people=Count("reviewer", distinct=True))
    assert not at_two.filter(people__gt=1).exists()


def test_closing_waits_for_submissions_under_way_and_lets_none_in_after():
    project, people = make_team(10)
    campaign = make_open_campaign(project, people, rows=20, candidates=1, overlap=3)
    held = [claim(campaign, person) for person in people]

    def work(number):
        if number == 10:
            closed = close_campaign(campaign=campaign, by=None)
            return Review.objects.filter(campaign=closed).count()
        return submit(campaign, people[number], held[number])

    *submitted, at_close = at_once(11, work)
    stored = [result for result in submitted if not isinstance(result, Exception)]
    assert all(
        isinstance(result, CampaignClosedError) for result in submitted if isinstance(result, Exception)
    )
    assert Review.objects.count() == len(stored) == at_close


def test_a_reviewer_who_is_removed_while_they_work_holds_nothing_and_loses_nothing():
    project, people = make_team(6)
    campaign = make_open_campaign(project, people, rows=20, candidates=2, overlap=3)
    held = [claim(campaign, person) for person in people]

    def work(number):
        if number < 6:
            remove_member(
                membership=Membership.objects.get(project=project, user=people[number]), by=project.created_by
            )
            return None
        if number < 12:
            return submit(campaign, people[number - 6], held[number - 6])
        return next_review(campaign_reviewer=campaign_reviewer_of(campaign, people[number - 12]))

    results = at_once(18, work)

    # Whoever came second finds themselves taken off or their assignment free.
    faults = [
        result
        for result in results
        if isinstance(result, Exception) and not isinstance(result, ConflictError | MissingError)
    ]
    assert faults == []
    assert not Assignment.objects.filter(state=AssignmentState.IN_PROGRESS).exists()
    assert not CampaignReviewer.objects.filter(left_at=None).exists()
    stored = [result for result in results[6:12] if not isinstance(result, Exception)]
    assert Review.objects.count() == len(stored)


def test_a_deletion_of_a_persons_data_leaves_nothing_of_what_they_do_meanwhile():
    project, people = make_team(4)
    campaign = make_open_campaign(project, people, rows=20, candidates=2, overlap=3)
    held = [claim(campaign, person) for person in people]

    def work(number):
        person = people[number % 4]
        if number < 8:
            # Each twice, as by a button pressed twice.
            return anonymise_person(user=User.objects.get(pk=person.pk), by=person)
        if number < 12:
            return submit(campaign, person, held[number % 4])
        if number < 16:
            of = DraftPlace(person, campaign.pk, "item_output", held[number % 4].subject_id, None)
            return save_draft(of, GOOD.as_dict(), revision=0)
        if number < 20:
            return create_api_token(user=person, name="import", by=person)
        return update_profile(user=person, by=person, name=person.name, review_keys={})

    results = at_once(24, work)

    faults = [
        result
        for result in results
        if isinstance(result, Exception) and not isinstance(result, ConflictError | MissingError)
    ]
    assert faults == []
    stored = [result for result in results[8:12] if not isinstance(result, Exception)]
    assert Review.objects.count() == len(stored)
    for person in people:
        assert AuditEvent.objects.filter(action="person.anonymised", object_id=person.pk).count() == 1
        assert traces_of(person.name) + traces_of(person.email) == []
        assert str(User.objects.get(pk=person.pk)) == f"Former member {person.pk}"
    assert not Draft.objects.exists() and not ApiToken.objects.exists()
    assert not Assignment.objects.filter(state=AssignmentState.IN_PROGRESS).exists()


def _move(campaign, people, chance):
    """A manager moves work of one person to another; whether there is none left."""
    source, target = chance.sample(people, 2)
    with suppress(InvalidError):
        reassign(campaign=campaign, source=source, target=chance.choice([target, None]), most=2, by=None)
    return not campaign.assignments.filter(purpose="review").exclude(state=AssignmentState.SUBMITTED).exists()


def _rate(campaign, person, chance):
    """A reviewer rates what comes next, or lets its lease run out; whether there is nothing more for them."""
    found = next_review(campaign_reviewer=campaign_reviewer_of(campaign, person))
    if not isinstance(found, NextReview):
        if found.reason in (NoWorkReason.ALL_DONE, NoWorkReason.QUOTA_REACHED):
            return True
        return_lapsed_assignments()
    elif chance.random() < 0.1:
        Assignment.objects.filter(pk=found.assignment.id, state=AssignmentState.IN_PROGRESS).update(
            lease_expires_at=timezone.now() - timedelta(hours=1)
        )
    else:
        with suppress(ConflictError):
            submit(campaign, person, found)
    return False


def test_assigned_work_with_checks_and_quotas_is_filled_exactly_while_a_manager_moves_it():
    project, people = make_team(8)
    draft = make_campaign(
        project,
        people,
        rows=34,
        candidates=2,
        overlap=2,
        overlap_share=25,
        overlap_more=4,
        distribution="manual",
        quota=20,
        gold_share=20,
        repeat_share=20,
    )
    set_gold(campaign=draft, rows=[GoldRow(str(n), str(n), "tone", "4") for n in (1, 2, 3, 4)], by=None)
    campaign = open_campaign(campaign=draft, by=None)

    def work(number):
        chance = random.Random(number)
        turn = partial(_move, campaign, people) if number == 8 else partial(_rate, campaign, people[number])
        for _ in range(2000):
            connection.close()
            if turn(chance):
                return

    results = at_once(9, work)
    assert [result for result in results if isinstance(result, Exception)] == []
    counted = Review.objects.filter(purpose="review")
    per_output = counted.values("item_output").annotate(
        n=Count("id"), people=Count("reviewer", distinct=True), wanted=Max("item_output__item__overlap")
    )
    assert all(row["n"] == row["people"] <= row["wanted"] for row in per_output)
    for campaign_reviewer in CampaignReviewer.objects.all():
        assert (
            campaign_reviewer.reviews_done
            == counted.filter(reviewer=campaign_reviewer.user_id).count()
            <= 20 * 2
        )
        assert (
            campaign_reviewer.checks_done
            == Review.objects.exclude(purpose="review").filter(reviewer=campaign_reviewer.user_id).count()
        )
    # Nothing is stuck: what a quota left half-way goes on once it is raised.
    Campaign.objects.update(quota=None)
    Assignment.objects.filter(state=AssignmentState.IN_PROGRESS).update(
        lease_expires_at=timezone.now() - timedelta(hours=1)
    )
    return_lapsed_assignments()
    for _ in range(2):
        for person in people:
            while isinstance(
                found := next_review(campaign_reviewer=campaign_reviewer_of(campaign, person)), NextReview
            ):
                submit(campaign, person, found)
    assert not campaign.assignments.filter(purpose="review").exclude(state=AssignmentState.SUBMITTED).exists()
    assert counted.count() == campaign.reviews_total
