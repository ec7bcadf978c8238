"""A campaign's scores as plain columns, the source of all tables and charts of the analysis."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar

from django.db.models import Count, F, Q, QuerySet

from evalapp.campaigns.models import Assignment, Campaign, CampaignCandidate, Item, ItemOutput, Purpose
from evalapp.core.errors import InvalidError
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import COMPARED_METRICS
from evalapp.reviews.models import Review, ReviewTag, Score
from evalapp.reviews.pseudonyms import ReviewerNames, pseudonym_numbers, shown_names
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.kinds import answered_by
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import CorpusMetric, MetricResult, RuleCheck
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import weighted_total

Row = TypeVar("Row")

CHUNK = 5000
# Reviewer id of anyone at a position.
SOMEBODY = 0
RULE_CHANGED = "the rule changed after scoring; score the run again"


class Answer(NamedTuple):
    """One reviewer's answer to one criterion about one output; ``value`` None is N/A. ``is_added``: requested
    later, because reviewers differed.
    """

    item_id: int
    item_output_id: int
    candidate_id: int
    reviewer_id: int
    criterion_id: int
    value: int | None
    is_simulated: bool
    is_added: bool = False


class GivenTag(NamedTuple):
    candidate_id: int
    item_output_id: int
    criterion_id: int
    tag_id: int
    label: str


class ReviewedOutput(NamedTuple):
    """An output under review. ``metrics``: values; ``undefined``: why a metric has none. A metric in neither
    has not been computed.
    """

    item_output_id: int
    item_id: int
    candidate_id: int
    output_id: int
    run_id: int
    metrics: dict[str, float]
    undefined: dict[str, str]


@dataclass(frozen=True)
class CampaignScores:
    """All scores of a campaign's outputs, by people and by metrics.

    ``candidates`` and ``criteria`` (rated ones) are in the order of every page; ``rules`` are the project's
    active rules. ``corpus``: whole-set metrics by candidate; ``assignments``: number of assignments by state.
    ``names``: reviewers' displayed names, the same on every page and file. ``groups``: by item, the document,
    client or conversation of its row, if it has one. ``external``: the project's external scores.
    ``names_are_positions`` is the campaign's.
    """

    campaign: Campaign
    candidates: list[CampaignCandidate]
    criteria: list[Criterion]
    rules: list[RuleCheck]
    answers: list[Answer]
    tags: list[GivenTag]
    outputs: list[ReviewedOutput]
    corpus: dict[int, dict[str, Measure]]
    assignments: dict[str, int]
    names: ReviewerNames
    groups: Mapping[Hashable, str] = field(default_factory=dict)
    external: list[MetricDescription] = field(default_factory=list)
    names_are_positions: bool = False

    @property
    def metrics(self) -> dict[str, MetricDescription]:
        """Metrics that the outputs may have been scored by, by name: built-in ones, then external ones."""
        return {**COMPARED_METRICS, **{metric.name: metric for metric in self.external}}

    def metric_named(self, name: str) -> MetricDescription:
        """The metric of that name. Raises InvalidError for a name not in `metrics`."""
        return metric_named(name, self.metrics)

    @property
    def population(self) -> Population:
        """The population that means and differences are about: the project's choice. Raters who are positions
        are reduced to their mean of each item, so that intervals rest on items, because each item has other
        raters.
        """
        if self.names_are_positions:
            return Population.PANEL
        return Population(self.campaign.project.population)

    def _rater(self, reviewer_id: int) -> int:
        """The reviewer of a score, as far as known."""
        return SOMEBODY if self.names_are_positions else reviewer_id

    @property
    def numbers(self) -> Mapping[int, int]:
        """Each reviewer's number, which URLs use and lists are ordered by."""
        return self.names.numbers

    @property
    def scales(self) -> list[Criterion]:
        return [criterion for criterion in self.criteria if criterion.rules.has_mean]

    @cached_property
    def groups_of_outputs(self) -> dict[Hashable, Hashable]:
        """The cluster of each item output: its item, or its item's group."""
        return {
            output.item_output_id: self.groups.get(output.item_id, output.item_id) for output in self.outputs
        }

    @cached_property
    def fewest_raters(self) -> int:
        """The smallest number of raters of a reviewed output; 1 without reviews."""
        reviews = {(answer.item_output_id, answer.reviewer_id) for answer in self.answers}
        return min(Counter(item_output for item_output, _ in reviews).values(), default=1)

    @cached_property
    def _by_cell(self) -> dict[tuple[int, int], list[Answer]]:
        cells: dict[tuple[int, int], list[Answer]] = defaultdict(list)
        for answer in self.answers:
            cells[answer.criterion_id, answer.candidate_id].append(answer)
        return cells

    @cached_property
    def _ratings_made(self) -> dict[Hashable, Ratings]:
        return {}

    def _kept(self, key: Hashable, make: Callable[[], Ratings]) -> Ratings:
        """The ratings of that key, made once: many figures rest on the same ones."""
        if key not in self._ratings_made:
            self._ratings_made[key] = make()
        return self._ratings_made[key]

    def answers_to(self, criterion: Criterion, candidate: CampaignCandidate | None = None) -> list[Answer]:
        """Answers to one criterion, about one candidate or all of them."""
        chosen = [candidate] if candidate is not None else self.candidates
        return [answer for each in chosen for answer in self._by_cell.get((criterion.pk, each.pk), ())]

    def ratings(
        self,
        criterion: Criterion,
        candidate: CampaignCandidate | None = None,
        *,
        counted: frozenset[int] | None = None,
        as_designed: bool = False,
    ) -> Ratings:
        """Answers to one criterion, of one candidate (items are items) or of all (items are outputs).

        With ``counted`` levels an answer is 1 if it is one of them, else 0. ``as_designed`` leaves out
        answers requested because reviewers differed, which would bias agreement.
        """
        return self._kept(
            ("ratings", criterion.pk, candidate and candidate.pk, counted, as_designed),
            lambda: self._ratings(criterion, candidate, counted, as_designed=as_designed),
        )

    def _ratings(
        self,
        criterion: Criterion,
        candidate: CampaignCandidate | None,
        counted: frozenset[int] | None,
        *,
        as_designed: bool,
    ) -> Ratings:
        chosen = self.answers_to(criterion, candidate)
        if as_designed:
            chosen = [answer for answer in chosen if not answer.is_added]
        return Ratings.from_columns(
            [answer.item_output_id if candidate is None else answer.item_id for answer in chosen],
            [
                answer.reviewer_id if candidate is None else self._rater(answer.reviewer_id)
                for answer in chosen
            ],
            [_counted(answer.value, counted) for answer in chosen],
            groups=self.groups if candidate is not None else self.groups_of_outputs,
        )

    def numbers_given(self, criterion: Criterion, candidate: CampaignCandidate) -> Ratings:
        """`ratings` of a candidate as the numbers of the levels, for means."""
        return self._kept(
            ("numbers", criterion.pk, candidate.pk), lambda: self._numbers_given(criterion, candidate)
        )

    def _numbers_given(self, criterion: Criterion, candidate: CampaignCandidate) -> Ratings:
        chosen, number = self.answers_to(criterion, candidate), criterion.rules.number
        return Ratings.from_columns(
            [answer.item_id for answer in chosen],
            [self._rater(answer.reviewer_id) for answer in chosen],
            [None if answer.value is None else number(answer.value) for answer in chosen],
            groups=self.groups,
        )

    def marks(self, criterion: Criterion, candidate: CampaignCandidate | None = None) -> Ratings:
        """`ratings` of a criterion without a mean: 1 for a counted level, else 0."""
        return self.ratings(criterion, candidate, counted=criterion.counted_levels)

    def totals(self, candidate: CampaignCandidate) -> Ratings:
        """Each review's weighted mean over scale criteria, rescaled to 1–5; without N/A answers."""
        return self._kept(("totals", candidate.pk), lambda: self._totals(candidate))

    def _totals(self, candidate: CampaignCandidate) -> Ratings:
        weights: dict[Hashable, float] = {criterion.pk: float(criterion.weight) for criterion in self.scales}
        cells: dict[tuple[int, int], dict[Hashable, float | None]] = defaultdict(dict)
        for criterion in self.scales:
            for answer in self.answers_to(criterion, candidate):
                cells[answer.item_id, answer.reviewer_id][criterion.pk] = rescaled(answer.value, criterion)
        return Ratings.from_columns(
            [item for item, _ in cells],
            [self._rater(reviewer) for _, reviewer in cells],
            [weighted_total(scores, weights).value for scores in cells.values()],
            groups=self.groups,
        )

    def output_means(self, criterion: Criterion) -> dict[int, float]:
        """Mean answer for each item output, without N/A; for a criterion that is not a scale, the share of
        counted levels, if it has any.
        """
        rules = criterion.rules
        numbers = ((pk, rules.mean_or_share(given)) for pk, given in self._by_output(criterion).items())
        return {item_output_id: value for item_output_id, value in numbers if value is not None}

    def output_spreads(self, criterion: Criterion) -> dict[int, float]:
        """The spread of the answers for each item output with at least two reviewers: the standard deviation,
        for a category the share of answers other than the most frequent. Without N/A.
        """
        rules = criterion.rules
        return {
            item_output_id: rules.spread(given)
            for item_output_id, given in self._by_output(criterion).items()
            if len(given) > 1
        }

    def widest_spreads(self) -> dict[int, float]:
        """The largest of `output_spreads` over criteria for each output, as a share of the scale."""
        widest: dict[int, float] = {}
        for criterion in self.criteria:
            span = criterion.rules.span
            for item_output_id, spread in self.output_spreads(criterion).items():
                widest[item_output_id] = max(widest.get(item_output_id, 0.0), spread / span)
        return widest

    def _by_output(self, criterion: Criterion) -> dict[int, list[int]]:
        values: dict[int, list[int]] = defaultdict(list)
        for answer in self.answers_to(criterion):
            if answer.value is not None:
                values[answer.item_output_id].append(answer.value)
        return values

    def outputs_of(self, candidate: CampaignCandidate) -> list[ReviewedOutput]:
        return [output for output in self.outputs if output.candidate_id == candidate.pk]

    @property
    def reviewer_ids(self) -> list[int]:
        """Reviewers with answers here, by pseudonym number."""
        present = {answer.reviewer_id for answer in self.answers}
        return sorted(present, key=lambda reviewer_id: self.numbers[reviewer_id])


