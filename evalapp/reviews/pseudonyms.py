"""The names of reviewers for others: pseudonyms, or names if the project shows them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import Min

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign
from evalapp.reviews.models import Review, ReviewCount

NOT_BEGUN = "Not begun yet"
READER = "You"


def pseudonym_numbers(campaigns: Iterable[Campaign]) -> dict[int, dict[int, int]]:
    """By campaign and reviewer: numbers in order of the first review there; none for people without
    reviews.
    """
    campaigns = list(campaigns)
    numbers: dict[int, dict[int, int]] = {campaign.pk: {} for campaign in campaigns}
    firsts = (
        ReviewCount.objects.filter(campaign__in=numbers, reviews__gt=0)
        .values_list("campaign_id", "reviewer_id")
        .annotate(first=Min("first_review"))
        .order_by("first")
    )
    comparing = [campaign.pk for campaign in campaigns if campaign.compares]
    # The stored counts include only ratings.
    compared = (
        Review.objects.filter(campaign__in=comparing)
        .values_list("campaign_id", "reviewer_id")
        .annotate(first=Min("pk"))
        .order_by("first")
    )
    for campaign_id, reviewer_id, _ in [*firsts, *(compared if comparing else ())]:
        numbers[campaign_id][reviewer_id] = len(numbers[campaign_id]) + 1
    return numbers


@dataclass(frozen=True)
class ReviewerNames:
    """The names of a campaign's reviewers for one reader. ``names`` is empty in projects that hide names."""

    numbers: Mapping[int, int]
    names: Mapping[int, str] = field(default_factory=dict)
    reader_id: int | None = None

    def of(self, reviewer_id: int) -> str:
        """The name of a reviewer: "You", a name, "Reviewer 3", or `NOT_BEGUN`. All names of reviewers come
        from here.
        """
        if reviewer_id == self.reader_id:
            return READER
        if name := self.names.get(reviewer_id):
            return name
        number = self.numbers.get(reviewer_id)
        return NOT_BEGUN if number is None else f"Reviewer {number}"


def shown_names(
    campaign: Campaign, *, numbers: Mapping[int, int] | None = None, reader_id: int | None = None
) -> ReviewerNames:
    """The names of the campaign's reviewers on pages, in the API and in files; "You" for ``reader_id``."""
    if numbers is None:
        numbers = pseudonym_numbers([campaign])[campaign.pk]
    if not campaign.project.shows_reviewer_names:
        return ReviewerNames(numbers, {}, reader_id)
    people = User.objects.filter(pk__in={*numbers, *campaign.reviewers.values_list("user", flat=True)})
    return ReviewerNames(numbers, {person.pk: str(person) for person in people}, reader_id)
