"""To-do entries of running campaigns: overdue, stalled, late, with abandoned items."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.campaigns.models import MANY_LAPSES, Assignment, AssignmentState, Campaign, CampaignState
from evalapp.decisions.inbox_entries import InboxEntry
from evalapp.reviews.models import Review
from evalapp.reviews.progress import campaign_forecast, recent_days
from evalapp.stats.pace import SHORTEST_SILENCE, silence_allowed
from evalapp.templatetags.durations import duration

SHOWN_OF_A_KIND = 3
_LATEST_REVIEW = Subquery(
    Review.objects.filter(campaign=OuterRef("pk")).order_by("-id").values("submitted_at")[:1]
)

RHYTHM = timedelta(days=56)
# A large team's reviews of a day, so that the pauses include a night.
MOST_OF_RHYTHM = 20_000

# The usual rhythm: pauses between the reviews of the eight weeks that end with the latest one.
_PAUSES = """
SELECT paused.campaign_id, max(paused.pause), count(*)
FROM (
    SELECT silent.id AS campaign_id,
           latest.submitted_at - lag(latest.submitted_at)
               OVER (PARTITION BY silent.id ORDER BY latest.submitted_at) AS pause
    FROM unnest(%(campaigns)s::bigint[], %(since)s::timestamptz[]) AS silent (id, since)
    CROSS JOIN LATERAL (
        SELECT review.submitted_at FROM evalapp_review review
        WHERE review.campaign_id = silent.id AND review.submitted_at >= silent.since
        ORDER BY review.submitted_at DESC LIMIT %(most)s
    ) AS latest
) AS paused
GROUP BY paused.campaign_id
"""


def campaign_entries(project: Project) -> list[InboxEntry]:
    """Running campaigns with reviews left that need attention, most pressing first."""
    campaigns = list(
        project.campaigns.filter(state__in=[CampaignState.OPEN, CampaignState.PAUSED], invites_visitors=False)
        .annotate(done=Coalesce(Sum("reviewers__reviews_done"), 0), latest=_LATEST_REVIEW)
        .filter(done__lt=F("reviews_total"))
        .order_by("-id")
    )
    if not campaigns:
        return []
    now = timezone.now()
    overdue = [campaign for campaign in campaigns if campaign.deadline and campaign.deadline <= now]
    on_time = [each for each in campaigns if each.state == CampaignState.OPEN and each not in overdue]
    return [
        *(_overdue_entry(project, campaign, now) for campaign in overdue[:SHOWN_OF_A_KIND]),
        *_stalled_entries(project, on_time, now),
        *_late_entries(project, on_time, now),
        *_abandoned_item_entries(project),
    ]


def _campaign_url(project: Project, campaign: Campaign, name: str = "campaign_detail") -> str:
    return reverse(name, args=[project.slug, campaign.pk])


def _overdue_entry(project: Project, campaign: Campaign, now: datetime) -> InboxEntry:
    assert campaign.deadline is not None
    past = duration((now - campaign.deadline).total_seconds())
    text = (
        f"{campaign.name} is {past} past its deadline, {campaign.done} of {campaign.reviews_total} reviews in"  # type: ignore[attr-defined]  # annotated by the query
    )
    return InboxEntry("overdue", text, _campaign_url(project, campaign))


def _stalled_entries(project: Project, campaigns: Sequence[Campaign], now: datetime) -> list[InboxEntry]:
    """Campaigns without reviews for longer than is usual for them."""
    silent: dict[int, datetime] = {}
    for campaign in campaigns:
        since = campaign.latest or campaign.opened_at  # type: ignore[attr-defined]  # annotated by the query
        if since is not None and since <= now - SHORTEST_SILENCE:
            silent[campaign.pk] = since
    pauses = _longest_pauses(silent)
    entries = []
    for campaign in campaigns:
        if campaign.pk not in silent:
            continue
        longest, reviews = pauses.get(campaign.pk, (None, 0))
        allowed = silence_allowed(longest, reviews)
        silence = now - silent[campaign.pk]
        if silence < allowed:
            continue
        how_long = duration(silence.total_seconds())
        text = f"{campaign.name} has had no review for {how_long}"
        if longest is not None and allowed == 2 * longest:
            text += f"; its longest pause before was {duration(longest.total_seconds())}"
        entries.append(InboxEntry("stalled", text, _campaign_url(project, campaign, "campaign_progress")))
    return entries[:SHOWN_OF_A_KIND]


def _longest_pauses(silent: dict[int, datetime]) -> dict[int, tuple[timedelta | None, int]]:
    if not silent:
        return {}
    parameters: dict[str, Any] = {
        "campaigns": list(silent),
        "since": [since - RHYTHM for since in silent.values()],
        "most": MOST_OF_RHYTHM,
    }
    with connection.cursor() as database:
        database.execute(_PAUSES, parameters)
        return {campaign_id: (longest, reviews) for campaign_id, longest, reviews in database.fetchall()}


def _late_entries(project: Project, campaigns: Sequence[Campaign], now: datetime) -> list[InboxEntry]:
    """Campaigns that will miss their future deadline at the pace of the last days."""
    due = [campaign for campaign in campaigns if campaign.deadline is not None]
    days = recent_days(due, now=now) if due else {}
    entries = []
    for campaign in due:
        found = campaign_forecast(campaign, done=campaign.done, days=days[campaign.pk], now=now)  # type: ignore[attr-defined]  # annotated by the query
        if found is None or not found.days_late or found.done_at is None:
            continue
        text = (
            f"{campaign.name} will be done on {found.done_at:%-d %B} at its present pace, {found.days_late} "
            f"{'day' if found.days_late == 1 else 'days'} after its deadline"
        )
        entries.append(InboxEntry("late", text, _campaign_url(project, campaign, "campaign_progress")))
    return entries[:SHOWN_OF_A_KIND]


def _abandoned_item_entries(project: Project) -> list[InboxEntry]:
    """Campaigns with items whose assignments are repeatedly claimed and left."""
    assignments = (
        Assignment.objects.filter(
            campaign__project=project,
            campaign__state=CampaignState.OPEN,
            campaign__invites_visitors=False,
            lapses__gte=MANY_LAPSES,
        )
        .exclude(state=AssignmentState.SUBMITTED)
        .values_list("campaign_id", "campaign__name")
        .annotate(items=Count("item", distinct=True))
        .order_by("-campaign_id")
    )
    return [
        InboxEntry(
            "left",
            f"{name}: {items} {'item was' if items == 1 else 'items were'} claimed and abandoned"
            f" {MANY_LAPSES} times or more",
            reverse("campaign_quality", args=[project.slug, campaign_id]) + "#left",
        )
        for campaign_id, name, items in assignments[:SHOWN_OF_A_KIND]
    ]
