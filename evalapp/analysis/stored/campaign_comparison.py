"""A campaign's comparison for pages and API: computed at once, or stored by a job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalapp.analysis.comparison.candidates import NOBODY, Comparison, compare
from evalapp.analysis.comparison.differences import Contradiction, find_contradiction
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_many
from evalapp.analysis.stored.large_comparison import large_comparison
from evalapp.analysis.stored.stored_results import AnalysisRequest, Freshness, large_among
from evalapp.campaigns.models import Campaign


@dataclass(frozen=True)
class CampaignComparison:
    """``freshness`` says how far a large campaign's numbers are behind, beside counts of now; it is None
    where all was worked out just now.
    """

    campaign: Campaign
    comparison: Comparison
    freshness: Freshness | None
    find: Callable[[], Contradiction | None]

    @cached_property
    def contradiction(self) -> Contradiction | None:
        """Looked for only where it is asked for: few pages tell it."""
        return self.find()

    @property
    def is_computed(self) -> bool:
        """False where a job has yet to compute the numbers: each then says so."""
        return self.freshness is None or self.freshness.computed_at is not None


def comparison_of(campaign: Campaign) -> CampaignComparison:
    """`comparisons_of` a single campaign."""
    (found,) = comparisons_of([campaign])
    return found


def comparisons_of(campaigns: Sequence[Campaign]) -> list[CampaignComparison]:
    """Of campaigns of one project, in their order. The small ones are read together; of a large one only
    counts and stored numbers are read, so that no page waits for its scores.
    """
    large = large_among(campaigns)
    loaded = load_many([campaign for campaign in campaigns if campaign.pk not in large])
    return [
        _as_stored(campaign) if campaign.pk in large else _worked_out(loaded[campaign.pk])
        for campaign in campaigns
    ]


def _worked_out(scores: CampaignScores) -> CampaignComparison:
    comparison = compare(scores)
    return CampaignComparison(
        scores.campaign, comparison, None, lambda: find_contradiction(scores, comparison)
    )


def _as_stored(campaign: Campaign) -> CampaignComparison:
    # No reviewer is named in what these pages show, so nobody is "you".
    found = large_comparison(campaign, AnalysisRequest(AnalysisKind.COMPARISON), reader_id=NOBODY)
    return CampaignComparison(campaign, found.comparison, found.freshness, lambda: found.stored.contradiction)
