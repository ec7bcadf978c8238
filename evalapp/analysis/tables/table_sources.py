"""The sources of an analysis page's tables, computed when needed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property

from django.db.models import QuerySet

from evalapp.analysis.agreement.measures import AgreementRow, CorrelationRow, agreement_rows, correlation_rows
from evalapp.analysis.agreement.reviewer_agreement import ComputedPanel, Panel
from evalapp.analysis.agreement.severity import CampaignSeverity, severity_of
from evalapp.analysis.charts import labels_of
from evalapp.analysis.comparison.candidates import (
    NOBODY,
    CandidateRow,
    Comparison,
    ReviewerRow,
    compare,
    reviewer_rows,
)
from evalapp.analysis.comparison.counterfactuals import CounterfactualDifference, check_counterfactuals
from evalapp.analysis.comparison.differences import ComparedPair, PairComparison
from evalapp.analysis.comparison.ranks import ranks_of
from evalapp.analysis.comparison.span_counts import CandidateMarks, marks_by_candidate
from evalapp.analysis.comparison.subgroups import Subgroup, find_subgroups
from evalapp.analysis.comparison.usage import Usage, usage_of
from evalapp.analysis.metrics.classification import label_columns
from evalapp.analysis.metrics.metric_trust import CriterionTrust, metric_trust
from evalapp.analysis.metrics.prediction_powered import PredictionPoweredMean, prediction_powered_means
from evalapp.analysis.pairwise.pairs import PairResults, load_preferences, pair_results
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.reviews.models import Review
from evalapp.stats.rank_intervals import Rank

TableQuery = Mapping[str, str]
"""The parameters of a URL that choose a table, besides the reference and the metric."""


class TableSource(ABC):
    """Numbers for tables. ``reference`` and ``metric``: None if there is none. Nobody is named "you", because
    others read the tables too.
    """

    comparison: Comparison
    reference: CandidateRow | None
    metric: MetricDescription | None
    query: TableQuery = {}
    judged: PairResults | None = None

    @property
    @abstractmethod
    def labels(self) -> dict[int, str]:
        """Labels by campaign candidate id."""

    @property
    @abstractmethod
    def pairs(self) -> list[ComparedPair]:
        """Each other candidate minus the reference."""

    @property
    @abstractmethod
    def subgroups(self) -> list[Subgroup]:
        """Subgroups of the other candidates minus the reference."""

    @property
    @abstractmethod
    def counterfactuals(self) -> list[CounterfactualDifference]: ...

    @property
    @abstractmethod
    def ranks(self) -> dict[int, Rank]:
        """Ranks by the total, by campaign candidate id; empty with fewer than three."""

    @property
    @abstractmethod
    def marks(self) -> list[CandidateMarks]: ...

    @property
    @abstractmethod
    def label_scores(self) -> dict[int, list[Measure]]:
        """F1 of the predicted labels, by campaign candidate id; empty without labels."""

    @property
    @abstractmethod
    def usage(self) -> list[Usage]: ...

    @property
    @abstractmethod
    def reviewers(self) -> list[ReviewerRow]: ...

    @property
    @abstractmethod
    def agreement(self) -> list[AgreementRow]: ...

    @property
    @abstractmethod
    def correlations(self) -> list[CorrelationRow]:
        """Correlations of people's scores with ``metric``."""

    @property
    @abstractmethod
    def trust(self) -> list[CriterionTrust]: ...

    @property
    @abstractmethod
    def prediction_powered(self) -> list[PredictionPoweredMean]:
        """The prediction-powered means of ``metric``."""

    @property
    @abstractmethod
    def severity(self) -> CampaignSeverity: ...

    @property
    @abstractmethod
    def panel(self) -> Panel: ...

    def label(self, row: CandidateRow) -> str:
        return self.labels[row.candidate.pk]


class LiveTables(TableSource):
    """Sources computed from scores.

    ``originals``: the reviewers' scores; ``scores``: those that means use; ``reviews``: None if all count.
    """

    def __init__(
        self,
        scores: CampaignScores,
        *,
        originals: CampaignScores,
        reviewer_type: str,
        comparison: Comparison | None = None,
        reference: CandidateRow | None = None,
        metric: MetricDescription | None = None,
        reviews: QuerySet[Review] | None = None,
        query: TableQuery | None = None,
    ) -> None:
        self.scores, self.originals, self.reviewer_type = scores, originals, reviewer_type
        self.comparison = comparison or compare(scores)
        self.reference, self.metric, self.reviews = reference, metric, reviews
        self.query = query or {}

    @cached_property
    def labels(self) -> dict[int, str]:
        return labels_of(self.scores.candidates)

    @cached_property
    def pairs(self) -> list[ComparedPair]:
        if self.reference is None:
            return []
        return PairComparison(self.scores, self.comparison).with_reference(self.reference)

    @cached_property
    def subgroups(self) -> list[Subgroup]:
        return find_subgroups(self.scores, self.pairs, self.reference) if self.reference else []

    @cached_property
    def counterfactuals(self) -> list[CounterfactualDifference]:
        return check_counterfactuals(self.scores, self.comparison).differences

    @cached_property
    def ranks(self) -> dict[int, Rank]:
        return ranks_of(self.scores)

    @cached_property
    def marks(self) -> list[CandidateMarks]:
        return marks_by_candidate(self.originals, reviewer_type=self.reviewer_type, among=self.reviews)

    @cached_property
    def label_scores(self) -> dict[int, list[Measure]]:
        return label_columns(self.originals)

    @cached_property
    def usage(self) -> list[Usage]:
        return usage_of(self.originals)

    @cached_property
    def reviewers(self) -> list[ReviewerRow]:
        return reviewer_rows(self.originals, NOBODY)

    @cached_property
    def agreement(self) -> list[AgreementRow]:
        return agreement_rows(self.originals)

    @cached_property
    def correlations(self) -> list[CorrelationRow]:
        return correlation_rows(self.scores, self.metric) if self.metric else []

    @cached_property
    def trust(self) -> list[CriterionTrust]:
        return metric_trust(self.originals)

    @cached_property
    def prediction_powered(self) -> list[PredictionPoweredMean]:
        if self.metric is None or not self.originals.answers:
            return []
        return prediction_powered_means(self.originals, self.metric)

    @cached_property
    def severity(self) -> CampaignSeverity:
        return severity_of(self.originals, names=self.originals.names)

    @cached_property
    def panel(self) -> Panel:
        return ComputedPanel(self.originals, self.originals.names)

    @cached_property
    def judged(self) -> PairResults | None:  # type: ignore[override]  # computed when asked for
        """The pairwise results; None in campaigns without comparisons or preferences."""
        campaign = self.originals.campaign
        if not campaign.compares:
            return None
        preferences = load_preferences(campaign, reviewer_type=self.reviewer_type)
        return pair_results(preferences) if preferences.rows else None
