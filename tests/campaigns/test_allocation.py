from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from evalapp.campaigns.allocation import (
    CLAIM,
    NextReview,
    NoWork,
    NoWorkReason,
    claim_parameters,
    claimed_assignments,
    fill_slot,
    next_review,
    reclaim_assignment,
)
from evalapp.campaigns.fair_share import MOST_CLAIMED
from evalapp.campaigns.leases import return_lapsed_assignments, started_lease_of
from evalapp.campaigns.models import Assignment, AssignmentState, CampaignReviewer, Skip
from evalapp.campaigns.services import close_campaign, give_back, pause_campaign, resume_campaign
from tests.campaigns.making import make_open_campaign, make_team

pytestmark = pytest.mark.django_db


def campaign_reviewer_of(campaign, user):
    return CampaignReviewer.objects.select_related("campaign__rubric_version", "user").get(
        campaign=campaign, user=user
    )


def next_for(campaign, user, **options):
    return next_review(campaign_reviewer=campaign_reviewer_of(campaign, user), **options)


def fill(campaign, user, upcoming):
    assignment = Assignment.objects.select_related("campaign").get(pk=upcoming.assignment.id)
    assert fill_slot(assignment=assignment, slot=upcoming.slot, reviewer=user, seconds_active=1.0)


def walk(campaign, user):
    """Review until there is no more; the (item, output) pairs in order, and why it ended."""
    seen = []
    while isinstance(upcoming := next_for(campaign, user), NextReview):
        seen.append((upcoming.assignment.item_id, upcoming.subject_id))
        fill(campaign, user, upcoming)
    return seen, upcoming


def lapse(**lookup):
    Assignment.objects.filter(state=AssignmentState.IN_PROGRESS, **lookup).update(
        lease_expires_at=timezone.now() - timedelta(hours=1)
    )


def test_a_reviewer_alone_gets_every_output_once_and_then_nothing(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=6, candidates=3, overlap=1)
    seen, end = walk(campaign, reviewer)
    assert len(seen) == len(set(seen)) == 18
    assert end == NoWork(NoWorkReason.ALL_DONE)
    assert set(Assignment.objects.values_list("state", "reviews_done")) == {("submitted", 3)}


def test_two_outputs_of_an_item_never_come_within_two_reviews_while_others_are_at_hand(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=12, candidates=3, overlap=1)
    seen, _ = walk(campaign, reviewer)
    items = [item for item, _ in seen]
    near = [
        position
        for position in range(len(items))
        if items[position] in items[max(0, position - 2) : position]
    ]
    # Only the very last assignments can leave no choice.
    assert all(position >= len(items) - 6 for position in near)


def test_two_reviewers_walk_in_different_orders(project, reviewer, other_reviewer):
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=20, candidates=1, overlap=2)
    mine, _ = walk(campaign, reviewer)
    theirs, _ = walk(campaign, other_reviewer)
    assert sorted(mine) == sorted(theirs)
    assert mine != theirs


def test_a_seed_gives_the_same_campaign_again(owner, reviewer, project):
    def design(seed, name):
        campaign = make_open_campaign(
            project,
            [reviewer],
            rows=10,
            candidates=3,
            overlap=1,
            seed=seed,
            name=name,
            dataset=name,
            rubric=name,
        )
        positions = dict(campaign.candidates.values_list("outputs__pk", "position"))
        return [
            (assignment.item.example.row_number, [positions[pk] for pk in assignment.outputs_order])
            for assignment in campaign.assignments.order_by("rank").select_related("item__example")
        ]

    assert design(7, "one") == (first := design(7, "two"))
    assert design(8, "three") != first


def test_a_reviewer_has_at_most_five_assignments_and_a_reload_shows_the_same(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=20, candidates=3, overlap=1)
    first = next_for(campaign, reviewer)
    again = [next_for(campaign, reviewer) for _ in range(8)]
    assert len(claimed_assignments(campaign_reviewer_of(campaign, reviewer))) == MOST_CLAIMED
    assert {(each.assignment.key, each.slot) for each in again} == {(first.assignment.key, first.slot)}


def test_a_prefetch_offers_something_else_than_what_is_on_the_screen(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=5, candidates=2, overlap=1)
    shown = next_for(campaign, reviewer)
    ahead = next_for(campaign, reviewer, showing=(shown.assignment.key, shown.slot))
    assert ahead.assignment.item_id != shown.assignment.item_id


def test_an_expired_lease_gives_the_assignment_to_somebody_else(project, reviewer, other_reviewer):
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=1, candidates=1, overlap=1)
    mine = next_for(campaign, reviewer)
    end = next_for(campaign, other_reviewer)
    assert end.reason == NoWorkReason.ALL_TAKEN
    assert end.come_back_at == mine.assignment.lease_expires_at
    lapse()
    assert next_for(campaign, other_reviewer).assignment.id == mine.assignment.id
    # And the first gets no second chance while it is held.
    assert next_for(campaign, reviewer).reason == NoWorkReason.ALL_TAKEN


def test_ones_own_lapsed_assignment_is_taken_up_again_while_nobody_has_it(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=1, candidates=1, overlap=1)
    mine = next_for(campaign, reviewer)
    lapse()
    again = next_for(campaign, reviewer)
    assert again.assignment.id == mine.assignment.id
    assert Assignment.objects.get().lease_expires_at > timezone.now()


