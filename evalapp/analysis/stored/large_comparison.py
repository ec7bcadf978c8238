"""A large campaign's comparison for pages and the API: stored by a job, with current counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalapp.analysis.comparison.candidates import CandidateRow, Comparison, ReviewerRow
from evalapp.analysis.models import ScoreSource, StoredAnalysis
from evalapp.analysis.scores.campaign_scores import metric_named
from evalapp.analysis.stored.serialisation import OutdatedError, Subjects
from evalapp.analysis.stored.stored_comparison import (
    PageParts,
    StoredComparison,
    StoredParts,
    chosen_parts,
    counted_reviewers,
    nothing_stored,
    stored_comparison,
    with_counts,
)
from evalapp.analysis.stored.stored_results import (
    AnalysisRequest,
    Freshness,
    freshness_of,
    stored_of,
    stored_values_of,
    subjects_of,
)
from evalapp.campaigns.models import Campaign, CampaignCandidate
from evalapp.metrics.metric import MetricDescription
from evalapp.reviews.counts import campaign_counts
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names
from evalapp.rubrics.models import Criterion


@dataclass(frozen=True)
class LargeComparison:
    """``comparison`` has current counts, ``figures`` everything else as of ``freshness``; ``reviewers`` are
    current.

    The database keeps counts of the whole campaign only, so for a view everything is as of ``freshness``.
    """

    campaign: Campaign
    request: AnalysisRequest
    subjects: Subjects
    freshness: Freshness
    figures: StoredComparison
    comparison: Comparison
    reviewers: list[ReviewerRow]
    row: StoredAnalysis | None
    names: ReviewerNames

    @property
    def is_computed(self) -> bool:
        """Whether a job has computed the numbers; until then each number says that it is not computed."""
        return self.freshness.computed_at is not None

    @property
    def has_scores(self) -> bool:
        return self.is_computed

    @property
    def shows_adjudicated(self) -> bool:
        return self.request.score_source == ScoreSource.ADJUDICATED

    @property
    def candidates(self) -> Sequence[CampaignCandidate]:
        return list(self.subjects.candidates.values())

    @property
    def scales(self) -> list[Criterion]:
        return [each for each in self.comparison.criteria if each.rules.has_mean]

    def metric_named(self, name: str) -> MetricDescription:
        """The metric of that name. Raises InvalidError for a metric that is not stored."""
        return metric_named(name, {metric.name: metric for metric in self.comparison.metrics})

    def chosen(
        self,
        *,
        reference: CandidateRow | None = None,
        criterion: Criterion | None = None,
        metric: MetricDescription | None = None,
    ) -> StoredParts:
        """The stored figures of these choices, in one query; empty without any."""
        page_parts = PageParts(reference, criterion, metric)
        result = {}
        if self.row is not None:
            result = stored_values_of(self.campaign, self.request, *page_parts.parts.values())
        try:
            return chosen_parts(result, self.subjects, self.comparison, page_parts)
        except OutdatedError:
            return chosen_parts({}, self.subjects, self.comparison, page_parts)


def large_comparison(campaign: Campaign, request: AnalysisRequest, *, reader_id: int) -> LargeComparison:
    """A large campaign's comparison; reads only counts and stored numbers, however many ratings there are."""
    counts = campaign_counts(campaign, reviewer_type=request.reviewer_type)
    subjects = subjects_of(campaign)
    row = stored_of(campaign, request)
    try:
        stored = None if row is None else stored_comparison(row.result, subjects)
    except OutdatedError:
        stored = row = None
    freshness = freshness_of(campaign, request, row, counts)
    if stored is None:
        stored = nothing_stored(
            campaign, list(subjects.candidates.values()), list(subjects.criteria.values())
        )
    names = shown_names(campaign, reader_id=reader_id)
    if request.view:
        comparison, reviewers = stored.comparison, _named(stored.reviewers, names)
    else:
        is_adjudicated = request.score_source == ScoreSource.ADJUDICATED
        comparison = with_counts(stored.comparison, counts, is_adjudicated=is_adjudicated)
        reviewers = []
        if not campaign.names_are_positions:
            reviewers = counted_reviewers(counts, comparison.criteria, names)
    return LargeComparison(campaign, request, subjects, freshness, stored, comparison, reviewers, row, names)


def _named(rows: list[ReviewerRow], names: ReviewerNames) -> list[ReviewerRow]:
    """Stored rows of reviewers with the names that this reader sees."""
    people = {number: pk for pk, number in names.numbers.items()}
    return [
        replace(row, name=names.of(people[row.number]), is_reader=people[row.number] == names.reader_id)
        for row in rows
        if row.number in people
    ]
