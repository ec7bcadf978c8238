"""A preference as pairs of outputs."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TypeVar

from evalapp.reviews.preferences.models import Choice

Shown = TypeVar("Shown")

POINTS = {Choice.A: 1.0, Choice.B: 0.0, Choice.TIE: 0.5, Choice.BOTH_BAD: None}


def pairs_of(
    shown: Sequence[Shown], choice: str, ranks: Sequence[int] | None
) -> Iterator[tuple[Shown, Shown, float | None]]:
    """All pairs of the shown outputs, with the points of the one that stands first; a ranking gives several
    pairs.
    """
    if ranks is None:
        yield shown[0], shown[1], POINTS[Choice(choice)]
        return
    for one, other in combinations(range(len(shown)), 2):
        yield shown[one], shown[other], float(ranks[one] < ranks[other])