def metric_named(name: str, among: Mapping[str, MetricDescription]) -> MetricDescription:
    """The metric of that name. Raises InvalidError for a name that is not in ``among``."""
    if name not in among:
        raise InvalidError(
            f"There is no metric “{name[:40]}” here. Known: {', '.join(among)}.", field="metric"
        )
    return among[name]


def _counted(value: int | None, counted: frozenset[int] | None) -> int | None:
    return value if counted is None or value is None else int(value in counted)


def rescaled(value: float | None, criterion: Criterion) -> float | None:
    """A scale's value on 1–5, so that criteria of different ranges can be averaged; N/A stays None."""
    if value is None:
        return None
    return 1 + 4 * (value - criterion.minimum) / (criterion.maximum - criterion.minimum)


def load_scores(
    campaign: Campaign,
    *,
    reviewer_type: str = "all",
    reviews: QuerySet[Review] | None = None,
    outputs: Collection[int] | None = None,
) -> CampaignScores:
    """Read a campaign's answers. ``reviewer_type`` is "all", "human" or "simulated"; ``reviews`` and
    ``outputs``: only these reviews and item outputs.

    Outside a demonstration project simulated answers are never read.
    """
    return load_many([campaign], reviewer_type=reviewer_type, reviews=reviews, item_outputs=outputs)[
        campaign.pk
    ]


