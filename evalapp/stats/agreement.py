"""Agreement between reviewers."""
from collections.abc import Sequence
from evalapp.measure import Measure
from evalapp.stats.ratings import Ratings

def krippendorff_alpha(ratings: Ratings, *, scale: str = "ordinal", seed: int = 0, replicates: int = 2000, level: float = 0.95) -> Measure:
    raise NotImplementedError

def quadratic_kappa(ratings: Ratings, first: object, second: object, *, seed: int = 0, replicates: int = 2000, level: float = 0.95) -> Measure:
    raise NotImplementedError

def gwet_ac2(ratings: Ratings, *, levels: Sequence[float], seed: int = 0, replicates: int = 2000, level: float = 0.95) -> Measure:
    raise NotImplementedError

def percent_agreement(ratings: Ratings, *, within: float = 0.0, seed: int = 0, replicates: int = 2000, level: float = 0.95) -> Measure:
    raise NotImplementedError
