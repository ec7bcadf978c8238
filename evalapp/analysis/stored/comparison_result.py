"""A campaign's comparison for pages, files and the API: computed at once, or stored by a job."""

from collections.abc import Sequence

from evalapp.analysis.comparison.candidates import NOBODY
from evalapp.analysis.models import AnalysisKind, ScoreSource
from evalapp.analysis.scores.campaign_scores import load_many
from evalapp.analysis.scores.filtered_scores import FilteredScores, load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.stored.computed_comparison import ComputedComparison
from evalapp.analysis.stored.large_comparison import LargeComparison, large_comparison
from evalapp.analysis.stored.stored_results import AnalysisRequest, is_large, large_among
from evalapp.campaigns.models import Campaign

ComparisonResult = ComputedComparison | LargeComparison


def comparison_result(
    view: ComparisonFilter,
    *,
    reviewer_type: str,
    score_source: str = ScoreSource.ORIGINAL,
    reader_id: int = NOBODY,
) -> ComparisonResult:
    """The comparison of a view. ``reviewer_type`` as in `load_scores`; ``reader_id``: the user named
    "You".
    """
    if is_large(view.campaign, reviewer_type=reviewer_type):
        request = AnalysisRequest(AnalysisKind.COMPARISON, reviewer_type, score_source, view.view)
        return large_comparison(view.campaign, request, reader_id=reader_id)
    filtered = load_filtered(view, reviewer_type=reviewer_type)
    return ComputedComparison(
        filtered, reviewer_type=reviewer_type, score_source=score_source, reader_id=reader_id
    )


def comparison_of(campaign: Campaign) -> ComparisonResult:
    """`comparisons_of` for a single campaign."""
    (found,) = comparisons_of([campaign])
    return found


def comparisons_of(campaigns: Sequence[Campaign]) -> list[ComparisonResult]:
    """Comparisons of whole campaigns of one project by original scores, in their order. Small ones are read
    together; of large ones only counts and stored numbers are read, so that no page waits for their scores.
    """
    large = large_among(campaigns)
    loaded = load_many([campaign for campaign in campaigns if campaign.pk not in large])

    def result_of(campaign: Campaign) -> ComparisonResult:
        if campaign.pk in large:
            return large_comparison(campaign, AnalysisRequest(AnalysisKind.COMPARISON), reader_id=NOBODY)
        return ComputedComparison(
            FilteredScores(loaded[campaign.pk], None, None),
            reviewer_type="all", score_source=ScoreSource.ORIGINAL, reader_id=NOBODY,
        )  # fmt: skip

    return [result_of(campaign) for campaign in campaigns]