def load_many(
    campaigns: Sequence[Campaign],
    *,
    reviewer_type: str = "all",
    reviews: QuerySet[Review] | None = None,
    item_outputs: Collection[int] | None = None,
) -> dict[int, CampaignScores]:
    """`load_scores` of several campaigns of one project, in as many queries as for one."""
    if not campaigns:
        return {}
    ids = [campaign.pk for campaign in campaigns]
    project = campaigns[0].project
    rules = list(project.rule_checks.filter(is_active=True))
    external = [metric.description for metric in project.external_metrics.order_by("pk")]
    candidates = _grouped(
        (candidate.campaign_id, candidate)
        for candidate in (
            CampaignCandidate.objects.filter(campaign__in=ids)
            .select_related("model_version")
            .order_by("campaign_id", "position")
        )
    )
    criteria = _grouped(
        (criterion.version_id, criterion)
        for criterion in (
            Criterion.objects.filter(version__in={campaign.rubric_version_id for campaign in campaigns})
            .filter(kind__in=answered_by("level"))
            .order_by("version_id", "position")
        )
    )
    if item_outputs is not None:
        among = Review.objects.all() if reviews is None else reviews
        reviews = among.filter(item_output__in=item_outputs)
    counted_reviews = Q(review__campaign__in=ids, review__purpose=Purpose.REVIEW)
    counted_reviews &= of_reviewer_type(project, reviewer_type, review="review__")
    if reviews is not None:
        counted_reviews &= Q(review__in=reviews)
    answers, tags = _answers_by_campaign(counted_reviews), _tags_by_campaign(counted_reviews)
    outputs = _outputs(ids, rules, [*COMPARED_METRICS, *(metric.name for metric in external)], item_outputs)
    corpus = _corpus_metrics(campaigns, outputs, candidates)
    numbers, groups, assignments = pseudonym_numbers(campaigns), _item_groups(ids), _assignments(ids)
    return {
        campaign.pk: CampaignScores(
            campaign=campaign,
            candidates=candidates[campaign.pk],
            criteria=criteria[campaign.rubric_version_id],
            rules=rules,
            answers=answers[campaign.pk],
            tags=tags[campaign.pk],
            outputs=outputs[campaign.pk],
            corpus=corpus,
            assignments=assignments[campaign.pk],
            names=shown_names(campaign, numbers=numbers[campaign.pk]),
            groups=groups[campaign.pk],
            external=external,
            names_are_positions=campaign.names_are_positions,
        )
        for campaign in campaigns
    }


