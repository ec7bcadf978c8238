"""A random sample of a large campaign's items, for pages that need single scores."""

from random import Random
from typing import NamedTuple

from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.analysis.stored import stored_results
from evalapp.campaigns.models import Assignment, Campaign, ItemOutput, Purpose
from evalapp.reviews.counts import scores_given

# With fewer items, the variation between items is poorly known, however many reviewers each has.
LEAST_ITEMS = 30


class SampledItems(NamedTuple):
    """``items`` sampled from the ``of_items`` that have been reviewed."""

    items: int
    of_items: int

    @property
    def words(self) -> str:
        return f"{self.items:,} of the {self.of_items:,} items reviewed so far, drawn at random"


class SampledScores(NamedTuple):
    """``sample``: None if the scores are of every item."""

    scores: CampaignScores
    sample: SampledItems | None


def sampled_scores(campaign: Campaign) -> SampledScores:
    """All scores; of a large campaign, those of as many items as have about `stored_results.MOST_AT_REQUEST`
    scores.

    Every item has the same probability and keeps all its scores, so results within items are unaffected. The
    sample stays the same until other items are reviewed.
    """
    given = scores_given(campaign)
    if given <= stored_results.MOST_AT_REQUEST:
        return SampledScores(load_scores(campaign), None)
    reviewed = Assignment.objects.filter(campaign=campaign, purpose=Purpose.REVIEW, reviews_done__gt=0)
    items = sorted(set(reviewed.order_by().values_list("item_id", flat=True)))
    number = min(max(len(items) * stored_results.MOST_AT_REQUEST // given, LEAST_ITEMS), len(items))
    if number == len(items):
        # A campaign of few items with very many scores each.
        return SampledScores(load_scores(campaign), None)
    drawn = Random(SEED).sample(items, number)
    outputs = list(ItemOutput.objects.filter(item__in=drawn).values_list("pk", flat=True))
    return SampledScores(load_scores(campaign, outputs=outputs), SampledItems(number, len(items)))
