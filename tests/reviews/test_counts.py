"""The database's own counts of reviews and scores are what a full recount says, whatever way
a review came.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F, Min

from evalapp.accounts.models import Project, User
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.decisions.deletion import delete_project
from evalapp.decisions.inbox import inbox_of
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.counts import COUNTS_FIXED, campaign_counts, data_version, fix_counts, scores_given
from evalapp.reviews.models import Review, ReviewCount, Score, ScoreCount
from evalapp.reviews.pseudonyms import pseudonym_numbers
from evalapp.reviews.services import amend_review
from evalapp.reviews.tasks import check_counts
from tests.at_once import at_once
from tests.campaigns.making import make_open_campaign, make_team
from tests.ratings.files import imported, ratings
from tests.reviews.conftest import GOOD, submit
from tests.reviews.test_checks import make_checked, review_on

NOT_APPLICABLE = ReviewAnswers({**GOOD.scores, "tone": "na"})


def recounted(campaign: Campaign, *, reviewer_type: str = "all") -> dict[Any, int]:
    """Every answer that counts, by candidate, criterion, reviewer and value: read one by one."""
    return Counter(
        (each.candidate_id, each.criterion_id, each.reviewer_id, each.is_simulated, each.value)
        for each in load_scores(campaign, reviewer_type=reviewer_type).answers
    )


def counted(campaign: Campaign, *, reviewer_type: str = "all") -> dict[Any, int]:
    return {
        tuple(row[:-1]): row.scores for row in campaign_counts(campaign, reviewer_type=reviewer_type).scored
    }


def assert_sound(campaign: Campaign) -> None:
    assert counted(campaign) == recounted(campaign)
    assert fix_counts(campaign=campaign).is_sound


@pytest.mark.django_db
def test_submitted_and_amended_reviews_are_counted_in_their_transaction(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    reviews = [submit(campaign, reviewer).review for _ in range(3)]
    submit(campaign, other_reviewer)
    assert campaign_counts(campaign).reviews == 4
    assert data_version(campaign) == (4, 4)
    assert scores_given(campaign) == 20
    assert_sound(campaign)

    review = Review.objects.select_related("campaign__rubric_version", "campaign__project").get(
        pk=reviews[0].pk
    )
    amended = ReviewAnswers({**GOOD.scores, "tone": 5})
    amend_review(review=review, by=reviewer, answers=amended, revision=1)
    assert data_version(campaign) == (5, 4)
    assert_sound(campaign)

    with transaction.atomic():
        submit(campaign, reviewer)
        assert campaign_counts(campaign).reviews == 5
        transaction.set_rollback(True)
    assert campaign_counts(campaign).reviews == 4
    assert_sound(campaign)


@pytest.mark.django_db
def test_answers_that_do_not_apply_are_counted_apart(project: Project, reviewer: User) -> None:
    campaign = make_open_campaign(project, [reviewer], rows=2, candidates=1, overlap=1)
    review = submit(campaign, reviewer).review
    Score.objects.filter(review=review, criterion__key="tone").update(value=None, is_not_applicable=True)
    tone = Score.objects.get(review=review, criterion__key="tone")
    (candidate,) = campaign.candidates.all()
    assert campaign_counts(campaign).of_cell(candidate.pk, tone.criterion_id) == {None: 1}
    assert_sound(campaign)


@pytest.mark.django_db
def test_what_checks_reviewers_counts_no_score(settings: Any) -> None:
    campaign, team = make_checked(2, rows=20, gold=2)
    for person in team:
        review_on(campaign, person)
    assert Review.objects.filter(campaign=campaign).exclude(purpose=Purpose.REVIEW).exists()
    assert campaign_counts(campaign).reviews == Review.objects.filter(purpose=Purpose.REVIEW).count()
    assert_sound(campaign)


@pytest.mark.django_db
def test_simulated_reviewers_are_told_from_people(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    Project.objects.filter(pk=project.pk).update(is_demonstration=True)
    project.refresh_from_db()
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=3, candidates=1, overlap=2)
    submit(campaign, reviewer)
    submit(campaign, other_reviewer, is_simulated=True)
    campaign = Campaign.objects.select_related("project").get(pk=campaign.pk)
    for reviewer_type in ("all", "human", "simulated"):
        assert counted(campaign, reviewer_type=reviewer_type) == recounted(
            campaign, reviewer_type=reviewer_type
        )
    assert data_version(campaign, reviewer_type="human") == (1, 1)


@pytest.mark.django_db
def test_imported_ratings_are_counted(project: Project, manager: User, tmp_path: Path, settings: Any) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    campaign = imported(project, manager, ratings()).campaign
    assert campaign is not None and campaign_counts(campaign).reviews == Review.objects.count() > 0
    assert_sound(campaign)


@pytest.mark.django_db
def test_counts_go_with_their_project(
    project: Project, owner: User, campaign: Campaign, reviewer: User
) -> None:
    submit(campaign, reviewer)
    delete_project(project=project, typed_name=project.name, by=owner)
    assert (ReviewCount.objects.count(), ScoreCount.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_reviewers_are_numbered_by_their_first_review(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    for person in (other_reviewer, reviewer, other_reviewer):
        submit(campaign, person)
    firsts = Review.objects.values_list("reviewer").annotate(first=Min("pk")).order_by("first")
    expected = {person: number for number, (person, _) in enumerate(firsts, start=1)}
    assert pseudonym_numbers([campaign])[campaign.pk] == expected == {other_reviewer.pk: 1, reviewer.pk: 2}


@pytest.mark.django_db
def test_a_planted_difference_is_found_told_and_mended(campaign: Campaign, reviewer: User) -> None:
    for _ in range(3):
        submit(campaign, reviewer)
    planted = ScoreCount.objects.filter(campaign=campaign).order_by("pk")[0]
    ScoreCount.objects.filter(pk=planted.pk).update(scores=F("scores") + 7)
    ScoreCount.objects.filter(campaign=campaign).exclude(pk=planted.pk).order_by("-pk").first().delete()
    ReviewCount.objects.filter(campaign=campaign).update(reviews=F("reviews") - 1)
    before, _ = data_version(campaign)

    check_counts()

    assert_sound(campaign)
    assert data_version(campaign)[0] > before
    event = AuditEvent.objects.get(action=COUNTS_FIXED)
    assert (event.object_id, event.project_id) == (campaign.pk, campaign.project_id)
    assert event.data["score_counts"] == 2 and event.data["review_counts"] >= 1
    (entry,) = [each for each in inbox_of(campaign.project) if each.kind == "counts"]
    assert campaign.name in entry.text and "recount" in entry.text


@pytest.mark.django_db
def test_a_sound_night_says_nothing(campaign: Campaign, reviewer: User) -> None:
    submit(campaign, reviewer)
    check_counts()
    assert not AuditEvent.objects.filter(action=COUNTS_FIXED).exists()
    assert [each for each in inbox_of(campaign.project) if each.kind == "counts"] == []


@pytest.mark.django_db(transaction=True)
def test_counts_are_exact_when_many_submit_amend_and_recount_at_once() -> None:
    project, team = make_team(6)
    campaign = make_open_campaign(project, team, rows=20, candidates=2, overlap=3)

    def work(number: int) -> None:
        person = team[number % len(team)]
        if number == 12:
            for _ in range(5):
                fix_counts(campaign=campaign)
            return
        for turn in range(5):
            review = submit(campaign, person).review
            review = Review.objects.select_related("campaign__rubric_version", "campaign__project").get(
                pk=review.pk
            )
            said = ReviewAnswers({**GOOD.scores, "tone": 1 + turn % 5, "clarity": 3})
            amend_review(review=review, by=person, answers=said, revision=1)

    problems = [each for each in at_once(13, work) if each is not None]
    # Two windows of one person share what is claimed, so a submission may find its assignment taken; nothing
    # else fails.
    assert {type(each).__name__ for each in problems} <= {
        "ConflictError",
        "LeaseLostError",
        "StaleError",
        "AssertionError",
    }
    assert Review.objects.count() > 20
    assert not AuditEvent.objects.filter(action=COUNTS_FIXED).exists()
    assert_sound(campaign)
