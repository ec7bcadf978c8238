"""The items that a campaign will have reviewed when it is done."""

from typing import NamedTuple

from evalapp.campaigns.item_groups import groups_of_items
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.campaigns.queries import cost_of_draft


class PlannedItems(NamedTuple):
    """``groups``: groups of rows that the items come from; None if each item is its own group."""

    items: int
    groups: int | None

    @property
    def independent(self) -> int:
        """The number of groups, or of items without groups."""
        return self.groups or self.items

    @property
    def noun(self) -> str:
        return "groups of items" if self.groups else "items"

    @property
    def words(self) -> str:
        return f"{self.items:,} items" + (f" from {self.groups:,} groups" if self.groups else "")


def planned_items(campaign: Campaign) -> PlannedItems:
    """The items of an open campaign, or those of a draft's design."""
    if campaign.state == CampaignState.DRAFT:
        cost = cost_of_draft(campaign)
        return PlannedItems(cost.items, cost.groups)
    return PlannedItems(campaign.items_total, groups_of_items(campaign))
