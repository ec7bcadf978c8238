"""The comparison as table lines for export."""

from collections.abc import Iterator, Sequence
from functools import partial

from evalapp.analysis.comparison.candidates import Comparison
from evalapp.analysis.comparison.usage import Usage
from evalapp.core.spreadsheets import csv_line
from evalapp.measure import Measure
from evalapp.metrics.registry import COMPARED_METRICS

COLUMNS = [
    "candidate",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "undefined_because",
    "note",
    "signature",
    "reviewers",
    "adjudicated",
]


def comparison_lines(
    comparison: Comparison, adjudicated: Comparison | None = None, *, usage: Sequence[Usage] = ()
) -> Iterator[str]:
    """The header, then a line for each candidate and measure.

    ``adjudicated``: the same comparison with adjudicated values, if any were adjudicated; its numbers fill
    the last column of human scores.
    """
    yield csv_line(COLUMNS)
    # Only human scores can be simulated; metrics do not depend on the reviewers.
    line = partial(_line, is_simulated=comparison.design.is_simulated)
    beside = (adjudicated or comparison).rows
    for row, other in zip(comparison.rows, beside, strict=True):
        decided = other if adjudicated else None
        yield line(row.label, "total (1-5)", row.total, decided.total if decided else None)
        for cell in row.human:
            same = decided.cell(cell.criterion.key) if decided else None
            yield line(row.label, cell.criterion.key, cell.mean, same.mean if same else None)
            if cell.low_share is not None:
                at_most = cell.criterion.rules.poor_number
                name = f"{cell.criterion.key}: share of scores <= {at_most}"
                yield line(row.label, name, cell.low_share, same.low_share if same else None)
        for metric in comparison.metrics:
            yield _line(row.label, metric.label, row.metrics[metric.name])
        for name, measure in row.corpus.items():
            yield _line(row.label, f"{COMPARED_METRICS[name].label} of the whole set", measure)
        for rule in comparison.rules:
            yield _line(row.label, f"rule: {rule.name}", row.rules[rule.pk])
        for tag in row.tags:
            yield line(row.label, f"reason: {tag.label}", tag.share)
        for spent in usage:
            if spent.candidate.pk == row.candidate.pk:
                yield _line(row.label, "tokens of the prompt", spent.prompt_tokens)
                yield _line(row.label, "tokens of the answer", spent.completion_tokens)
                yield _line(row.label, "seconds of an answer", spent.seconds)
                yield _line(row.label, f"cost of 1,000 answers {spent.currency}".strip(), spent.cost)


def _line(
    label: str, name: str, measure: Measure, adjudicated: Measure | None = None, *, is_simulated: bool = False
) -> str:
    decided = adjudicated.value if adjudicated is not None else None
    numbers = (measure.value, measure.low, measure.high, decided)
    *shown, beside = ["" if value is None else round(value, 6) for value in numbers]
    mark = "simulated" if is_simulated else ""
    return csv_line(
        [label, name, *shown, measure.n, measure.reason, measure.note, measure.signature, mark, beside]
    )
