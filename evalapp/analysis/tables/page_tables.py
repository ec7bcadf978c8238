"""The sources of tables that are copied from a page: computed or stored results."""

from functools import cached_property
from typing import TypeVar

from evalapp.analysis.agreement.measures import AgreementRow, CorrelationRow, agreement_rows, correlation_rows
from evalapp.analysis.agreement.reviewer_agreement import Panel
from evalapp.analysis.agreement.severity import CampaignSeverity
from evalapp.analysis.charts import labels_of
from evalapp.analysis.comparison.candidates import (
    NOBODY,
    CandidateRow,
    Comparison,
    ReviewerRow,
    compare,
    reviewer_rows,
)
from evalapp.analysis.comparison.differences import (
    ComparedPair,
    Contradiction,
    compare_pairs,
    find_contradiction,
)
from evalapp.analysis.comparison.ranks import ranks_of
from evalapp.analysis.comparison.span_counts import CandidateMarks, marks_by_candidate
from evalapp.analysis.comparison.subgroups import Subgroup, find_subgroups
from evalapp.analysis.comparison.usage import Usage, usage_of
from evalapp.analysis.metrics.classification import label_columns
from evalapp.analysis.metrics.metric_trust import CriterionTrust
from evalapp.analysis.metrics.prediction_powered import PredictionPoweredMean
from evalapp.analysis.models import AnalysisKind, ScoreSource
from evalapp.analysis.pairwise.pairs import PairResults, load_preferences, pair_results
from evalapp.analysis.scores.adjudicated_scores import with_adjudicated
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.filtered_scores import FilteredScores, load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.stored.agreement_result import agreement_result
from evalapp.analysis.stored.large_comparison import LargeComparison, large_comparison
from evalapp.analysis.stored.metrics_result import MetricsResult
from evalapp.analysis.stored.severity_result import severity_result
from evalapp.analysis.stored.stored_results import AnalysisRequest, Freshness, is_large
from evalapp.analysis.tables.choices import chosen_metric, chosen_reference
from evalapp.analysis.tables.table_sources import TableQuery, TableSource
from evalapp.core.errors import MissingError
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.stats.rank_intervals import Rank

FILTERED = "Filtered view, exploratory only."
NOT_COMPUTED = (
    "This campaign is large, and this analysis has not been computed yet. Start it on the page of the table."
)


