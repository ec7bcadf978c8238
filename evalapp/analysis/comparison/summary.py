"""The first screen of a campaign's results: which candidate is better on what, for which population, and what
to do next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.text import get_text_list

from evalapp.analysis.comparison.candidates import CandidateRow, Design
from evalapp.analysis.comparison.differences import ComparedPair
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import Item
from evalapp.metrics.metric import MetricDescription
from evalapp.stats.populations import Population

MOST_CASES = 5
# With fewer items, results for other reviewers cannot be estimated when these differ.
FEWEST_TO_GENERALISE = 4


class WorstCase(NamedTuple):
    """An item on which a candidate got its lowest total; ``row_number``: of its dataset version."""

    item_id: int
    row_number: int


@dataclass(frozen=True)
class CandidateSummary:
    """One candidate against the reference. ``pairs``: one for each criterion, in the rubric's order."""

    challenger: CandidateRow
    reference: CandidateRow
    pairs: list[ComparedPair]

    def at(self, verdict: str) -> list[ComparedPair]:
        return [pair for pair in self.pairs if pair.verdict == verdict]

    @property
    def better(self) -> list[ComparedPair]:
        return self.at("better")

    @property
    def worse(self) -> list[ComparedPair]:
        return self.at("worse")

    @property
    def undecided(self) -> list[ComparedPair]:
        return self.at("undecided")

    @property
    def untested(self) -> list[ComparedPair]:
        return self.at("untested")


class Conclusion(NamedTuple):
    """What the numbers suggest for a release without a gate: a few words, and the main reason."""

    word: str
    reason: str
    tone: str


def summaries_of(pairs: Sequence[ComparedPair], reference: CandidateRow) -> list[CandidateSummary]:
    """Summaries by candidate, from a `PairComparison` with ``reference``; without the total, which is no
    criterion.
    """
    challengers = {pair.challenger.candidate.pk: pair.challenger for pair in pairs}
    return [
        CandidateSummary(
            row,
            reference,
            [pair for pair in pairs if pair.challenger.candidate.pk == pk and not pair.is_total],
        )
        for pk, row in challengers.items()
    ]


def best_of(summaries: Sequence[CandidateSummary]) -> CandidateSummary | None:
    """The one of the candidate with the highest total; None of none."""
    return max(summaries, key=lambda each: each.challenger.total.value or 0.0, default=None)


def conclusion_of(summary: CandidateSummary, *, reviews: int, expected: int) -> Conclusion:
    """The conclusion on one candidate against the reference; none while reviews are outstanding."""
    if reviews < expected:
        return Conclusion("Not yet", f"{expected - reviews:,} of {expected:,} reviews are missing", "warn")
    worse_here = [pair for pair in summary.undecided if pair.holds_elsewhere and pair.is_worse]
    if summary.worse and summary.better:
        reason = f"worse at {names_of(summary.worse)}, better at {names_of(summary.better)}"
        return Conclusion("Mixed", reason, "bad")
    if summary.worse:
        reason = f"at {names_of(summary.worse)}; not shown to be better at any criterion"
        return Conclusion("Worse", reason, "bad")
    if not summary.better:
        return Conclusion("Undecided", "no difference is shown", "warn")
    if worse_here:
        reason = f"better at {names_of(summary.better)}; for these reviewers worse at {names_of(worse_here)}"
    elif summary.undecided or summary.untested:
        reason = f"at {names_of(summary.better)}; not shown to be worse at any criterion"
    else:
        reason = "at every criterion"
    return Conclusion("Mixed" if worse_here else "Better", reason, "warn" if worse_here else "ok")


def names_of(pairs: Sequence[ComparedPair]) -> str:
    return get_text_list([pair.criterion.name for pair in pairs], "and")


def elsewhere_words(summary: CandidateSummary, design: Design) -> str:
    """Whether the result is also shown for the other population; empty if nothing can be said about it."""
    if design.names_are_positions:
        return ""
    shown = [*summary.better, *summary.worse]
    lost = [pair for pair in shown if not pair.holds_elsewhere]
    if design.population == Population.REVIEWERS:
        gained = [pair for pair in summary.undecided if pair.holds_elsewhere]
        if gained:
            better = names_of([pair for pair in gained if not pair.is_worse])
            worse = names_of([pair for pair in gained if pair.is_worse])
            told = [f"{word} at {names}" for word, names in (("better", better), ("worse", worse)) if names]
            return f"For these reviewers alone, also {' and '.join(told)}."
        return "Also shown for these reviewers alone." if shown and not lost else ""
    if not lost:
        return "Also shown for other reviewers like these." if shown else ""
    some = "" if len(lost) == len(shown) else f" at {names_of(lost)}"
    if design.reviewers < FEWEST_TO_GENERALISE:
        few = "One reviewer is" if design.reviewers == 1 else f"{design.reviewers} reviewers are"
        return f"{few} too few to tell whether the result{some} holds for other reviewers."
    return f"Not shown for other reviewers like these{some}."


class MetricPreference(NamedTuple):
    """Which of two candidates a metric ranks higher, and the criteria on which reviewers prefer the other."""

    metric: MetricDescription
    preferred: CandidateRow
    other: CandidateRow
    misleads: list[ComparedPair]
    agrees: list[ComparedPair]


def metric_preference(summary: CandidateSummary, metric: MetricDescription | None) -> MetricPreference | None:
    """The metric's preference; None if the metric has no direction or no values, or ranks the two equal."""
    if metric is None or metric.better not in ("higher", "lower"):
        return None
    values = [row.metrics.get(metric.name) for row in (summary.challenger, summary.reference)]
    if values[0] is None or values[1] is None or values[0].value is None or values[1].value is None:
        return None
    gap = values[0].value - values[1].value
    if gap == 0:
        return None
    likes_challenger = (gap > 0) == (metric.better == "higher")
    rows = (summary.challenger, summary.reference)
    preferred, other = rows if likes_challenger else rows[::-1]
    alike, against = (summary.better, summary.worse) if likes_challenger else (summary.worse, summary.better)
    return MetricPreference(metric, preferred, other, misleads=against, agrees=alike)


def worst_cases(scores: CampaignScores) -> dict[int, list[WorstCase]]:
    """By candidate, the items of its lowest totals, lowest first."""
    lowest: dict[int, list[int]] = {}
    for candidate in scores.candidates:
        totals = scores.totals(candidate)
        means = totals.item_means().tolist() if len(totals) else []
        ranked = sorted(zip(means, totals.items, strict=True), key=lambda each: (each[0], str(each[1])))
        lowest[candidate.pk] = [int(str(item)) for _, item in ranked[:MOST_CASES]]
    rows = dict(
        Item.objects.filter(pk__in={item for items in lowest.values() for item in items}).values_list(
            "pk", "example__row_number"
        )
    )
    return {pk: [WorstCase(item, rows[item]) for item in items] for pk, items in lowest.items()}
