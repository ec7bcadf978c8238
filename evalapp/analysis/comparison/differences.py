"""Where candidates of one campaign differ, and whether people and a metric rank them alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypedDict

from evalapp.analysis.comparison.candidates import CandidateRow, Comparison, HumanCell
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.finder_campaign import why_no_means
from evalapp.campaigns.models import CampaignCandidate
from evalapp.core.number_format import MINUS, as_text
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import COMPARED_METRICS, HEADLINE_METRIC
from evalapp.rubrics.kinds.scale import Scale
from evalapp.rubrics.models import Criterion
from evalapp.stats.differences import (
    Difference,
    MeanDifference,
    holm,
    mean_difference,
    paired_difference,
)
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.wins import WinsTiesLosses, wins_ties_losses

SEED = 20_260_000
PERMUTATIONS = 2_000
SIGNIFICANT = 0.05
# On a scale of 1 to 5; less than half a point does not matter in practice.
NOTABLE_GAP = 0.5
# The weighted mean of a review's scales, as a row in tables of criteria. Has no weight itself.
TOTAL = Criterion(key="total", name="Total", kind=Scale.name, minimum=1, maximum=5, weight=0)


@dataclass(frozen=True)
class CriterionDifference:
    """A candidate minus the reference on one criterion, with Holm's adjustment over the table."""

    criterion: Criterion
    challenger: CandidateRow
    difference: MeanDifference
    adjusted_p: float | None

    @property
    def is_total(self) -> bool:
        """Whether it is the difference in the total, which is no criterion of the rubric (`TOTAL` represents
        it).
        """
        return self.criterion is TOTAL

    @property
    def name(self) -> str:
        """What differs, in words: for a criterion without a mean, the share of its counted answers; with the
        direction if lower is better.
        """
        direction = ", lower is better" if self.criterion.is_less_better else ""
        share = f", {self.criterion.axis_label}" if self.is_share else ""
        return f"{self.criterion.name}{share}{direction}"

    @property
    def is_share(self) -> bool:
        """Whether it is a difference of shares, for a criterion without a mean."""
        return not self.criterion.rules.has_mean

    @property
    def is_significant(self) -> bool:
        return self.adjusted_p is not None and self.adjusted_p < SIGNIFICANT

    @property
    def adjusted(self) -> Measure:
        """The difference with an interval that excludes 0 exactly if ``adjusted_p`` is under 5%."""
        p = self.difference.p.value
        if not p or self.adjusted_p is None:
            return self.difference.difference
        return self.difference.at_level(1 - SIGNIFICANT * p / self.adjusted_p)

    @property
    def verdict(self) -> str:
        """For the candidate: "better" or "worse" if significant, "undecided" if not, "untested" without a
        test.
        """
        if self.adjusted_p is None:
            return "untested"
        if not self.is_significant:
            return "undecided"
        return "worse" if self.is_worse else "better"

    @property
    def is_worse(self) -> bool:
        """Whether the candidate's value is the worse one, significant or not."""
        value = self.difference.difference.value or 0.0
        return value > 0 if self.criterion.is_less_better else value < 0

    @property
    def worst_first(self) -> float:
        """Sort key of subgroups: significant losses, by how large they are at least; then other losses,
        by their unadjusted p; then gains.
        """
        measure = self.adjusted
        if self.verdict == "worse" and measure.low is not None and measure.high is not None:
            return (-measure.low if self.criterion.is_less_better else measure.high) / self.span
        p = 1.0 if self.difference.p.value is None else self.difference.p.value
        return p if self.is_worse else 2 - p

    @property
    def untested(self) -> str:
        """Why a defined difference has no p; empty if it has one. Untested is not a finding of "no
        difference".
        """
        return self.difference.p.reason if self.difference.difference.defined else ""

    @property
    def points(self) -> str:
        """The candidate's distance above (+) or below (−) the other: in points of the scale, or percentage
        points.
        """
        value = self.difference.difference.value or 0.0
        return f"{self._signed(value)} points" if self.is_share else self._signed(value)

    @property
    def words(self) -> str:
        """The difference with both ends of its adjusted interval, signed."""
        measure = self.adjusted
        if measure.low is None or measure.high is None:
            return self.points
        return f"{self.points} ({self._signed(measure.low)} to {self._signed(measure.high)})"

    def _signed(self, value: float) -> str:
        shown = as_text(100 * abs(value), digits=0) if self.is_share else as_text(abs(value), digits=1)
        return f"{MINUS if value < 0 else '+'}{shown}"

    @property
    def span(self) -> float:
        """The largest possible difference on the scale."""
        return _span_of(self.criterion)

    @property
    def drawn_span(self) -> float:
        """``span``, negative if lower is better: on an axis from its negative to it, right is better."""
        return -self.span if self.criterion.is_less_better else self.span

    @property
    def gap(self) -> float:
        """The difference on a scale of 1 to 5; 0 if undefined."""
        return 4 * (self.difference.difference.value or 0.0) / self.span


