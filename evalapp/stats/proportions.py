"""Shares."""
from evalapp.measure import Measure

def wilson(successes: int, n: int, *, level: float = 0.95, name: str = "share") -> Measure:
    raise NotImplementedError
