"""Human scores against a metric."""
from collections.abc import Hashable, Sequence
from evalapp.measure import Measure

def segment_correlation(items: Sequence[Hashable], human: Sequence[float | None], metric: Sequence[float | None], *, method: str = "spearman", within_item: bool = False, seed: int = 0, replicates: int = 2000, level: float = 0.95) -> Measure:
    """method "spearman", "kendall" or "pearson"; one entry per output."""
    raise NotImplementedError

def system_correlation(candidates: Sequence[Hashable], items: Sequence[Hashable], human: Sequence[float | None], metric: Sequence[float | None], *, method: str = "spearman", seed: int = 0, replicates: int = 2000, level: float = 0.95) -> Measure:
    """Over candidate means; undefined with fewer than 4 candidates."""
    raise NotImplementedError
