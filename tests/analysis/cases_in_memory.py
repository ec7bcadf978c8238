"""Lists of cases of scores in memory: what the product asks the database for, said once more in Python."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from evalapp.analysis.cases.cases import CaseFilter, CaseRow, filter_from, rows_of, with_excerpts
from evalapp.analysis.cases.level_filter import GivenLevel
from evalapp.analysis.metrics.classification import predicted_labels
from evalapp.analysis.metrics.disagreements import find_disagreements, is_poor
from evalapp.analysis.metrics.label_cells import LabelCell
from evalapp.analysis.metrics.metric_trust import computed_metrics
from evalapp.analysis.scores.campaign_scores import Answer, CampaignScores
from evalapp.analysis.scores.filtered_scores import load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.scores.finder import (
    DECILE,
    LEAST_AGREEING,
    Finder,
    FinderResult,
    MetricSide,
    ScoreSide,
    why_nothing,
)
from evalapp.rubrics.models import Criterion


class CasesInMemory:
    """As `evalapp.analysis.cases.case_lists.CaseList`."""

    def __init__(self, view: ComparisonFilter, query: Mapping[str, str], *, reviewer_type: str) -> None:
        self.view, self.reviewer_type = view, reviewer_type
        self.scores, self.coverage, _ = load_filtered(view, reviewer_type=reviewer_type)
        self.wanted = filter_from(self.scores, query)
        self.metrics = computed_metrics(self.scores)
        self.rows = find_cases(self.scores, self.wanted)

    def with_filters_of(self, query: Mapping[str, str]) -> "CasesInMemory":
        return CasesInMemory(self.view, query, reviewer_type=self.reviewer_type)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: slice) -> list[CaseRow]:
        return with_excerpts(self.rows[place])

    def around(self, item_id: int) -> dict[int, int]:
        listed = items_in_order(self.rows)
        if item_id not in listed:
            return {}
        order = list(listed)
        place = order.index(item_id)
        return {each: listed[each] for each in order[max(place - 1, 0) : place + 2]}

    def items(self) -> list[int]:
        return list(items_in_order(self.rows))

    def place_of(self, item_id: int, candidate_id: int) -> int | None:
        keys = [(row.item_id, row.candidate.pk) for row in self.rows]
        return keys.index((item_id, candidate_id)) + 1 if (item_id, candidate_id) in keys else None

    def found(self, finder: Finder) -> FinderResult:
        return find(self.scores, finder)


def find_cases(scores: CampaignScores, wanted: CaseFilter) -> list[CaseRow]:
    """Outputs the filter picks, those to look at first on top (the lowest mean, the worst metric)."""
    chosen = _chosen_outputs(scores, wanted)
    ranks, last = _ranks(scores, wanted), float("inf")
    found = [output for output in scores.outputs if output.item_output_id in chosen]
    found.sort(key=lambda output: (ranks.get(output.item_output_id, last), output.item_id))
    return rows_of(scores, wanted, found)


def items_in_order(rows: Iterable[CaseRow]) -> dict[int, int]:
    """The items of a list in its order, each with the candidate of the first of its outputs there, by their
    ids.
    """
    found: dict[int, int] = {}
    for row in rows:
        found.setdefault(row.item_id, row.candidate.pk)
    return found


def _ranks(scores: CampaignScores, wanted: CaseFilter) -> dict[int, float]:
    """What the list is ordered by, for each output that has it."""
    if wanted.metric is not None:
        name, sign = wanted.metric.name, -1 if wanted.metric.better == "lower" else 1
        return {
            output.item_output_id: sign * output.metrics[name]
            for output in scores.outputs
            if name in output.metrics
        }
    if wanted.differ and wanted.criterion is None:
        return {item_output_id: -spread for item_output_id, spread in scores.widest_spreads().items()}
    criterion = wanted.criterion or (scores.scales[0] if scores.scales else None)
    if criterion is None:
        return {}
    if wanted.differ:
        return {
            item_output_id: -spread for item_output_id, spread in scores.output_spreads(criterion).items()
        }
    sign = -1 if criterion.rules.shows_high_first else 1
    return {item_output_id: sign * mean for item_output_id, mean in scores.output_means(criterion).items()}


def _chosen_outputs(scores: CampaignScores, wanted: CaseFilter) -> set[int]:
    chosen = {
        output.item_output_id
        for output in scores.outputs
        if wanted.candidate is None or output.candidate_id == wanted.candidate.pk
    }
    if wanted.criterion is not None:
        holds = _answer_test(wanted, wanted.criterion)
        chosen &= {a.item_output_id for a in scores.answers_to(wanted.criterion) if holds(a)}
        if wanted.differ:
            chosen &= {pk for pk, spread in scores.output_spreads(wanted.criterion).items() if spread > 0}
        if wanted.gave:
            chosen &= outputs_given(scores, wanted.criterion, wanted.gave)
        if wanted.disagreement is not None:
            chosen &= find_disagreements(scores, wanted.criterion, wanted.disagreement).item_output_ids
        if wanted.finder is not None:
            chosen &= find(scores, wanted.finder).item_output_ids
    elif wanted.differ:
        chosen &= {pk for pk, spread in scores.widest_spreads().items() if spread > 0}
    if wanted.tag is not None:
        chosen &= {tag.item_output_id for tag in scores.tags if tag.tag_id == wanted.tag.pk}
    if wanted.rule is not None:
        name = wanted.rule.metric
        checked = {output.item_output_id: output.metrics.get(name) for output in scores.outputs}
        admitted = (0.0,) if wanted.failed else (0.0, 1.0)
        chosen &= {item_output_id for item_output_id, value in checked.items() if value in admitted}
    if wanted.metric is not None:
        name = wanted.metric.name
        chosen &= {output.item_output_id for output in scores.outputs if name in output.metrics}
    if wanted.labels is not None:
        chosen &= outputs_in(scores, wanted.labels)
    if wanted.reviewer is not None:
        chosen &= {
            a.item_output_id for a in scores.answers if scores.numbers[a.reviewer_id] == wanted.reviewer
        }
    return chosen


def _answer_test(wanted: CaseFilter, criterion: Criterion) -> Callable[[Answer], bool]:
    if wanted.level is not None:
        return lambda answer: answer.value == wanted.level
    if wanted.low:
        return lambda answer: answer.value is not None and is_poor(criterion, answer.value)
    if wanted.not_applicable:
        return lambda answer: answer.value is None
    return lambda answer: answer.value is not None


def find(scores: CampaignScores, wanted: Finder) -> FinderResult:
    """Outputs, of those that the metric is defined for and that two reviewers scored, which meet both
    conditions.

    People meet theirs where the output's mean does and at least two reviewers each give such a score. A tenth
    is one of those outputs; equal values stand on the same side of its end, so that it may hold more.
    """
    answers = [
        answer for answer in scores.answers_to(wanted.criterion, wanted.candidate) if answer.value is not None
    ]
    scored = Counter(answer.item_output_id for answer in answers)
    values = {
        output.item_output_id: output.metrics[wanted.metric.name]
        for output in scores.outputs
        if wanted.metric.name in output.metrics and scored[output.item_output_id] >= LEAST_AGREEING
    }
    if not values:
        is_scored_twice = any(count >= LEAST_AGREEING for count in scored.values())
        return FinderResult(set(), 0, 0, 0, why_nothing(wanted, is_scored_twice=is_scored_twice))
    sign = 1 if wanted.score_side == ScoreSide.AT_MOST else -1
    number = wanted.criterion.rules.number
    agreeing: Counter[int] = Counter()
    theirs: set[int] = set()
    for answer in answers:
        if answer.value is not None and sign * number(answer.value) <= sign * wanted.score:
            agreeing[answer.item_output_id] += 1
            if scores.numbers[answer.reviewer_id] == wanted.reviewer:
                theirs.add(answer.item_output_id)
    means = scores.output_means(wanted.criterion)
    people = {
        pk
        for pk in values
        if agreeing[pk] >= LEAST_AGREEING
        and sign * means[pk] <= sign * wanted.score
        and (wanted.reviewer is None or pk in theirs)
    }
    metric = _by_metric(values, wanted)
    return FinderResult(people & metric, len(values), len(metric), len(people))


def _by_metric(values: Mapping[int, float], wanted: Finder) -> set[int]:
    given = list(values.values())
    match wanted.side:
        case MetricSide.TOP:
            cut = float(np.quantile(given, 1 - DECILE))
            return {pk for pk, value in values.items() if value >= cut}
        case MetricSide.BOTTOM:
            cut = float(np.quantile(given, DECILE))
            return {pk for pk, value in values.items() if value <= cut}
        case MetricSide.AT_LEAST:
            return {pk for pk, value in values.items() if wanted.value is not None and value >= wanted.value}
    return {pk for pk, value in values.items() if wanted.value is not None and value <= wanted.value}


def outputs_given(scores: CampaignScores, criterion: Criterion, gave: Sequence[GivenLevel]) -> set[int]:
    """The outputs to which each of them gave their level, in reviews of the base overlap."""
    given: dict[GivenLevel, set[int]] = {each: set() for each in gave}
    for answer in scores.answers_to(criterion):
        for each in gave:
            if answer.reviewer_id == each.reviewer_id and answer.value == each.level and not answer.is_added:
                given[each].add(answer.item_output_id)
    return set.intersection(*given.values())


def outputs_in(scores: CampaignScores, cell: LabelCell) -> set[int]:
    """The outputs, of those whose label was read, that lie in the cell."""
    read = predicted_labels(scores)
    return {
        output.item_output_id
        for output in scores.outputs
        if (label := read.get(output.output_id)) is not None
        and cell.true in (None, label.true)
        and cell.predicted in (None, label.predicted)
        and not (cell.unparsed and label.predicted is not None)
    }
