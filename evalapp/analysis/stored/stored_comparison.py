"""The stored comparison of a large campaign: results of a job, with current counts.

Numbers of reviews, and of answers by level and reviewer, come from the counts that the database keeps.
Everything else (intervals, paired differences, agreement, correlations) is computed by a job
(`evalapp.analysis.stored.stored_results`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from evalapp.analysis.agreement.measures import AgreementRow, CorrelationRow
from evalapp.analysis.comparison.candidates import (
    CandidateRow,
    Comparison,
    Design,
    HumanCell,
    ReviewerRow,
)
from evalapp.analysis.comparison.counterfactuals import NOTHING, CounterfactualCheck
from evalapp.analysis.comparison.differences import ComparedPair, Contradiction
from evalapp.analysis.comparison.simpson import SimpsonCheck
from evalapp.analysis.comparison.span_counts import CandidateMarks
from evalapp.analysis.comparison.subgroups import Subgroup
from evalapp.analysis.comparison.summary import WorstCase
from evalapp.analysis.comparison.unblinding import Unblinding
from evalapp.analysis.comparison.usage import Usage
from evalapp.analysis.metrics.disagreements import DisagreementCount
from evalapp.analysis.scores.filtered_scores import FilterCoverage, SharedItems
from evalapp.analysis.stored.computed_comparison import ComputedComparison
from evalapp.analysis.stored.serialisation import Subjects, as_json, from_json
from evalapp.campaigns.models import Campaign, CampaignCandidate
from evalapp.charts.chart import Chart
from evalapp.measure import Measure, signature
from evalapp.metrics.metric import MetricDescription
from evalapp.reviews.counts import CampaignCounts
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.rubrics.models import Criterion
from evalapp.stats.rank_intervals import Rank

NOT_COMPUTED = "not computed yet"
_NOT_TESTED = SimpsonCheck([], [], NOT_COMPUTED)

Step = Callable[[int, int, str], None]


class StoredComparison(NamedTuple):
    """What every reader of the page sees. ``decided`` as in `with_adjudicated`; ``coverage`` of a view.
    ``reviewers`` by number.

    Results of one candidate, criterion or metric are in parts of their own (`StoredParts`), because reading
    all would take longer than the rest of a page. For the same reason charts are stored as drawn.
    """

    comparison: Comparison
    contradiction: Contradiction | None
    agreement: list[AgreementRow]
    marks: list[CandidateMarks]
    unblinding: Unblinding | None
    decided: int
    usage: list[Usage]
    labels: dict[int, list[Measure]]
    shared: SharedItems | None
    coverage: FilterCoverage | None
    reviewers: list[ReviewerRow]
    ratings_chart: Chart | None
    simpson: SimpsonCheck
    counterfactuals: CounterfactualCheck
    worst: dict[int, list[WorstCase]]
    ranks: dict[int, Rank]


class CriterionAgainstMetric(NamedTuple):
    """One criterion against one metric, over ``outputs`` outputs; the chart has at most `POINTS_DRAWN` of
    them.
    """

    disagreements: DisagreementCount
    chart: Chart
    outputs: int


class StoredParts(NamedTuple):
    """Stored results of the page's candidate, criterion and metric; empty or None without any. The chart of
    agreement shows reviewers by number.
    """

    pairs: list[ComparedPair]
    subgroups: list[Subgroup]
    against: CriterionAgainstMetric | None
    correlations: list[CorrelationRow]
    agreement_chart: Chart | None


def part_of(criterion: Criterion, metric: MetricDescription) -> str:
    return f"{criterion.key}/{metric.name}"


# A safe separator: criterion keys contain no colon.
def differences_part(reference: CandidateRow) -> str:
    return f"differences:{reference.candidate.pk}"


def correlations_part(metric: MetricDescription) -> str:
    return f"correlations:{metric.name}"


def agreement_part(criterion: Criterion) -> str:
    return f"agreement:{criterion.key}"


def comparison_parts(computed: ComputedComparison, *, step: Step) -> Iterator[tuple[str, Any]]:
    """Every part to be stored, as JSON; the part "" is for all. ``step`` is called with done, total and
    stage.
    """
    scales = computed.scales
    stage = _Stages(step, len(computed.candidates) + 3)
    stage("Means and their intervals")
    comparison = computed.comparison
    stage.total += len(comparison.metrics) * (1 + len(scales))
    for row in comparison.rows:
        stage(f"Differences from {row.label}")
        parts = computed.chosen(reference=row)
        yield differences_part(row), _as_parts(pairs=parts.pairs, subgroups=parts.subgroups)
    stage("Agreement")
    for each in scales:
        yield agreement_part(each), {"chart": as_json(computed.chosen(criterion=each).agreement_chart)}
    for metric in comparison.metrics:
        stage(f"Reviewer scores against {metric.label}")
        yield correlations_part(metric), _as_parts(rows=computed.chosen(metric=metric).correlations)
    stage("Simpson's paradox check")
    fields = {name: getattr(computed, name) for name in StoredComparison._fields}
    yield "", {**_as_parts(**fields), "comparison": as_json(comparison)}
    for metric in comparison.metrics:
        for criterion in scales:
            stage(f"{criterion.name} and {metric.label}")
            against = computed.chosen(criterion=criterion, metric=metric).against
            fields = {name: getattr(against, name) for name in CriterionAgainstMetric._fields}
            yield part_of(criterion, metric), _as_parts(**fields)


def _as_parts(**values: Any) -> dict[str, Any]:
    """Converts values to JSON that refers to the comparison's rows by candidate."""
    return {name: as_json(value, names_rows=True) for name, value in values.items()}


