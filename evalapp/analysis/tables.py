"""The comparison as lines of a table that leaves the product."""

from collections.abc import Iterator

from evalapp.analysis.comparison import METRICS, Comparison
from evalapp.measure import Measure

COLUMNS = ["candidate", "measure", "value", "low", "high", "n", "undefined_because", "signature"]


def comparison_lines(comparison: Comparison) -> Iterator[list[str | float | int]]:
    """The header, then one line a candidate and measure."""
    yield list(COLUMNS)
    for row in comparison.rows:
        yield _line(row.label, "total (1-5)", row.total)
        for cell in row.human:
            yield _line(row.label, cell.criterion.key, cell.mean)
            if cell.low_share is not None:
                yield _line(
                    row.label, f"{cell.criterion.key}: share at or under the threshold", cell.low_share
                )
        for name, measure in row.metrics.items():
            yield _line(row.label, METRICS[name].label, measure)
        for name, measure in row.corpus.items():
            yield _line(row.label, name, measure)
        for rule in comparison.rules:
            yield _line(row.label, f"rule: {rule.name}", row.rules[rule.pk])


def _line(label: str, name: str, measure: Measure) -> list[str | float | int]:
    def shown(value: float | None) -> str | float:
        return "" if value is None else round(value, 6)

    # A label that starts like a formula would run in a spreadsheet.
    safe = f"'{label}" if label.startswith(("=", "+", "-", "@")) else label
    return [
        safe, name, shown(measure.value), shown(measure.low), shown(measure.high), measure.n, measure.reason,
        measure.signature,
    ]  # fmt: skip
