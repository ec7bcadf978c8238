"""Lists of cases as pages and programs go through them: of scores in memory, or of a large campaign's
database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import overload

from evalapp.analysis.cases.case_query import CaseKey, CaseQuery
from evalapp.analysis.cases.cases import (
    CaseFilter,
    CaseRow,
    filter_from,
    find_cases,
    items_in_order,
    rows_of,
    with_excerpts,
)
from evalapp.analysis.metrics.metric_trust import computed_metrics
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.analysis.scores.filtered_scores import FilterCoverage, load_filtered, reviews_of
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.scores.finder import Finder, FinderResult, find
from evalapp.analysis.stored.stored_results import is_large
from evalapp.metrics.metric import MetricDescription

READ_AT_ONCE = 100
"""The outputs of a large list that are read with their number: the first page, of programs, too."""


class CaseList(Sequence[CaseRow]):
    """The outputs of a view that a URL picks, in their order. ``scores`` are those of the view, and say
    what there is to choose of.
    """

    def __init__(
        self, scores: CampaignScores, query: Mapping[str, str], coverage: FilterCoverage | None = None
    ) -> None:
        self.scores = scores
        self.wanted: CaseFilter = filter_from(scores, query)
        self._coverage = coverage

    def with_filters_of(self, query: Mapping[str, str]) -> "CaseList":
        """Another list of the same view."""
        return CaseList(self.scores, query, self._coverage)

    @property
    def coverage(self) -> FilterCoverage | None:
        """How much of the campaign the view leaves; None where it leaves everything."""
        return self._coverage

    @property
    def metrics(self) -> list[MetricDescription]:
        """Those that are computed of some output."""
        return computed_metrics(self.scores)

    @property
    def has_simulated(self) -> bool:
        return any(answer.is_simulated for answer in self.scores.answers)

    @cached_property
    def _found(self) -> list[CaseRow]:
        return find_cases(self.scores, self.wanted)

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, place: int) -> CaseRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[CaseRow]: ...
    def __getitem__(self, place: int | slice) -> CaseRow | list[CaseRow]:
        """With the beginnings of their outputs."""
        if isinstance(place, int):
            return self[place : place + 1][0]
        return with_excerpts(self.scores, self._found[place])

    def place_of(self, item_id: int, candidate_id: int) -> int | None:
        """Where an output stands, counted from 1; None where it is not in the list."""
        keys = [(row.item_id, row.candidate.pk) for row in self._found]
        return keys.index((item_id, candidate_id)) + 1 if (item_id, candidate_id) in keys else None

    def around(self, item_id: int) -> dict[int, int]:
        """An item and its neighbours, in the list's order, each with the candidate of its first output there;
        nothing where it is not in the list.
        """
        listed = items_in_order(self._found)
        if item_id not in listed:
            return {}
        order = list(listed)
        place = order.index(item_id)
        return {each: listed[each] for each in order[max(place - 1, 0) : place + 2]}

    def items(self) -> list[int]:
        """Every item of the list, in its order."""
        return list(items_in_order(self._found))

    def found(self, finder: Finder) -> FinderResult:
        return find(self.scores, finder)


class LargeCaseList(CaseList):
    """Asked of the database: ``scores`` hold no answers, and each part of the list is read with its own."""

    def __init__(
        self,
        view: ComparisonFilter,
        query: Mapping[str, str],
        *,
        reviewer_type: str,
        scores: CampaignScores | None = None,
    ) -> None:
        self._view, self._reviewer_type = view, reviewer_type
        if scores is None:
            scores = load_scores(view.campaign, reviewer_type=reviewer_type, outputs=())
            if view.candidates:
                scores = replace(scores, candidates=list(view.candidates))
        super().__init__(scores, query)

    def with_filters_of(self, query: Mapping[str, str]) -> CaseList:
        return LargeCaseList(self._view, query, reviewer_type=self._reviewer_type, scores=self.scores)

    @cached_property
    def coverage(self) -> FilterCoverage | None:
        return self._query.coverage() if self._view.is_filtered else None

    @property
    def metrics(self) -> list[MetricDescription]:
        computed = self._query.metrics()
        return [each for each in self.scores.metrics.values() if each.name in computed]

    @cached_property
    def has_simulated(self) -> bool:
        return self._query.has_simulated()

    @cached_property
    def _query(self) -> CaseQuery:
        return CaseQuery(
            self._view,
            self.wanted,
            reviewer_type=self._reviewer_type,
            criteria=self.scores.criteria,
            people_by_number={number: person for person, number in self.scores.numbers.items()},
        )

    @cached_property
    def _beginning(self) -> tuple[list[CaseKey], int]:
        return self._query.beginning(READ_AT_ONCE)

    def __len__(self) -> int:
        return self._beginning[1]

    @overload
    def __getitem__(self, place: int) -> CaseRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[CaseRow]: ...
    def __getitem__(self, place: int | slice) -> CaseRow | list[CaseRow]:
        if isinstance(place, int):
            return self[place : place + 1][0]
        start, stop = place.start or 0, len(self) if place.stop is None else place.stop
        first, count = self._beginning
        is_read = min(stop, count) <= len(first)
        return self._rows(first[start:stop] if is_read else self._query.keys(start, stop))

    def _rows(self, keys: Sequence[CaseKey]) -> list[CaseRow]:
        reviews = reviews_of(self._view)
        outputs = [key.item_output_id for key in keys]
        scores = load_scores(
            self._view.campaign, reviewer_type=self._reviewer_type, reviews=reviews, outputs=outputs
        )
        shown = {(row.item_id, row.candidate.pk): row for row in rows_of(scores, self.wanted, scores.outputs)}
        return with_excerpts(scores, [shown[key.item_id, key.candidate_id] for key in keys])

    def place_of(self, item_id: int, candidate_id: int) -> int | None:
        return self._query.place_of(item_id, candidate_id)

    def around(self, item_id: int) -> dict[int, int]:
        return self._query.around(item_id)

    def items(self) -> list[int]:
        return self._query.items()

    def found(self, finder: Finder) -> FinderResult:
        return self._query.found(finder)


def cases_at(view: ComparisonFilter, query: Mapping[str, str], *, reviewer_type: str) -> CaseList:
    """The cases that a URL asks for. ``reviewer_type`` as in `load_scores`. MissingError for a part that
    names nothing.
    """
    if is_large(view.campaign, reviewer_type=reviewer_type):
        return LargeCaseList(view, query, reviewer_type=reviewer_type)
    filtered = load_filtered(view, reviewer_type=reviewer_type)
    return CaseList(filtered.scores, query, filtered.coverage)
