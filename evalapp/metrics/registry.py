"""Every automatic metric, found where it is declared: add one by adding its module to
`evalapp.metrics.automatic`.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from evalapp.metrics import automatic
from evalapp.metrics.metric import Metric


def _declared() -> Iterator[Metric]:
    for module in iter_modules(automatic.__path__, f"{automatic.__name__}."):
        yield from getattr(import_module(module.name), "METRICS", ())


METRICS: Mapping[str, Metric] = {each.name: each for each in sorted(_declared(), key=lambda each: each.order)}
"""By name, in their order."""
COMPARED_METRICS: Mapping[str, Metric] = {name: each for name, each in METRICS.items() if each.is_compared}
"""The columns of the candidate comparison."""
HEADLINE_METRIC = "rougeL"
"""The metric that a page shows where it shows one, until somebody chooses another."""
