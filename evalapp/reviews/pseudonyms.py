"""Under what name a reviewer appears: the same on every page, file and answer of a campaign."""

from collections.abc import Iterable

from django.db.models import Min

from evalapp.campaigns.models import Campaign
from evalapp.reviews.models import Review


def pseudonym_numbers(campaigns: Iterable[Campaign]) -> dict[int, dict[int, int]]:
    """By campaign: each reviewer's number, in order of their first review there."""
    numbers: dict[int, dict[int, int]] = {campaign.pk: {} for campaign in campaigns}
    firsts = (
        Review.objects.filter(campaign__in=numbers)
        .values("campaign_id", "reviewer_id")
        .annotate(first=Min("pk"))
        .order_by("first")
    )
    for row in firsts:
        known = numbers[row["campaign_id"]]
        known[row["reviewer_id"]] = len(known) + 1
    return numbers
