"""The reviews that a gate needs before it can be evaluated."""

from typing import NamedTuple

from django.db.models import Count

from evalapp.campaigns.models import CampaignState, Purpose
from evalapp.gates.models import CampaignGate
from evalapp.reviews.models import Review
from evalapp.reviews.reviewer_types import of_reviewer_type

_REVIEWING = (CampaignState.OPEN, CampaignState.PAUSED)


class ReviewsNeeded(NamedTuple):
    """``more_reviews``: of a candidate, until all planned ones are in. ``is_sequential``: the gate only waits
    for the first.
    """

    more_reviews: int
    is_sequential: bool

    @property
    def words(self) -> str:
        count = self.more_reviews
        reviews = (
            "1 review of each candidate is" if count == 1 else f"{count:,} reviews of each candidate are"
        )
        if self.is_sequential:
            return f"The gate is frozen and waits for the first review; {reviews} planned."
        return f"The gate is frozen and evaluated once, when all planned reviews are in; {reviews} missing."


def planned_reviews(campaign_gate: CampaignGate) -> int:
    """Planned reviews of each candidate: the gate's number, else the campaign's plan."""
    return max(campaign_gate.gate.planned_reviews or campaign_gate.campaign.assignments_total or 0, 1)


def planned_challengers(campaign_gate: CampaignGate) -> int:
    """The planned number of candidates: the gate's number, else the campaign's candidates."""
    champion = 0 if campaign_gate.champion_id is None else 1
    return campaign_gate.gate.challengers or max(campaign_gate.campaign.candidates.count() - champion, 1)


def reviews_needed_of(campaign_gate: CampaignGate) -> ReviewsNeeded | None:
    """None once an evaluation has enough reviews or exists, and if no reviews will come: for a draft, or a
    closed campaign.
    """
    campaign = campaign_gate.campaign
    if campaign.state not in _REVIEWING or campaign_gate.evaluations.exists():
        return None
    reviews = Review.objects.filter(
        of_reviewer_type(campaign.project), campaign=campaign, purpose=Purpose.REVIEW
    )
    planned, is_sequential = planned_reviews(campaign_gate), campaign_gate.gate.is_sequential
    if is_sequential or campaign_gate.is_exploratory:
        return None if reviews.exists() else ReviewsNeeded(planned, is_sequential)
    if not campaign.project.is_demonstration:
        counts = reviews.values("item_output__candidate").annotate(done=Count("pk")).values_list("done")
        done = max((count for (count,) in counts), default=0)
        return ReviewsNeeded(planned - done, is_sequential) if done < planned else None
    return None if reviews.exists() else ReviewsNeeded(planned, is_sequential)
