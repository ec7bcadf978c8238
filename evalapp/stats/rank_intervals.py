"""Ranks of candidates, as far as tests of all pairs tell them apart."""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from evalapp.stats.differences import holm

Candidate = TypeVar("Candidate", bound=Hashable)

FEWEST = 3
"""Of two candidates their difference says all."""


class Rank(NamedTuple):
    """The ranks that a candidate may have, 1 the first: from ``best`` to ``worst``."""

    best: int
    worst: int

    def __str__(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best} to {self.worst}"


class PairTest(NamedTuple):
    """Of two candidates: how far the first is above the second, and its two-sided p of no difference."""

    difference: float
    p: float


def ranks(
    candidates: Sequence[Candidate],
    tests: Mapping[tuple[Candidate, Candidate], PairTest],
    *,
    level: float = 0.95,
) -> dict[Candidate, Rank]:
    """The ranks of each candidate, all of them right at once with at least this probability.

    A candidate is behind those that are significantly better and before those that are significantly worse,
    after Holm's adjustment over all ``tests``; a pair without one leaves its order open. Nothing with fewer
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
