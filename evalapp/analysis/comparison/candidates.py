"""The comparison of a campaign's candidates as one plain table.

Only candidates inside one campaign are compared: the same items, the same reviewers.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from evalapp.analysis.scores.campaign_scores import Answer, CampaignScores, ReviewedOutput
from evalapp.analysis.scores.finder_campaign import why_no_means
from evalapp.campaigns.models import AssignmentState, CampaignCandidate
from evalapp.measure import Measure, signature
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.limits import MOST_BUTTONS
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import RuleCheck
from evalapp.stats.populations import Population
from evalapp.stats.proportions import wilson
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import (
    candidate_score,
    distribution,
    mean_over_items,
    share_of_low_scores,
    share_of_marks,
)

NOT_SCORED = "not scored yet"
BINS = 10
OVER_ITEMS = "interval over items"
# A reader id that no reviewer has, so that nobody is named “You”.
NOBODY = 0


@dataclass(frozen=True)
class HumanCell:
    """One criterion of one candidate: mean with crossed interval, low share, counts per level.

    For yes/no, ``mean`` is the mean over items of the share of reviewers who said yes (for a category: who
    chose an undesired option). ``outputs_with``: number of outputs that at least one reviewer gave a level.
    """

    criterion: Criterion
    mean: Measure
    low_share: Measure | None
    counts: dict[int, int]
    outputs_with: dict[int, int]
    not_applicable: int

    @property
    def binned(self) -> dict[str, int]:
        """``counts`` for a chart: by level, or in ten bins of neighbouring levels for a wide scale; the best
        last.
        """
        levels, words = list(self.counts), self.criterion.rules.words
        if self.criterion.lower_is_better:
            levels.reverse()
        if len(levels) <= MOST_BUTTONS:
            return {words(level): self.counts[level] for level in levels}
        bins: dict[int, list[int]] = {}
        for position, level in enumerate(levels):
            bins.setdefault(position * BINS // len(levels), []).append(level)
        return {
            f"{words(min(each))}–{words(max(each))}": sum(self.counts[level] for level in each)
            for each in bins.values()
        }

    @property
    def options_given(self) -> list[tuple[int, str, int]]:
        """The options of a category that were chosen: level, label, and number of outputs."""
        given = ((level, self.outputs_with.get(level, 0)) for level in self.criterion.levels)
        return [(level, self.criterion.level_words(level), count) for level, count in given if count]

    @property
    def any_yes(self) -> int:
        return self.outputs_with.get(1, 0)


@dataclass(frozen=True)
class TagCount:
    """``count``: outputs with the tag; ``share``: among reviewed outputs."""

    label: str
    tag_id: int
    count: int
    share: Measure


@dataclass(frozen=True)
class CandidateRow:
    """``metrics`` by metric name, ``rules`` by rule id."""

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

    @property
    def note(self) -> str:
        """The note of the row's means if all have the same; else empty."""
        notes = {mean.note for mean in (*(cell.mean for cell in self.human), self.total)}
        return notes.pop() if len(notes) == 1 else ""

    def cell(self, key: str) -> HumanCell | None:
        return next((cell for cell in self.human if cell.criterion.key == key), None)


class ReasonRow(NamedTuple):
    """A reason, and for each candidate the number of outputs with it; None if there are none."""

    label: str
    counts: list[tuple[CandidateRow, TagCount | None]]


class Design(NamedTuple):
    """The data behind the numbers. ``groups``: number of groups of items that are independent of one another;
    the number of items without groups. ``population``: whose scores means and differences are about (a value
    of `Population`); ``names_are_positions``: it is unknown which reviewer gave a score. ``is_mixed``: people
    and simulated reviewers together. ``assignments_submitted``: None for a large campaign without computed
    results, because counting many assignments takes long.
    """

    items: int
    reviewers: int
    reviews: int
    assignments_submitted: int | None
    assignments_total: int
    is_simulated: bool
    is_mixed: bool
    groups: int
    population: str
    names_are_positions: bool

    @property
    def population_words(self) -> str:
        """Whose scores the means and differences are about, as "these 3 reviewers"."""
        if self.names_are_positions:
            return "raters like these"
        if self.population == Population.REVIEWERS:
            return f"reviewers like these {self.reviewers}"
        return "this reviewer" if self.reviewers == 1 else f"these {self.reviewers} reviewers"

    @property
    def items_words(self) -> str:
        """The items that the results are about, as "items like these 20 from 5 groups"."""
        items = "items like this one" if self.items == 1 else f"items like these {self.items:,}"
        return items + (
            f" from {self.groups:,} group{'s'[: self.groups != 1]}" if self.groups < self.items else ""
        )


