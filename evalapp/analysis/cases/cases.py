"""Lists of cases behind a number: the outputs that a URL selects, and the rows that show them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from django.utils.text import Truncator

from evalapp.analysis.cases.level_filter import GivenLevel, given_level_words, read_given_levels
from evalapp.analysis.cases.reviewer_differences import Difference, widest_differences
from evalapp.analysis.metrics.disagreements import poor_words
from evalapp.analysis.metrics.label_cells import LABEL_PARTS, LabelCell, label_cell_from
from evalapp.analysis.scores.campaign_scores import CampaignScores, ReviewedOutput
from evalapp.analysis.scores.finder import FINDER_PARTS, Finder, finder_from
from evalapp.campaigns.models import CampaignCandidate, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import COMPARED_METRICS, HEADLINE_METRIC
from evalapp.rubrics.models import Criterion, ReasonTag
from evalapp.scoring.models import RuleCheck

Choice = TypeVar("Choice")

LONGEST_NUMBER = 18
LONGEST_EXCERPT = 160
FILTER_PARTS = (
    "candidate", "criterion", "level", "low", "na", "differ", "tag", "rule", "failed", "metric",
    "disagreement",
    "reviewer", "gave", *FINDER_PARTS, *LABEL_PARTS,
)  # fmt: skip
"""The parts of a URL that `filter_from` reads."""


@dataclass(frozen=True)
class CaseFilter:
    """Selects outputs that meet every given part. Built from a URL, which can be shared.

    ``differ`` without a criterion: outputs with different answers to any, widest first. ``criterion`` alone:
    outputs with a score on it; with ``level``: where a reviewer gave that level, ``low``: a low one,
    ``not_applicable``: N/A, ``differ``: where reviewers gave different answers, farthest apart first,
    ``disagreement``: where the metric is high and people's scores are low. ``metric``: outputs for which it
    is defined. ``rule``: outputs checked by it, with ``failed`` those that failed. ``reviewer`` (a
    pseudonym's number): outputs that they reviewed; ``reviewer_name``: their displayed name. ``gave``: where
    each of these reviewers gave the criterion this level. ``finder``: results of the disagreement finder.
    ``labels``: a cell of the confusion matrix.
    """

    candidate: CampaignCandidate | None = None
    criterion: Criterion | None = None
    level: int | None = None
    low: bool = False
    not_applicable: bool = False
    differ: bool = False
    tag: ReasonTag | None = None
    rule: RuleCheck | None = None
    failed: bool = False
    metric: MetricDescription | None = None
    disagreement: MetricDescription | None = None
    reviewer: int | None = None
    reviewer_name: str = ""
    gave: tuple[GivenLevel, ...] = ()
    finder: Finder | None = None
    labels: LabelCell | None = None

    def describe(self) -> str:
        """The filter in words, for the page's heading."""
        parts = [
            self._of_candidate(),
            self.finder.describe() if self.finder else self._of_criterion(),
            f"reason “{self.tag.label}”" if self.tag else "",
            f"rule “{self.rule.name}” {'failed' if self.failed else 'checked'}" if self.rule else "",
            f"{self.metric.label} defined" if self.metric else "",
            f"reviewed by {self.reviewer_name}" if self.reviewer else "",
            given_level_words(self.gave, self.criterion),
            self.labels.describe() if self.labels else "",
        ]
        return " · ".join(part for part in parts if part) or "all outputs"

    def _of_candidate(self) -> str:
        version = self.candidate.model_version if self.candidate else None
        return version.label if version else ""

    def _of_criterion(self) -> str:
        criterion = self.criterion
        if criterion is None:
            return "reviewers differ, most first" if self.differ else ""
        if self.disagreement:
            return (
                f"{self.disagreement.label} in its {self.disagreement.good_end} quarter, {criterion.name} low"
            )
        if self.level is not None:
            return f"{criterion.name} {criterion.level_words(self.level)} from at least one reviewer"
        if self.differ:
            return f"{criterion.name} on which reviewers differ, most first"
        if self.low:
            return f"{criterion.name} {poor_words(criterion)} from at least one reviewer"
        return f"{criterion.name} {'N/A' if self.not_applicable else 'scored'}"


class CaseRow(NamedTuple):
    """``means`` in the order of the campaign's criteria; ``metric``: the value in the list's metric column.
    ``differs``: the widest difference between reviewers, in a list of differences.
    """

    item_id: int
    candidate: CampaignCandidate
    excerpt: str
    means: list[float | None]
    metric: float | None
    reviews: int
    differs: Difference | None = None


def filter_from(scores: CampaignScores, query: Mapping[str, str]) -> CaseFilter:
    """Read a filter from a URL. Raises MissingError for a part that names nothing in this campaign."""
    candidate, rule, tag = (_number(query, name) for name in ("candidate", "rule", "tag"))
    key, metric, disagreement = (query.get(name, "") for name in ("criterion", "metric", "disagreement"))
    reviewer = _number(query, "reviewer")
    wanted = CaseFilter(
        candidate=_named(scores.candidates, "candidate", candidate, lambda each: each.pk),
        criterion=_named(scores.criteria, "criterion", key or None, lambda each: each.key),
        level=_number(query, "level"),
        low=query.get("low") == "1",
        not_applicable=query.get("na") == "1",
        differ=query.get("differ") == "1",
        tag=_named(_tags_of(scores) if tag is not None else [], "reason", tag, lambda each: each.pk),
        rule=_named(scores.rules, "rule", rule, lambda each: each.pk),
        failed=query.get("failed") == "1",
        metric=_named(scores.metrics.values(), "metric", metric or None, lambda each: each.name),
        disagreement=_named(scores.metrics.values(), "metric", disagreement or None, lambda each: each.name),
        reviewer=_named(scores.numbers.values(), "reviewer", reviewer, lambda each: each),
        reviewer_name=next(
            (scores.names.of(person) for person, number in scores.numbers.items() if number == reviewer), ""
        ),
        gave=read_given_levels(scores, query.get("gave", "")),
        finder=finder_from(scores, query),
        labels=label_cell_from(scores, query),
    )
    of_answers = wanted.low or wanted.not_applicable or wanted.disagreement or wanted.gave
    if (wanted.level is not None or of_answers) and wanted.criterion is None:
        raise MissingError("The filter names no criterion. Open the list again from the results.")
    if (wanted.low or wanted.disagreement) and wanted.criterion not in scores.scales:
        raise MissingError("Only a scale has low scores. Open the list again from the results.")
    return wanted


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > LONGEST_NUMBER:
        raise MissingError(f"The filter “{name}” is not a number. Open the list again from the results.")
    return int(text)


def _named(
    choices: Iterable[Choice], name: str, wanted: object, identity: Callable[[Choice], object]
) -> Choice | None:
    if wanted is None:
        return None
    for choice in choices:
        if identity(choice) == wanted:
            return choice
    raise MissingError(f"There is no such {name} in this comparison.")


def _tags_of(scores: CampaignScores) -> Iterable[ReasonTag]:
    return ReasonTag.objects.filter(criterion__version=scores.campaign.rubric_version_id)


def column_metric(wanted: CaseFilter) -> MetricDescription:
    """The metric shown in the list's metric column."""
    return (
        (wanted.finder.metric if wanted.finder else wanted.disagreement)
        or wanted.metric
        or COMPARED_METRICS[HEADLINE_METRIC]
    )


def rows_of(scores: CampaignScores, wanted: CaseFilter, outputs: Iterable[ReviewedOutput]) -> list[CaseRow]:
    """The rows of the outputs that the filter selects."""
    means = {criterion.pk: scores.output_means(criterion) for criterion in scores.criteria}
    reviewers: dict[int, set[int]] = {}
    for answer in scores.answers:
        reviewers.setdefault(answer.item_output_id, set()).add(answer.reviewer_id)
    candidates = {candidate.pk: candidate for candidate in scores.candidates}
    metric = column_metric(wanted)
    of_criteria = None if wanted.criterion is None else [wanted.criterion]
    differences = widest_differences(scores, of_criteria) if wanted.differ else {}
    return [
        CaseRow(
            item_id=output.item_id,
            candidate=candidates[output.candidate_id],
            excerpt="",
            means=[means[criterion.pk].get(output.item_output_id) for criterion in scores.criteria],
            metric=output.metrics.get(metric.name),
            reviews=len(reviewers.get(output.item_output_id, ())),
            differs=differences.get(output.item_output_id),
        )
        for output in outputs
    ]


def with_excerpts(rows: list[CaseRow]) -> list[CaseRow]:
    """The rows with the beginnings of their outputs, read for these rows only."""
    texts = {
        (item_id, candidate_id): text
        for item_id, candidate_id, text in ItemOutput.objects.filter(
            item__in={row.item_id for row in rows}
        ).values_list("item_id", "candidate_id", "output__text")
    }
    return [row._replace(excerpt=_beginning(texts[row.item_id, row.candidate.pk])) for row in rows]


def _beginning(text: str) -> str:
    return Truncator(" ".join(text.split())).chars(LONGEST_EXCERPT)
