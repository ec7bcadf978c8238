"""Length, compression, repetition and novelty of a text; none of them needs a reference."""

import re

from evalapp.measure import Measure, signature
from evalapp.metrics.metric import EachRow, Metric

# A word is a run of letters and digits of any script, with inner apostrophes, hyphens and decimal or
# thousands separators: "don't", "year-end" and "1,200.50" are one word each.
_WORD = re.compile(r"\w+(?:['’.,-]\w+)*")


def words(text: str) -> list[str]:
    """The words of a text, case-folded. In scripts without spaces, a run of letters between punctuation or
    combining marks is one word.
    """
    return _WORD.findall(text.casefold())


def length_words(output: str) -> Measure:
    """Number of words; 0 for an empty text."""
    return Measure(value=float(len(words(output))), n=1, signature=signature("length", unit="words"))


def length_characters(output: str) -> Measure:
    """Number of characters (code points), without leading and trailing white space."""
    return Measure(value=float(len(output.strip())), n=1, signature=signature("length", unit="characters"))


def compression(output: str, source: str) -> Measure:
    """Words of the output per word of its source; ``n`` counts the source's words.

    0.25 means that the output is a quarter as long. Undefined for a source without words.
    """
    label = signature("compression", unit="words")
    length = len(words(source))
    if not length:
        return Measure.undefined("the example has no context", signature=label)
    return Measure(value=len(words(output)) / length, n=length, signature=label)


def repetition(output: str, *, order: int = 3) -> Measure:
    """Share of the word sequences of length ``order`` that occurred earlier in the same text.

    0 means no repetition; ``n`` counts sequences. Undefined for fewer than ``order`` words.
    """
    label = signature("repetition", order=order)
    grams = _sequences(words(output), order)
    if not grams:
        return Measure.undefined(f"fewer than {order} words", signature=label)
    return Measure(value=1 - len(set(grams)) / len(grams), n=len(grams), signature=label)


def novel_ngrams(output: str, source: str, *, order: int = 2) -> Measure:
    """Share of the output's distinct word sequences that do not occur in its source.

    ``n`` counts distinct sequences. Undefined for an output of fewer than ``order`` words and for a source
    without words. Source: See, Liu, Manning (2017).
    """
    label = signature("novel-ngrams", order=order)
    grams = set(_sequences(words(output), order))
    if not grams:
        return Measure.undefined(f"fewer than {order} words", signature=label)
    given = words(source)
    if not given:
        return Measure.undefined("the example has no context", n=len(grams), signature=label)
    novel = grams - set(_sequences(given, order))
    return Measure(value=len(novel) / len(grams), n=len(grams), signature=label)


def _sequences(tokens: list[str], order: int) -> list[tuple[str, ...]]:
    if order < 1:
        raise ValueError(f"a sequence has at least one word, not {order}")
    return list(zip(*(tokens[shift:] for shift in range(order)), strict=False))


METRICS = [
    Metric(
        name="words", label="Words", better="none", largest=None, needs="nothing", anchor="length",
        is_count=True,
        engine=EachRow(lambda row, _: length_words(row.output)), order=40,
    ),
    Metric(
        name="characters", label="Characters", better="none", largest=None, needs="nothing", anchor="length",
        is_count=True, engine=EachRow(lambda row, _: length_characters(row.output)), order=41,
        is_compared=False,
    ),
    Metric(
        name="compression", label="Compression", better="none", largest=None, needs="context",
        anchor="compression", engine=EachRow(lambda row, _: compression(row.output, row.context)), order=42,
        is_scored=False, is_compared=False,
    ),
    Metric(
        name="repetition", label="Repetition", better="lower", largest=1, needs="nothing",
        anchor="repetition",
        engine=EachRow(lambda row, _: repetition(row.output)), order=43, is_compared=False,
    ),
    Metric(
        name="novel_bigrams", label="Novel bigrams", better="none", largest=1, needs="context",
        anchor="novel-n-grams", engine=EachRow(lambda row, _: novel_ngrams(row.output, row.context)),
        order=44,
        is_scored=False, is_compared=False,
    ),
]  # fmt: skip
