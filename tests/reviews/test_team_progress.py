"""A campaign's progress page: shares, paces, and when the last review will be in."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.reviews.models import Review
from evalapp.reviews.progress import campaign_forecast, recent_days, team_progress
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import PLAIN, make_campaign, review_all, walk
from tests.reviews.conftest import submit

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    """10 rows of 2 answers for each of two people: 40 reviews."""
    return make_campaign(project, [reviewer, other_reviewer], rows=10)


def spread_over_days(campaign: Campaign, person: User, days: int, *, now: datetime) -> None:
    """As if the person's reviews had come in evenly over the last days."""
    reviews = list(Review.objects.filter(campaign=campaign, reviewer=person).order_by("pk"))
    for position, review in enumerate(reviews):
        at = now - DAY * days * (position + 0.5) / len(reviews)
        Review.objects.filter(pk=review.pk).update(submitted_at=at)


def open_since(campaign: Campaign, days: float) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(opened_at=timezone.now() - DAY * days)
    campaign.refresh_from_db()


def test_whole_days_are_counted_back_from_now_per_person(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    for _ in range(8):
        submit(campaign, reviewer)
    submit(campaign, other_reviewer)
    open_since(campaign, 4.5)
    spread_over_days(campaign, reviewer, 4, now=timezone.now())
    days = recent_days([campaign])[campaign.pk]
    assert days.days == 4
    assert days.of(reviewer.pk) == [2, 2, 2, 2]
    assert days.of(other_reviewer.pk) == [1, 0, 0, 0]
    assert days.total == [3, 2, 2, 2]
    # A week and a bit: the reviews of the eighth day back are left out.
    open_since(campaign, 8.5)
    Review.objects.filter(campaign=campaign, reviewer=other_reviewer).update(
        submitted_at=timezone.now() - 7.5 * DAY
    )
    days = recent_days([campaign])[campaign.pk]
    assert (days.days, sum(days.total)) == (7, 8)


def test_the_page_tells_the_end_beside_the_deadline(
    campaign: Campaign, project: Project, reviewer: User, manager: User
) -> None:
    url = f"/projects/{project.slug}/campaigns/{campaign.pk}/progress/"
    client = client_of(manager)
    assert "Too early for a forecast" in client.get(url).text
    review_all(campaign, reviewer, {})
    now = timezone.now()
    open_since(campaign, 7.2)
    spread_over_days(campaign, reviewer, 7, now=now)
    Campaign.objects.filter(pk=campaign.pk).update(deadline=now + 2 * DAY)

    page = client.get(url)
    forecast = page.context["forecast"]
    # 20 of 40 in 7 days: 20 more take 7 days, 5 days after the deadline.
    assert forecast.left == 20 and forecast.forecast.days.value == pytest.approx(7)
    assert forecast.days_late == 5 and forecast.days_early == 0
    assert "<strong>5 days after the deadline</strong>" in page.text
    assert f"{now + 7 * DAY:%-d %B %Y}" in page.text
    assert forecast.soonest < forecast.done_at

    Campaign.objects.filter(pk=campaign.pk).update(deadline=now + 10 * DAY)
    assert "3 days before the deadline" in client.get(url).text
    Review.objects.filter(campaign=campaign).update(submitted_at=now - 30 * DAY)
    assert "No reviews in the last 7 days" in client.get(url).text

    body = program_of(manager).get(f"projects/{project.slug}/campaigns/{campaign.pk}/progress/").json()
    assert body["forecast"]["left"] == 20 and body["forecast"]["done_at"] is None
    assert body["forecast"]["days"]["reason"] == "nothing in 7 days"


def test_there_is_no_forecast_without_work_left_or_while_paused(campaign: Campaign, reviewer: User) -> None:
    days = recent_days([campaign])[campaign.pk]
    assert campaign_forecast(campaign, done=40, days=days) is None
    campaign.state = "paused"
    assert campaign_forecast(campaign, done=1, days=days) is None


def test_shares_are_even_among_those_who_are_still_there(
    campaign: Campaign, reviewer: User, other_reviewer: User, engineer: User
) -> None:
    submit(campaign, reviewer)
    for _ in range(4):
        submit(campaign, other_reviewer)
    CampaignReviewer.objects.create(campaign=campaign, user=engineer)
    CampaignReviewer.objects.filter(campaign=campaign, user=other_reviewer).update(left_at=timezone.now())
    team = team_progress(campaign, reader_id=engineer.pk)
    # 40 less the 4 of who has left, by two.
    assert team.fair_share == 18
    told = {member.name: (member.share, member.left, member.share_done) for member in team.members}
    assert told == {"Reviewer 2": (None, 0, None), "Reviewer 1": (18, 17, 1 / 18), "You": (18, 18, 0.0)}


def test_the_page_reads_the_same_number_of_times_for_one_person_and_for_three(
    project: Project, reviewer: User, other_reviewer: User, engineer: User, manager: User
) -> None:
    counts = []
    for number, people in enumerate(([reviewer], [reviewer, other_reviewer, engineer])):
        campaign = make_campaign(
            project, people, rows=1, name=f"Round {number}", texts={f"only {number}": PLAIN}
        )
        for person in people:
            next(walk(campaign, person))
        client = client_of(manager)
        client.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/progress/")
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/progress/")
        counts.append(len(queries))
    assert counts[0] == counts[1]