def _answers_by_campaign(counted_reviews: Q) -> dict[int, list[Answer]]:
    scores = Score.objects.filter(counted_reviews).order_by("review_id", "criterion_id")
    columns = scores.values_list(
        "review__campaign_id",
        "review__item_output__item_id",
        "review__item_output_id",
        "review__item_output__candidate_id",
        "review__reviewer_id",
        "criterion_id",
        "value",
        "review__is_simulated",
        "review__assignment__is_added",
    )
    return _grouped((row[0], Answer(*row[1:])) for row in columns.iterator(CHUNK))


def _tags_by_campaign(counted_reviews: Q) -> dict[int, list[GivenTag]]:
    tags = ReviewTag.objects.filter(counted_reviews).order_by("review_id", "tag_id")
    columns = tags.values_list(
        "review__campaign_id",
        "review__item_output__candidate_id",
        "review__item_output_id",
        "tag__criterion_id",
        "tag_id",
        "tag__label",
    )
    return _grouped((row[0], GivenTag(*row[1:])) for row in columns.iterator(CHUNK))


def _outputs(
    ids: list[int], rules: list[RuleCheck], metrics: Sequence[str], among: Collection[int] | None
) -> dict[int, list[ReviewedOutput]]:
    entries: QuerySet[ItemOutput] = ItemOutput.objects.filter(
        item__campaign__in=ids, item__purpose=Purpose.REVIEW
    )
    if among is not None:
        entries = entries.filter(pk__in=among)
    signatures = {rule.metric: rule.signature for rule in rules}
    values: dict[int, dict[str, float]] = defaultdict(dict)
    undefined: dict[int, dict[str, str]] = defaultdict(dict)
    results = MetricResult.objects.filter(
        output__in=entries.values("output"), metric__in=[*metrics, *signatures]
    ).values_list("output_id", "metric", "value", "reason", "signature")
    for output_id, metric, value, reason, signature in results.iterator(CHUNK):
        if signatures.get(metric, signature) != signature:
            undefined[output_id][metric] = RULE_CHANGED
        elif value is None:
            undefined[output_id][metric] = reason
        else:
            values[output_id][metric] = value
    columns = entries.order_by("pk").values_list(
        "item__campaign_id", "pk", "item_id", "candidate_id", "output_id", "output__run_id"
    )
    return _grouped(
        (row[0], ReviewedOutput(*row[1:], values.get(row[4], {}), undefined.get(row[4], {})))
        for row in columns.iterator(CHUNK)
    )


