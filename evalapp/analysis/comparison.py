"""The comparison of a campaign's candidates as one plain table.

Only candidates inside one campaign are compared: the same items, the same reviewers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from evalapp.analysis.scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate, PlaceState
from evalapp.measure import Measure, signature
from evalapp.metrics.catalogue import CATALOGUE, MetricDescription
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import CorpusMetric, RuleCheck
from evalapp.stats.differences import Difference, holm, paired_difference
from evalapp.stats.proportions import wilson
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import candidate_score, distribution, share_of_low_scores

SEED = 20_260_000
PERMUTATIONS = 2_000
SIGNIFICANT = 0.05
MINIMUM_CANDIDATES = 2
# On a scale of 1 to 5; less than half a point is no story.
NOTABLE_GAP = 0.5


# The automatic columns of the comparison, in their order.
SEGMENT_METRICS = tuple(
    CATALOGUE[name]
    for name in (
        "rouge1", "rouge2", "rougeL", "bleu", "chrf", "token_f1", "exact_match", "words", "invented_figures",
    )
)  # fmt: skip
METRICS = {metric.name: metric for metric in SEGMENT_METRICS}
HEADLINE_METRIC = "rougeL"


@dataclass(frozen=True)
class HumanCell:
    """One criterion of one candidate: mean with crossed interval, low share, counts per level.

    For yes/no, ``mean`` is the share of items at least half of whose reviewers said yes, with
    Wilson's interval.
    """

    criterion: Criterion
    mean: Measure
    low_share: Measure | None
    counts: dict[int, int]
    not_applicable: int


@dataclass(frozen=True)
class TagCount:
    label: str
    tag_id: int
    criterion_id: int
    share: Measure
    count: int


@dataclass(frozen=True)
class CandidateRow:
    candidate: CampaignCandidate
    human: list[HumanCell]
    total: Measure
    metrics: dict[str, Measure]
    corpus: dict[str, Measure]
    rules: dict[int, Measure]
    tags: list[TagCount]

    @property
    def label(self) -> str:
        return self.candidate.model_version.label

    def cell(self, key: str) -> HumanCell | None:
        return next((cell for cell in self.human if cell.criterion.key == key), None)


@dataclass(frozen=True)
class Contradiction:
    """The order by a metric is not the order by people: what the first screen says.

    ``cell`` is what people say of the metric's first candidate on the criterion that shows it most,
    ``best`` of the candidate they prefer there.
    """

    metric: MetricDescription
    metric_first: CandidateRow
    people_first: CandidateRow
    cell: HumanCell
    best: HumanCell


@dataclass(frozen=True)
class ComparedPair:
    """Challenger minus champion on one criterion, with Holm's adjustment over the table."""

    criterion: Criterion
    challenger: CandidateRow
    champion: CandidateRow
    difference: Difference
    adjusted_p: float | None

    @property
    def is_significant(self) -> bool:
        return self.adjusted_p is not None and self.adjusted_p < SIGNIFICANT


class Design(NamedTuple):
    """What the numbers rest on."""

    items: int
    reviewers: int
    reviews: int
    places_complete: int
    places_total: int
    is_simulated: bool
    is_mixed: bool


@dataclass(frozen=True)
class Comparison:
    design: Design
    rows: list[CandidateRow]
    rules: list[RuleCheck]
    contradiction: Contradiction | None
    criteria: list[Criterion] = field(default_factory=list)


def compare(scores: CampaignScores) -> Comparison:
    """The whole table; every cell a Measure, defined or with the reason why not."""
    rules = list(scores.campaign.project.rule_checks.filter(is_active=True))
    rows = [_row(scores, candidate, rules) for candidate in scores.candidates]
    return Comparison(
        design=design_of(scores),
        rows=rows,
        rules=rules,
        contradiction=find_contradiction(rows),
        criteria=scores.criteria,
    )


