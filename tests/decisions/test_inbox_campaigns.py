"""What the inbox says of campaigns under way."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.decisions.inbox import inbox_of
from evalapp.reviews.models import Review
from tests.factories import PLAIN, make_campaign
from tests.kept_cast import FIXTURES, Cast, again
from tests.reviews.checking import make_checked, review_on
from tests.reviews.conftest import submit

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    """12 of 40 reviews are in."""
    campaign = make_campaign(cast.project, [cast.reviewer, cast.other_reviewer], rows=10)
    for _ in range(12):
        submit(campaign, cast.reviewer)
    Campaign.objects.filter(pk=campaign.pk).update(opened_at=timezone.now() - 20 * DAY)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def last_reviews(campaign: Campaign, *, every: timedelta, ago: timedelta) -> None:
    """The reviews came ``every`` so often, the latest ``ago``."""
    reviews = Review.objects.filter(campaign=campaign).order_by("-pk")
    for position, pk in enumerate(reviews.values_list("pk", flat=True)):
        Review.objects.filter(pk=pk).update(submitted_at=timezone.now() - ago - position * every)


def kinds(project: Project) -> list[str]:
    return [entry.kind for entry in inbox_of(project)]


@pytest.mark.parametrize(
    ("every", "ago", "stalls"),
    [
        (HOUR, 11 * HOUR, False),
        (HOUR, 13 * HOUR, True),
        (16 * HOUR, 31 * HOUR, False),
        (16 * HOUR, 33 * HOUR, True),
        (4 * DAY, 6 * DAY, False),
        (4 * DAY, 8 * DAY, True),
    ],
)
def test_a_silence_is_a_stall_by_the_pauses_before(
    campaign: Campaign, project: Project, every: timedelta, ago: timedelta, stalls: bool
) -> None:
    last_reviews(campaign, every=every, ago=ago)
    assert kinds(project) == (["stalled"] if stalls else [])


def test_the_stall_says_how_long_and_what_was_usual(campaign: Campaign, project: Project) -> None:
    last_reviews(campaign, every=16 * HOUR, ago=40 * HOUR)
    (entry,) = inbox_of(project)
    assert entry.text == "Spring round has had no review for 1 d 16 h; its longest pause before was 16 h"
    assert entry.href.endswith(f"/campaigns/{campaign.pk}/progress/")


def test_a_missed_deadline_and_one_that_will_be(campaign: Campaign, project: Project) -> None:
    now = timezone.now()
    last_reviews(campaign, every=12 * HOUR, ago=HOUR)
    Campaign.objects.filter(pk=campaign.pk).update(deadline=now - 30 * HOUR)
    (overdue,) = inbox_of(project)
    assert overdue.kind == "overdue"
    assert overdue.text == "Spring round is 1 d 6 h past its deadline, 12 of 40 reviews in"

    # 12 in the last 14 days: 28 more take 33 days.
    Campaign.objects.filter(pk=campaign.pk).update(deadline=now + 10 * DAY)
    (late,) = inbox_of(project)
    assert late.kind == "late" and "23 days after its deadline" in late.text
    Campaign.objects.filter(pk=campaign.pk).update(deadline=now + 60 * DAY)
    assert inbox_of(project) == []


def test_paused_and_finished_campaigns_do_not_stall(campaign: Campaign, project: Project) -> None:
    last_reviews(campaign, every=HOUR, ago=5 * DAY)
    assert kinds(project) == ["stalled"]
    Campaign.objects.filter(pk=campaign.pk).update(state="paused")
    assert kinds(project) == []
    # A deadline runs on; one thing is said of a campaign that is past it.
    for state in ("paused", "open"):
        Campaign.objects.filter(pk=campaign.pk).update(state=state, deadline=timezone.now() - HOUR)
        assert kinds(project) == ["overdue"]


def test_the_inbox_reads_the_same_number_of_times_for_one_campaign_and_for_three(
    campaign: Campaign, project: Project, reviewer: User
) -> None:
    last_reviews(campaign, every=HOUR, ago=2 * DAY)
    Campaign.objects.filter(pk=campaign.pk).update(deadline=timezone.now() + DAY)
    counts = []
    for more in ((), ("Second", "Third")):
        for name in more:
            another = make_campaign(project, [reviewer], rows=3, name=name, texts={f"only {name}": PLAIN})
            submit(another, reviewer)
            Campaign.objects.filter(pk=another.pk).update(
                opened_at=timezone.now() - 9 * DAY, deadline=timezone.now() + DAY
            )
            last_reviews(another, every=HOUR, ago=3 * DAY)
        with CaptureQueriesContext(connection) as queries:
            inbox_of(project)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_who_is_done_with_the_calibration_waits_in_the_inbox() -> None:
    campaign, (ann, bob) = make_checked(rows=12, gold_share=0, repeat_share=0, calibration_items=2)
    review_on(campaign, ann, most=1)
    assert "admission" not in kinds(campaign.project)
    review_on(campaign, ann)
    (entry,) = [each for each in inbox_of(campaign.project) if each.kind == "admission"]
    assert entry.text == f"{campaign.name}: 1 reviewer is done with the calibration and waits to be admitted"
    assert entry.href.endswith(f"/campaigns/{campaign.pk}/calibration/")
    review_on(campaign, bob)
    assert any("2 reviewers are done" in each.text for each in inbox_of(campaign.project))
    campaign.reviewers.update(admitted_at=timezone.now())
    assert "admission" not in kinds(campaign.project)