@dataclass(frozen=True)
class Comparison:
    """``metrics``: the metrics that at least one output has a result for."""

    design: Design
    rows: list[CandidateRow]
    criteria: list[Criterion]
    metrics: list[MetricDescription]
    corpus_metrics: list[str]
    rules: list[RuleCheck]

    @property
    def reasons(self) -> list[ReasonRow]:
        """The reasons for all candidates, most frequent first."""
        given = [{tag.tag_id: tag for tag in row.tags} for row in self.rows]
        labels = {tag_id: tag.label for tags in given for tag_id, tag in tags.items()}
        total = {tag_id: sum(tags[tag_id].count for tags in given if tag_id in tags) for tag_id in labels}
        return [
            ReasonRow(
                labels[tag_id], [(row, tags.get(tag_id)) for row, tags in zip(self.rows, given, strict=True)]
            )
            for tag_id in sorted(labels, key=lambda tag_id: (-total[tag_id], labels[tag_id]))
        ]

    @property
    def trained_on_simulated(self) -> list[CandidateRow]:
        """Candidates trained on simulated reviews, no matter who rated them here."""
        return [row for row in self.rows if row.candidate.model_version.is_simulated]


def compare(scores: CampaignScores) -> Comparison:
    """The whole table; every cell is a Measure, defined or with the reason why not."""
    computed = {name for output in scores.outputs for name in (*output.metrics, *output.undefined)}
    metrics = [metric for metric in scores.metrics.values() if metric.name in computed]
    rows = [_row(scores, candidate, metrics) for candidate in scores.candidates]
    return Comparison(
        design=design_of(scores),
        rows=rows,
        criteria=scores.criteria,
        metrics=metrics,
        corpus_metrics=sorted({name for row in rows for name in row.corpus}),
        rules=scores.rules,
    )


def design_of(scores: CampaignScores) -> Design:
    simulated = {answer.is_simulated for answer in scores.answers}
    items = {output.item_id for output in scores.outputs}
    return Design(
        items=len(items),
        reviewers=len(scores.reviewer_ids),
        reviews=len({(answer.reviewer_id, answer.item_output_id) for answer in scores.answers}),
        assignments_submitted=scores.assignments.get(AssignmentState.SUBMITTED, 0),
        assignments_total=sum(scores.assignments.values()),
        is_simulated=True in simulated,
        is_mixed=len(simulated) == 2,
        groups=len({("group", scores.groups[each]) if each in scores.groups else each for each in items}),
        population=scores.population,
        names_are_positions=scores.names_are_positions,
    )


def _row(
    scores: CampaignScores, candidate: CampaignCandidate, metrics: Iterable[MetricDescription]
) -> CandidateRow:
    outputs = scores.outputs_of(candidate)
    return CandidateRow(
        candidate=candidate,
        human=[human_cell(scores, criterion, candidate) for criterion in scores.criteria],
        total=_reported_or_reason(
            scores,
            candidate_score(scores.totals(candidate), population=scores.population, bounds=(1, 5)),
        ),
        metrics={metric.name: metric_mean(outputs, metric, scores.groups) for metric in metrics},
        corpus=scores.corpus.get(candidate.pk, {}),
        rules={rule.pk: rule_share(outputs, rule) for rule in scores.rules},
        tags=_tags(scores, candidate),
    )


def human_cell(scores: CampaignScores, criterion: Criterion, candidate: CampaignCandidate) -> HumanCell:
    ratings = scores.ratings(criterion, candidate)
    rules = criterion.rules
    mean = (
        candidate_score(
            scores.numbers_given(criterion, candidate), population=scores.population, bounds=rules.range
        )
        if rules.has_mean
        else _share_counted(scores, criterion, candidate)
    )
    low = (
        share_of_low_scores(ratings, population=scores.population, at_most=rules.low_threshold)
        if rules.low_threshold is not None
        else None
    )
    counts = distribution(ratings, levels=[float(level) for level in criterion.levels])
    given = {(answer.item_output_id, answer.value) for answer in scores.answers_to(criterion, candidate)}
    outputs_with = Counter(value for _, value in given if value is not None)
    return HumanCell(
        criterion=criterion,
        mean=_reported_or_reason(scores, mean),
        low_share=_reported_or_reason(scores, low) if low is not None else None,
        counts={int(level): count for level, count in counts.items()},
        outputs_with=dict(outputs_with),
        not_applicable=ratings.not_applicable,
    )


def _reported_or_reason(scores: CampaignScores, measure: Measure) -> Measure:
    """The measure, or the reason why it is not reported for this campaign."""
    reason = why_no_means(scores)
    return Measure.undefined(reason, n=measure.n, signature=measure.signature) if reason else measure


def _share_counted(scores: CampaignScores, criterion: Criterion, candidate: CampaignCandidate) -> Measure:
    if not criterion.counted_levels:
        return Measure.undefined("no option is marked as undesired", signature=signature("share"))
    return share_of_marks(scores.marks(criterion, candidate), population=scores.population)


