"""The review page's desk for each kind of review."""

from evalapp.campaigns.models import Campaign
from evalapp.reviews.desks.base import Desk
from evalapp.reviews.desks.preference import PreferenceDesk
from evalapp.reviews.desks.rating import RatingDesk

RATING_DESK = RatingDesk()
PREFERENCE_DESK = PreferenceDesk()
DESKS = (RATING_DESK, PREFERENCE_DESK)


def desk_of(campaign: Campaign) -> Desk:
    return PREFERENCE_DESK if campaign.compares else RATING_DESK
