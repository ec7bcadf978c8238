"""How often one candidate is scored above, as high as, and below another by the same reviewer on the same
item.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.differences import NO_PAIRS, paired_scores
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import share_of_low_scores

OUTCOMES = ("win", "tie", "loss")


class WinsTiesLosses(NamedTuple):
    """``won``, ``tied`` and ``lost`` count pairs; the shares are means over items, so they need not be these
    counts' shares where items have different numbers of pairs. ``n`` of each share counts items.
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


def wins_ties_losses(challenger: Ratings, champion: Ratings, *, level: float = 0.95) -> WinsTiesLosses:
    """The challenger's wins, ties and losses, paired by item and blocked by reviewer.

    Intervals as of a share of low scores: Wilson's at the effective number of independent pairs, over new
    items and new reviewers. Undefined when no reviewer scored both on one item.
    """
    require_level(level)
    pairs = paired_scores(challenger, champion)
    # Means of repeated scores differ by rounding where they are equal.
    signs = np.sign(np.round(pairs.score, 9))
    shares = {
        outcome: _share(pairs, signs == sign, outcome, level)
        for outcome, sign in zip(OUTCOMES, (1, 0, -1), strict=True)
    }
    won, tied, lost = (int((signs == sign).sum()) for sign in (1, 0, -1))
    return WinsTiesLosses(won, tied, lost, **shares)


def _share(pairs: Ratings, holds: Array, outcome: str, level: float) -> Measure:
    name = signature(f"{outcome}-share", interval="wilson-effective", level=level)
    if not len(pairs):
        return Measure.undefined(NO_PAIRS, signature=name)
    share = share_of_low_scores(pairs.with_scores(1.0 - holds), at_most=0.5, level=level)
    return replace(share, signature=name)