class _Stages:
    """Counts the steps of the work and reports the stage that begins."""

    def __init__(self, step: Step, total: int) -> None:
        self.done, self.total, self._step = 0, total, step

    def __call__(self, name: str) -> None:
        self._step(self.done, self.total, name)
        self.done += 1


def stored_comparison(result: dict[str, Any], subjects: Subjects) -> StoredComparison:
    """Restore a stored comparison. Raises `OutdatedError` as `from_json`."""
    comparison = from_json(result["comparison"], subjects)
    known = _with_rows(subjects, comparison)
    names = [name for name in StoredComparison._fields if name != "comparison"]
    return StoredComparison(comparison, **{name: from_json(result[name], known) for name in names})


class PageParts(NamedTuple):
    """A page's reference candidate (a row of the comparison), criterion and metric; None if missing."""

    reference: CandidateRow | None = None
    criterion: Criterion | None = None
    metric: MetricDescription | None = None

    @property
    def parts(self) -> dict[str, str]:
        """The names of the stored parts, by their kind."""
        found = {}
        if self.reference is not None:
            found["differences"] = differences_part(self.reference)
        if self.criterion is not None:
            found["agreement_chart"] = agreement_part(self.criterion)
        if self.metric is not None:
            found["correlations"] = correlations_part(self.metric)
        if self.criterion is not None and self.metric is not None:
            found["against"] = part_of(self.criterion, self.metric)
        return found


def chosen_parts(
    result: dict[str, Any], subjects: Subjects, comparison: Comparison, page_parts: PageParts
) -> StoredParts:
    """Restore the parts for a page's choices. ``result``: the stored parts by name. Raises `OutdatedError` as
    `from_json`.
    """
    known = _with_rows(subjects, comparison)
    stored = {
        field: {name: from_json(value, known) for name, value in result[part].items()}
        for field, part in page_parts.parts.items()
        if part in result
    }
    return StoredParts(
        pairs=stored.get("differences", {}).get("pairs", []),
        subgroups=stored.get("differences", {}).get("subgroups", []),
        against=CriterionAgainstMetric(**stored["against"]) if "against" in stored else None,
        correlations=stored.get("correlations", {}).get("rows", []),
        agreement_chart=stored.get("agreement_chart", {}).get("chart"),
    )