def metric_mean(
    outputs: Iterable[ReviewedOutput],
    metric: MetricDescription,
    groups: Mapping[Hashable, Hashable] | None = None,
) -> Measure:
    """Mean of a metric over a candidate's outputs, one for each item; ``groups``: group by item, if it has
    one.

    A metric has no reviewers, so its interval is Student's over items, and the note says so; the note also
    counts outputs for which the metric is undefined. If it is undefined for all, so is the mean, with their
    most frequent reason.
    """
    found = list(outputs)
    values = [output.metrics[metric.name] for output in found if metric.name in output.metrics]
    reasons = Counter(output.undefined.get(metric.name, NOT_SCORED) for output in found)
    name = signature(f"mean-{metric.name}", interval="items", level=0.95)
    if not values:
        reason = reasons.most_common(1)[0][0] if found else "no outputs"
        return Measure.undefined(reason, n=0, signature=name)
    items = [output.item_id for output in found if metric.name in output.metrics]
    as_ratings = Ratings.from_columns(items, ["metric"] * len(values), values, groups=groups)
    lower = -math.inf if metric.smallest is None else metric.smallest
    upper = math.inf if metric.largest is None else metric.largest
    mean = mean_over_items(as_ratings, bounds=(lower, upper))
    label = OVER_ITEMS if mean.low is not None else mean.note
    missing = len(found) - len(values)
    left_out = f"; undefined for {missing} of {len(found)} outputs" if missing else ""
    return replace(mean, signature=name, note=label + left_out)


def rule_share(outputs: Iterable[ReviewedOutput], rule: RuleCheck) -> Measure:
    """Share of a candidate's checked outputs that pass a rule check, with Wilson's interval."""
    found = list(outputs)
    passed = [output.metrics[rule.metric] for output in found if rule.metric in output.metrics]
    if not passed:
        reasons = Counter(output.undefined.get(rule.metric, NOT_SCORED) for output in found)
        reason = reasons.most_common(1)[0][0] if found else "no outputs"
        return Measure.undefined(reason, signature=rule.signature)
    share = wilson(int(sum(passed)), len(passed), name=rule.signature)
    missing = len(found) - len(passed)
    return replace(share, note=f"not checked for {missing} of {len(found)} outputs" if missing else "")


def _tags(scores: CampaignScores, candidate: CampaignCandidate) -> list[TagCount]:
    """Tags by number of outputs, with the share among reviewed outputs."""
    outputs: dict[int, set[int]] = {}
    labels: dict[int, str] = {}
    reviewed = {answer.item_output_id for answer in scores.answers if answer.candidate_id == candidate.pk}
    for tag in scores.tags:
        if tag.candidate_id == candidate.pk:
            outputs.setdefault(tag.tag_id, set()).add(tag.item_output_id)
            labels[tag.tag_id] = tag.label
            reviewed.add(tag.item_output_id)
    counted = [
        TagCount(labels[tag_id], tag_id, len(given), share_of_outputs(scores, given, reviewed))
        for tag_id, given in outputs.items()
    ]
    return sorted(counted, key=lambda tag: (-tag.count, tag.label))


def share_of_outputs(scores: CampaignScores, given: set[int], reviewed: set[int]) -> Measure:
    """The share with Wilson's interval; for items in groups that of a share of marks, with each group counted
    once.
    """
    if not scores.groups:
        return wilson(len(given), len(reviewed), name="tag")
    outputs = sorted(reviewed)
    marks = [float(output in given) for output in outputs]
    ratings = Ratings.from_columns(outputs, [""] * len(outputs), marks, groups=scores.groups_of_outputs)
    return share_of_marks(ratings, population=Population.PANEL)


@dataclass(frozen=True)
class ReviewerRow:
    """One reviewer's work. ``name``: as by `shown_names`; "You" for the reader."""

    name: str
    number: int
    is_reader: bool
    is_simulated: bool
    reviews: int
    means: list[float | None]


def reviewer_rows(scores: CampaignScores, reader_id: int) -> list[ReviewerRow]:
    """The rows of all reviewers; empty if names are positions, not people."""
    if scores.names_are_positions:
        return []
    given: dict[int, list[Answer]] = defaultdict(list)
    for answer in scores.answers:
        given[answer.reviewer_id].append(answer)
    rows = []
    for reviewer_id in scores.reviewer_ids:
        mine = given[reviewer_id]
        means = []
        for criterion in scores.criteria:
            values = [a.value for a in mine if a.criterion_id == criterion.pk and a.value is not None]
            means.append(criterion.rules.mean_or_share(values))
        rows.append(
            ReviewerRow(
                name=replace(scores.names, reader_id=reader_id).of(reviewer_id),
                number=scores.numbers[reviewer_id],
                is_reader=reviewer_id == reader_id,
                is_simulated=mine[0].is_simulated,
                reviews=len({answer.item_output_id for answer in mine}),
                means=means,
            )
        )
    return rows