def _assignments(ids: list[int]) -> dict[int, dict[str, int]]:
    """By campaign, the number of review assignments in each state."""
    assignments: dict[int, dict[str, int]] = defaultdict(dict)
    counted = Assignment.objects.filter(campaign__in=ids, purpose=Purpose.REVIEW).values_list(
        "campaign_id", "state"
    )
    for campaign_id, state, count in counted.annotate(n=Count("id")).order_by():
        assignments[campaign_id][state] = count
    return assignments


def _item_groups(ids: list[int]) -> dict[int, dict[Hashable, str]]:
    """By campaign, the group of each item that has one: its example's, or the example if several of its
    outputs are items.
    """
    rows = (
        Item.objects.filter(campaign__in=ids)
        .exclude(example__group_key="", campaign__samples=1)
        .values_list("campaign_id", "pk", "example__group_key", "example_id")
    )
    groups: dict[int, dict[Hashable, str]] = defaultdict(dict)
    for campaign_id, item_id, group, example_id in rows.iterator(CHUNK):
        groups[campaign_id][item_id] = group or f"example {example_id}"
    return groups


def _corpus_metrics(
    campaigns: Sequence[Campaign],
    outputs: dict[int, list[ReviewedOutput]],
    candidates: dict[int, list[CampaignCandidate]],
) -> dict[int, dict[str, Measure]]:
    """Whole-set metrics by campaign candidate, from the newest run of its outputs."""
    newest: dict[int, int] = {}
    for output in (output for found in outputs.values() for output in found):
        newest[output.candidate_id] = max(newest.get(output.candidate_id, 0), output.run_id)
    stored: dict[tuple[int, int, str], dict[str, Measure]] = defaultdict(dict)
    rows = CorpusMetric.objects.filter(run__in=set(newest.values())).annotate(run_name=F("run__name"))
    for row in rows:
        stored[row.run_id, row.candidate_id, row.split][row.metric] = Measure(
            value=row.value,
            n=row.n,
            reason=row.reason,
            note=f"over {row.n} outputs of {row.run_name}" if row.value is not None else "",
            signature=row.signature,
        )
    return {
        candidate.pk: stored[newest[candidate.pk], candidate.model_version_id, campaign.split]
        for campaign in campaigns
        for candidate in candidates[campaign.pk]
        if candidate.pk in newest
    }


def _grouped(pairs: Iterable[tuple[int, Row]]) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for key, row in pairs:
        groups[key].append(row)
    return groups
