"""Real threads on real connections: exactly once and an exact quota, also where answers are compared."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Count, F
from django.utils import timezone

from evalapp.adjudication.models import ComparisonAdjudication
from evalapp.campaigns.allocation import NextReview, NoWorkReason, next_review
from evalapp.campaigns.leases import return_lapsed_assignments
from evalapp.campaigns.models import Assignment, AssignmentState, CampaignReviewer, Purpose
from evalapp.campaigns.services import open_campaign
from evalapp.core.errors import ConflictError, StaleError
from evalapp.reviews.models import Review, ReviewRevision
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.gold import GoldPreferenceRow, set_gold_preferences
from evalapp.reviews.queries import review_context_at
from evalapp.reviews.services import amend_review
from tests.at_once import at_once
from tests.campaigns.making import make_campaign, make_open_campaign, make_team
from tests.reviews.conftest import campaign_reviewer_of
from tests.reviews.preferences.conftest import decide, judge

pytestmark = pytest.mark.django_db(transaction=True)


def alone(**options):
    project, (person,) = make_team(1)
    campaign = make_open_campaign(
        project, [person], rows=1, candidates=2, overlap=1, method="pairwise", **options
    )
    return campaign, person


def test_of_parallel_changes_of_one_revision_one_holds():
    campaign, person = alone()
    review = judge(campaign, person).review

    def change(number):
        fresh = Review.objects.select_related("campaign").get(pk=review.pk)
        preference = PreferenceAnswers("b", None, f"{number}")
        return amend_review(review=fresh, by=person, answers=preference, revision=1)

    results = at_once(20, change)
    assert sum(isinstance(result, Review) for result in results) == 1
    assert sum(isinstance(result, StaleError) for result in results) == 19
    assert (Review.objects.get().revision, ReviewRevision.objects.count()) == (2, 1)


def test_the_quota_of_comparisons_is_exact_while_leases_expire_at_random():
    project, people = make_team(8)
    campaign = make_open_campaign(project, people, rows=6, candidates=3, overlap=3, method="pairwise")
    judge_all_at_once(campaign, people)
    assert Review.objects.count() == campaign.reviews_total == 54
    told = Review.objects.values("comparison").annotate(
        n=Count("id"), people=Count("reviewer", distinct=True)
    )
    assert {(row["n"], row["people"]) for row in told} == {(3, 3)}
    assert set(Assignment.objects.values_list("state", "reviews_done")) == {(AssignmentState.SUBMITTED, 3)}
    assert sum(campaign_reviewer.reviews_done for campaign_reviewer in CampaignReviewer.objects.all()) == 54


def test_gold_and_repeats_add_nothing_to_the_quota_and_are_each_persons_own():
    project, people = make_team(6)
    options = {"method": "pairwise", "gold_share": 20, "repeat_share": 40, "seed": 4}
    draft = make_campaign(project, people, rows=64, candidates=2, overlap=2, **options)
    first, second = (each.model_version.label for each in draft.candidates.all())
    known = [GoldPreferenceRow(f"line {row}", str(row), first, second, "better") for row in (1, 2, 3, 4)]
    set_gold_preferences(campaign=draft, rows=known, by=None)
    campaign = open_campaign(campaign=draft, by=None)
    judge_all_at_once(campaign, people)
    counted = Review.objects.filter(purpose=Purpose.REVIEW)
    assert counted.count() == campaign.reviews_total == 120
    told = counted.values("comparison").annotate(n=Count("id"), people=Count("reviewer", distinct=True))
    assert {(row["n"], row["people"]) for row in told} == {(2, 2)}
    checks = Review.objects.exclude(purpose=Purpose.REVIEW)
    assert set(checks.values_list("purpose", flat=True)) == {Purpose.GOLD, Purpose.REPEAT}
    assert not checks.exclude(assignment__assigned_to=F("reviewer")).exists()
    assert not checks.values("comparison", "reviewer").annotate(n=Count("id")).filter(n__gt=1).exists()
    for campaign_reviewer in CampaignReviewer.objects.all():
        assert campaign_reviewer.reviews_done == counted.filter(reviewer=campaign_reviewer.user_id).count()
        assert campaign_reviewer.checks_done == checks.filter(reviewer=campaign_reviewer.user_id).count()


def judge_all_at_once(campaign, people):
    """Everybody judges at one moment, while leases expire at random, until nothing is left."""

    def work(number):
        chance, person = random.Random(number), people[number]
        for _ in range(4000):
            # Back to the pool, as after a request.
            connection.close()
            found = next_review(campaign_reviewer=campaign_reviewer_of(campaign, person))
            if not isinstance(found, NextReview):
                if found.reason in (NoWorkReason.ALL_DONE, NoWorkReason.NOTHING_LEFT_FOR_YOU):
                    return
                return_lapsed_assignments()
                continue
            if chance.random() < 0.2:
                # Whoever holds it now: time passes for anybody.
                lapse(pk=found.assignment.id)
            try:
                submit(person, found, chance.choice("ab"))
            except ConflictError:
                continue
        raise AssertionError("The campaign never ended for this reviewer.")

    def submit(person, found, choice):
        review_context = review_context_at(person, found.assignment.key, found.slot)
        judge(campaign, person, PreferenceAnswers(choice), review_context=review_context)

    ended = at_once(len(people), work)
    assert [each for each in ended if isinstance(each, Exception)] == []
    # Leases can lapse in the hands of the last ones; then there is work for whoever comes back.
    lapse()
    return_lapsed_assignments()
    for person in people:
        while isinstance(
            found := next_review(campaign_reviewer=campaign_reviewer_of(campaign, person)), NextReview
        ):
            submit(person, found, "a")


def lapse(**lookup):
    held = Assignment.objects.filter(state=AssignmentState.IN_PROGRESS, **lookup)
    held.update(lease_expires_at=timezone.now() - timedelta(hours=1))


def test_of_two_who_rule_at_once_one_does_and_the_other_is_told(disputed, manager, owner) -> None:
    def rule(number: int) -> object:
        return decide(disputed, (manager, owner)[number % 2], PreferenceAnswers("ab"[number % 2]))

    found = at_once(4, rule)
    refused = [each for each in found if isinstance(each, Exception)]
    assert {type(each) for each in refused} <= {StaleError}
    assert ComparisonAdjudication.objects.get().revision == 1
