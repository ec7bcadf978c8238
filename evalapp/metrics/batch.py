"""Many outputs, many metrics, one pass, and the corpus scores with it."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from evalapp.measure import Measure, signature
from evalapp.metrics.answers import exact_match, token_f1
from evalapp.metrics.catalogue import CATALOGUE
from evalapp.metrics.figures import invented_figures
from evalapp.metrics.rouge import RougeOptions, Tokenizer, rouge_batch
from evalapp.metrics.rows import Row
from evalapp.metrics.surface import (
    compression,
    length_characters,
    length_words,
    novel_ngrams,
    repetition,
)
from evalapp.metrics.translation import NAMES, SummedMetric

logger = logging.getLogger(__name__)

ROWS_PER_CHUNK = 512
CHARACTERS_PER_CHUNK = 1_000_000
"""A chunk ends with the row that brings it here, so that a cancel waits for few long texts."""
NOT_COMPUTED = "it could not be computed; the server's log says why"

Progress = Callable[[int], None]
_PerRow = Callable[[Row], Measure]


class Tally:
    """Gathers what the corpus scores need while rows pass through :meth:`Scorer.score`.

    BLEU, chrF++ and TER come from summed counts; the other metrics are means over the outputs
    where they are defined, which ``n`` counts, and the note says how many are left out.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        self._summed: dict[str, SummedMetric] = {
            name: SummedMetric(name) for name in NAMES if name in metrics
        }
        self._sums = dict.fromkeys((name for name in metrics if name not in self._summed), 0.0)
        self._counts = dict.fromkeys(self._sums, 0)
        self._signatures: dict[str, str] = {}
        self._order = tuple(metrics)
        self.rows = 0

    def summed(self, name: str, row: Row) -> Measure:
        """Score one output by a metric with a corpus form and keep its counts."""
        return self._summed[name].score(row.output, row.references)

    def add(self, measures: dict[str, Measure]) -> None:
        self.rows += 1
        for name in self._sums:
            measure = measures[name]
            self._signatures.setdefault(name, measure.signature)
            if measure.value is not None:
                self._sums[name] += measure.value
                self._counts[name] += 1

    def measures(self) -> dict[str, Measure]:
        """One measure per metric over all rows so far, in the scorer's order."""
        return {
            name: self._summed[name].corpus() if name in self._summed else self._mean(name)
            for name in self._order
        }

    def _mean(self, name: str) -> Measure:
        count = self._counts[name]
        label = f"mean|{self._signatures.get(name, name)}"
        if not count:
            return Measure.undefined("undefined for every output", signature=label)
        missing = self.rows - count
        note = f"undefined for {missing} of {self.rows} outputs" if missing else ""
        return Measure(value=self._sums[name] / count, n=count, note=note, signature=label)


class Scorer:
    """Scores outputs with a chosen set of metrics, named as in CATALOGUE.

    Raises ValueError for an unknown name, naming the known ones, and for options that do not go
    together. ``tokenizer`` and ``stemmer`` concern ROUGE; a tokenizer other than "english" turns
    the stemmer off.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        *,
        stemmer: bool = True,
        tokenizer: Tokenizer = "english",
        remove_articles: bool = True,
    ) -> None:
        for name in metrics:
            if name not in CATALOGUE:
                raise ValueError(f'"{name}" is no metric; known are {", ".join(CATALOGUE)}')
        self.metrics = tuple(dict.fromkeys(metrics))
        if not self.metrics:
            raise ValueError("choose at least one metric")
        variants = tuple(name for name in self.metrics if name.startswith("rouge"))
        self.rouge_options = (
            RougeOptions(variants=variants, stemmer=stemmer and tokenizer == "english", tokenizer=tokenizer)
            if variants
            else None
        )
        self._summed_names: tuple[str, ...] = tuple(name for name in self.metrics if name in NAMES)
        per_row = _per_row(remove_articles=remove_articles)
        self._per_row = {name: per_row[name] for name in self.metrics if name in per_row}

    def tally(self) -> Tally:
        """An empty tally for these metrics."""
        return Tally(self.metrics)

    def score(
        self, rows: Iterable[Row], *, on_progress: Progress | None = None, tally: Tally | None = None
    ) -> Iterator[dict[str, Measure]]:
        """One mapping of metric name to measure per row, in order.

        Rows are read in chunks, so a generator over millions takes little memory. A metric that fails
        on one text is undefined for that row alone.
        ``on_progress`` gets the number of rows done after each chunk; an exception it raises (a
        cancel) ends the pass. ``tally`` gathers the corpus scores on the way.
        """
        tally = tally or self.tally()
        for chunk in _chunks(rows):
            rouge = self._rouge(chunk)
            for row, scores in zip(chunk, rouge, strict=True):
                for name in self._summed_names:
                    scores[name] = _or_undefined(name, partial(tally.summed, name), row)
                for name, compute in self._per_row.items():
                    scores[name] = _or_undefined(name, compute, row)
                ordered = {name: scores[name] for name in self.metrics}
                tally.add(ordered)
                yield ordered
            if on_progress is not None:
                on_progress(tally.rows)

    def _rouge(self, chunk: Sequence[Row]) -> list[dict[str, Measure]]:
        if self.rouge_options is None:
            return [{} for _ in chunk]
        outputs = [row.output for row in chunk]
        return rouge_batch(outputs, [row.references for row in chunk], self.rouge_options)

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


def _or_undefined(name: str, compute: _PerRow, row: Row) -> Measure:
    try:
        return compute(row)
    except Exception:  # the edge to a text nobody has seen: it must not cost the other outputs their scores
        logger.exception("%s of an output of %s characters failed", name, len(row.output))
        return Measure.undefined(NOT_COMPUTED, signature=signature(name))


def _per_row(*, remove_articles: bool) -> dict[str, _PerRow]:
    match = partial(exact_match, remove_articles=remove_articles)
    f1 = partial(token_f1, remove_articles=remove_articles)
    return {
        "token_f1": lambda row: f1(row.output, row.references),
        "exact_match": lambda row: match(row.output, row.references),
        "words": lambda row: length_words(row.output),
        "characters": lambda row: length_characters(row.output),
        "compression": lambda row: compression(row.output, row.context),
        "repetition": lambda row: repetition(row.output),
        "novel_bigrams": lambda row: novel_ngrams(row.output, row.context),
        "invented_figures": _count_invented_figures,
    }


def _count_invented_figures(row: Row) -> Measure:
    """Number of figures and dates that context, prompt and fields do not hold. Undefined without a context: a
    question holds few of the figures that its right answer has.
    """
    label = signature("invented-figures", version=2)
    if not row.context.strip():
        return Measure.undefined("the example has no context", signature=label)
    given = [row.context, row.prompt, *row.fields.values()]
    return Measure(value=float(len(invented_figures(row.output, given))), n=1, signature=label)
