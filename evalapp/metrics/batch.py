"""Computes many metrics of many outputs in one pass, with the scores of the whole set."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from evalapp.measure import Measure
from evalapp.metrics.metric import Engine, Options, Tokenizer
from evalapp.metrics.registry import METRICS
from evalapp.metrics.rows import Row

ROWS_PER_CHUNK = 512
CHARACTERS_PER_CHUNK = 1_000_000
"""A chunk ends with the row that reaches this limit, so that a cancel does not wait for many long texts."""

Progress = Callable[[int], None]


class Tally:
    """Scores rows and accumulates the scores of the whole set.

    BLEU, chrF++ and TER of a whole set are computed from summed counts. Every other metric is a mean over the
    outputs for which it is defined: ``n`` counts them, and the note says how many are left out.
    """

    def __init__(self, metrics: Sequence[str], options: Options) -> None:
        by_engine: dict[Engine, list[str]] = {}
        for name in metrics:
            by_engine.setdefault(METRICS[name].engine, []).append(name)
        self._passes = [engine.begin(names, options) for engine, names in by_engine.items()]
        self._order = tuple(metrics)
        self._sums = dict.fromkeys((name for name in metrics if not METRICS[name].engine.has_whole_set), 0.0)
        self._counts = dict.fromkeys(self._sums, 0)
        self._signatures: dict[str, str] = {}
        self.rows = 0

    def score(self, rows: Sequence[Row]) -> Iterator[dict[str, Measure]]:
        """The metrics of each row, in the scorer's order."""
        for parts in zip(*(each.score(rows) for each in self._passes), strict=True):
            found = {name: measure for part in parts for name, measure in part.items()}
            ordered = {name: found[name] for name in self._order}
            self._add(ordered)
            yield ordered

    def _add(self, measures: dict[str, Measure]) -> None:
        self.rows += 1
        for name in self._sums:
            measure = measures[name]
            self._signatures.setdefault(name, measure.signature)
            if measure.value is not None:
                self._sums[name] += measure.value
                self._counts[name] += 1

    def measures(self) -> dict[str, Measure]:
        """One measure per metric over all rows so far, in the scorer's order."""
        whole = {name: measure for each in self._passes for name, measure in each.whole_set().items()}
        return {name: whole[name] if name in whole else self._mean(name) for name in self._order}

    def _mean(self, name: str) -> Measure:
        count = self._counts[name]
        label = f"mean|{self._signatures.get(name, name)}"
        if not count:
            return Measure.undefined("undefined for every output", signature=label)
        missing = self.rows - count
        note = f"undefined for {missing} of {self.rows} outputs" if missing else ""
        return Measure(value=self._sums[name] / count, n=count, note=note, signature=label)


class Scorer:
    """Scores outputs with a chosen set of metrics, by their names in METRICS.

    Raises ValueError for an unknown name and lists the known ones. ``tokenizer`` and ``stemmer`` apply to
    ROUGE; a tokenizer other than "english" turns the stemmer off.
    """

    def __init__(
        self,
        metrics: Iterable[str],
        *,
        stemmer: bool = True,
        tokenizer: Tokenizer = "english",
        remove_articles: bool = True,
    ) -> None:
        self.metrics = tuple(dict.fromkeys(metrics))
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(f'"{name}" is not a metric; known are {", ".join(METRICS)}')
        if not self.metrics:
            raise ValueError("choose at least one metric")
        self.options = Options(
            stemmer=stemmer and tokenizer == "english", tokenizer=tokenizer, remove_articles=remove_articles
        )

    def tally(self) -> Tally:
        """An empty tally for these metrics."""
        return Tally(self.metrics, self.options)

    def score(
        self, rows: Iterable[Row], *, on_progress: Progress | None = None, tally: Tally | None = None
    ) -> Iterator[dict[str, Measure]]:
        """For each row, in order, its measures by metric name.

        Rows are read in chunks, so a generator of millions of rows takes little memory. A metric that fails
        on one text is undefined for that row only. ``on_progress`` gets the number of rows done after each
        chunk; an exception that it raises (a cancel) ends the pass. ``tally`` accumulates the scores of the
        whole set.
        """
        tally = tally or self.tally()
        for chunk in _chunks(rows):
            yield from tally.score(chunk)
            if on_progress is not None:
                on_progress(tally.rows)

    def corpus(self, rows: Iterable[Row], *, on_progress: Progress | None = None) -> dict[str, Measure]:
        """One measure per metric over all rows; see :class:`Tally`."""
        tally = self.tally()
        for _ in self.score(rows, on_progress=on_progress, tally=tally):
            pass
        return tally.measures()


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        characters += len(row.output) + sum(map(len, row.references))
        if len(chunk) == ROWS_PER_CHUNK or characters >= CHARACTERS_PER_CHUNK:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
