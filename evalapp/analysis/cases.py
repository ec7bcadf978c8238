"""From a number to its cases: which outputs a filter picks, and all that was said about one item."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from evalapp.analysis.comparison import HEADLINE_METRIC, METRICS, SEGMENT_METRICS
from evalapp.analysis.scores import CampaignScores
from evalapp.campaigns.models import Campaign, CampaignCandidate, Item, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.metrics.catalogue import MetricDescription
from evalapp.reviews.models import Review
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import MetricResult, RuleCheck

Choice = TypeVar("Choice")

HIGH_QUANTILE = 0.75
LEAST_AGREEING = 2


@dataclass(frozen=True)
class CaseFilter:
    """Which outputs: every part given must hold. Built from an address, which can be shared."""

    candidate: CampaignCandidate | None = None
    criterion: Criterion | None = None
    level: int | None = None
    low: bool = False
    tag_id: int | None = None
    rule: RuleCheck | None = None
    disagreement: MetricDescription | None = None

    def describe(self) -> str:
        parts = []
        if self.candidate:
            parts.append(self.candidate.model_version.label)
        if self.criterion and self.level is not None:
            parts.append(f"{self.criterion.name} rated {level_name(self.criterion, self.level)}")
        elif self.criterion and self.low:
            parts.append(f"{self.criterion.name} rated {self.criterion.low_threshold} or less")
        if self.tag_id:
            parts.append("with a reason tag")
        if self.rule:
            parts.append(f"rule “{self.rule.name}” broken")
        if self.disagreement:
            parts.append(f"{self.disagreement.label} high, people low")
        return " · ".join(parts) or "all outputs"


class CaseRow(NamedTuple):
    item_id: int
    candidate: CampaignCandidate
    excerpt: str
    means: list[float | None]
    metric: float | None
    reviews: int


class Disagreements(NamedTuple):
    """Outputs a metric rates in its top quarter and people low, and how many chance would give."""

    item_output_ids: set[int]
    expected: float


def level_name(criterion: Criterion, level: int) -> str:
    if criterion.kind == "yes_no":
        return "yes" if level else "no"
    return str(level)


def filter_from(scores: CampaignScores, query: Mapping[str, str]) -> CaseFilter:
    """Read a filter from an address. A part that names nothing of this campaign is 404."""

    def number(name: str) -> int | None:
        text = query.get(name, "")
        if not text:
            return None
        if not text.isdecimal() or len(text) > 18:
            raise MissingError(f"The filter “{name}” holds no number.")
        return int(text)

    candidate_id, rule_id, key, metric = (
        number("candidate"), number("rule"), query.get("criterion", ""), query.get("disagreement", "")
    )  # fmt: skip
    return CaseFilter(
        candidate=_named(scores.candidates, "candidate", lambda each: each.pk == candidate_id)
        if candidate_id
        else None,
        criterion=_named(scores.criteria, "criterion", lambda each: each.key == key) if key else None,
        level=number("level"),
        low=query.get("low") == "1",
        tag_id=number("tag"),
        rule=_named(scores.campaign.project.rule_checks.all(), "rule", lambda each: each.pk == rule_id)
        if rule_id
        else None,
        disagreement=_named(SEGMENT_METRICS, "metric", lambda each: each.name == metric) if metric else None,
    )


def _named(choices: Iterable[Choice], name: str, matches: Callable[[Choice], bool]) -> Choice:
    for choice in choices:
        if matches(choice):
            return choice
    raise MissingError(f"There is no such {name} in this comparison.")


def find_disagreements(
    scores: CampaignScores, criterion: Criterion, metric: MetricDescription
) -> Disagreements:
    """Metric in the campaign's top quarter, mean at or under the low threshold, and at least two
    reviewers who agree on that.
    """
    threshold = criterion.low_threshold if criterion.low_threshold is not None else criterion.minimum
    means = scores.output_means(criterion)
    rated = [
        output
        for output in scores.outputs
        if output.item_output_id in means and metric.name in output.metrics
    ]
    if not rated:
        return Disagreements(set(), 0.0)
    cut = float(np.quantile([output.metrics[metric.name] for output in rated], HIGH_QUANTILE))
    low_votes: dict[int, int] = {}
    for answer in scores.answers:
        if answer.criterion_id == criterion.pk and answer.value is not None and answer.value <= threshold:
            low_votes[answer.item_output_id] = low_votes.get(answer.item_output_id, 0) + 1
    low = {
        output.item_output_id
        for output in rated
        if means[output.item_output_id] <= threshold
        and low_votes.get(output.item_output_id, 0) >= LEAST_AGREEING
    }
    high = {output.item_output_id for output in rated if output.metrics[metric.name] >= cut}
    return Disagreements(low & high, len(low) * len(high) / len(rated))


def find_cases(scores: CampaignScores, wanted: CaseFilter) -> list[CaseRow]:
    """Outputs the filter picks, lowest mean of its criterion first."""
    chosen = _chosen_outputs(scores, wanted)
    means = {criterion.pk: scores.output_means(criterion) for criterion in scores.criteria}
    reviews: dict[int, set[int]] = {}
    for answer in scores.answers:
        reviews.setdefault(answer.item_output_id, set()).add(answer.reviewer_id)
    candidates = {candidate.pk: candidate for candidate in scores.candidates}
    texts = dict(ItemOutput.objects.filter(pk__in=chosen).values_list("pk", "output__text"))
    metric = wanted.disagreement or METRICS[HEADLINE_METRIC]
    sort_by = wanted.criterion or (scores.scales[0] if scores.scales else None)
    found = [output for output in scores.outputs if output.item_output_id in chosen]
    if sort_by is not None:
        found.sort(key=lambda output: (means[sort_by.pk].get(output.item_output_id, 99), output.item_id))
    return [
        CaseRow(
            output.item_id,
            candidates[output.candidate_id],
            " ".join(texts[output.item_output_id].split())[:160],
            [means[criterion.pk].get(output.item_output_id) for criterion in scores.criteria],
            output.metrics.get(metric.name),
            len(reviews.get(output.item_output_id, ())),
        )
        for output in found
    ]


def _chosen_outputs(scores: CampaignScores, wanted: CaseFilter) -> set[int]:
    chosen = {
        output.item_output_id
        for output in scores.outputs
        if wanted.candidate is None or output.candidate_id == wanted.candidate.pk
    }
    criterion = wanted.criterion
    if criterion is not None and (wanted.level is not None or wanted.low):
        threshold = criterion.low_threshold if criterion.low_threshold is not None else criterion.minimum
        chosen &= {
            answer.item_output_id
            for answer in scores.answers
            if answer.criterion_id == criterion.pk
            and answer.value is not None
            and (answer.value == wanted.level if wanted.level is not None else answer.value <= threshold)
        }
    if wanted.tag_id is not None:
        chosen &= {tag.item_output_id for tag in scores.tags if tag.tag_id == wanted.tag_id}
    if wanted.rule is not None:
        name = f"rule:{wanted.rule.pk}"
        chosen &= {output.item_output_id for output in scores.outputs if output.metrics.get(name) == 0}
    if wanted.disagreement is not None:
        criterion = criterion or scores.scales[0]
        chosen &= find_disagreements(scores, criterion, wanted.disagreement).item_output_ids
    return chosen


class WordChange(NamedTuple):
    """A run of words; ``kind`` is "same", "removed" or "added"."""

    kind: str
    text: str


class CaseReview(NamedTuple):
    review: Review
    pseudonym: str
    is_reader: bool
    answers: list[tuple[Criterion, str]]
    tags: list[str]
    correction: list[WordChange]


class CaseMetric(NamedTuple):
    label: str
    value: float | None
    reason: str
    spans: list[str]
    is_rule: bool


class CaseOutput(NamedTuple):
    entry: ItemOutput
    candidate: CampaignCandidate
    reviews: list[CaseReview]
    metrics: list[CaseMetric]


class Case(NamedTuple):
    item: Item
    outputs: list[CaseOutput]


def load_case(campaign: Campaign, item_id: int, *, reader_id: int) -> Case:
    """All that was said about one item. Reviewers are pseudonyms, numbered as in the comparison."""
    item = campaign.items.select_related("example__version__dataset").filter(pk=item_id).first()
    if item is None:
        raise MissingError("There is no such case in this campaign.")
    admits_simulated = campaign.project.is_demonstration
    reviews = (
        Review.objects.filter(item_output__item=item)
        .select_related("correction", "item_output__output", "reviewer")
        .prefetch_related("scores__criterion", "tags__tag")
        .order_by("pk")
    )
    if not admits_simulated:
        reviews = reviews.filter(is_simulated=False)
    by_output: dict[int, list[Review]] = {}
    for review in reviews:
        by_output.setdefault(review.item_output_id, []).append(review)
    pseudonyms = _pseudonyms(campaign)
    rule_names = {f"rule:{rule.pk}": rule.name for rule in campaign.project.rule_checks.all()}
    entries = (
        item.outputs.select_related("output", "candidate__model_version")
        .prefetch_related("output__metric_results")
        .order_by("candidate__position")
    )
    return Case(
        item,
        [
            CaseOutput(
                entry,
                entry.candidate,
                [_case_review(review, pseudonyms, reader_id) for review in by_output.get(entry.pk, [])],
                _case_metrics(entry.output.metric_results.all(), rule_names),
            )
            for entry in entries
        ],
    )


def _pseudonyms(campaign: Campaign) -> dict[int, str]:
    firsts = campaign.reviews.order_by("pk").values_list("reviewer_id", flat=True)
    numbered = dict.fromkeys(firsts)
    return {reviewer_id: f"Reviewer {number}" for number, reviewer_id in enumerate(numbered, start=1)}


def _case_review(review: Review, pseudonyms: Mapping[int, str], reader_id: int) -> CaseReview:
    correction = getattr(review, "correction", None)
    scores = sorted(review.scores.all(), key=lambda score: score.criterion.position)
    return CaseReview(
        review,
        pseudonyms[review.reviewer_id],
        review.reviewer_id == reader_id,
        [
            (score.criterion, "N/A" if score.value is None else level_name(score.criterion, score.value))
            for score in scores
        ],
        [given.tag.label for given in review.tags.all()],
        word_changes(review.item_output.output.text, correction.text) if correction else [],
    )


def _case_metrics(results: Iterable[MetricResult], rule_names: Mapping[str, str]) -> list[CaseMetric]:
    stored = {result.metric: result for result in results}
    shown = [
        CaseMetric(metric.label, stored[metric.name].value, stored[metric.name].reason, [], False)
        for metric in SEGMENT_METRICS
        if metric.name in stored
    ]
    for name, label in rule_names.items():
        if name in stored:
            result = stored[name]
            spans = [text for _, _, text in result.detail.get("spans", [])]
            shown.append(CaseMetric(label, result.value, result.reason, spans, True))
    return shown


def word_changes(before: str, after: str) -> list[WordChange]:
    """The words that a correction took out and put in, in reading order."""
    old, new = before.split(), after.split()
    changes: list[WordChange] = []
    for kind, a_start, a_end, b_start, b_end in difflib.SequenceMatcher(
        a=old, b=new, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            changes.append(WordChange("same", " ".join(old[a_start:a_end])))
            continue
        if a_end > a_start:
            changes.append(WordChange("removed", " ".join(old[a_start:a_end])))
        if b_end > b_start:
            changes.append(WordChange("added", " ".join(new[b_start:b_end])))
    return changes
