"""Scores by week: which output was scored when, by whom, and whether it is an anchor."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from evalapp.stats.ratings import Codes, label_codes
from evalapp.stats.resampling import Array


@dataclass(frozen=True, slots=True, eq=False)
class WeeklyScores:
    """Scores of one criterion, one row per score, as codes into ``reviewers`` and ``strata``; ``item`` counts
    from 0.
    ``is_anchor``: the item was first reviewed in an earlier week.
    """

    week: Codes
    reviewer: Codes
    item: Codes
    is_anchor: npt.NDArray[np.bool_]
    stratum: Codes
    score: Array
    reviewers: tuple[Hashable, ...]
    strata: tuple[Hashable, ...]

    @classmethod
    def from_columns(
        cls,
        *,
        weeks: Sequence[int],
        reviewers: Sequence[Hashable],
        items: Sequence[Hashable],
        anchors: Sequence[bool],
        strata: Sequence[Hashable],
        scores: Sequence[float],
    ) -> Self:
        """Take columns of equal length, in any order. Raises ValueError for columns of different lengths and
        for a score that is not finite.
        """
        columns = (weeks, reviewers, items, anchors, strata, scores)
        if len({len(column) for column in columns}) > 1:
            raise ValueError("the columns differ in length")
        score = np.asarray(scores, dtype=np.float64)
        if not np.isfinite(score).all():
            raise ValueError("a score is not finite")
        reviewer, reviewer_labels = label_codes(reviewers)
        stratum, stratum_labels = label_codes(strata)
        return cls(
            week=np.asarray(weeks, dtype=np.int64),
            reviewer=reviewer,
            item=label_codes(items)[0],
            is_anchor=np.asarray(anchors, dtype=bool),
            stratum=stratum,
            score=score,
            reviewers=reviewer_labels,
            strata=stratum_labels,
        )

    def only(self, keep: npt.NDArray[np.bool_]) -> "WeeklyScores":
        """Some of the rows, with the same labels of reviewers and strata."""
        return WeeklyScores(
            self.week[keep],
            self.reviewer[keep],
            np.unique(self.item[keep], return_inverse=True)[1],
            self.is_anchor[keep],
            self.stratum[keep],
            self.score[keep],
            self.reviewers,
            self.strata,
        )

    def origins(self) -> Codes:
        """By row, the first week in which its item was scored as a new output; -1 if it never was."""
        new = ~self.is_anchor
        first = np.full(int(self.item.max(initial=-1)) + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, self.item[new], self.week[new])
        found: Codes = np.where(first == np.iinfo(np.int64).max, -1, first)[self.item]
        return found
