"""Lists of cases for pages and the API, read from the database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import overload

from evalapp.analysis.cases.case_query import CaseKey, CaseQuery
from evalapp.analysis.cases.cases import CaseFilter, CaseRow, filter_from, rows_of, with_excerpts
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.analysis.scores.filtered_scores import FilterCoverage, reviews_of
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.scores.finder import Finder, FinderResult
from evalapp.metrics.metric import MetricDescription

READ_AT_ONCE = 100
"""Outputs read together with the length of the list: its first page, also of the API."""


class CaseList(Sequence[CaseRow]):
    """The outputs of a view that a URL selects, in order.

    Each part of the list is read with its own scores; ``scores`` contain no answers, only the available
    choices. ``reviewer_type`` as in `load_scores`. Raises MissingError for a part of the URL that matches
    nothing.
    """

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
        self.scores = scores
        self.wanted: CaseFilter = filter_from(scores, query)

    def with_filters_of(self, query: Mapping[str, str]) -> "CaseList":
        """Another list of the same view."""
        return CaseList(self._view, query, reviewer_type=self._reviewer_type, scores=self.scores)

    @cached_property
    def coverage(self) -> FilterCoverage | None:
        """The share of the campaign in the view; None for all of it."""
        return self._query.coverage() if self._view.is_filtered else None

    @property
    def metrics(self) -> list[MetricDescription]:
        """The metrics that some output has."""
        computed = self._query.metrics()
        return [each for each in self.scores.metrics.values() if each.name in computed]

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
        """The rows, with the beginnings of their outputs."""
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
        return with_excerpts([shown[key.item_id, key.candidate_id] for key in keys])

    def place_of(self, item_id: int, candidate_id: int) -> int | None:
        """The position of an output in the list, from 1; None if it is not in the list."""
        return self._query.place_of(item_id, candidate_id)

    def around(self, item_id: int) -> dict[int, int]:
        """An item and its neighbours in the list, each with the candidate of its first output there; empty if
        it is not in the list.
        """
        return self._query.around(item_id)

    def items(self) -> list[int]:
        """Every item of the list, in order."""
        return self._query.items()

    def found(self, finder: Finder) -> FinderResult:
        return self._query.found(finder)
