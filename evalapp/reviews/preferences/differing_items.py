"""Items whose preferences so far differ, for more reviewers where agreement is low."""

from typing import cast

from evalapp.campaigns.models import Campaign, Purpose
from evalapp.reviews.differing_items import items_waiting
from evalapp.reviews.preferences.duels import duels_of
from evalapp.stats.pairs import Duel, agreeing_shares


def items_with_differing_preferences(campaign: Campaign, *, most: float) -> set[int]:
    """Items of whose preferences at most the share ``most`` agrees, see `agreeing_shares`. Items with added
    assignments still to be done are left out: their preferences may settle it.
    """
    given = campaign.reviews.filter(purpose=Purpose.REVIEW).values_list(
        "comparison__item", "reviewer", "preference__outputs", "preference__choice", "preference__ranks"
    )
    duels = [
        Duel(item, reviewer, *duel)
        for item, reviewer, outputs, choice, ranks in given
        for duel in duels_of(outputs, choice, ranks)
    ]
    apart = {item for item, share in agreeing_shares(duels).items() if share <= most}
    return cast(set[int], apart) - items_waiting(campaign)
