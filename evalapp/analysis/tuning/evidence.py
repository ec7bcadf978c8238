"""The evidence on a tuned candidate against prompts, for the page and the API."""

from typing import NamedTuple

from evalapp.analysis.comparison.candidates import Comparison, compare
from evalapp.analysis.comparison.usage import Usage, usage_of
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.scores.filtered_scores import FilterCoverage, load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.stored.large_comparison import large_comparison
from evalapp.analysis.stored.stored_results import AnalysisRequest, Freshness, is_large
from evalapp.analysis.tuning.contest import Contest, contest_of, pairs_from
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
    """How the answers were made, and what the training costs."""

    decoding: Decoding
    training: TrainingCost
    earned_back: list[EarnedBack]


class Evidence(NamedTuple):
    """``contest`` and ``spent`` are None where nobody has rated yet, or a job has to compute it first, which
    ``freshness`` then says.
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
    """``wanted`` as `contest_filter` makes it. Of a large campaign it is what a job has
    stored of this view.
    """
    contest = None
    freshness = None
    if is_large(wanted.campaign, reviewer_type=reviewer_type):
        view = AnalysisRequest(AnalysisKind.COMPARISON, reviewer_type, view=wanted.view)
        found = large_comparison(wanted.campaign, view, reader_id=reader_id)
        comparison, usage, coverage = found.comparison, found.stored.usage, found.stored.coverage
        freshness = found.freshness
        if freshness.computed_at is not None:
            contest = contest_of(comparison, tuned, lambda row: found.chosen(reference=row).pairs)
    else:
        filtered = load_filtered(wanted, reviewer_type=reviewer_type)
        comparison, usage, coverage = compare(filtered.scores), usage_of(filtered.scores), filtered.coverage
        if filtered.scores.answers:
            pairs_of = pairs_from(filtered.scores, comparison)
            contest = contest_of(comparison, tuned, pairs_of, filtered.scores)
    spent = None if contest is None else _spent(wanted, contest, usage)
    return Evidence(comparison, contest, usage, spent, coverage, freshness)


def _spent(wanted: ComparisonFilter, contest: Contest, usage: list[Usage]) -> TuningCost:
    by_candidate = {each.candidate.pk: each for each in usage}
    training = training_cost(contest.tuned.candidate.model_version)
    own = by_candidate[contest.tuned.candidate.pk]
    others = [by_candidate[each.row.candidate.pk] for each in contest.against]
    return TuningCost(
        decoding_of(wanted.campaign, contest.candidates), training, earned_back(training, own, others)
    )
