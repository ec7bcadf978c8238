"""The evidence on a tuned candidate against prompts, for the page and the API."""

from typing import NamedTuple

from evalapp.analysis.comparison.candidates import Comparison
from evalapp.analysis.comparison.usage import Usage
from evalapp.analysis.scores.filtered_scores import FilterCoverage
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.stored.comparison_result import comparison_result
from evalapp.analysis.stored.computed_comparison import ComputedComparison
from evalapp.analysis.stored.stored_results import Freshness
from evalapp.analysis.tuning.contest import Contest, contest_of
from evalapp.analysis.tuning.cost import (
    Decoding,
    EarnedBack,
    TrainingCost,
    decoding_of,
    earned_back,
    training_cost,
)
from evalapp.registry.models import ModelVersion


class TuningCost(NamedTuple):
    """How the outputs were generated, and the cost of training."""

    decoding: Decoding
    training: TrainingCost
    earned_back: list[EarnedBack]


class Evidence(NamedTuple):
    """``contest`` and ``spent``: None without reviews, and until a job has computed them (see
    ``freshness``).
    """

    comparison: Comparison
    contest: Contest | None
    usage: list[Usage]
    spent: TuningCost | None
    coverage: FilterCoverage | None
    freshness: Freshness | None


def evidence_of(
    wanted: ComparisonFilter, tuned: ModelVersion, *, reviewer_type: str, reader_id: int
) -> Evidence:
    """Evidence for a filter from `contest_filter`; for a large campaign, the results that a job stored for
    this view.
    """
    found = comparison_result(wanted, reviewer_type=reviewer_type, reader_id=reader_id)
    comparison, usage = found.comparison, found.figures.usage
    contest = None
    if found.has_scores:
        # A large campaign's page does not read the metrics' paired differences.
        scores = found.scores if isinstance(found, ComputedComparison) else None
        contest = contest_of(comparison, tuned, lambda row: found.chosen(reference=row).pairs, scores)
    spent = None if contest is None else _tuning_cost(wanted, contest, usage)
    return Evidence(comparison, contest, usage, spent, found.figures.coverage, found.freshness)


def _tuning_cost(wanted: ComparisonFilter, contest: Contest, usage: list[Usage]) -> TuningCost:
    by_candidate = {each.candidate.pk: each for each in usage}
    training = training_cost(contest.tuned.candidate.model_version)
    own = by_candidate[contest.tuned.candidate.pk]
    others = [by_candidate[each.row.candidate.pk] for each in contest.against]
    return TuningCost(
        decoding_of(wanted.campaign, contest.candidates), training, earned_back(training, own, others)
    )