class PageTables(TableSource):
    """With the choices of the page's URL, each number read or worked out when a table asks for it.

    Raises MissingError for what a job has not computed yet.
    """

    def __init__(self, view: ComparisonFilter, *, reviewer_type: str, asked: TableQuery) -> None:
        self.view, self.reviewer_type, self.asked = view, reviewer_type, asked
        self.freshness: Freshness | None = None
        """How recent the stored numbers are that a table was made of."""

    @cached_property
    def large(self) -> LargeComparison | None:
        """What is stored of a large campaign."""
        if not is_large(self.view.campaign, reviewer_type=self.reviewer_type):
            return None
        wanted = AnalysisRequest(
            AnalysisKind.COMPARISON, self.reviewer_type, self._score_source, self.view.view
        )
        found = large_comparison(self.view.campaign, wanted, reader_id=NOBODY)
        self.freshness = found.freshness
        return found

    @cached_property
    def comparison(self) -> Comparison:  # type: ignore[override]  # computed when asked for
        return self.large.comparison if self.large else compare(self._scores)

    @cached_property
    def reference(self) -> CandidateRow | None:  # type: ignore[override]  # computed when asked for
        return chosen_reference(self.comparison, self.asked.get("against", ""), self._contradiction)

    @cached_property
    def metric(self) -> MetricDescription | None:  # type: ignore[override]  # computed when asked for
        return chosen_metric(self.comparison, self.asked.get("metric", ""))

    @cached_property
    def labels(self) -> dict[int, str]:
        return labels_of([row.candidate for row in self.comparison.rows])

    @property
    def pairs(self) -> list[ComparedPair]:
        if self.reference is None:
            return []
        if self.large:
            return self.large.chosen(reference=self.reference).pairs
        return compare_pairs(self._scores, self.comparison, self.reference)

    @property
    def subgroups(self) -> list[Subgroup]:
        if self.reference is None:
            return []
        if self.large:
            return self.large.chosen(reference=self.reference).subgroups
        return find_subgroups(self._scores, self.pairs, self.reference)

    @property
    def ranks(self) -> dict[int, Rank]:
        return self.large.stored.ranks if self.large else ranks_of(self._scores)

    @property
    def marks(self) -> list[CandidateMarks]:
        if self.large:
            return self.large.stored.marks
        return marks_by_candidate(
            self._originals, reviewer_type=self.reviewer_type, among=self._filtered.reviews
        )

    @property
    def label_scores(self) -> dict[int, list[Measure]]:
        """Of a large campaign they are on the page of labels alone."""
        return {} if self.large else label_columns(self._originals)

    @property
    def usage(self) -> list[Usage]:
        return self.large.stored.usage if self.large else usage_of(self._originals)

    @property
    def reviewers(self) -> list[ReviewerRow]:
        return self.large.reviewers if self.large else reviewer_rows(self._originals, NOBODY)

    @property
    def agreement(self) -> list[AgreementRow]:
        return self.large.stored.agreement if self.large else agreement_rows(self._originals)

    @property
    def correlations(self) -> list[CorrelationRow]:
        if self.metric is None:
            return []
        if self.large:
            return self.large.chosen(metric=self.metric).correlations
        return correlation_rows(self._scores, self.metric)

    @property
    def trust(self) -> list[CriterionTrust]:
        return _computed(self._metrics.trust)

    @property
    def prediction_powered(self) -> list[PredictionPoweredMean]:
        if self.metric is None or not self._metrics.has_answers:
            return []
        return _computed(self._metrics.means_with(self.metric))

    @cached_property
    def severity(self) -> CampaignSeverity:
        found = severity_result(self.view, reviewer_type=self.reviewer_type, reader_id=NOBODY)
        self.freshness = found.freshness
        return found.severity

    @cached_property
    def panel(self) -> Panel:
        found = agreement_result(self.view, reviewer_type=self.reviewer_type, reader_id=NOBODY)
        self.freshness = found.freshness
        return _computed(found.panel)

    @cached_property
    def judged(self) -> PairResults | None:  # type: ignore[override]  # computed when asked for
        if not self.view.campaign.compares:
            return None
        preferences = load_preferences(self.view.campaign, reviewer_type=self.reviewer_type)
        return pair_results(preferences, score_source=self._score_source) if preferences.rows else None

    @property
    def note(self) -> str:
        """What has to be said with a table that leaves the page: of when it is, and that it is filtered."""
        as_of = ""
        if self.freshness is not None and self.freshness.computed_at is not None:
            as_of = f"As of {self.freshness.computed_at:%-d %B %Y, %H:%M} UTC."
        return " ".join(filter(None, [as_of, FILTERED if self.view.is_filtered else ""]))

    @property
    def _score_source(self) -> ScoreSource:
        is_adjudicated = self.asked.get("score_source") == ScoreSource.ADJUDICATED
        return ScoreSource.ADJUDICATED if is_adjudicated else ScoreSource.ORIGINAL

    @cached_property
    def _contradiction(self) -> Contradiction | None:
        return (
            self.large.stored.contradiction
            if self.large
            else find_contradiction(self._scores, self.comparison)
        )

    @cached_property
    def _metrics(self) -> MetricsResult:
        found = MetricsResult(self.view, reviewer_type=self.reviewer_type, reader_id=NOBODY)
        self.freshness = found.freshness
        return found

    @cached_property
    def _filtered(self) -> FilteredScores:
        return load_filtered(self.view, reviewer_type=self.reviewer_type)

    @property
    def _originals(self) -> CampaignScores:
        return self._filtered.scores

    @cached_property
    def _scores(self) -> CampaignScores:
        """Those that means are taken of."""
        is_adjudicated = self._score_source == ScoreSource.ADJUDICATED
        return with_adjudicated(self._originals).scores if is_adjudicated else self._originals


Values = TypeVar("Values")


def _computed(numbers: Values | None) -> Values:
    if numbers is None:
        raise MissingError(NOT_COMPUTED)
    return numbers
