"""Reads from the database as much of a list of cases as a page shows; tests compare it with a list in memory.

Every value from a person, a URL or a row is passed as an SQL parameter (`CaseQuery._value`).
"""

# ruff: noqa: S608 - SQL is put together from constants of this code; every value is a parameter

import datetime as dt
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from django.db import connection

from evalapp.analysis.cases.cases import CaseFilter
from evalapp.analysis.metrics.disagreements import LEAST_AGREEING, TOP_SHARE
from evalapp.analysis.metrics.label_cells import LabelCell
from evalapp.analysis.scores.example_fields import places_of
from evalapp.analysis.scores.filtered_scores import FilterCoverage
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.scores.finder import DECILE, Finder, FinderResult, MetricSide, ScoreSide, why_nothing
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.models import Criterion
from evalapp.scoring.labels import LABEL
from evalapp.scoring.models import LabelParser


class CaseKey(NamedTuple):
    """An output of a list, by its ids."""

    item_output_id: int
    item_id: int
    candidate_id: int


class CaseQuery:
    """``reviewer_type`` as in `load_scores`; ``criteria``: the campaign's, in order; ``people_by_number``:
    resolves the reviewer numbers of a filter.
    """

    def __init__(
        self,
        view: ComparisonFilter,
        wanted: CaseFilter,
        *,
        reviewer_type: str,
        criteria: Sequence[Criterion],
        people_by_number: dict[int, int],
    ) -> None:
        self.view, self.wanted, self.criteria = view, wanted, criteria
        self._person_of = people_by_number
        self._reviewer_type = reviewer_type if view.campaign.project.is_demonstration else "human"
        self._values: dict[str, Any] = {"campaign": view.campaign.pk}

    def beginning(self, size: int) -> tuple[list[CaseKey], int]:
        """The first ``size`` outputs of the list, and the total number; in one query, because each takes as
        long as both.
        """
        rows = self._rows(
            "SELECT id, item_id, candidate_id, (SELECT count(*) FROM chosen) FROM ordered "
            f"WHERE place <= {self._value(size)} ORDER BY place"
        )
        return [CaseKey(*key) for *key, _ in rows], int(rows[0][-1]) if rows else 0

    def keys(self, start: int, stop: int) -> list[CaseKey]:
        """The outputs from ``start`` to before ``stop``, in list order."""
        rows = self._rows(
            f"SELECT id, item_id, candidate_id FROM ordered WHERE place > {self._value(start)} "
            f"AND place <= {self._value(stop)} ORDER BY place"
        )
        return [CaseKey(*row) for row in rows]

    def place_of(self, item_id: int, candidate_id: int) -> int | None:
        """The position of an output in the list, from 1; None if it is not in the list."""
        rows = self._rows(
            f"SELECT place FROM ordered WHERE item_id = {self._value(item_id)} "
            f"AND candidate_id = {self._value(candidate_id)}"
        )
        return int(rows[0][0]) if rows else None

    def around(self, item_id: int) -> dict[int, int]:
        """An item and its neighbours in the list, in order, each with the candidate of its first output
        there; empty if it is not in the list.
        """
        rows = self._rows(
            ", firsts AS (SELECT DISTINCT ON (item_id) item_id, candidate_id, place FROM ordered "
            "ORDER BY item_id, place), "
            "numbered AS (SELECT *, row_number() OVER (ORDER BY place) AS position FROM firsts) "
            "SELECT near.item_id, near.candidate_id FROM numbered near, numbered it "
            f"WHERE it.item_id = {self._value(item_id)} AND abs(near.position - it.position) <= 1 "
            "ORDER BY near.position"
        )
        return dict(rows)

    def items(self) -> list[int]:
        """Every item of the list, in order."""
        rows = self._rows("SELECT item_id FROM ordered GROUP BY item_id ORDER BY min(place)")
        return [item_id for (item_id,) in rows]

    def metrics(self) -> set[str]:
        """The names of the metrics with a value for some output in view."""
        # Skips from one name to the next: there are few names, but a result of each for every output.
        statement = (
            "WITH RECURSIVE names AS ((SELECT metric FROM evalapp_metricresult WHERE value IS NOT NULL ORDER"
            " BY metric LIMIT 1) UNION ALL SELECT (SELECT m.metric FROM evalapp_metricresult m WHERE m.value"
            " IS NOT NULL AND m.metric > names.metric ORDER BY m.metric LIMIT 1) FROM names WHERE"
            f" names.metric IS NOT NULL), {self._outputs} SELECT metric FROM names WHERE metric IS NOT NULL"
            " AND EXISTS (SELECT 1 FROM outputs o JOIN evalapp_metricresult m ON m.output_id = o.output_id"
            " AND m.metric = names.metric WHERE m.value IS NOT NULL)"
        )
        return {name for (name,) in self._run(statement)}

    def coverage(self) -> FilterCoverage:
        """The view's coverage, as by `load_filtered`."""
        whole = ComparisonFilter(self.view.campaign)
        everything = CaseQuery(
            whole, CaseFilter(), reviewer_type=self._reviewer_type, criteria=(), people_by_number={}
        )
        (items, reviews), (of_items, of_reviews) = self._size(), everything._size()
        return FilterCoverage(items, of_items, reviews, of_reviews)

    def _size(self) -> tuple[int, int]:
        """The numbers of items and of reviews in view."""
        where = "reviewed" if self.view.filters_reviews else "outputs"
        items, reviews = self._run(
            f"WITH {self._outputs}, {self._reviewed} SELECT (SELECT count(DISTINCT item_id) FROM {where}), "
            "(SELECT count(*) FROM reviewed)"
        )[0]
        return items, reviews

    @property
    def _reviewed(self) -> str:
        """The reviews that count, of the outputs in view."""
        return (
            "reviewed AS (SELECT o.item_id FROM outputs o JOIN evalapp_review r "
            f"ON r.item_output_id = o.id WHERE {self._reviews} "
            "AND EXISTS (SELECT 1 FROM evalapp_score s WHERE s.review_id = r.id))"
        )

    def found(self, finder: Finder) -> FinderResult:
        """As `evalapp.analysis.scores.finder.find`."""
        counts = (
            "SELECT count(*), count(*) FILTER (WHERE by_metric), count(*) FILTER (WHERE by_people), "
            "array_agg(id) FILTER (WHERE by_metric AND by_people) FROM told"
        )
        tables = self._finder(finder).removeprefix("WITH ")
        outputs, by_metric, by_people, ids = self._run(f"WITH {self._outputs}, {tables} {counts}")[0]
        reason = ""
        if not outputs:
            of = f" AND o.candidate_id = {self._value(finder.candidate.pk)}" if finder.candidate else ""
            twice = self._means(finder.criterion) + f" HAVING count(*) >= {LEAST_AGREEING}"
            rows = self._run(
                f"WITH {self._outputs} SELECT 1 FROM outputs o JOIN ({twice}) twice ON twice.id = o.id{of}"
                " LIMIT 1"
            )
            reason = why_nothing(finder, is_scored_twice=bool(rows))
        return FinderResult(set(ids or ()), outputs, by_metric, by_people, reason)

    def _rows(self, select: str) -> list[Any]:
        return self._run(
            f"WITH {self._outputs}, chosen AS ({self._chosen}), ordered AS ({_ORDERED}) {select}"
        )

    def _run(self, statement: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, self._values)
            rows: list[Any] = cursor.fetchall()
            return rows

    def _value(self, value: object) -> str:
        name = f"v{len(self._values)}"
        self._values[name] = value
        return f"%({name})s"

    @cached_property
    def _reviews(self) -> str:
        """The SQL condition for the reviews r that count."""
        conditions = ["r.campaign_id = %(campaign)s", "r.purpose = 'review'"]
        if self._reviewer_type != "all":
            conditions.append(f"r.is_simulated = {self._value(self._reviewer_type == 'simulated')}")
        if self.view.reviewers:
            conditions.append(f"r.reviewer_id = ANY({self._value(list(self.view.reviewers))})")
        if self.view.since is not None:
            first = dt.datetime.combine(self.view.since, dt.time.min, tzinfo=dt.UTC)
            conditions.append(f"r.submitted_at >= {self._value(first)}")
        if self.view.until is not None:
            last = dt.datetime.combine(self.view.until, dt.time.max, tzinfo=dt.UTC)
            conditions.append(f"r.submitted_at <= {self._value(last)}")
        return " AND ".join(conditions)

    @cached_property
    def _outputs(self) -> str:
        """The outputs in view."""
        conditions = ["i.campaign_id = %(campaign)s", "i.purpose = 'review'"]
        for name, values in self.view.fields.items():
            found = [
                f"jsonb_extract_path_text(e.metadata, {', '.join(map(self._value, keys))})"
                for keys in places_of(name)
            ]
            conditions.append(f"coalesce({', '.join(found)}) = ANY({self._value(list(values))})")
        if self.view.splits:
            conditions.append(f"e.split = ANY({self._value(list(self.view.splits))})")
        chosen = [candidate.pk for candidate in self.view.candidates]
        if chosen:
            conditions.append(f"o.candidate_id = ANY({self._value(chosen)})")
        if self.view.filters_reviews or (chosen and self._is_answered):
            of_each = [f"other.candidate_id = {self._value(each)}" for each in chosen]
            conditions += [self._item_has(each) for each in of_each or ["true"]]
        # In one statement the planner would expect one row instead of half a million, and take minutes.
        return (
            "outputs AS MATERIALIZED (SELECT o.id, o.item_id, o.candidate_id, o.output_id FROM evalapp_item"
            " i JOIN evalapp_itemoutput o ON o.item_id = i.id JOIN evalapp_example e ON e.id = i.example_id"
            f" WHERE {' AND '.join(conditions)})"
        )

    @property
    def _is_answered(self) -> bool:
        """Whether any counted review scores a candidate in view; if none does, no item is left out for
        lacking one.
        """
        chosen = [candidate.pk for candidate in self.view.candidates]
        of = f"AND other.candidate_id = ANY({self._value(chosen)})" if chosen else ""
        return bool(
            self._run(
                "SELECT 1 FROM evalapp_review r JOIN evalapp_score s ON s.review_id = r.id JOIN"
                f" evalapp_itemoutput other ON other.id = r.item_output_id WHERE {self._reviews} {of} LIMIT 1"
            )
        )

    def _item_has(self, condition: str) -> str:
        return (
            "EXISTS (SELECT 1 FROM evalapp_itemoutput other JOIN evalapp_review r ON r.item_output_id ="
            f" other.id JOIN evalapp_score s ON s.review_id = r.id WHERE other.item_id = i.id AND {condition}"
            f" AND {self._reviews})"
        )

    @property
    def _chosen(self) -> str:
        wanted = self.wanted
        conditions = ["true"]
        if wanted.candidate is not None:
            conditions.append(f"o.candidate_id = {self._value(wanted.candidate.pk)}")
        if wanted.criterion is not None:
            conditions += self._of_criterion(wanted.criterion)
        if wanted.tag is not None:
            conditions.append(
                "EXISTS (SELECT 1 FROM evalapp_review r JOIN evalapp_reviewtag t ON t.review_id = r.id WHERE"
                f" r.item_output_id = o.id AND t.tag_id = {self._value(wanted.tag.pk)} AND {self._reviews})"
            )
        if wanted.rule is not None:
            admitted = [0.0] if wanted.failed else [0.0, 1.0]
            current = f"m.signature = {self._value(wanted.rule.signature)}"
            conditions.append(
                self._metric(wanted.rule.metric, f"{current} AND m.value = ANY({self._value(admitted)})")
            )
        if wanted.metric is not None:
            conditions.append(self._metric(wanted.metric.name, "m.value IS NOT NULL"))
        if wanted.labels is not None:
            conditions.append(self._in_cell(wanted.labels))
        if wanted.reviewer is not None:
            conditions.append(
                self._answered(f"r.reviewer_id = {self._value(self._person_of[wanted.reviewer])}")
            )
        rank, joins = self._rank()
        return (
            f"SELECT o.id, o.item_id, o.candidate_id, {rank} AS rank FROM outputs o {joins} "
            f"WHERE {' AND '.join(conditions)}"
        )

    def _of_criterion(self, criterion: Criterion) -> list[str]:
        wanted, of = self.wanted, f"s.criterion_id = {self._value(criterion.pk)}"
        if wanted.level is not None:
            answer = f"s.value = {self._value(wanted.level)}"
        elif wanted.low:
            answer = _poor(criterion, _number(criterion, "s.value"))
        else:
            answer = "s.value IS NULL" if wanted.not_applicable else "s.value IS NOT NULL"
        conditions = [self._answered(f"{of} AND {answer}")]
        if wanted.differ:
            conditions.append("spread.spread > 0")
        for each in wanted.gave:
            given = f"r.reviewer_id = {self._value(each.reviewer_id)} AND s.value = {self._value(each.level)}"
            base = "NOT (SELECT p.is_added FROM evalapp_assignment p WHERE p.id = r.assignment_id)"
            conditions.append(self._answered(f"{of} AND {given} AND {base}"))
        if wanted.disagreement is not None:
            conditions.append(f"o.id IN ({self._disagreeing(criterion, wanted.disagreement)})")
        if wanted.finder is not None:
            conditions.append(
                f"o.id IN ({self._finder(wanted.finder)} SELECT id FROM told WHERE by_metric AND by_people)"
            )
        return conditions

    def _answered(self, condition: str) -> str:
        return (
            "EXISTS (SELECT 1 FROM evalapp_review r JOIN evalapp_score s ON s.review_id = r.id "
            f"WHERE r.item_output_id = o.id AND {self._reviews} AND {condition})"
        )

    def _metric(self, name: str, condition: str) -> str:
        return (
            "EXISTS (SELECT 1 FROM evalapp_metricresult m WHERE m.output_id = o.output_id "
            f"AND m.metric = {self._value(name)} AND {condition})"
        )

    def _in_cell(self, cell: LabelCell) -> str:
        parser = LabelParser.objects.filter(dataset__versions=self.view.campaign.dataset_version_id).first()
        conditions = [
            f"m.signature = {self._value(parser.signature if parser else '')}",
            "m.value IS NOT NULL",
        ]
        if cell.true is not None:
            conditions.append(f"m.detail->>'true' = {self._value(cell.true)}")
        if cell.predicted is not None:
            conditions.append(f"m.detail->>'predicted' = {self._value(cell.predicted)}")
        if cell.unparsed:
            conditions.append("m.detail->>'predicted' IS NULL")
        return self._metric(LABEL, " AND ".join(conditions))

    def _rank(self) -> tuple[str, str]:
        """The sort key of the list, and the joins that it needs."""
        wanted = self.wanted
        if wanted.differ:
            of = self.criteria if wanted.criterion is None else [wanted.criterion]
            spreads = " UNION ALL ".join(self._spreads(each) for each in of)
            join = (
                f"{'LEFT ' if wanted.criterion else ''}JOIN (SELECT id, max(spread) AS spread FROM"
                f" ({spreads}) each GROUP BY id) spread ON spread.id = o.id"
            )
            if wanted.criterion is None:
                join += " AND spread.spread > 0"
            if wanted.metric is None:
                return "-spread.spread", join
            rank, joins = self._metric_rank(wanted.metric)
            return rank, f"{join} {joins}"
        if wanted.metric is not None:
            return self._metric_rank(wanted.metric)
        scales = [each for each in self.criteria if each.rules.has_mean]
        criterion = wanted.criterion or (scales[0] if scales else None)
        if criterion is None:
            return "NULL::float8", ""
        sign = "-" if criterion.rules.shows_high_first else ""
        return f"{sign}mean.mean", f"LEFT JOIN ({self._means(criterion)}) mean ON mean.id = o.id"

    def _metric_rank(self, metric: MetricDescription) -> tuple[str, str]:
        sign = "-" if metric.better == "lower" else ""
        join = (
            "LEFT JOIN evalapp_metricresult ranked ON ranked.output_id = o.output_id "
            f"AND ranked.metric = {self._value(metric.name)}"
        )
        return f"{sign}ranked.value", join

    def _scored(self, criterion: Criterion) -> str:
        return (
            "FROM evalapp_review r JOIN evalapp_score s ON s.review_id = r.id "
            f"WHERE {self._reviews} AND s.criterion_id = {self._value(criterion.pk)} AND s.value IS NOT NULL"
        )

    def _means(self, criterion: Criterion, more: str = "") -> str:
        """Each output's mean or, for a criterion without a mean, the share of its counted levels; ``more``:
        further columns.
        """
        mean = _number(criterion, "avg(s.value)::float8")
        if not criterion.rules.has_mean:
            if not criterion.counted_levels:
                return "SELECT NULL::bigint AS id, NULL::float8 AS mean"
            counted = self._value(sorted(criterion.counted_levels))
            mean = f"avg((s.value = ANY({counted}))::int)::float8"
        return (
            f"SELECT r.item_output_id AS id, {mean} AS mean{more} {self._scored(criterion)} "
            "GROUP BY r.item_output_id"
        )

    def _spreads(self, criterion: Criterion) -> str:
        """As `CampaignScores.output_spreads`, as a share of the scale."""
        scored = self._scored(criterion)
        if not criterion.rules.has_order:
            return (
                "SELECT id, 1 - max(times)::float8 / sum(times)::float8 AS spread FROM (SELECT"
                f" r.item_output_id AS id, count(*) AS times {scored} GROUP BY r.item_output_id, s.value)"
                " level GROUP BY id HAVING sum(times) > 1"
            )
        span = self._value(criterion.rules.span)
        return (
            f"SELECT r.item_output_id AS id, stddev_samp(s.value)::float8 / {span} AS spread {scored} "
            "GROUP BY r.item_output_id HAVING count(*) > 1"
        )

    def _disagreeing(self, criterion: Criterion, metric: MetricDescription) -> str:
        """As `find_disagreements`."""
        sign = "-" if metric.better == "lower" else ""
        is_poor = _poor(criterion, _number(criterion, "s.value"))
        low_votes = f", count(*) FILTER (WHERE {is_poor}) AS votes"
        return (
            f"WITH rated AS (SELECT told.id, mean.mean, mean.votes, {sign}m.value AS metric FROM outputs told"
            f" JOIN ({self._means(criterion, low_votes)}) mean ON mean.id = told.id JOIN evalapp_metricresult"
            f" m ON m.output_id = told.output_id AND m.metric = {self._value(metric.name)} AND m.value IS NOT"
            f" NULL) SELECT id FROM rated WHERE {_poor(criterion, 'mean')} AND votes >= {LEAST_AGREEING} AND"
            f" metric >= (SELECT percentile_cont({1 - TOP_SHARE}) WITHIN GROUP (ORDER BY metric) FROM rated)"
        )

    def _finder(self, finder: Finder) -> str:
        """SQL of a table "told": for each output that the finder examines, the conditions that it meets."""
        compare = "<=" if finder.score_side == ScoreSide.AT_MOST else ">="
        score = self._value(finder.score)
        such = f"{_number(finder.criterion, 's.value')} {compare} {score}"
        by_person = "true"
        if finder.reviewer is not None:
            person = self._value(self._person_of.get(finder.reviewer, 0))
            by_person = f"bool_or({such} AND r.reviewer_id = {person})"
        more = f", count(*) AS scores, count(*) FILTER (WHERE {such}) AS agreeing, {by_person} AS theirs"
        candidate = f" AND o.candidate_id = {self._value(finder.candidate.pk)}" if finder.candidate else ""
        return (
            "WITH rated AS (SELECT o.id, mean.*, m.value AS metric FROM outputs o JOIN (SELECT id AS"
            f" rated_id, mean, scores, agreeing, theirs FROM ({self._means(finder.criterion, more)}) each)"
            " mean ON mean.rated_id = o.id JOIN evalapp_metricresult m ON m.output_id = o.output_id AND"
            f" m.metric = {self._value(finder.metric.name)} AND m.value IS NOT NULL WHERE mean.scores >="
            f" {LEAST_AGREEING}{candidate}), told AS (SELECT id, metric {self._side(finder)} AS by_metric,"
            f" agreeing >= {LEAST_AGREEING} AND theirs AND mean {compare} {score} AS by_people FROM rated)"
        )

    def _side(self, finder: Finder) -> str:
        if finder.side == MetricSide.AT_LEAST:
            return f">= {self._value(finder.value)}"
        if finder.side == MetricSide.AT_MOST:
            return f"<= {self._value(finder.value)}"
        is_top = finder.side == MetricSide.TOP
        share = 1 - DECILE if is_top else DECILE
        cut = f"(SELECT percentile_cont({share}) WITHIN GROUP (ORDER BY metric) FROM rated)"
        return f"{'>=' if is_top else '<='} {cut}"


# Ties are ordered by item; outputs without a rank come last.
_ORDERED = "SELECT *, row_number() OVER (ORDER BY rank NULLS LAST, item_id, id) AS place FROM chosen"


def _number(criterion: Criterion, levels: str) -> str:
    """The number that a level, or a mean of levels, represents."""
    step = criterion.rules.number(1)
    return levels if step == 1 else f"{levels} / {1 / step!r}::float8"


def _poor(criterion: Criterion, number: str) -> str:
    side = ">=" if criterion.lower_is_better else "<="
    return f"{number} {side} {criterion.rules.poor_number!r}"
