"""Ratings: item, reviewer and score as columns, the input of every statistic."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
"""The position of each entry's label among the labels."""

EVERY_NOT_APPLICABLE = "every answer is N/A"


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """Scores of one criterion (and, for score statistics, of one candidate).

    ``item`` and ``reviewer`` are codes into the labels ``items`` and ``reviewers``; ``score`` is
    finite. The three arrays have one entry per score, and every label has a score.
    ``not_applicable`` counts the N/A answers left out. Build with :meth:`from_columns` or
    :meth:`from_table`.
    """

    item: Codes
    reviewer: Codes
    score: npt.NDArray[np.float64]
    items: tuple[Hashable, ...]
    reviewers: tuple[Hashable, ...]
    not_applicable: int = 0

    def __post_init__(self) -> None:
        if not (self.per_item.all() and self.per_reviewer.all()):
            raise ValueError("an item or reviewer without a score cannot take part")

    @classmethod
    def from_columns(
        cls,
        items: Sequence[Hashable],
        reviewers: Sequence[Hashable],
        scores: Sequence[float | None],
    ) -> Self:
        """Take three columns of equal length; a score of None is an N/A answer.

        An item or reviewer with nothing but N/A does not take part. Raises ValueError for
        columns of different lengths and for a score that is not finite, naming the row.
        """
        if not len(items) == len(reviewers) == len(scores):
            raise ValueError(
                f"columns differ in length: {len(items)} items, {len(reviewers)} reviewers, "
                f"{len(scores)} scores"
            )
        values = np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
        present = np.array([score is not None for score in scores], dtype=bool)
        broken = np.flatnonzero(present & ~np.isfinite(values))
        if broken.size:
            row = int(broken[0])
            raise ValueError(f"row {row}: the score is {scores[row]}; use None for N/A")
        item, item_labels = label_codes(label for label, keep in zip(items, present, strict=True) if keep)
        reviewer, reviewer_labels = label_codes(
            label for label, keep in zip(reviewers, present, strict=True) if keep
        )
        return cls(
            item=item,
            reviewer=reviewer,
            score=values[present],
            items=item_labels,
            reviewers=reviewer_labels,
            not_applicable=int((~present).sum()),
        )

    @classmethod
    def from_table(cls, table: Sequence[Sequence[float | None]]) -> Self:
        """Take a table with a row per item and a column per reviewer; None is missing.

        Missing cells are not counted as N/A answers.
        """
        cells = [
            (row, column, score)
            for row, scores in enumerate(table)
            for column, score in enumerate(scores)
            if score is not None
        ]
        return cls.from_columns(
            [row for row, _, _ in cells],
            [column for _, column, _ in cells],
            [score for _, _, score in cells],
        )

    def __len__(self) -> int:
        return int(self.score.size)

    @property
    def per_item(self) -> npt.NDArray[np.int64]:
        """Number of scores of each item."""
        return np.bincount(self.item, minlength=len(self.items))

    @property
    def per_reviewer(self) -> npt.NDArray[np.int64]:
        """Number of scores by each reviewer."""
        return np.bincount(self.reviewer, minlength=len(self.reviewers))

    def item_means(self) -> npt.NDArray[np.float64]:
        """Mean score of each item, in the order of ``items``."""
        sums = np.bincount(self.item, weights=self.score, minlength=len(self.items))
        return sums / self.per_item

    def with_scores(self, score: npt.NDArray[np.float64]) -> "Ratings":
        """The same design with other numbers, such as "is at most 2" as 0 and 1."""
        return Ratings(self.item, self.reviewer, score, self.items, self.reviewers, self.not_applicable)

    def has_repeats(self) -> bool:
        """Whether some reviewer scored some item more than once."""
        cell = self.item * max(len(self.reviewers), 1) + self.reviewer
        return bool(np.unique(cell).size < cell.size)


def label_codes(labels: Iterable[Hashable]) -> tuple[Codes, tuple[Hashable, ...]]:
    """A number per label, counted from 0 in the order of first appearance, and the distinct labels."""
    seen: dict[Hashable, int] = {}
    codes = [seen.setdefault(label, len(seen)) for label in labels]
    return np.array(codes, dtype=np.int64), tuple(seen)