@dataclass(frozen=True)
class ComparedPair(CriterionDifference):
    """``record``: the candidate wins where it is rated better (lower, if lower is better)."""

    difference: Difference
    record: WinsTiesLosses
    other_adjusted_p: float | None

    @property
    def holds_elsewhere(self) -> bool:
        """Whether it is significant for the other population too."""
        return self.other_adjusted_p is not None and self.other_adjusted_p < SIGNIFICANT

    @property
    def win_rate(self) -> Measure:
        """Win rate of the candidate against the reference; ties count half."""
        higher = self.difference.win_rate
        return higher.mirrored(0.5) if self.criterion.is_less_better else higher


@dataclass(frozen=True)
class Contradiction:
    """Reviewers and a metric order two candidates differently; shown on the first screen.

    Reviewers rate ``people_first`` higher than the metric's first candidate on a criterion, by at least half
    a point on 1–5 and significantly (paired, Holm over all criteria and candidates). ``cell``: their scores
    of the metric's first candidate there; ``best``: of the one that they prefer.
    """

    metric: MetricDescription
    metric_first: CandidateRow
    people_first: CandidateRow
    cell: HumanCell
    best: HumanCell

    @property
    def is_simulated(self) -> bool:
        """Whether one of the two candidates was trained on simulated reviews."""
        return any(row.candidate.model_version.is_simulated for row in (self.metric_first, self.people_first))


class _PairTest(NamedTuple):
    difference: Difference
    record: WinsTiesLosses

    def mirrored(self) -> "_PairTest":
        return _PairTest(self.difference.mirrored(), self.record.mirrored())


class PairComparison:
    """Comparisons of the candidates in ``scores``. Each pair is tested once on each criterion, the later
    candidate against the earlier one; the other direction is its mirror image.
    """

    def __init__(self, scores: CampaignScores, comparison: Comparison) -> None:
        self._scores, self._rows = scores, comparison.rows
        self._tests: dict[tuple[int, int, int], _PairTest] = {}

    def with_reference(self, reference: CandidateRow) -> list[ComparedPair]:
        """Every other candidate against the reference: on every scale criterion, the total, and the shares of
        criteria without a mean, with Holm's adjustment over all. Empty if the items were picked for their
        scores.
        """
        if why_no_means(self._scores):
            return []
        own = self._rows.index(reference)
        places = [place for place in range(len(self._rows)) if place != own]
        compared = [(criterion, place) for criterion in range(len(self._criteria)) for place in places]
        found = [self._test(criterion, place, own) for criterion, place in compared]
        p_values = adjusted([each.difference.p for each in found])
        other_p_values = adjusted([each.difference.other_p for each in found])
        return [
            ComparedPair(
                self._criteria[criterion], self._rows[place], each.difference, p, each.record, other_p
            )
            for (criterion, place), each, p, other_p in zip(
                compared, found, p_values, other_p_values, strict=True
            )
        ]

    @cached_property
    def _criteria(self) -> list[Criterion]:
        scales = self._scores.scales
        shares = [each for each in self._scores.criteria if each not in scales and each.counted_levels]
        return [*scales, *([TOTAL] if len(scales) > 1 else []), *shares]

    def _test(self, criterion: int, challenger: int, champion: int) -> _PairTest:
        if challenger < champion:
            return self._test(criterion, champion, challenger).mirrored()
        key = (criterion, challenger, champion)
        if key not in self._tests:
            self._tests[key] = _test_pair(
                self._scores,
                self._criteria[criterion],
                self._rows[challenger].candidate,
                self._rows[champion].candidate,
            )
        return self._tests[key]


def _test_pair(
    scores: CampaignScores, criterion: Criterion, challenger: CampaignCandidate, champion: CampaignCandidate
) -> _PairTest:
    sides = [compared_ratings(scores, criterion, each) for each in (challenger, champion)]
    difference = paired_difference(
        *sides, seed=SEED, permutations=PERMUTATIONS, **_test_settings(scores, criterion)
    )
    record = wins_ties_losses(*sides, population=scores.population)
    return _PairTest(difference, record.mirrored() if criterion.is_less_better else record)


