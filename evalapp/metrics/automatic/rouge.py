"""ROUGE, bit for bit equal to rouge-score 0.1.2 and much faster.

The engine is ``rouge-score-rs``. :func:`check_against_oracle` re-scores a sample with ``rouge-score`` itself,
so that every scoring run has its own proof.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, NamedTuple

import rouge_score_rs
from rouge_score_rs import rouge_scorer, tokenizers

from evalapp.measure import Measure, signature
from evalapp.metrics.metric import Engine, Metric, Options, Pass, Tokenizer
from evalapp.metrics.rows import Row, well_formed

VARIANTS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
TOKENIZERS: tuple[Tokenizer, ...] = ("english", "unicode", "characters")
NO_REFERENCE = "the example has no reference"
LONGEST_CHECKED = 5000
"""Most characters of an output, and of its references together, that rouge-score re-scores: its time and
memory grow with the product of the two.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RougeOptions:
    """ROUGE variants and their tokenizer.

    ``variants``: rouge1 … rouge9, rougeL and rougeLsum (sentences separated by line breaks). ``tokenizer``:
    "english" is that of rouge-score, which deletes every letter but a-z and so scores identical Thai, Chinese
    or Cyrillic texts 0; "unicode" accepts words of any script; "characters" suits scripts without spaces.
    ``stemmer`` (Porter) requires "english". Raises ValueError for anything else.
    """

    variants: tuple[str, ...] = ("rouge1", "rouge2", "rougeL")
    stemmer: bool = True
    tokenizer: Tokenizer = "english"

    def __post_init__(self) -> None:
        if not self.variants:
            raise ValueError("choose at least one ROUGE variant")
        for variant in self.variants:
            numbered = len(variant) == 6 and variant[:5] == "rouge" and variant[5] in "123456789"
            if not numbered and variant not in VARIANTS:
                raise ValueError(f'"{variant}" is not a ROUGE variant; known are {", ".join(VARIANTS)}')
        if self.tokenizer not in TOKENIZERS:
            raise ValueError(f'the tokenizer is {", ".join(TOKENIZERS)}, not "{self.tokenizer}"')
        if self.stemmer and self.tokenizer != "english":
            raise ValueError(f'the "{self.tokenizer}" tokenizer does not stem; turn the stemmer off')

    def signature(self, variant: str) -> str:
        """Signature of one variant; the reported value is the F measure."""
        equal = "rouge-score-0.1.2" if self.tokenizer == "english" else None
        return signature(
            variant,
            rouge_score_rs.__version__,
            engine="rouge-score-rs",
            equals=equal,
            stemmer=self.stemmer,
            tokenizer=self.tokenizer,
            report="fmeasure",
            references="max",
        )


class RougeScore(NamedTuple):
    """Shares, from 0 to 1, of n-grams (or tokens of the longest common subsequence) that match."""

    precision: float
    recall: float
    fmeasure: float


def rouge_scores(
    outputs: Sequence[str], references: Sequence[Sequence[str]], options: RougeOptions
) -> list[dict[str, RougeScore] | None]:
    """Score many outputs, each against its references; None for an output without references.

    For each variant the reference with the highest F measure counts, and the first of equal ones, as in
    ``RougeScorer.score_multi``. A text without tokens scores 0.
    """
    targets, predictions = [], []
    for output, accepted in zip(outputs, references, strict=True):
        targets += [well_formed(reference) for reference in accepted]
        predictions += [well_formed(output)] * len(accepted)
    pairs = iter(_engine(options).score_batch(targets, predictions) if targets else ())
    return [_best([next(pairs) for _ in accepted], options.variants) for accepted in references]


def _best(scores: Sequence[dict[str, Any]], variants: Sequence[str]) -> dict[str, RougeScore] | None:
    if not scores:
        return None
    best: dict[str, RougeScore] = {}
    for variant in variants:
        chosen = max((score[variant] for score in scores), key=lambda score: score.fmeasure)
        best[variant] = RougeScore(chosen.precision, chosen.recall, chosen.fmeasure)
    return best


@lru_cache(maxsize=16)
def _engine(options: RougeOptions) -> Any:
    chosen = {
        "english": None,
        "unicode": tokenizers.UnicodeTokenizer(),
        "characters": tokenizers.CharacterTokenizer(),
    }[options.tokenizer]
    engine: Any = rouge_scorer.RougeScorer
    return engine(list(options.variants), use_stemmer=options.stemmer, tokenizer=chosen)


def rouge(output: str, references: Sequence[str], options: RougeOptions) -> dict[str, Measure]:
    """F measures of one output by variant; ``n`` counts references. Undefined without references."""
    return rouge_batch([output], [references], options)[0]


