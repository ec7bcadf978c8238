"""All automatic metrics, discovered in the modules of `evalapp.metrics.automatic`."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from evalapp.metrics import automatic
from evalapp.metrics.metric import Metric


def _declared() -> Iterator[Metric]:
    for module in iter_modules(automatic.__path__, f"{automatic.__name__}."):
        yield from getattr(import_module(module.name), "METRICS", ())


METRICS: Mapping[str, Metric] = {each.name: each for each in sorted(_declared(), key=lambda each: each.order)}
"""All metrics by name, in display order."""
COMPARED_METRICS: Mapping[str, Metric] = {name: each for name, each in METRICS.items() if each.is_compared}
"""Metrics with a column in the candidate comparison."""
HEADLINE_METRIC = "rougeL"
"""The metric shown where there is room for one, unless the user has chosen another."""
