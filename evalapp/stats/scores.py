"""Candidate scores and their intervals."""
from collections.abc import Sequence
from evalapp.measure import Measure
from evalapp.stats.ratings import Ratings

def candidate_score(ratings: Ratings, *, interval: str = "crossed", level: float = 0.95) -> Measure:
    """Mean of item means; interval "crossed" (items and reviewers) or "items" ("for this panel")."""
    raise NotImplementedError

def share_of_low_scores(ratings: Ratings, *, at_most: float = 2.0, level: float = 0.95) -> Measure:
    raise NotImplementedError

def distribution(ratings: Ratings, *, levels: Sequence[float]) -> dict[float, int]:
    raise NotImplementedError