def rouge_batch(
    outputs: Sequence[str], references: Sequence[Sequence[str]], options: RougeOptions
) -> list[dict[str, Measure]]:
    """As `rouge`, for many outputs at once, which is much faster."""
    names = {variant: options.signature(variant) for variant in options.variants}
    measures: list[dict[str, Measure]] = []
    scored = rouge_scores(outputs, references, options)
    for output, accepted, scores in zip(outputs, references, scored, strict=True):
        if scores is None:
            measures.append(
                {variant: Measure.undefined(NO_REFERENCE, signature=name) for variant, name in names.items()}
            )
            continue
        n = len(accepted)
        note = ""
        if not any(score.fmeasure for score in scores.values()):
            note = _why_nothing_matches(output, accepted, options)
        measures.append(
            {
                variant: Measure(value=scores[variant].fmeasure, n=n, signature=name, note=note)
                for variant, name in names.items()
            }
        )
    return measures


def _why_nothing_matches(output: str, references: Sequence[str], options: RougeOptions) -> str:
    if not output.strip():
        return "the output is empty"
    if not any(reference.strip() for reference in references):
        return "the reference is empty"
    if options.tokenizer == "english":
        texts = {"output": [output], "reference": references}
        for what, parts in texts.items():
            if not any(_has_english_token(part) for part in parts):
                return f"the {what} has no a-z or 0-9; choose the unicode tokenizer"
    return ""


def _has_english_token(text: str) -> bool:
    return any(character in "abcdefghijklmnopqrstuvwxyz0123456789" for character in text.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleCheck:
    """Result of re-scoring a sample with the reference implementation.

    ``checked`` counts outputs. ``differences`` has one sentence per score that is not bit for bit equal.
    ``oracle`` names the implementation, or says why there was nothing to compare. ``too_long`` counts outputs
    that were not sampled because they or their references are longer than LONGEST_CHECKED.
    """

    checked: int
    too_long: int
    differences: tuple[str, ...]
    oracle: str
    seed: int

    @property
    def passed(self) -> bool:
        return not self.differences


def check_against_oracle(
    outputs: Sequence[str],
    references: Sequence[Sequence[str]],
    options: RougeOptions,
    *,
    seed: int,
    sample: int = 50,
    before_each: Callable[[], None] = lambda: None,
) -> OracleCheck:
    """Re-score a seeded sample of outputs with rouge-score and report every difference.

    Outputs without references and outputs with long texts are not sampled. Only the English tokenizer has an
    oracle. ``before_each`` is called before each output; an exception that it raises (a cancel) ends the
    check.
    """
    if options.tokenizer != "english":
        missing = f'none: rouge-score has no "{options.tokenizer}" tokenizer'
        return OracleCheck(checked=0, too_long=0, differences=(), oracle=missing, seed=seed)
    from rouge_score import rouge_scorer as reference_scorer

    with_reference = [row for row, accepted in enumerate(references) if accepted]
    candidates = [
        row
        for row in with_reference
        if max(len(outputs[row]), sum(map(len, references[row]))) <= LONGEST_CHECKED
    ]
    rows = sorted(random.Random(seed).sample(candidates, min(sample, len(candidates))))
    oracle = reference_scorer.RougeScorer(list(options.variants), use_stemmer=options.stemmer)
    ours = rouge_scores([outputs[row] for row in rows], [references[row] for row in rows], options)
    differences: list[str] = []
    for row, scores in zip(rows, ours, strict=True):
        before_each()
        expected = oracle.score_multi(references[row], outputs[row])
        assert scores is not None
        differences += [
            f"row {row}, {variant}: {tuple(scores[variant])} instead of {tuple(expected[variant])}"
            for variant in options.variants
            if tuple(scores[variant]) != tuple(expected[variant])
        ]
    return OracleCheck(
        checked=len(rows),
        too_long=len(with_reference) - len(candidates),
        differences=tuple(differences),
        oracle=f"rouge-score-{version('rouge-score')}",
        seed=seed,
    )


def rouge_options(names: Sequence[str], options: Options) -> RougeOptions | None:
    """ROUGE options for the variants among these metric names; None if there are none."""
    variants = tuple(name for name in names if name in VARIANTS)
    if not variants:
        return None
    return RougeOptions(variants=variants, stemmer=options.stemmer, tokenizer=options.tokenizer)


@dataclass(frozen=True)
class _RougePass:
    options: RougeOptions

    def score(self, rows: Sequence[Row]) -> list[dict[str, Measure]]:
        return rouge_batch([row.output for row in rows], [row.references for row in rows], self.options)

    def whole_set(self) -> dict[str, Measure]:
        return {}


class Rouge(Engine):
    """Computes all variants for many outputs at once."""

    def begin(self, names: Sequence[str], options: Options) -> Pass:
        return _RougePass(
            RougeOptions(variants=tuple(names), stemmer=options.stemmer, tokenizer=options.tokenizer)
        )


_ENGINE = Rouge()
METRICS = [
    Metric(
        name=variant, label=f"ROUGE-{variant.removeprefix('rouge')}", better="higher", largest=1,
        needs="references", anchor="rouge", engine=_ENGINE, order=10 + position,
        is_scored=variant != "rougeLsum", is_compared=variant != "rougeLsum",
        is_of_corrections=variant != "rougeLsum",
    )
    for position, variant in enumerate(VARIANTS)
]  # fmt: skip