def test_a_assignment_with_a_review_is_kept_for_a_day_and_then_the_rest_goes_to_another(
    project, reviewer, other_reviewer
):
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=1, candidates=2, overlap=1)
    first = next_for(campaign, reviewer)
    fill(campaign, reviewer, first)
    assignment = Assignment.objects.get()
    assert assignment.lease_expires_at > timezone.now() + started_lease_of(campaign) - timedelta(minutes=1)
    lapse()
    assert return_lapsed_assignments() == 1
    rest = next_for(campaign, other_reviewer)
    assert (rest.assignment.id, rest.assignment.open_slots) == (assignment.pk, [1 - first.slot])
    assert next_for(campaign, reviewer).reason == NoWorkReason.NOTHING_LEFT_FOR_YOU
    assert Skip.objects.get().is_lapse
    fill(campaign, other_reviewer, rest)
    assert Assignment.objects.get().state == AssignmentState.SUBMITTED


def test_a_skipped_item_is_not_offered_again_but_goes_to_another(project, reviewer, other_reviewer):
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=1, candidates=1, overlap=1)
    mine = next_for(campaign, reviewer)
    assignment = Assignment.objects.get(pk=mine.assignment.id)
    assert give_back(assignment=assignment, reviewer=reviewer, reason="My own client")
    assert next_for(campaign, reviewer).reason == NoWorkReason.NOTHING_LEFT_FOR_YOU
    assert next_for(campaign, other_reviewer).assignment.id == assignment.pk
    assignment = Assignment.objects.select_related("campaign").get()
    assert not reclaim_assignment(
        assignment=assignment, campaign_reviewer=campaign_reviewer_of(campaign, reviewer)
    )


def test_why_there_is_no_work_is_said_truly(project, reviewer, owner):
    campaign = make_open_campaign(project, [reviewer], rows=2, candidates=1, overlap=1)
    pause_campaign(campaign=campaign, by=owner)
    assert next_for(campaign, reviewer) == NoWork(NoWorkReason.PAUSED)
    resume_campaign(campaign=campaign, by=owner)
    assert isinstance(next_for(campaign, reviewer), NextReview)
    close_campaign(campaign=campaign, by=owner)
    assert next_for(campaign, reviewer) == NoWork(NoWorkReason.CLOSED)
    assert not Assignment.objects.exclude(state=AssignmentState.AVAILABLE).exists()


def test_the_last_on_the_screen_is_no_end(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=1, candidates=1, overlap=1)
    shown = next_for(campaign, reviewer)
    end = next_for(campaign, reviewer, showing=(shown.assignment.key, shown.slot))
    assert end.reason == NoWorkReason.LAST_ON_SCREEN


def test_a_assignment_behind_the_cursor_is_found_again(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=3, candidates=1, overlap=1)
    CampaignReviewer.objects.update(cursor=10_000)
    assert isinstance(next_for(campaign, reviewer), NextReview)


def test_the_claim_walks_the_index_of_available_assignments_and_no_finished_work():
    project, people = make_team(3)
    campaign = make_open_campaign(project, people, rows=1000, candidates=1, overlap=3)
    campaign_reviewer = campaign_reviewer_of(campaign, people[0])
    # Nine tenths are done by the three, as late in a campaign.
    for number in (1, 2, 3):
        campaign.assignments.filter(rank__lte=2700, number=number).update(
            state=AssignmentState.SUBMITTED, reviewer=people[number - 1], open_slots=[], reviews_done=1
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE evalapp_assignment")
        parameters = claim_parameters(campaign_reviewer=campaign_reviewer, cursor=0)
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + CLAIM, parameters)
        (plan,) = cursor.fetchone()
    nodes = list(walk_plan(plan[0]["Plan"]))
    walked = [node for node in nodes if node.get("Index Name") == "assignment_available"]
    assert [(node["Actual Rows"], node["Rows Removed by Filter"]) for node in walked] == [(1, 0)], plan
    assert not [
        node for node in nodes if node["Node Type"] == "Seq Scan" and "assignment" in node["Relation Name"]
    ]


def test_the_claim_of_assigned_work_steps_over_nobody_elses():
    project, people = make_team(3)
    campaign = make_open_campaign(
        project, people, rows=1000, candidates=1, overlap=3, distribution="manual", repeat_share=5
    )
    campaign_reviewer = campaign_reviewer_of(campaign, people[2])
    # The two others have done nothing; this one nine tenths.
    campaign.assignments.filter(rank__lte=2700, assigned_to=people[2]).update(
        state=AssignmentState.SUBMITTED, reviewer=people[2], open_slots=[], reviews_done=1
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE evalapp_assignment")
        for start in (0, -1, 3000):
            parameters = claim_parameters(campaign_reviewer=campaign_reviewer, cursor=start)
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + CLAIM, parameters)
            (plan,) = cursor.fetchone()
            nodes = list(walk_plan(plan[0]["Plan"]))
            walked = [node for node in nodes if node.get("Index Name") == "assignment_of_one_person"]
            assert [(node["Actual Rows"], node["Rows Removed by Filter"]) for node in walked] in (
                [(1, 0)],
                [(0, 0)],
            ), plan
            assert not [
                node
                for node in nodes
                if node["Node Type"] == "Seq Scan" and "assignment" in node["Relation Name"]
            ]


def walk_plan(node):
    yield node
    for child in node.get("Plans", ()):
        yield from walk_plan(child)
