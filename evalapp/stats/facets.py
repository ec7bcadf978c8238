"""Scores with four facets: reviewer, candidate, item and criterion."""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from evalapp.stats.ratings import Codes, label_codes
from evalapp.stats.resampling import Array

FACETS = ("items", "candidates", "reviewers", "criteria")

#: Rows of the design's null space that differ by less count as equal.
SAME = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class FacetRatings:
    """Scores as five arrays with one entry per score; the first four are codes into the labels of their
    facet.

    Every label has a score. ``not_applicable`` counts the N/A answers left out. Build with
    :meth:`from_columns`.
    """

    item: Codes
    candidate: Codes
    reviewer: Codes
    criterion: Codes
    score: Array
    items: tuple[Hashable, ...]
    candidates: tuple[Hashable, ...]
    reviewers: tuple[Hashable, ...]
    criteria: tuple[Hashable, ...]
    not_applicable: int = 0

    @classmethod
    def from_columns(
        cls,
        items: Sequence[Hashable],
        candidates: Sequence[Hashable],
        reviewers: Sequence[Hashable],
        criteria: Sequence[Hashable],
        scores: Sequence[float | None],
    ) -> Self:
        """Take five columns of equal length; a score of None is an N/A answer.

        Raises ValueError for columns of different lengths, and for a score that is not finite, with its row.
        """
        columns = (items, candidates, reviewers, criteria)
        for name, column in zip(FACETS, columns, strict=True):
            if len(column) != len(scores):
                raise ValueError(f"columns differ in length: {len(column)} {name}, {len(scores)} scores")
        values = np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
        present = np.array([score is not None for score in scores], dtype=bool)
        broken = np.flatnonzero(present & ~np.isfinite(values))
        if broken.size:
            row = int(broken[0])
            raise ValueError(f"row {row}: the score is {scores[row]}; use None for N/A")
        coded = [
            label_codes(label for label, keep in zip(column, present, strict=True) if keep)
            for column in columns
        ]
        (item, item_labels), (candidate, candidate_labels), (reviewer, reviewer_labels) = coded[:3]
        criterion, criterion_labels = coded[3]
        return cls(
            item=item,
            candidate=candidate,
            reviewer=reviewer,
            criterion=criterion,
            score=values[present],
            items=item_labels,
            candidates=candidate_labels,
            reviewers=reviewer_labels,
            criteria=criterion_labels,
            not_applicable=int((~present).sum()),
        )

    def __len__(self) -> int:
        return int(self.score.size)

    @property
    def cell(self) -> Codes:
        """One code per score for its candidate and criterion together."""
        cells: Codes = self.candidate * len(self.criteria) + self.criterion
        return cells

    def unvaried(self) -> tuple[Hashable, ...]:
        """Criteria on which every score is the same."""
        return tuple(
            label
            for code, label in enumerate(self.criteria)
            if np.ptp(self.score[self.criterion == code]) == 0
        )

    def without(self, criteria: Collection[Hashable]) -> Self:
        """The scores on the other criteria, with only the labels that occur in them."""
        kept = [place for place, code in enumerate(self.criterion) if self.criteria[code] not in criteria]

        def column(codes: Codes, labels: Sequence[Hashable]) -> list[Hashable]:
            return [labels[codes[place]] for place in kept]

        rest = self.from_columns(
            column(self.item, self.items),
            column(self.candidate, self.candidates),
            column(self.reviewer, self.reviewers),
            column(self.criterion, self.criteria),
            self.score[kept].tolist(),
        )
        return replace(rest, not_applicable=self.not_applicable)

    def raw_means(self) -> Array:
        """Mean over items of the item means, candidates × criteria; NaN without a score."""
        shape = (len(self.candidates) * len(self.criteria), max(len(self.items), 1))
        place = self.cell * shape[1] + self.item
        counts = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
        sums = np.bincount(place, weights=self.score, minlength=shape[0] * shape[1]).reshape(shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            means: Array = np.nansum(sums / counts, axis=1) / (counts > 0).sum(axis=1)
        return means.reshape(len(self.candidates), len(self.criteria))


class LinkedGroups(NamedTuple):
    """Groups of labels that can be compared with one another, largest first; ideally one group each."""

    reviewers: tuple[tuple[Hashable, ...], ...]
    candidates: tuple[tuple[Hashable, ...], ...]


def linked_groups(ratings: FacetRatings) -> LinkedGroups:
    """Which reviewers and which candidates the design makes comparable through common items.

    In score = item + candidate on a criterion + reviewer, two reviewers are in one group if their difference
    can be estimated without assumptions about the items: by a common item, or by a chain of them. Likewise
    two candidates, which must be comparable on every criterion on which both were scored.
    """
    cells = len(ratings.candidates) * len(ratings.criteria)
    loose = _undetermined_directions(ratings, cells)
    seen = np.bincount(ratings.cell, minlength=cells).reshape(-1, len(ratings.criteria)) > 0
    of_candidate = loose[:cells].reshape(len(ratings.candidates), len(ratings.criteria), -1)

    def same_candidate(one: int, other: int) -> bool:
        # A criterion on which only one of the two was scored says nothing about them.
        both = seen[one] & seen[other]
        return bool(both.any()) and _are_close(of_candidate[one][both], of_candidate[other][both])

    def same_reviewer(one: int, other: int) -> bool:
        return _are_close(loose[cells + one], loose[cells + other])

    return LinkedGroups(
        _grouped(ratings.reviewers, same_reviewer), _grouped(ratings.candidates, same_candidate)
    )


def _are_close(one: Array, other: Array) -> bool:
    return bool((np.abs(one - other) < SAME).all())


def _grouped(
    labels: tuple[Hashable, ...], same: Callable[[int, int], bool]
) -> tuple[tuple[Hashable, ...], ...]:
    groups: list[list[int]] = []
    for code in range(len(labels)):
        for group in groups:
            if same(group[0], code):
                group.append(code)
                break
        else:
            groups.append([code])
    return tuple(tuple(labels[code] for code in group) for group in sorted(groups, key=len, reverse=True))


def _undetermined_directions(ratings: FacetRatings, cells: int) -> Array:
    """One row per cell and reviewer: the difference of equal rows is determined by the scores.

    The directions in which the additive model can move without changing any prediction are the null space of
    its information matrix with the items eliminated; a difference is determined if it is constant along all
    of them.
    """
    from scipy.sparse import coo_array

    ones = np.ones(len(ratings))
    size = cells + len(ratings.reviewers)
    rows = np.arange(len(ratings))
    design = coo_array(
        (
            np.concatenate([ones, ones]),
            (np.concatenate([rows, rows]), np.concatenate([ratings.cell, cells + ratings.reviewer])),
        ),
        shape=(len(ratings), size),
    ).tocsr()
    item = coo_array((ones, (rows, ratings.item)), shape=(len(ratings), len(ratings.items))).tocsr()
    meets = (item.T @ design).toarray()
    per_item = np.bincount(ratings.item, minlength=len(ratings.items))
    information = (design.T @ design).toarray() - meets.T @ (meets / per_item[:, None])
    scale = np.sqrt(np.maximum(np.diag(information), 1.0))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    null = vectors[:, values < 1e-9] / scale[:, None]
    # The projection onto the null space does not depend on its basis.
    basis, _ = np.linalg.qr(null)
    projected: Array = basis @ (basis.T @ _directions(size))
    return projected


def _directions(size: int) -> Array:
    """A few fixed directions; only by accident is a null space orthogonal to them."""
    drawn: Array = np.random.default_rng(0).normal(size=(size, 4)) * np.sqrt(size)
    return drawn
