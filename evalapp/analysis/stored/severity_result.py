"""Severity for pages and API: fitted at once, or stored by a job."""

from typing import NamedTuple

from django.db.models import Sum

from evalapp.analysis.agreement import severity
from evalapp.analysis.agreement.severity import CampaignSeverity, facet_ratings, severity_of
from evalapp.analysis.models import AnalysisKind, StoredAnalysis
from evalapp.analysis.scores.filtered_scores import FilterCoverage, load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.stored.serialisation import OutdatedError, from_json
from evalapp.analysis.stored.stored_results import (
    AnalysisRequest,
    Freshness,
    freshness_of,
    is_large,
    stored_of,
    subjects_of,
)
from evalapp.campaigns.models import Campaign
from evalapp.reviews.counts import campaign_counts
from evalapp.reviews.models import ScoreCount
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.kinds import with_mean


class SeverityResult(NamedTuple):
    """``freshness``: None if the model was fitted just now. ``coverage``: None without a filter, and for a
    view without stored results.
    """

    severity: CampaignSeverity
    freshness: Freshness | None
    names: ReviewerNames
    coverage: FilterCoverage | None


def severity_result(view: ComparisonFilter, *, reviewer_type: str, reader_id: int) -> SeverityResult:
    """Severity in a view; the stored result if there are more scores than a page can fit.

    ``reviewer_type`` as in `load_scores`.
    """
    campaign = view.campaign
    ratings = scale_scores(campaign, reviewer_type=reviewer_type)
    if ratings <= severity.MOST_RATINGS or (
        view.is_filtered and not is_large(campaign, reviewer_type=reviewer_type)
    ):
        scores, coverage, _ = load_filtered(view, reviewer_type=reviewer_type)
        ratings = len(facet_ratings(scores))
        if ratings <= severity.MOST_RATINGS:
            names = shown_names(campaign, numbers=scores.numbers, reader_id=reader_id)
            return SeverityResult(severity_of(scores, names=names), None, names, coverage)
    request = AnalysisRequest(AnalysisKind.SEVERITY, reviewer_type, view=view.view)
    names = shown_names(campaign, reader_id=reader_id)
    stored = stored_of(campaign, request)
    found = _read(campaign, stored, names) if stored else None
    counts = campaign_counts(campaign, reviewer_type=reviewer_type)
    freshness = freshness_of(campaign, request, stored if found is not None else None, counts)
    if found is None or stored is None:
        of = "this view" if view.view else f"the {ratings:,} scores of this campaign"
        reason = f"The model has not been fitted to {of} yet."
        unfitted = CampaignSeverity(ratings, reason, [], [], [], [], [], "", [], [])
        return SeverityResult(unfitted, freshness, names, None)
    coverage = from_json(stored.result["coverage"], subjects_of(campaign))
    return SeverityResult(found, freshness, names, coverage)


def scale_scores(campaign: Campaign, *, reviewer_type: str) -> int:
    """The number of scores that the model would be fitted to."""
    rows = ScoreCount.objects.filter(
        of_reviewer_type(campaign.project, reviewer_type), campaign=campaign, is_not_applicable=False
    )
    scales = rows.filter(criterion__kind__in=with_mean())
    return int(scales.aggregate(total=Sum("scores"))["total"] or 0)


def _read(campaign: Campaign, stored: StoredAnalysis, names: ReviewerNames) -> CampaignSeverity | None:
    """The stored severities, with reviewers named by ``names``; None if they can no longer be read."""
    try:
        found: CampaignSeverity = from_json(stored.result["severity"], subjects_of(campaign))
    except OutdatedError:
        return None
    people = {number: pk for pk, number in names.numbers.items()}
    # Pseudonyms are stored; displayed names depend on the reader.
    called = {ReviewerNames(names.numbers).of(pk): names.of(pk) for pk in names.numbers}
    return found._replace(
        reviewers=[
            row._replace(name=names.of(people[row.number]), is_reader=people[row.number] == names.reader_id)
            for row in found.reviewers
            if row.number in people
        ],
        reviewer_groups=[sorted(called.get(name, name) for name in group) for group in found.reviewer_groups],
    )
