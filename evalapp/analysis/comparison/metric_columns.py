"""Columns of the table of metrics; metrics without any value are named in a sentence instead."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from evalapp.analysis.comparison.candidates import Comparison
from evalapp.analysis.comparison.usage import Usage
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import COMPARED_METRICS

USAGE = {
    "prompt_tokens": "Prompt tokens",
    "completion_tokens": "Completion tokens",
    "seconds": "Seconds per output",
    "cost": "Cost per 1,000",
}
NOT_SCORED = "not scored yet"


class MetricColumns(NamedTuple):
    """``corpus``: names of whole-set metrics; ``usage``: keys and labels of `USAGE`. ``undefined``: reason →
    labels of metrics that no candidate has a value of.
    """

    metrics: list[MetricDescription]
    corpus: list[str]
    usage: list[tuple[str, str]]
    undefined: dict[str, list[str]]


def metric_columns(comparison: Comparison, usage: Sequence[Usage]) -> MetricColumns:
    """The columns with a value for some candidate, and the others by reason.

    A cost that lacks only a price keeps its column, which links to the page where prices are set.
    """
    columns = MetricColumns([], [], [], {})
    for metric in comparison.metrics:
        _place(
            columns,
            columns.metrics,
            metric,
            metric.label,
            (row.metrics[metric.name] for row in comparison.rows),
        )
    for name in comparison.corpus_metrics:
        label = f"{COMPARED_METRICS[name].label} of the whole set"
        _place(columns, columns.corpus, name, label, (row.corpus.get(name) for row in comparison.rows))
    for key, label in USAGE.items():
        _place(columns, columns.usage, (key, label), label, (getattr(spent, key) for spent in usage))
    cost, shown = ("cost", USAGE["cost"]), dict(columns.usage)
    undefined = columns.undefined
    if "cost" not in shown and "prompt_tokens" in shown and any(spent.lacks_price for spent in usage):
        columns.usage.append(cost)
        undefined = {
            reason: [label for label in labels if label != cost[1]] for reason, labels in undefined.items()
        }
    return columns._replace(undefined={reason: labels for reason, labels in undefined.items() if labels})


def _place(
    columns: MetricColumns,
    shown: list[Any],
    column: Any,
    label: str,
    measures: Iterator[Measure | None],
) -> None:
    found = list(measures)
    if any(measure is not None and measure.defined for measure in found):
        shown.append(column)
        return
    reason = next((measure.reason for measure in found if measure is not None), NOT_SCORED)
    columns.undefined.setdefault(reason, []).append(label)