def design_of(scores: CampaignScores) -> Design:
    places = Counter(scores.campaign.places.values_list("state", flat=True))
    simulated = {answer.is_simulated for answer in scores.answers}
    return Design(
        items=len({output.item_id for output in scores.outputs}),
        reviewers=len(scores.reviewer_ids),
        reviews=len({(answer.reviewer_id, answer.item_output_id) for answer in scores.answers}),
        places_complete=places[PlaceState.COMPLETE],
        places_total=sum(places.values()),
        is_simulated=True in simulated,
        is_mixed=len(simulated) == 2,
    )


def _row(scores: CampaignScores, candidate: CampaignCandidate, rules: Sequence[RuleCheck]) -> CandidateRow:
    names = {name for output in scores.outputs for name in output.metrics}
    return CandidateRow(
        candidate=candidate,
        human=[human_cell(scores, criterion, candidate) for criterion in scores.criteria],
        total=candidate_score(scores.totals(candidate), bounds=(1, 5)),
        metrics={
            metric.name: metric_mean(scores.metric_values(metric.name, candidate), metric)
            for metric in SEGMENT_METRICS
            if metric.name in names
        },
        corpus=corpus_measures(scores, candidate),
        rules={rule.pk: _rule_share(scores, candidate, rule) for rule in rules},
        tags=_tags(scores, candidate),
    )


def human_cell(scores: CampaignScores, criterion: Criterion, candidate: CampaignCandidate) -> HumanCell:
    ratings = scores.ratings(criterion, candidate)
    is_scale = criterion in scores.scales
    mean = (
        candidate_score(ratings, bounds=(criterion.minimum, criterion.maximum))
        if is_scale
        else majority_share(ratings)
    )
    low = (
        share_of_low_scores(ratings, at_most=criterion.low_threshold)
        if is_scale and criterion.low_threshold is not None
        else None
    )
    counts = distribution(ratings, levels=[float(level) for level in criterion.levels])
    return HumanCell(
        criterion, mean, low, {int(level): count for level, count in counts.items()}, ratings.not_applicable
    )


def majority_share(ratings: Ratings) -> Measure:
    """Share of items at least half of whose reviewers said yes, with Wilson's interval over items."""
    if not len(ratings):
        return Measure.undefined("no answers", signature=signature("majority-share"))
    means = ratings.item_means()
    return wilson(int((means >= 0.5).sum()), int(means.size), name="majority-share")


def metric_mean(values: dict[int, float], metric: MetricDescription) -> Measure:
    """Mean over items with Student's interval over items (a metric has no reviewers)."""
    if not values:
        return Measure.undefined("not scored", signature=signature(f"mean-{metric.name}"))
    ratings = Ratings.from_columns(list(values), [metric.name] * len(values), list(values.values()))
    mean = candidate_score(ratings, interval="items", bounds=(0, float("inf")))
    return Measure(
        value=mean.value, n=mean.n, low=mean.low, high=mean.high, signature=signature(f"mean-{metric.name}")
    )


def corpus_measures(scores: CampaignScores, candidate: CampaignCandidate) -> dict[str, Measure]:
    """Corpus BLEU and chrF of the candidate's newest scored run over the campaign's split."""
    stored = CorpusMetric.objects.filter(
        candidate=candidate.model_version_id,
        split=scores.campaign.split,
        run__outputs__item_outputs__candidate=candidate,
    ).order_by("run_id")
    return {
        entry.metric: Measure(value=entry.value, n=entry.n, reason=entry.reason, signature=entry.signature)
        for entry in stored.distinct()
    }


def _rule_share(scores: CampaignScores, candidate: CampaignCandidate, rule: RuleCheck) -> Measure:
    kept = list(scores.metric_values(f"rule:{rule.pk}", candidate).values())
    return wilson(int(sum(kept)), len(kept), name=f"rule-{rule.kind}")


