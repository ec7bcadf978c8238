"""Exact match and token F1 as in the SQuAD v1.1 evaluation script."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from evalapp.measure import Measure, signature
from evalapp.metrics.automatic.rouge import NO_REFERENCE
from evalapp.metrics.metric import EachRow, Metric

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str, *, remove_articles: bool = True) -> str:
    """The text in lower case, without ASCII punctuation, English articles (optional) and extra spaces."""
    text = text.lower().translate(_NO_PUNCTUATION)
    if remove_articles:
        text = _ARTICLES.sub(" ", text)
    return " ".join(text.split())


def exact_match(output: str, references: Sequence[str], *, remove_articles: bool = True) -> Measure:
    """1 if the normalised output equals a normalised reference, else 0.

    ``n`` counts references; undefined without references. Two texts without words are equal.
    """
    return _best_over_references("exact-match", _equal, output, references, remove_articles=remove_articles)


def token_f1(output: str, references: Sequence[str], *, remove_articles: bool = True) -> Measure:
    """Harmonic mean of token precision and recall, the highest over the references.

    ``n`` counts references; undefined without references. As in the SQuAD script, a text without words scores
    0, even against another such text.
    """
    return _best_over_references("token-f1", _f1, output, references, remove_articles=remove_articles)


def _best_over_references(
    name: str,
    compare: Callable[[str, str], float],
    output: str,
    references: Sequence[str],
    *,
    remove_articles: bool,
) -> Measure:
    label = signature(name, "squad-1.1", remove_articles=remove_articles, references="max")
    if not references:
        return Measure.undefined(NO_REFERENCE, signature=label)
    ours = normalise_answer(output, remove_articles=remove_articles)
    value = max(
        compare(ours, normalise_answer(reference, remove_articles=remove_articles))
        for reference in references
    )
    return Measure(value=value, n=len(references), signature=label)


def _equal(ours: str, theirs: str) -> float:
    return float(ours == theirs)


def _f1(ours: str, theirs: str) -> float:
    prediction, truth = ours.split(), theirs.split()
    common = (Counter(prediction) & Counter(truth)).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(prediction), common / len(truth)
    return 2 * precision * recall / (precision + recall)


METRICS = [
    Metric(
        name="token_f1", label="Token F1", better="higher", largest=1, needs="references", anchor="token-f1",
        engine=EachRow(
            lambda row, options: token_f1(row.output, row.references, remove_articles=options.remove_articles)
        ),
        order=30, is_of_corrections=True,
    ),
    Metric(
        name="exact_match", label="Exact match", better="higher", largest=1, needs="references",
        anchor="exact-match",
        engine=EachRow(
            lambda row, options: exact_match(row.output, row.references,
            remove_articles=options.remove_articles)
        ),
        order=31, is_of_corrections=True,
    ),
]  # fmt: skip
