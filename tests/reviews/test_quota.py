"""The quota is exact whoever works at once and whenever leases end, and "no more work" is said only when
true.

Fifty clients on real connections. `make test` has a small campaign, `make verify` one of a thousand items.
"""

import random
import time
from collections import Counter
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import Count
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.campaigns.allocation import NextReview, NoWork, NoWorkReason, next_review
from evalapp.campaigns.leases import return_lapsed_assignments
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, CampaignReviewer, ItemOutput, Skip
from evalapp.core.errors import ConflictError
from evalapp.reviews.models import Review, Score
from tests.at_once import at_once
from tests.campaigns.making import make_open_campaign, make_team
from tests.reviews.conftest import campaign_reviewer_of, submit

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 50
OVERLAP = 3
ENDED_LEASES, WALKS_AWAY, SENDS_TWICE = 0.2, 0.1, 0.1
_PATIENCE_SECONDS = 1_200.0


class Account(NamedTuple):
    """What one client did: submissions that were acknowledged, how many came late, and why it stopped."""

    acknowledged: list[UUID]
    late: int
    told: Counter[str]


def left_for(campaign: Campaign, user: User) -> int:
    """Unfinished assignments that this person could still get: once there are none, there never are again."""
    own = Assignment.objects.filter(campaign=campaign, reviewer=user).values("item")
    skipped = Skip.objects.filter(campaign=campaign, reviewer=user).values("item")
    unfinished = Assignment.objects.filter(campaign=campaign).exclude(state=AssignmentState.SUBMITTED)
    return unfinished.exclude(item__in=own).exclude(item__in=skipped).count()


def check_truth(told: NoWork, campaign: Campaign, user: User) -> None:
    """Only what cannot become untrue again can be checked while others go on."""
    if told.reason == NoWorkReason.ALL_DONE:
        assert (
            not Assignment.objects.filter(campaign=campaign).exclude(state=AssignmentState.SUBMITTED).exists()
        )
    elif told.reason == NoWorkReason.NOTHING_LEFT_FOR_YOU:
        assert left_for(campaign, user) == 0
    else:
        assert told.reason == NoWorkReason.ALL_TAKEN
        assert told.come_back_at is not None, "it must say when to come back"


def work(campaign: Campaign, user: User, seed: int) -> Account:
    """Review until told, truly, that nothing is left; leases end at random, in anybody's hands."""
    chance = random.Random(seed)
    account = Account([], 0, Counter())
    late = 0
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        connection.close()  # back to the pool, as after a request
        found = next_review(campaign_reviewer=campaign_reviewer_of(campaign, user))
        if isinstance(found, NoWork):
            check_truth(found, campaign, user)
            account.told[found.reason] += 1
            if found.reason != NoWorkReason.ALL_TAKEN:
                return account._replace(late=late)
            time.sleep(0.02)
            continue
        if chance.random() < ENDED_LEASES:
            Assignment.objects.filter(pk=found.assignment.id, state=AssignmentState.IN_PROGRESS).update(
                lease_expires_at=timezone.now() - timedelta(hours=1)
            )
            if chance.random() < 0.5:
                return_lapsed_assignments(campaign=campaign)
        if chance.random() < WALKS_AWAY:
            continue
        client_id = uuid4()
        try:
            for _ in range(2 if chance.random() < SENDS_TWICE else 1):
                submit(campaign, user, found, client_id=client_id)
        except ConflictError:
            late += 1
        else:
            account.acknowledged.append(client_id)
    raise AssertionError(f"The campaign never ended for {user}.")


def check_quota(campaign: Campaign, accounts: list[Account]) -> None:
    outputs = ItemOutput.objects.filter(item__campaign=campaign)
    counts = Counter(outputs.annotate(n=Count("reviews")).values_list("n", flat=True))
    people = Counter(
        outputs.annotate(n=Count("reviews__reviewer", distinct=True)).values_list("n", flat=True)
    )
    # Over, under and doubled would each be another figure than the overlap.
    assert set(counts) == set(people) == {OVERLAP}
    assert not Assignment.objects.filter(campaign=campaign).exclude(state=AssignmentState.SUBMITTED).exists()
    at_two_assignments = (
        Review.objects.filter(campaign=campaign)
        .values("assignment__item", "reviewer")
        .annotate(n=Count("assignment", distinct=True))
        .filter(n__gt=1)
    )
    assert not at_two_assignments.exists()
    stored = list(Review.objects.filter(campaign=campaign).values_list("client_id", flat=True))
    acknowledged = [client_id for account in accounts for client_id in account.acknowledged]
    assert sorted(stored) == sorted(acknowledged)
    assert len(stored) == campaign.reviews_total == outputs.count() * OVERLAP
    assert Score.objects.filter(review__campaign=campaign).count() == 5 * len(stored)
    done = CampaignReviewer.objects.filter(campaign=campaign).values_list("reviews_done", flat=True)
    assert sum(done) == len(stored)


@pytest.mark.parametrize(
    ("items", "candidates"),
    [
        pytest.param(60, 2, id="small"),
        pytest.param(1_000, 1, id="full", marks=pytest.mark.verification),
        pytest.param(1_000, 2, id="full-two-candidates", marks=pytest.mark.verification),
    ],
)
def test_fifty_clients_fill_the_quota_exactly_while_leases_end_at_random(items: int, candidates: int) -> None:
    project, people = make_team(CLIENTS)
    campaign = make_open_campaign(project, people, rows=items, candidates=candidates, overlap=OVERLAP)

    results = at_once(CLIENTS, lambda number: work(campaign, people[number], seed=number))

    assert [result for result in results if isinstance(result, Exception)] == []
    check_quota(campaign, results)
    told = sum((account.told for account in results), Counter())
    # Everybody was told an end, and some had to wait for what others held.
    ended = told[NoWorkReason.ALL_DONE] + told[NoWorkReason.NOTHING_LEFT_FOR_YOU]
    assert ended == CLIENTS
    print(
        f"{len(Review.objects.all())} reviews, {sum(account.late for account in results)} late, told"
        f" {dict(told)}"
    )


def test_who_waits_is_told_when_to_come_back_and_then_gets_the_assignment() -> None:
    project, (first, second) = make_team(2)
    campaign = make_open_campaign(project, [first, second], rows=1, candidates=1, overlap=1)
    held = next_review(campaign_reviewer=campaign_reviewer_of(campaign, first))
    assert isinstance(held, NextReview)

    told = next_review(campaign_reviewer=campaign_reviewer_of(campaign, second))

    assert isinstance(told, NoWork)
    assert (told.reason, told.come_back_at) == (NoWorkReason.ALL_TAKEN, held.assignment.lease_expires_at)
    # That moment comes, and the first has not come back.
    Assignment.objects.update(lease_expires_at=timezone.now())
    got = next_review(campaign_reviewer=campaign_reviewer_of(campaign, second))
    assert isinstance(got, NextReview) and got.assignment.key == held.assignment.key
