"""Many outputs, many metrics, one pass."""
from collections.abc import Callable, Iterable, Iterator, Sequence
from evalapp.measure import Measure
from evalapp.metrics.rows import Row

class Scorer:
    """Scores outputs with a chosen set of metrics; names are those of CATALOGUE."""

    def __init__(self, metrics: Sequence[str], *, stemmer: bool = True, tokenizer: str = "english", remove_articles: bool = True) -> None:
        raise NotImplementedError

    def score(self, rows: Iterable[Row], *, on_progress: Callable[[int], None] | None = None) -> Iterator[dict[str, Measure]]:
        """One mapping of metric name to measure per row, in order; on_progress gets rows done."""
        raise NotImplementedError

    def corpus(self, rows: Sequence[Row]) -> dict[str, Measure]:
        """One measure per metric over all rows (BLEU, chrF, TER from summed statistics)."""
        raise NotImplementedError
