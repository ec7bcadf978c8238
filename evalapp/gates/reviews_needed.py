"""The reviews that a gate needs before its first evaluation."""

from typing import NamedTuple

from evalapp.campaigns.models import CampaignState, Purpose
from evalapp.gates.models import CampaignGate
from evalapp.reviews.models import Review

_REVIEWING = (CampaignState.OPEN, CampaignState.PAUSED)


class ReviewsNeeded(NamedTuple):
    """``more_reviews``: of a candidate, those that are planned."""

    more_reviews: int

    @property
    def words(self) -> str:
        count = self.more_reviews
        planned = (
            "1 review of each candidate is" if count == 1 else f"{count:,} reviews of each candidate are"
        )
        return f"The gate is frozen and waits for the first review; {planned} planned."


def planned_reviews(campaign_gate: CampaignGate) -> int:
    """Of a candidate, at which most of the budget is spent: the number of the gate, else what the campaign
    plans.
    """
    return max(campaign_gate.gate.planned_reviews or campaign_gate.campaign.assignments_total or 0, 1)


def reviews_needed_of(campaign_gate: CampaignGate) -> ReviewsNeeded | None:
    """None once there is a review that an evaluation would rest on, and where none will come: of a draft, or
    closed.
    """
    campaign = campaign_gate.campaign
    if campaign.state not in _REVIEWING:
        return None
    reviews = Review.objects.filter(campaign=campaign, purpose=Purpose.REVIEW)
    if not campaign.project.is_demonstration:
        reviews = reviews.filter(is_simulated=False)
    return None if reviews.exists() else ReviewsNeeded(planned_reviews(campaign_gate))
