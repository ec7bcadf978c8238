"""BLEU, chrF++, TER and the edit rate, by sacrebleu: 0 to 100 (TER and edit rate: 0 and above).

Sentence and corpus scores use the same counts. A corpus score is computed from their sums; it is not the mean
of the sentence scores.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from evalapp.measure import Measure
from evalapp.metrics.automatic.rouge import NO_REFERENCE
from evalapp.metrics.metric import Engine, Metric, Options, Pass, or_undefined
from evalapp.metrics.rows import Row, well_formed

Name = Literal["bleu", "chrf", "ter"]

MOST_TER_WORDS = 2_000
"""TER is undefined if the output or a reference has more words: its search for moved words tries a thousand
places, and each takes time that grows with the number of words.
"""

NAMES: Final[tuple[Name, ...]] = ("bleu", "chrf", "ter")


class CorpusMetricDescription:
    """One sacrebleu metric that scores outputs one by one and sums their counts for the corpus score.

    Sentence BLEU uses the effective order (a text of two words is scored by its one- and two-word sequences),
    corpus BLEU does not; chrF is chrF++ (word n-grams up to order 2). Outputs may have several references,
    and different numbers of them.
    """

    def __init__(self, name: Name) -> None:
        self.name = name
        self._sentence = _engine(name, sentence=True)
        self._corpus = _engine(name, sentence=False)
        self._sums: list[float] = []
        self._reference_counts: set[int] = set()
        self._outputs = 0
        self._signatures: dict[int, str] = {}

    def score(self, output: str, references: Sequence[str]) -> Measure:
        """Score one output; ``n`` counts references. Undefined without a reference, and TER above
        MOST_TER_WORDS.

        An empty output or reference scores 0 (TER: 100, and 0 if both are empty).
        """
        if not references:
            return Measure.undefined(NO_REFERENCE, signature=self._signature(self._sentence, 0, "sentence"))
        if self.name == "ter" and _most_words(output, references) > MOST_TER_WORDS:
            label = self._cached_signature(len(references))
            return Measure.undefined(f"more than {MOST_TER_WORDS:,} words", signature=label)
        # The body of sacrebleu's sentence_score in two steps, so that the corpus score reuses the counts.
        accepted = [[well_formed(reference)] for reference in references]
        statistics = self._sentence._extract_corpus_statistics([well_formed(output)], accepted)[0]
        self._add(statistics, len(references))
        score = self._sentence._compute_score_from_stats(statistics).score
        return Measure(
            value=float(score), n=len(references), signature=self._cached_signature(len(references))
        )

    def _add(self, statistics: Sequence[float], references: int) -> None:
        self._outputs += 1
        self._reference_counts.add(references)
        if self._sums:
            self._sums = [total + part for total, part in zip(self._sums, statistics, strict=True)]
        else:
            self._sums = list(statistics)

    def corpus(self) -> Measure:
        """Corpus score of all outputs scored so far; ``n`` counts outputs with a reference."""
        counts = self._reference_counts
        number = next(iter(counts)) if len(counts) == 1 else -1
        if not self._outputs:
            label = self._signature(self._corpus, 0, "corpus")
            return Measure.undefined("no output has a reference", signature=label)
        score = self._corpus._compute_score_from_stats(self._sums).score
        label = self._signature(self._corpus, number, "corpus")
        return Measure(value=float(score), n=self._outputs, signature=label)

    def _cached_signature(self, references: int) -> str:
        if references not in self._signatures:
            self._signatures[references] = self._signature(self._sentence, references, "sentence")
        return self._signatures[references]

    def _signature(self, engine: Any, references: int, unit: str) -> str:
        engine.num_refs = references
        return f"{self.name}|unit:{unit}|{engine.get_signature().format()}"


def _most_words(output: str, references: Sequence[str]) -> int:
    return max(len(text.split()) for text in (output, *references))


def _engine(name: Name, *, sentence: bool) -> Any:
    if name == "bleu":
        return BLEU(effective_order=sentence, force=True)
    if name == "chrf":
        return CHRF(word_order=2)
    if name == "ter":
        return TER()
    raise ValueError(f'"{name}" is none of {", ".join(NAMES)}')


def sentence_score(name: Name, output: str, references: Sequence[str]) -> Measure:
    """BLEU, chrF++ or TER of one output."""
    return CorpusMetricDescription(name).score(output, references)


def edit_rate(output: str, correction: str) -> Measure:
    """How much of an output its accepted correction changed: TER against the correction.

    Word insertions, deletions, substitutions and shifts per 100 words of the correction; 0 means unchanged.
    Undefined for an empty correction, which is a rejection rather than an edit, and if either text has more
    than MOST_TER_WORDS.
    """
    measure = sentence_score("ter", output, [correction])
    label = _edit_rate_signature(measure)
    if not correction.strip():
        return Measure.undefined("the correction is empty", signature=label)
    return replace(measure, signature=label)


def _edit_rate_signature(measure: Measure) -> str:
    return measure.signature.replace("ter|", "edit-rate|", 1)


def _score_row(metric: CorpusMetricDescription, row: Row) -> Measure:
    return metric.score(row.output, row.references)


class _CorpusPass:
    def __init__(self, names: Sequence[Name]) -> None:
        self._metrics = {name: CorpusMetricDescription(name) for name in names}

    def score(self, rows: Sequence[Row]) -> list[dict[str, Measure]]:
        return [
            {
                name: or_undefined(name, row, partial(_score_row, metric))
                for name, metric in self._metrics.items()
            }
            for row in rows
        ]

    def whole_set(self) -> dict[str, Measure]:
        return {name: metric.corpus() for name, metric in self._metrics.items()}


class CorpusMetrics(Engine):
    """The sacrebleu metrics; the score of a whole set is computed from summed counts."""

    has_whole_set = True

    def begin(self, names: Sequence[str], options: Options) -> Pass:
        return _CorpusPass([name for name in NAMES if name in names])


_ENGINE = CorpusMetrics()
METRICS = [
    Metric(
        name="bleu", label="BLEU", better="higher", largest=100, needs="references", anchor="bleu",
        engine=_ENGINE, order=20, is_of_corrections=True,
    ),
    Metric(
        name="chrf", label="chrF++", better="higher", largest=100, needs="references", anchor="chrf",
        engine=_ENGINE, order=21, is_of_corrections=True,
    ),
    # No scoring run computes TER: two texts with little in common take a third of a second.
    Metric(
        name="ter", label="TER", better="lower", largest=None, needs="references", anchor="ter",
        engine=_ENGINE, order=22, is_scored=False, is_compared=False,
    ),
]  # fmt: skip
