"""The comparison as lines of a table that leaves the product."""

from collections.abc import Iterator
from functools import partial

from evalapp.analysis.columns import METRICS
from evalapp.analysis.comparison import Comparison
from evalapp.core.spreadsheets import csv_line
from evalapp.measure import Measure

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
]


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """The header, then one line a candidate and measure."""
    yield csv_line(COLUMNS)
    # What people said; metrics are computed whoever rated.
    line = partial(_line, is_simulated=comparison.design.is_simulated)
    for row in comparison.rows:
        yield line(row.label, "total (1-5)", row.total)
        for cell in row.human:
            yield line(row.label, cell.criterion.key, cell.mean)
            if cell.low_share is not None:
                at_most = cell.criterion.low_threshold
                yield line(row.label, f"{cell.criterion.key}: share of scores <= {at_most}", cell.low_share)
        for name, measure in row.metrics.items():
            yield _line(row.label, METRICS[name].label, measure)
        for name, measure in row.corpus.items():
            yield _line(row.label, f"{METRICS[name].label} of the whole set", measure)
        for rule in comparison.rules:
            yield _line(row.label, f"rule: {rule.name}", row.rules[rule.pk])
        for tag in row.tags:
            yield line(row.label, f"reason: {tag.label}", tag.share)


def _line(label: str, name: str, measure: Measure, *, is_simulated: bool = False) -> str:
    figures = (measure.value, measure.low, measure.high)
    shown = ["" if figure is None else round(figure, 6) for figure in figures]
    mark = "simulated" if is_simulated else ""
    return csv_line([label, name, *shown, measure.n, measure.reason, measure.note, measure.signature, mark])