def _with_rows(subjects: Subjects, comparison: Comparison) -> Subjects:
    return replace(subjects, rows={row.candidate.pk: row for row in comparison.rows})


def nothing_stored(
    campaign: Campaign, candidates: Sequence[CampaignCandidate], criteria: Sequence[Criterion]
) -> StoredComparison:
    """The comparison before a job has computed anything: every estimate says so."""

    def unknown(name: str) -> Measure:
        return Measure.undefined(NOT_COMPUTED, signature=signature(name))

    def cell(criterion: Criterion) -> HumanCell:
        has_low = criterion.rules.low_threshold is not None
        low_share = unknown("share-of-low-scores") if has_low else None
        return HumanCell(criterion, unknown("candidate-score"), low_share, {}, {}, 0)

    rows = [
        CandidateRow(candidate, [cell(each) for each in criteria], unknown("candidate-score"), {}, {}, {}, [])
        for candidate in candidates
    ]
    design = Design(
        items=campaign.items_total,
        reviewers=0,
        reviews=0,
        assignments_submitted=None,
        assignments_total=campaign.assignments_total,
        is_simulated=False,
        is_mixed=False,
        groups=campaign.items_total,
        population=campaign.project.population,
        names_are_positions=campaign.names_are_positions,
    )
    comparison = Comparison(design, rows, list(criteria), [], [], [])
    return StoredComparison(
        comparison, None, [], [], None, 0, [], {}, None, None, [], None, _NOT_TESTED, NOTHING, {}, {}
    )


def with_counts(
    comparison: Comparison, counts: CampaignCounts, *, is_adjudicated: bool = False
) -> Comparison:
    """The comparison with current numbers of reviews, reviewers, and answers by level.

    No counts of adjudicated values are kept, so with them the answers by level stay those of the job.
    """
    simulated = counts.simulated
    design = comparison.design._replace(
        reviewers=len(counts.reviewer_ids),
        reviews=counts.reviews,
        is_simulated=True in simulated,
        is_mixed=len(simulated) == 2,
    )
    if is_adjudicated:
        return replace(comparison, design=design)
    return replace(comparison, design=design, rows=[_counted_row(row, counts) for row in comparison.rows])


def _counted_row(row: CandidateRow, counts: CampaignCounts) -> CandidateRow:
    cells = []
    for cell in row.human:
        given = counts.of_cell(row.candidate.pk, cell.criterion.pk)
        levels = {level: given[level] for level in cell.criterion.levels}
        cells.append(replace(cell, counts=levels, not_applicable=given[None]))
    return replace(row, human=cells)


def counted_reviewers(
    counts: CampaignCounts, criteria: Sequence[Criterion], names: ReviewerNames
) -> list[ReviewerRow]:
    """`reviewer_rows` of the comparison, from the counts alone; ``names`` knows the reader."""
    simulated = {row.reviewer_id for row in counts.reviewed if row.is_simulated and row.reviews}
    return [
        ReviewerRow(
            name=names.of(reviewer_id),
            number=names.numbers[reviewer_id],
            is_reader=reviewer_id == names.reader_id,
            is_simulated=reviewer_id in simulated,
            reviews=counts.reviews_of(reviewer_id),
            means=[_mean(counts, reviewer_id, criterion) for criterion in criteria],
        )
        for reviewer_id in sorted(counts.reviewer_ids, key=lambda each: names.numbers[each])
    ]


def _mean(counts: CampaignCounts, reviewer_id: int, criterion: Criterion) -> float | None:
    given = {
        value: times
        for value, times in counts.of_reviewer(reviewer_id, criterion.pk).items()
        if value is not None
    }
    return criterion.rules.mean_or_share_of_counts(given)
