"""The language of outputs."""

from evalapp.measure import Measure, signature
from evalapp.metrics.metric import EachRow, Metric
from evalapp.metrics.rows import Row

READ = 240
"""Characters at the start of a text from which its language is detected."""
FEWEST_LETTERS = 60
_ONLY_LETTERS_OF_ASCII = {code: None for code in range(128) if not chr(code).isalpha()}


def letters(text: str) -> int:
    """Number of letters of any script."""
    if text.isascii():
        return len(text.translate(_ONLY_LETTERS_OF_ASCII))
    return sum(map(str.isalpha, text))


def language_of(text: str) -> str:
    """The most likely language of a text, as an ISO 639-1 code."""
    import py3langid

    return str(py3langid.classify(text[:READ])[0])


def other_language(row: Row) -> Measure:
    """1 if the output is in another language than the prompt, else 0. Undefined if either has fewer than 60
    letters in its first 240 characters.
    """
    label = signature("other-language", version=1)
    starts = (row.prompt[:READ], row.output[:READ])
    if any(letters(start) < FEWEST_LETTERS for start in starts):
        return Measure.undefined("a text is too short to tell its language", signature=label)
    prompt, output = map(language_of, starts)
    return Measure(value=float(prompt != output), n=1, signature=label)


METRICS = [
    Metric(
        name="other_language", label="Other language than the prompt", better="lower", largest=1,
        needs="nothing", anchor="other-language", is_count=True,
        engine=EachRow(lambda row, _: other_language(row)), order=46, is_scored=False, is_compared=False,
    ),
]  # fmt: skip
