"""The case page: one prompt, and all that was said about its outputs."""

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evalapp.analysis.columns import SEGMENT_METRICS
from evalapp.analysis.scores import RULE_CHANGED, pseudonym_numbers
from evalapp.campaigns.models import Campaign, CampaignCandidate, Item, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.reviews.models import Review
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import MetricResult, RuleCheck


class WordChange(NamedTuple):
    """A run of words; ``kind`` is "same", "removed" or "added"."""

    kind: str
    text: str


class CaseReview(NamedTuple):
    """``name`` is a pseudonym, or "You" for the reader's own."""

    review: Review
    name: str
    answers: list[tuple[Criterion, str]]
    tags: list[str]
    correction: list[WordChange]


class CaseMetric(NamedTuple):
    """A metric's value, or why it has none; a rule's 1 or 0 with the spans that it rests on."""

    label: str
    value: float | None
    reason: str
    spans: list[str]
    is_rule: bool
    is_count: bool = False


class CaseOutput(NamedTuple):
    entry: ItemOutput
    candidate: CampaignCandidate
    reviews: list[CaseReview]
    metrics: list[CaseMetric]


class Case(NamedTuple):
    item: Item
    outputs: list[CaseOutput]
    previous_id: int | None
    next_id: int | None

    @property
    def has_simulated(self) -> bool:
        return any(given.review.is_simulated for output in self.outputs for given in output.reviews)


def load_case(campaign: Campaign, item_id: int, *, reader_id: int, walk: Sequence[int] | None = None) -> Case:
    """All that was said about one item. Reviewers are pseudonyms, numbered as in the comparison.

    Its neighbours are those in ``walk``, the items of a list in its order; without it, all of the
    campaign's. An item that is not in the list has none.
    """
    item = campaign.items.select_related("example__version__dataset").filter(pk=item_id).first()
    if item is None:
        raise MissingError("There is no such case in this campaign.")
    reviews = (
        # Of gold or calibration its own; never a repeat, which says the same person's mind twice.
        Review.objects.filter(item_output__item=item, purpose=item.purpose)
        .select_related("correction", "item_output__output")
        .prefetch_related("scores__criterion", "tags__tag", "texts__criterion")
        .order_by("pk")
    )
    if not campaign.project.is_demonstration:
        reviews = reviews.filter(is_simulated=False)
    numbers = pseudonym_numbers([campaign])[campaign.pk]
    by_output: dict[int, list[CaseReview]] = {}
    for review in reviews:
        is_reader = review.reviewer_id == reader_id
        number = numbers.setdefault(review.reviewer_id, len(numbers) + 1)
        name = "You" if is_reader else f"Reviewer {number}"
        by_output.setdefault(review.item_output_id, []).append(_case_review(review, name))
    rules = list(campaign.project.rule_checks.filter(is_active=True))
    entries = (
        item.outputs.select_related("output", "candidate__model_version")
        .prefetch_related("output__metric_results")
        .order_by("candidate__position")
    )
    outputs = [
        CaseOutput(
            entry,
            entry.candidate,
            by_output.get(entry.pk, []),
            _case_metrics(entry.output.metric_results.all(), rules),
        )
        for entry in entries
    ]
    return Case(item, outputs, *_neighbours(item, walk))


def _neighbours(item: Item, walk: Sequence[int] | None) -> tuple[int | None, int | None]:
    if walk is None:
        ids = item.campaign.items.filter(purpose=item.purpose).order_by("pk").values_list("pk", flat=True)
        return ids.filter(pk__lt=item.pk).last(), ids.filter(pk__gt=item.pk).first()
    if item.pk not in walk:
        return None, None
    position = walk.index(item.pk)
    return (
        walk[position - 1] if position else None,
        walk[position + 1] if position + 1 < len(walk) else None,
    )


def _case_review(review: Review, name: str) -> CaseReview:
    correction = getattr(review, "correction", None)
    answers = [
        *((score.criterion, score.words) for score in review.scores.all()),
        *((given.criterion, given.text) for given in review.texts.all()),
    ]
    return CaseReview(
        review,
        name,
        sorted(answers, key=lambda answer: answer[0].position),
        [given.tag.label for given in review.tags.all()],
        word_changes(review.item_output.output.text, correction.text) if correction else [],
    )


def _case_metrics(results: Iterable[MetricResult], rules: Iterable[RuleCheck]) -> list[CaseMetric]:
    stored = {result.metric: result for result in results}
    shown = [
        CaseMetric(
            metric.label, stored[metric.name].value, stored[metric.name].reason, [], False, metric.is_count
        )
        for metric in SEGMENT_METRICS
        if metric.name in stored
    ]
    for rule in rules:
        result = stored.get(rule.metric)
        if result is None:
            continue
        if result.signature == rule.signature:
            spans = [text for _, _, text in result.detail.get("spans", [])]
            shown.append(CaseMetric(rule.name, result.value, result.reason, spans, True))
        else:
            shown.append(CaseMetric(rule.name, None, RULE_CHANGED, [], True))
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
