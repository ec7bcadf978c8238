"""Items whose preferences differ so far, to add reviewers where agreement is low."""

from typing import cast

from evalapp.campaigns.models import Campaign, Purpose
from evalapp.reviews.differing_items import items_waiting
from evalapp.reviews.preferences.pairs import pairs_of
from evalapp.stats.pairs import PairPreference, agreeing_shares


def items_with_differing_preferences(campaign: Campaign, *, most: float) -> set[int]:
    """Ids of items whose share of agreeing preferences is at most ``most`` (see `agreeing_shares`). Without
    items with added assignments still to do, whose preferences may settle the difference.
    """
    given = campaign.reviews.filter(purpose=Purpose.REVIEW).values_list(
        "comparison__item", "reviewer", "preference__outputs", "preference__choice", "preference__ranks"
    )
    pairs = [
        PairPreference(item, reviewer, *pair)
        for item, reviewer, outputs, choice, ranks in given
        for pair in pairs_of(outputs, choice, ranks)
    ]
    apart = {item for item, share in agreeing_shares(pairs).items() if share <= most}
    return cast(set[int], apart) - items_waiting(campaign)
