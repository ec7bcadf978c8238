"""How often one candidate scores above, equal to or below another, by the same reviewer on the same item."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.differences import NO_PAIRS, pairs_for
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import share_of_marks

OUTCOMES = ("win", "tie", "loss")


class WinsTiesLosses(NamedTuple):
    """``won``, ``tied`` and ``lost`` count pairs; the shares are means over items.

    So the shares differ from those of the counts if items have different numbers of pairs. ``n`` of each
    share counts items.
    """

    won: int
    tied: int
    lost: int
    win: Measure
    tie: Measure
    loss: Measure

    @property
    def pairs(self) -> int:
        return self.won + self.tied + self.lost

    def mirrored(self) -> "WinsTiesLosses":
        """The champion's wins, ties and losses."""
        return self._replace(
            won=self.lost,
            lost=self.won,
            win=replace(self.loss, signature=self.win.signature),
            loss=replace(self.win, signature=self.loss.signature),
        )


def wins_ties_losses(
    challenger: Ratings, champion: Ratings, *, population: Population, level: float = 0.95
) -> WinsTiesLosses:
    """The challenger's wins, ties and losses, paired by item and blocked by reviewer.

    Each is a `share_of_marks`. Undefined if no reviewer scored both on one item.
    """
    require_level(level)
    pairs = pairs_for(challenger, champion, population)
    # Means of repeated scores that are equal may differ by rounding.
    signs = np.sign(np.round(pairs.score, 9))
    shares = {
        outcome: _share(pairs, signs == sign, outcome, population, level)
        for outcome, sign in zip(OUTCOMES, (1, 0, -1), strict=True)
    }
    won, tied, lost = (int((signs == sign).sum()) for sign in (1, 0, -1))
    return WinsTiesLosses(won, tied, lost, **shares)


def _share(pairs: Ratings, holds: Array, outcome: str, population: Population, level: float) -> Measure:
    name = signature(f"{outcome}-share", 2, population=population, level=level)
    if not len(pairs):
        return Measure.undefined(NO_PAIRS, signature=name)
    marks = pairs.with_scores(holds.astype(np.float64))
    return replace(share_of_marks(marks, population=population, level=level), signature=name)
