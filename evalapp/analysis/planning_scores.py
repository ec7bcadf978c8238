"""The scores that a plan takes its variances from: all of them, or of a large campaign those of some items."""

from random import Random
from typing import NamedTuple

from evalapp.analysis import keeping
from evalapp.analysis.differences import SEED
from evalapp.analysis.scores import CampaignScores, load_scores
from evalapp.campaigns.models import Campaign, Item, ItemOutput, Purpose
from evalapp.reviews.counts import scores_given

# Fewer tell too little of how items differ, however many reviewers each has.
LEAST_ITEMS = 30


class Sample(NamedTuple):
    """``items`` of ``of_items``, drawn at random."""

    items: int
    of_items: int

    @property
    def told(self) -> str:
        return f"From {self.items:,} of {self.of_items:,} items, drawn at random."


class PlanningScores(NamedTuple):
    """``sample`` is None where every item is there."""

    scores: CampaignScores
    sample: Sample | None


def planning_scores(campaign: Campaign) -> PlanningScores:
    """Of a large campaign about as many scores as a page may read. A plan looks ahead, so variances from a part of
    the items serve it as well; the same items are drawn every time.
    """
    given, most = scores_given(campaign), keeping.MOST_AT_REQUEST
    if given <= most:
        return PlanningScores(load_scores(campaign), None)
    items = list(
        Item.objects.filter(campaign=campaign, purpose=Purpose.REVIEW)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    size = min(max(len(items) * most // given, LEAST_ITEMS), len(items))
    drawn = Random(SEED).sample(items, size)  # noqa: S311 - a sample, no secret
    outputs = ItemOutput.objects.filter(item__in=drawn).values_list("pk", flat=True)
    sample = Sample(size, len(items)) if size < len(items) else None
    return PlanningScores(load_scores(campaign, outputs=list(outputs)), sample)
