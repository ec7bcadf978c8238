"""The kinds of reviews: one class each, which all other code calls."""

from typing import Any

from evalapp.campaigns.models import Campaign
from evalapp.reviews.kinds.base import ReviewKind
from evalapp.reviews.kinds.preference import PreferenceKind
from evalapp.reviews.kinds.rating import RatingKind

RATING = RatingKind()
PREFERENCE = PreferenceKind()
KINDS: tuple[ReviewKind[Any, Any, Any], ...] = (RATING, PREFERENCE)


def kind_of(campaign: Campaign) -> ReviewKind[Any, Any, Any]:
    """The kind of the campaign's reviews; rankings are preferences among more than two outputs."""
    return PREFERENCE if campaign.compares else RATING