def _tags(scores: CampaignScores, candidate: CampaignCandidate) -> list[TagCount]:
    """Tags by how many outputs got them, with the share among reviewed outputs."""
    reviewed = {answer.item_output_id for answer in scores.answers if answer.candidate_id == candidate.pk}
    outputs: dict[int, set[int]] = {}
    labels: dict[int, tuple[str, int]] = {}
    for tag in scores.tags:
        if tag.candidate_id == candidate.pk:
            outputs.setdefault(tag.tag_id, set()).add(tag.item_output_id)
            labels[tag.tag_id] = (tag.label, tag.criterion_id)
    counted = [
        TagCount(
            labels[tag_id][0],
            tag_id,
            labels[tag_id][1],
            wilson(len(given), len(reviewed), name="tag"),
            len(given),
        )
        for tag_id, given in outputs.items()
    ]
    return sorted(counted, key=lambda tag: (-tag.count, tag.label))


def find_contradiction(rows: Sequence[CandidateRow]) -> Contradiction | None:
    """The candidate a metric puts first, on the criterion where people prefer another one the most."""
    scored = [row for row in rows if _value(row.metrics.get(HEADLINE_METRIC)) is not None]
    if len(scored) < MINIMUM_CANDIDATES:
        return None
    metric_first = max(scored, key=lambda row: _value(row.metrics[HEADLINE_METRIC]) or 0)
    gaps: list[tuple[float, CandidateRow, HumanCell, HumanCell]] = []
    for position, mine in enumerate(metric_first.human):
        if mine.low_share is None or mine.mean.value is None:
            continue
        for row in rows:
            other = row.human[position]
            if other.mean.value is not None:
                scale = mine.criterion.maximum - mine.criterion.minimum
                gaps.append((4 * (other.mean.value - mine.mean.value) / scale, row, mine, other))
    if not gaps:
        return None
    gap, people_first, cell, best = max(gaps, key=lambda entry: entry[0])
    if gap < NOTABLE_GAP:
        return None
    return Contradiction(METRICS[HEADLINE_METRIC], metric_first, people_first, cell, best)


def compare_pairs(
    scores: CampaignScores, comparison: Comparison, champion: CandidateRow
) -> list[ComparedPair]:
    """Every other candidate against the champion on every scale criterion, Holm over the table."""
    found: list[tuple[Criterion, CandidateRow, Difference]] = []
    for row in comparison.rows:
        if row is champion:
            continue
        for criterion in scores.scales:
            difference = paired_difference(
                scores.ratings(criterion, row.candidate),
                scores.ratings(criterion, champion.candidate),
                seed=SEED,
                permutations=PERMUTATIONS,
            )
            found.append((criterion, row, difference))
    p_values = {
        str(position): difference.p_model.value
        for position, (_, _, difference) in enumerate(found)
        if difference.p_model.value is not None
    }
    adjusted = holm(p_values)
    return [
        ComparedPair(criterion, row, champion, difference, adjusted.get(str(position)))
        for position, (criterion, row, difference) in enumerate(found)
    ]


@dataclass(frozen=True)
class ReviewerRow:
    """What one person did, under a pseudonym unless it is the reader."""

    pseudonym: str
    is_reader: bool
    is_simulated: bool
    reviews: int
    means: list[float | None]


def reviewer_rows(scores: CampaignScores, reader_id: int) -> list[ReviewerRow]:
    rows = []
    for number, reviewer_id in enumerate(scores.reviewer_ids, start=1):
        mine = [answer for answer in scores.answers if answer.reviewer_id == reviewer_id]
        means = []
        for criterion in scores.criteria:
            values = [a.value for a in mine if a.criterion_id == criterion.pk and a.value is not None]
            means.append(float(np.mean(values)) if values else None)
        rows.append(
            ReviewerRow(
                pseudonym="You" if reviewer_id == reader_id else f"Reviewer {number}",
                is_reader=reviewer_id == reader_id,
                is_simulated=mine[0].is_simulated,
                reviews=len({answer.item_output_id for answer in mine}),
                means=means,
            )
        )
    return rows


def _value(measure: Measure | None) -> float | None:
    return measure.value if measure is not None else None
