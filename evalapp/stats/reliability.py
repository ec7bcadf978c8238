"""Intraclass correlation."""
from evalapp.measure import Measure
from evalapp.stats.ratings import Ratings

def icc(ratings: Ratings, *, form: str = "2,1", seed: int = 0, replicates: int = 2000, level: float = 0.95) -> Measure:
    """form "1", "2,1" or "2,k"."""
    raise NotImplementedError