class _TestSettings(TypedDict):
    population: Population
    span: float
    step: float


def _test_settings(scores: CampaignScores, criterion: Criterion) -> _TestSettings:
    return _TestSettings(
        population=scores.population, span=float(_span_of(criterion)), step=step_of(criterion, scores)
    )


def difference_of(
    scores: CampaignScores, criterion: Criterion, challenger: Ratings, champion: Ratings
) -> MeanDifference:
    """The difference of two candidates' scores on a criterion, for the project's population."""
    return mean_difference(challenger, champion, **_test_settings(scores, criterion))


def adjusted(p_values: Sequence[Measure]) -> list[float | None]:
    """Holm's adjustment over the p values that are defined."""
    found = holm({str(place): each.value for place, each in enumerate(p_values) if each.value is not None})
    return [found.get(str(place)) for place in range(len(p_values))]


def _span_of(criterion: Criterion) -> float:
    """The largest possible difference of means, or of shares if the criterion is not a scale."""
    low, high = criterion.rules.range
    return high - low


def step_of(criterion: Criterion, scores: CampaignScores) -> float:
    """The step between levels; for the total, the effect of one criterion's step. If reviewers are positions,
    a score is the mean of an output's raters, and this step assumes no more rounding than such a mean has.
    """
    step = 1 / len(scores.scales) if criterion is TOTAL else step_between_levels(criterion)
    return step / math.sqrt(scores.fewest_raters) if scores.names_are_positions else step


def step_between_levels(criterion: Criterion) -> float:
    """The smallest step; 1 for a criterion without a mean, whose answers either count or do not."""
    if not criterion.rules.has_mean:
        return 1.0
    numbers = sorted({float(criterion.rules.number(level)) for level in criterion.levels})
    return min((after - before for before, after in pairwise(numbers)), default=0.0)


def compared_ratings(scores: CampaignScores, criterion: Criterion, candidate: CampaignCandidate) -> Ratings:
    """The values of a candidate that are compared on a criterion: scores, totals, or counted answers."""
    if criterion is TOTAL:
        return scores.totals(candidate)
    if not criterion.rules.has_mean:
        return scores.marks(criterion, candidate)
    return scores.numbers_given(criterion, candidate)


def find_contradiction(scores: CampaignScores, comparison: Comparison) -> Contradiction | None:
    """The clearest preference of reviewers over the headline metric's first candidate: on the criterion with
    the smallest p, the candidate with the largest gap; None if they prefer no other. A tied metric has no
    first.
    """
    ranked = sorted(
        (row for row in comparison.rows if _headline(row) is not None),
        key=lambda row: _headline(row) or 0.0,
        reverse=True,
    )
    if why_no_means(scores) or len(ranked) < 2 or _headline(ranked[0]) == _headline(ranked[1]):
        return None
    first = ranked[0]
    others = [row for row in comparison.rows if row is not first]
    compared = [(criterion, row) for criterion in scores.scales for row in others]
    found = [
        difference_of(
            scores,
            criterion,
            scores.numbers_given(criterion, row.candidate),
            scores.numbers_given(criterion, first.candidate),
        )
        for criterion, row in compared
    ]
    p_values = adjusted([difference.p for difference in found])
    pairs = [
        CriterionDifference(criterion, row, difference, p)
        for (criterion, row), difference, p in zip(compared, found, p_values, strict=True)
    ]
    preferred = [
        pair
        for pair in pairs
        # A criterion with weight 0 may run in the other direction: of places, the first is the best.
        if pair.criterion.weight > 0 and pair.is_significant and pair.gap >= NOTABLE_GAP
    ]
    if not preferred:
        return None
    surest = min(preferred, key=lambda pair: (pair.adjusted_p or 0.0, -pair.gap))
    clearest = max(
        (pair for pair in preferred if pair.criterion == surest.criterion), key=lambda pair: pair.gap
    )
    cell, best = first.cell(clearest.criterion.key), clearest.challenger.cell(clearest.criterion.key)
    if cell is None or best is None:
        return None
    return Contradiction(COMPARED_METRICS[HEADLINE_METRIC], first, clearest.challenger, cell, best)


def _headline(row: CandidateRow) -> float | None:
    measure = row.metrics.get(HEADLINE_METRIC)
    return measure.value if measure is not None else None
