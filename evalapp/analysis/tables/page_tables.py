"""The sources of tables that are copied from a page: computed or stored results."""

from functools import cached_property
from typing import TypeVar

from evalapp.analysis.agreement.measures import AgreementRow, CorrelationRow
from evalapp.analysis.agreement.reviewer_agreement import Panel
from evalapp.analysis.agreement.severity import CampaignSeverity
from evalapp.analysis.charts import labels_of
from evalapp.analysis.comparison.candidates import (
    NOBODY,
    CandidateRow,
    Comparison,
    ReviewerRow,
)
from evalapp.analysis.comparison.counterfactuals import CounterfactualDifference
from evalapp.analysis.comparison.differences import (
    ComparedPair,
)
from evalapp.analysis.comparison.span_counts import CandidateMarks
from evalapp.analysis.comparison.subgroups import Subgroup
from evalapp.analysis.comparison.usage import Usage
from evalapp.analysis.metrics.metric_trust import CriterionTrust
from evalapp.analysis.metrics.prediction_powered import PredictionPoweredMean
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pairwise.pairs import PairResults, load_preferences, pair_results
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.stored.agreement_result import agreement_result
from evalapp.analysis.stored.comparison_result import ComparisonResult, comparison_result
from evalapp.analysis.stored.computed_comparison import ComputedParts
from evalapp.analysis.stored.metrics_result import MetricsResult
from evalapp.analysis.stored.severity_result import severity_result
from evalapp.analysis.stored.stored_comparison import StoredParts
from evalapp.analysis.stored.stored_results import Freshness
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
    """Sources with the choices of the page's URL; each number is read or computed when a table needs it.

    Raises MissingError for numbers that a job has not computed yet.
    """

    def __init__(self, view: ComparisonFilter, *, reviewer_type: str, query: TableQuery) -> None:
        self.view, self.reviewer_type, self.query = view, reviewer_type, query
        self.freshness: Freshness | None = None
        """How recent the stored numbers are that a table was made of."""

    @cached_property
    def result(self) -> ComparisonResult:
        found = comparison_result(
            self.view, reviewer_type=self.reviewer_type, score_source=self._score_source
        )
        self.freshness = found.freshness
        return found

    @property
    def comparison(self) -> Comparison:  # type: ignore[override]  # computed when asked for
        return self.result.comparison

    @cached_property
    def reference(self) -> CandidateRow | None:  # type: ignore[override]  # computed when asked for
        contradiction = self.result.figures.contradiction
        return chosen_reference(self.comparison, self.query.get("against", ""), contradiction)

    @cached_property
    def metric(self) -> MetricDescription | None:  # type: ignore[override]  # computed when asked for
        return chosen_metric(self.comparison, self.query.get("metric", ""))

    @cached_property
    def labels(self) -> dict[int, str]:
        return labels_of([row.candidate for row in self.comparison.rows])

    @property
    def pairs(self) -> list[ComparedPair]:
        return self._parts.pairs

    @property
    def subgroups(self) -> list[Subgroup]:
        return self._parts.subgroups

    @property
    def counterfactuals(self) -> list[CounterfactualDifference]:
        return self.result.figures.counterfactuals.differences

    @property
    def ranks(self) -> dict[int, Rank]:
        return self.result.figures.ranks

    @property
    def marks(self) -> list[CandidateMarks]:
        return self.result.figures.marks

    @property
    def label_scores(self) -> dict[int, list[Measure]]:
        return self.result.figures.labels

    @property
    def usage(self) -> list[Usage]:
        return self.result.figures.usage

    @property
    def reviewers(self) -> list[ReviewerRow]:
        return self.result.reviewers

    @property
    def agreement(self) -> list[AgreementRow]:
        return self.result.figures.agreement

    @property
    def correlations(self) -> list[CorrelationRow]:
        return self._parts.correlations

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
        """The note for a copied table: the time of its numbers, and its filter."""
        as_of = ""
        if self.freshness is not None and self.freshness.computed_at is not None:
            as_of = f"As of {self.freshness.computed_at:%-d %B %Y, %H:%M} UTC."
        return " ".join(filter(None, [as_of, FILTERED if self.view.is_filtered else ""]))

    @property
    def _score_source(self) -> ScoreSource:
        is_adjudicated = self.query.get("score_source") == ScoreSource.ADJUDICATED
        return ScoreSource.ADJUDICATED if is_adjudicated else ScoreSource.ORIGINAL

    @cached_property
    def _parts(self) -> ComputedParts | StoredParts:
        return self.result.chosen(reference=self.reference, metric=self.metric)

    @cached_property
    def _metrics(self) -> MetricsResult:
        found = MetricsResult(self.view, reviewer_type=self.reviewer_type, reader_id=NOBODY)
        self.freshness = found.freshness
        return found


Values = TypeVar("Values")


def _computed(numbers: Values | None) -> Values:
    if numbers is None:
        raise MissingError(NOT_COMPUTED)
    return numbers
