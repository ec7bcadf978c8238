"""A comparison computed from the scores; each figure on demand, for a page, the API or a job."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from random import Random

from evalapp.analysis.agreement.measures import AgreementRow, CorrelationRow, agreement_rows, correlation_rows
from evalapp.analysis.charts import agreement_chart, human_against_metric, ratings_chart
from evalapp.analysis.comparison.candidates import (
    CandidateRow,
    Comparison,
    ReviewerRow,
    compare,
    reviewer_rows,
)
from evalapp.analysis.comparison.counterfactuals import CounterfactualCheck, check_counterfactuals
from evalapp.analysis.comparison.differences import (
    SEED,
    ComparedPair,
    Contradiction,
    PairComparison,
    find_contradiction,
)
from evalapp.analysis.comparison.ranks import ranks_of
from evalapp.analysis.comparison.simpson import SimpsonCheck, check_simpson
from evalapp.analysis.comparison.span_counts import CandidateMarks, marks_by_candidate
from evalapp.analysis.comparison.subgroups import Subgroup, find_subgroups
from evalapp.analysis.comparison.summary import WorstCase, worst_cases
from evalapp.analysis.comparison.unblinding import Unblinding, unblinding_of
from evalapp.analysis.comparison.usage import Usage, usage_of
from evalapp.analysis.metrics.classification import label_columns
from evalapp.analysis.metrics.disagreements import DisagreementCount, find_disagreements
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.scores.adjudicated_scores import AdjudicatedScores, with_adjudicated
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.filtered_scores import (
    FilterCoverage,
    FilteredScores,
    SharedItems,
    shared_items_of,
)
from evalapp.campaigns.models import Campaign, CampaignCandidate
from evalapp.charts.chart import Chart
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.rubrics.models import Criterion
from evalapp.stats.rank_intervals import Rank

# With more points a chart is unreadable and slow to load.
POINTS_DRAWN = 400


class ComputedComparison:
    """``score_source``: whether means and differences use adjudicated values. Agreement, marks and figures by
    reviewer always use the reviewers' scores. ``reader_id``: the user named "You".

    A figure stored by a job has the same name here and in `StoredComparison`.
    """

    freshness = None
    is_computed = True

    def __init__(
        self, filtered: FilteredScores, *, reviewer_type: str, score_source: str, reader_id: int
    ) -> None:
        self.filtered, self.reviewer_type, self.reader_id = filtered, reviewer_type, reader_id
        self._is_adjudicated = score_source == ScoreSource.ADJUDICATED

    @property
    def figures(self) -> "ComputedComparison":
        """The figures that depend on neither reader nor time, as `LargeComparison` has them stored."""
        return self

    @property
    def originals(self) -> CampaignScores:
        return self.filtered.scores

    @property
    def scores(self) -> CampaignScores:
        """The scores that means and differences use."""
        return self._adjudicated.scores if self._is_adjudicated else self.originals

    @property
    def campaign(self) -> Campaign:
        return self.originals.campaign

    @property
    def candidates(self) -> Sequence[CampaignCandidate]:
        return self.originals.candidates

    @property
    def scales(self) -> list[Criterion]:
        return self.originals.scales

    @property
    def names(self) -> ReviewerNames:
        return self.originals.names

    @property
    def coverage(self) -> FilterCoverage | None:
        return self.filtered.coverage

    @property
    def has_scores(self) -> bool:
        return bool(self.originals.answers)

    @property
    def decided(self) -> int:
        return self._adjudicated.decided

    @property
    def shows_adjudicated(self) -> bool:
        return self._is_adjudicated and bool(self.decided)

    @cached_property
    def comparison(self) -> Comparison:
        return compare(self.scores)

    @cached_property
    def pair_comparison(self) -> PairComparison:
        return PairComparison(self.scores, self.comparison)

    @cached_property
    def contradiction(self) -> Contradiction | None:
        return find_contradiction(self.scores, self.comparison)

    @cached_property
    def agreement(self) -> list[AgreementRow]:
        return agreement_rows(self.originals)

    @cached_property
    def marks(self) -> list[CandidateMarks]:
        return marks_by_candidate(
            self.originals, reviewer_type=self.reviewer_type, among=self.filtered.reviews
        )

    @cached_property
    def unblinding(self) -> Unblinding | None:
        return unblinding_of(self.campaign)

    @cached_property
    def usage(self) -> list[Usage]:
        return usage_of(self.originals)

    @cached_property
    def labels(self) -> dict[int, list[Measure]]:
        return label_columns(self.originals)

    @cached_property
    def shared(self) -> SharedItems | None:
        return shared_items_of(self.originals)

    @cached_property
    def reviewers(self) -> list[ReviewerRow]:
        return reviewer_rows(self.originals, self.reader_id)

    @cached_property
    def ratings_chart(self) -> Chart | None:
        return ratings_chart(self.comparison)

    @cached_property
    def simpson(self) -> SimpsonCheck:
        return check_simpson(self.scores)

    @cached_property
    def counterfactuals(self) -> CounterfactualCheck:
        return check_counterfactuals(self.scores, self.comparison)

    @cached_property
    def worst(self) -> dict[int, list[WorstCase]]:
        return worst_cases(self.scores)

    @cached_property
    def ranks(self) -> dict[int, Rank]:
        return ranks_of(self.scores)

    def metric_named(self, name: str) -> MetricDescription:
        """The metric of that name. Raises InvalidError for an unknown name."""
        return self.originals.metric_named(name)

    def chosen(
        self,
        *,
        reference: CandidateRow | None = None,
        criterion: Criterion | None = None,
        metric: MetricDescription | None = None,
    ) -> "ComputedParts":
        """The figures of the chosen reference candidate, criterion and metric."""
        return ComputedParts(self, reference, criterion, metric)

    @cached_property
    def some_outputs(self) -> CampaignScores:
        """The scores of a seeded sample of at most `POINTS_DRAWN` outputs, for charts."""
        scores = self.scores
        if len(scores.outputs) <= POINTS_DRAWN:
            return scores
        outputs = sorted(Random(SEED).sample(scores.outputs, POINTS_DRAWN))
        sampled = {output.item_output_id for output in outputs}
        answers = [answer for answer in scores.answers if answer.item_output_id in sampled]
        return replace(scores, outputs=outputs, answers=answers)

    @cached_property
    def _adjudicated(self) -> AdjudicatedScores:
        return with_adjudicated(self.originals)


class ComputedParts:
    """Figures are empty or None if the page has no such candidate, criterion or metric."""

    def __init__(
        self,
        of: ComputedComparison,
        reference: CandidateRow | None,
        criterion: Criterion | None,
        metric: MetricDescription | None,
    ) -> None:
        self._of, self._reference, self._criterion, self._metric = of, reference, criterion, metric

    @cached_property
    def pairs(self) -> list[ComparedPair]:
        if self._reference is None:
            return []
        return self._of.pair_comparison.with_reference(self._reference)

    @cached_property
    def subgroups(self) -> list[Subgroup]:
        if self._reference is None:
            return []
        return find_subgroups(self._of.scores, self.pairs, self._reference)

    @cached_property
    def correlations(self) -> list[CorrelationRow]:
        return correlation_rows(self._of.scores, self._metric) if self._metric else []

    @cached_property
    def agreement_chart(self) -> Chart | None:
        return agreement_chart(self._of.originals, self._criterion) if self._criterion else None

    @property
    def against(self) -> "ComputedAgainstMetric | None":
        if self._criterion is None or self._metric is None:
            return None
        return ComputedAgainstMetric(self._of, self._criterion, self._metric)


class ComputedAgainstMetric:
    """One criterion against one metric, over ``outputs`` outputs; the chart has at most `POINTS_DRAWN` of
    them.
    """

    def __init__(self, of: ComputedComparison, criterion: Criterion, metric: MetricDescription) -> None:
        self._of, self._criterion, self._metric = of, criterion, metric

    @property
    def outputs(self) -> int:
        return len(self._of.scores.outputs)

    @cached_property
    def chart(self) -> Chart:
        return human_against_metric(self._of.some_outputs, self._criterion, self._metric)

    @cached_property
    def disagreements(self) -> DisagreementCount:
        found = find_disagreements(self._of.scores, self._criterion, self._metric)
        return DisagreementCount(found.count, found.expected)
