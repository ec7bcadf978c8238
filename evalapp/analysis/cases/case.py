"""The case page: one prompt, with all reviews and metrics of its outputs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evalapp.adjudication.models import Adjudication
from evalapp.adjudication.side_by_side import decisions_about, message_counts
from evalapp.analysis.scores.campaign_scores import RULE_CHANGED
from evalapp.campaigns.design import MOST_CANDIDATES
from evalapp.campaigns.models import Campaign, CampaignCandidate, Item, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.core.word_changes import WordChanges, word_changes
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import COMPARED_METRICS
from evalapp.reviews.change_requests import open_change_requests_among
from evalapp.reviews.models import ChangeRequest, Flag, Review
from evalapp.reviews.pseudonyms import NOT_BEGUN, ReviewerNames, shown_names
from evalapp.reviews.queries import spans_of
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.reviews.spans import ShownSpan, Span, shown_spans
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import MetricResult, RuleCheck


class CaseReview(NamedTuple):
    """``name``: as by `shown_names`; "You" for the reader's own review. ``marks`` are in reading order.
    ``change_request``: one that the reviewer has not answered yet.
    """

    review: Review
    name: str
    answers: list[tuple[Criterion, str]]
    tags: list[str]
    correction: WordChanges | None
    marks: list[ShownSpan]
    change_request: ChangeRequest | None = None


class CaseFlag(NamedTuple):
    """``name``: as by `shown_names`; no name for reviewers who have submitted nothing yet."""

    flag: Flag
    name: str


class CaseMetric(NamedTuple):
    """A metric's value, or why it has none; for a rule 1 or 0, with the spans behind it."""

    label: str
    value: float | None
    reason: str
    spans: list[str]
    is_rule: bool
    is_count: bool = False


class CaseOutput(NamedTuple):
    """``decisions``: adjudications; ``messages``: number of messages in its discussion."""

    entry: ItemOutput
    candidate: CampaignCandidate
    reviews: list[CaseReview]
    metrics: list[CaseMetric]
    decisions: list[Adjudication]
    messages: int

    @property
    def is_disputed(self) -> bool:
        """Whether reviewers gave different answers to a criterion with levels, or one was adjudicated."""
        given: dict[int, set[str]] = {}
        for review in self.reviews:
            for criterion, words in review.answers:
                if criterion.levels:
                    given.setdefault(criterion.pk, set()).add(words)
        return bool(self.decisions) or any(len(words) > 1 for words in given.values())

    @property
    def may_adjudicate(self) -> bool:
        """Whether the reader may adjudicate: nobody adjudicates their own reviews."""
        return all(review.name != "You" for review in self.reviews)


class Case(NamedTuple):
    item: Item
    outputs: list[CaseOutput]
    previous_id: int | None
    next_id: int | None
    flags: list[CaseFlag]

    @property
    def is_folded(self) -> bool:
        """Whether the item has outputs of more candidates than people compare side by side."""
        return len(self.outputs) > MOST_CANDIDATES


def load_case(campaign: Campaign, item_id: int, *, reader_id: int, walk: Sequence[int] | None = None) -> Case:
    """Everything about one item. Reviewers have the same names as in the comparison.

    Its neighbours are those in ``walk``, the items of a list in order; without it, all of the campaign's. An
    item outside the list has none.
    """
    item = campaign.items.select_related("example__version__dataset").filter(pk=item_id).first()
    if item is None:
        raise MissingError("There is no such case in this campaign.")
    reviews = (
        # A gold or calibration item shows its own reviews; never repeats, which count one opinion twice.
        Review.objects.filter(
            of_reviewer_type(campaign.project), item_output__item=item, purpose=item.purpose
        )
        .select_related("correction", "item_output__output")
        .prefetch_related("scores__criterion", "tags__tag", "texts__criterion", "spans__criterion")
        .order_by("pk")
    )
    names = shown_names(campaign, reader_id=reader_id)
    by_output: dict[int, list[CaseReview]] = {}
    entries = list(
        item.outputs.select_related("output", "candidate__model_version")
        .prefetch_related("output__metric_results")
        .order_by("candidate__position")
    )
    waiting = open_change_requests_among(reviews)
    for review in reviews:
        name = names.of(review.reviewer_id)
        by_output.setdefault(review.subject_id, []).append(
            _case_review(review, name)._replace(change_request=waiting.get(review.pk))
        )
    rules = list(campaign.project.rule_checks.filter(is_active=True))
    external = [each.description for each in campaign.project.external_metrics.order_by("pk")]
    decisions, messages = decisions_about(entries), message_counts(entries)
    outputs = [
        CaseOutput(
            entry,
            entry.candidate,
            by_output.get(entry.pk, []),
            _case_metrics(entry.output.metric_results.all(), [*COMPARED_METRICS.values(), *external], rules),
            decisions.get(entry.pk, []),
            messages.get(entry.pk, 0),
        )
        for entry in entries
    ]
    flags = [
        CaseFlag(flag, _flagger(names, flag.reviewer_id))
        for flag in item.flags.filter(resolved_at=None).order_by("pk")
    ]
    return Case(item, outputs, *_neighbours(item, walk), flags)


def _flagger(names: ReviewerNames, reviewer_id: int) -> str:
    name = names.of(reviewer_id)
    return "A reviewer" if name == NOT_BEGUN else name


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
    text = review.rated.output.text
    answers = [
        *((score.criterion, score.words) for score in review.scores.all()),
        *((given.criterion, given.text) for given in review.texts.all()),
    ]
    return CaseReview(
        review,
        name,
        sorted(answers, key=lambda answer: answer[0].position),
        [given.tag.label for given in review.tags.all()],
        word_changes(text, correction.text) if correction else None,
        [mark for criterion, spans in _by_criterion(review) for mark in shown_spans(criterion, spans, text)],
    )


def _by_criterion(review: Review) -> list[tuple[Criterion, list[Span]]]:
    spans = spans_of(review)
    criteria = {each.criterion.key: each.criterion for each in review.spans.all()}
    return [(criteria[key], spans[key]) for key in sorted(criteria, key=lambda key: criteria[key].position)]


def _case_metrics(
    results: Iterable[MetricResult], metrics: Iterable[MetricDescription], rules: Iterable[RuleCheck]
) -> list[CaseMetric]:
    stored = {result.metric: result for result in results}
    shown = [
        CaseMetric(
            metric.label, stored[metric.name].value, stored[metric.name].reason, [], False, metric.is_count
        )
        for metric in metrics
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
