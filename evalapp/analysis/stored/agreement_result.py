"""Agreement for pages and API: computed at once, or stored by a job."""

from typing import NamedTuple

from evalapp.analysis.agreement.reviewer_agreement import ComputedPanel, Panel
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.scores.filtered_scores import FilterCoverage, load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.stored.serialisation import OutdatedError, from_json
from evalapp.analysis.stored.stored_agreement import StoredPanel
from evalapp.analysis.stored.stored_results import (
    AnalysisRequest,
    Freshness,
    freshness_of,
    is_large,
    stored_of,
    stored_values_of,
    subjects_of,
)
from evalapp.reviews.counts import campaign_counts
from evalapp.reviews.pseudonyms import shown_names


class AgreementResult(NamedTuple):
    """``panel``: None before a job has computed one. ``freshness``: None if computed just now. ``coverage``:
    None without a filter, and for a view without stored results.
    """

    panel: Panel | None
    freshness: Freshness | None
    coverage: FilterCoverage | None


def agreement_result(view: ComparisonFilter, *, reviewer_type: str, reader_id: int | None) -> AgreementResult:
    """Agreement in a view. ``reviewer_type`` as in `load_scores`; with ``reader_id`` None, nobody is named
    "You".
    """
    campaign = view.campaign
    if not is_large(campaign, reviewer_type=reviewer_type):
        scores, coverage, _ = load_filtered(view, reviewer_type=reviewer_type)
        names = shown_names(campaign, numbers=scores.numbers, reader_id=reader_id)
        return AgreementResult(ComputedPanel(scores, names), None, coverage)
    request = AnalysisRequest(AnalysisKind.AGREEMENT, reviewer_type, view=view.view)
    subjects, stored = subjects_of(campaign), stored_of(campaign, request)
    panel = coverage = None
    if stored is not None:
        names = shown_names(campaign, reader_id=reader_id)
        panel = StoredPanel(
            stored.result, subjects, names, lambda parts: stored_values_of(campaign, request, *parts)
        )
        try:
            coverage = from_json(stored.result["coverage"], subjects)
            for criterion in panel.criteria:
                panel.overall(criterion)
        except (OutdatedError, KeyError):
            panel = stored = None
    counts = campaign_counts(campaign, reviewer_type=reviewer_type)
    freshness = freshness_of(campaign, request, stored, counts)
    return AgreementResult(panel, freshness, coverage)
