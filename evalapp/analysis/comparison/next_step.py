"""The next step after a campaign's results, as the page's one primary action."""

from typing import NamedTuple

from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.datasets.models import Split
from evalapp.reviews.models import Correction


class NextStep(NamedTuple):
    """``trains``: corrections wait for a next training set that nobody has begun. ``decides``: otherwise,
    whether a decision is still to be recorded. Both are False while reviews are outstanding.
    """

    trains: bool
    decides: bool


def next_step_after(campaign: Campaign) -> NextStep:
    is_over = campaign.state == CampaignState.CLOSED
    trains = (
        is_over
        and campaign.split == Split.FEEDBACK
        and not campaign.exports.exists()
        and Correction.objects.filter(review__campaign=campaign).exists()
    )
    is_decidable = is_over and not campaign.picked_because
    return NextStep(trains, not trains and is_decidable and not campaign.decisions.exists())
