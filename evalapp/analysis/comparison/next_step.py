"""What follows a campaign's results, so that the page's one primary action is the next sensible one."""

from typing import NamedTuple

from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.datasets.models import Split
from evalapp.reviews.models import Correction


class NextStep(NamedTuple):
    """``trains``: corrections wait for the next training set, which nobody has begun. ``decides``: else,
    whether a decision is still to be recorded. Neither while reviews still come in.
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
