"""Two candidates on the same items by the same reviewers."""
from collections.abc import Mapping
from dataclasses import dataclass
from evalapp.measure import Measure
from evalapp.stats.ratings import Ratings

@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Challenger minus champion."""
    difference: Measure
    p_permutation: Measure
    superiority: Measure

def paired_difference(challenger: Ratings, champion: Ratings, *, seed: int, permutations: int = 10_000, level: float = 0.95) -> Difference:
    raise NotImplementedError

def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    raise NotImplementedError
