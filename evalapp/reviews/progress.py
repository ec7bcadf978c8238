"""The progress of a campaign: each person's pace and share, and a forecast of its end."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.measure import Measure
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names
from evalapp.reviews.queries import PersonProgress, progress_by_person
from evalapp.stats.pace import Forecast, daily_pace, days_counted, forecast

DAY = timedelta(days=1)
# Longer than any project: later ends are shown as "never", and no date overflows.
LONGEST_DAYS = 10 * 365

_COUNTS = """
SELECT review.campaign_id, review.reviewer_id,
       floor(extract(epoch FROM (%(now)s - review.submitted_at)) / 86400)::int AS day, count(*)
FROM evalapp_review review
WHERE review.campaign_id = ANY(%(campaigns)s) AND review.purpose = 'review'
  AND review.submitted_at > %(since)s AND review.submitted_at <= %(now)s
GROUP BY 1, 2, 3
"""


class TeamDays(NamedTuple):
    """Reviews of the last full 24-hour periods before now, latest first, by reviewer."""

    days: int
    by_reviewer: dict[int, list[int]]

    @property
    def total(self) -> list[int]:
        return [sum(each[day] for each in self.by_reviewer.values()) for day in range(self.days)]

    def of(self, reviewer_id: int) -> list[int]:
        return self.by_reviewer.get(reviewer_id, [0] * self.days)


def recent_days(campaigns: Sequence[Campaign], *, now: datetime | None = None) -> dict[int, TeamDays]:
    """The reviews of the last days by campaign; one query over at most 14 days."""
    now = now or timezone.now()
    found = {
        campaign.pk: TeamDays(days_counted(now - campaign.opened_at) if campaign.opened_at else 0, {})
        for campaign in campaigns
    }
    longest = max((each.days for each in found.values()), default=0)
    if not longest:
        return found
    parameters: dict[str, Any] = {"campaigns": list(found), "now": now, "since": now - longest * DAY}
    with connection.cursor() as database:
        database.execute(_COUNTS, parameters)
        for campaign_id, reviewer_id, day, count in database.fetchall():
            team = found[campaign_id]
            if day < team.days:
                team.by_reviewer.setdefault(reviewer_id, [0] * team.days)[day] = count
    return found


class CampaignForecast(NamedTuple):
    """The forecast of the last review, at the pace of the last days. Dates are None if there is no forecast.

    ``late_by``: from the deadline to ``done_at``; negative if early, None without a deadline.
    """

    forecast: Forecast
    left: int
    done_at: datetime | None
    soonest: datetime | None
    latest: datetime | None
    deadline: datetime | None

    @property
    def late_by(self) -> timedelta | None:
        return self.done_at - self.deadline if self.done_at and self.deadline else None

    @property
    def days_late(self) -> int:
        """Whole days after the deadline, at least 1 if late; 0 if not late."""
        late = self.late_by
        return max(1, round(late / DAY)) if late is not None and late > timedelta(0) else 0

    @property
    def days_early(self) -> int:
        late = self.late_by
        return round(-late / DAY) if late is not None and late <= timedelta(0) else 0


def campaign_forecast(
    campaign: Campaign, *, done: int, days: TeamDays, now: datetime | None = None
) -> CampaignForecast | None:
    """The forecast of an open campaign with reviews left, else None."""
    left = campaign.reviews_total - done
    if campaign.state != CampaignState.OPEN or left <= 0:
        return None
    now = now or timezone.now()
    found = forecast(days.total, left)
    return CampaignForecast(
        found,
        left,
        _time_after(now, found.days.value),
        _time_after(now, found.soonest),
        _time_after(now, found.latest),
        campaign.deadline,
    )


def _time_after(now: datetime, days: float | None) -> datetime | None:
    return None if days is None or days > LONGEST_DAYS else now + timedelta(days=days)


class TeamMember(NamedTuple):
    """``share``: reviews in an even share of the work, None for people who have left. ``left``: how many of
    those remain, at most the campaign's open reviews, because others may have done some.
    """

    progress: PersonProgress
    name: str
    number: int | None
    share: int | None
    left: int
    pace: Measure

    @property
    def share_done(self) -> float | None:
        """From 0 to 1; at most 1 for more than an even share."""
        return min(1.0, self.progress.reviews / self.share) if self.share else None


class TeamProgress(NamedTuple):
    done: int
    fair_share: int
    members: list[TeamMember]
    forecast: CampaignForecast | None
    names: ReviewerNames


def team_progress(campaign: Campaign, *, reader_id: int | None = None) -> TeamProgress:
    """Everybody's progress, under the names from `shown_names`. The remaining work of people who have left is
    divided evenly among the others.
    """
    people = progress_by_person(campaign)
    names = shown_names(campaign, reader_id=reader_id)
    days = recent_days([campaign])[campaign.pk]
    done = sum(person.reviews for person in people)
    share = fair_share(campaign.reviews_total, people)
    open_reviews = campaign.reviews_total - done
    members = [
        TeamMember(
            progress=person,
            name=names.of(person.campaign_reviewer.user_id),
            number=names.numbers.get(person.campaign_reviewer.user_id),
            share=None if person.campaign_reviewer.left_at else share,
            left=0 if person.campaign_reviewer.left_at else max(0, min(share - person.reviews, open_reviews)),
            pace=daily_pace(days.of(person.campaign_reviewer.user_id)),
        )
        for person in people
    ]
    return TeamProgress(done, share, members, campaign_forecast(campaign, done=done, days=days), names)


def fair_share(reviews_total: int, people: Iterable[PersonProgress]) -> int:
    """Reviews per remaining person, if the work that people who left did not do is divided evenly."""
    team = list(people)
    active = [person for person in team if person.campaign_reviewer.left_at is None]
    gone = sum(person.reviews for person in team if person.campaign_reviewer.left_at is not None)
    return -(-max(0, reviews_total - gone) // len(active)) if active else 0
