"""Intervals for the ranks of candidates, from tests of all pairs."""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from evalapp.stats.differences import holm

Candidate = TypeVar("Candidate", bound=Hashable)

FEWEST = 3
"""With two candidates, their difference already says everything."""


class Rank(NamedTuple):
    """Ranks that a candidate may have, from ``best`` to ``worst``; 1 is first."""

    best: int
    worst: int

    def __str__(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best} to {self.worst}"


class PairTest(NamedTuple):
    """How far the first of two candidates is above the second, and the two-sided p of no difference."""

    difference: float
    p: float


def ranks(
    candidates: Sequence[Candidate],
    tests: Mapping[tuple[Candidate, Candidate], PairTest],
    *,
    level: float = 0.95,
) -> dict[Candidate, Rank]:
    """Possible ranks of each candidate, all of them correct at once with probability ``level`` or more.

    A candidate ranks below those that are significantly better and above those that are significantly worse,
    after Holm's adjustment over all ``tests``; the order of a pair without a test is open. Empty with fewer
    than `FEWEST` candidates or without a test. Source: Al Mohamad, van Zwet, Solari and Goeman (2022),
    "Simultaneous confidence intervals for ranks".
    """
    if len(candidates) < FEWEST or not tests:
        return {}
    adjusted = holm({str(place): test.p for place, test in enumerate(tests.values())})
    behind = dict.fromkeys(candidates, 0)
    ahead = dict.fromkeys(candidates, 0)
    for place, ((first, second), test) in enumerate(tests.items()):
        if adjusted[str(place)] >= 1 - level:
            continue
        winner, loser = (first, second) if test.difference > 0 else (second, first)
        behind[loser] += 1
        ahead[winner] += 1
    return {each: Rank(1 + behind[each], len(candidates) - ahead[each]) for each in candidates}
