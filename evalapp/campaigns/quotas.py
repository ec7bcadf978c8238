"""How much one reviewer may be handed."""

from django.db.models import F, Sum

from evalapp.campaigns.models import CampaignReviewer, Place, PlaceState, Purpose


def quota_of(seat: CampaignReviewer) -> int | None:
    """The most items that this reviewer is handed; None without a limit."""
    return seat.quota if seat.quota is not None else seat.campaign.quota


def has_room(seat: CampaignReviewer) -> bool:
    """Whether another place fits the reviewer's quota, with all that is in hand. Of a locked seat, so
    that two tabs cannot both find room. A place left half-way counts by its reviews; checks do not count.
    """
    quota, each = quota_of(seat), seat.campaign.reviews_a_place
    if quota is None:
        return True
    hand = Place.objects.filter(
        reviewer=seat.user_id, campaign=seat.campaign_id, state=PlaceState.HELD, purpose=Purpose.REVIEW
    )
    in_hand = hand.aggregate(reviews=Sum(F("outputs_total") - F("reviews_done")))["reviews"] or 0
    return seat.reviews_done + in_hand + each <= quota * each
