"""Ratings: item, reviewer and score as columns, the input of every statistic."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
"""Index of each entry's label among the labels."""

EVERY_NOT_APPLICABLE = "every answer is N/A"


def why_no_scores(not_applicable: int) -> str:
    """Reason why there is no score, given the number of N/A answers."""
    return EVERY_NOT_APPLICABLE if not_applicable else "no scores"


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """Scores of one criterion (and, for score statistics, of one candidate).

    ``item`` and ``reviewer`` are codes into the labels ``items`` and ``reviewers``; ``score`` is finite. The
    three arrays have one entry per score, and every label has a score. ``not_applicable`` counts the N/A
    answers left out.
    ``group``: a code per item, equal for items of one document, client or conversation, which are not
    independent; None if all items are independent. Build with :meth:`from_columns` or :meth:`from_table`.
    """

    item: Codes
    reviewer: Codes
    score: npt.NDArray[np.float64]
    items: tuple[Hashable, ...]
    reviewers: tuple[Hashable, ...]
    not_applicable: int = 0
    group: Codes | None = None

    def __post_init__(self) -> None:
        if not (self.per_item.all() and self.per_reviewer.all()):
            raise ValueError("an item or reviewer without a score cannot take part")

    @classmethod
    def from_columns(
        cls,
        items: Sequence[Hashable],
        reviewers: Sequence[Hashable],
        scores: Sequence[float | None],
        *,
        groups: Mapping[Hashable, Hashable] | None = None,
    ) -> Self:
        """Take three columns of equal length; a score of None is an N/A answer.

        ``groups``: the group of each item that has one, by item label. An item or reviewer with only N/A
        answers is left out. Raises ValueError for columns of different lengths, and for a score that is not
        finite, with its row.
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
            group=group_codes(item_labels, groups or {}),
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

    @property
    def is_constant(self) -> bool:
        """Whether all scores are the same, up to rounding; True without scores."""
        return not len(self) or float(np.ptp(self.score)) < 1e-9

    def item_means(self) -> npt.NDArray[np.float64]:
        """Mean score of each item, in the order of ``items``."""
        sums = np.bincount(self.item, weights=self.score, minlength=len(self.items))
        return sums / self.per_item

    def with_scores(self, score: npt.NDArray[np.float64]) -> "Ratings":
        """The same design with other numbers, such as "is at most 2" as 0 and 1."""
        return replace(self, score=score)

    @property
    def cluster(self) -> Codes:
        """For each score the code of its independent unit: its item, or the item's group."""
        return self.item if self.group is None else self.group[self.item]

    @property
    def groups(self) -> int:
        """Number of groups; the number of items if all are independent."""
        return len(self.items) if self.group is None else int(self.group.max()) + 1

    def among(self, chosen: npt.NDArray[np.bool_]) -> "Ratings":
        """The scores of some items, without N/A answers; ``chosen`` has an entry for each of ``items``."""
        return self._only(chosen[self.item])

    def by(self, chosen: npt.NDArray[np.bool_]) -> "Ratings":
        """The scores by some reviewers, without N/A answers; ``chosen`` has an entry for each of
        ``reviewers``.
        """
        return self._only(chosen[self.reviewer])

    def _only(self, keep: npt.NDArray[np.bool_]) -> "Ratings":
        items, item = np.unique(self.item[keep], return_inverse=True)
        people, reviewer = np.unique(self.reviewer[keep], return_inverse=True)
        group = None if self.group is None else np.unique(self.group[items], return_inverse=True)[1]
        return Ratings(
            item=item,
            reviewer=reviewer,
            score=self.score[keep],
            items=tuple(self.items[code] for code in items.tolist()),
            reviewers=tuple(self.reviewers[code] for code in people.tolist()),
            group=group if group is not None and np.unique(group).size < items.size else None,
        )

    def group_of_items(self) -> dict[Hashable, int]:
        """Group code by item label; empty if all items are independent."""
        return {} if self.group is None else dict(zip(self.items, self.group.tolist(), strict=True))

    def has_repeats(self) -> bool:
        """Whether a reviewer scored an item more than once."""
        cell = self.item * max(len(self.reviewers), 1) + self.reviewer
        return bool(np.unique(cell).size < cell.size)


def label_codes(labels: Iterable[Hashable]) -> tuple[Codes, tuple[Hashable, ...]]:
    """Code of each label, from 0 in order of first appearance, and the distinct labels."""
    seen: dict[Hashable, int] = {}
    codes = [seen.setdefault(label, len(seen)) for label in labels]
    return np.array(codes, dtype=np.int64), tuple(seen)


def group_codes(items: Sequence[Hashable], groups: Mapping[Hashable, Hashable]) -> Codes | None:
    """Code of each item's group; an item without one is its own group. None if all items are independent."""
    # Tuples, so that a group and an item with the same name stay apart.
    codes, labels = label_codes(
        ("group", groups[item]) if item in groups else ("item", item) for item in items
    )
    return codes if len(labels) < len(items) else None
