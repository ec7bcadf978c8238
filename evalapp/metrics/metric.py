"""Metrics: their description, and the engines that compute them."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from evalapp.measure import Measure, signature
from evalapp.metrics.rows import Row

logger = logging.getLogger(__name__)

Direction = Literal["higher", "lower", "none"]
Needs = Literal["nothing", "references", "context"]
Tokenizer = Literal["english", "unicode", "characters"]

NOT_COMPUTED = "it could not be computed; the reason is in the server's log"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDescription:
    """Name, scale and documentation of one metric.

    ``better``: which direction is better, or "none" for a metric such as length.
    ``smallest`` and ``largest``: the ends of its scale; None for an open end.
    ``anchor``: its heading in docs/measures.md. ``is_count``: every value is a whole number.
    """

    name: str
    label: str
    better: Direction
    largest: float | None
    needs: Needs
    anchor: str
    is_count: bool = False
    smallest: float | None = 0

    @property
    def good_end(self) -> str:
        """Name of the metric's top quarter: the best, or the highest if neither direction is better."""
        return "highest" if self.better == "none" else "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of a scoring pass. ``stemmer`` (Porter) and ``tokenizer`` apply to ROUGE, ``remove_articles``
    to exact match and token F1.
    """

    stemmer: bool = True
    tokenizer: Tokenizer = "english"
    remove_articles: bool = True


class Pass(Protocol):
    """One pass of an engine over rows."""

    def score(self, rows: Sequence[Row]) -> list[dict[str, Measure]]:
        """The metrics of each row, by name."""

    def whole_set(self) -> dict[str, Measure]:
        """Scores of all rows so far, by name, for metrics whose score of a set is not the mean over
        outputs.
        """


class Engine(ABC):
    """Computes one metric, or several at once if that is faster."""

    has_whole_set: ClassVar[bool] = False
    """Whether the score of a whole set is not the mean over its outputs, as with BLEU."""

    @abstractmethod
    def begin(self, names: Sequence[str], options: Options) -> Pass:
        """Start a pass that computes the metrics with these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(MetricDescription):
    """An automatic metric. Declare it in the list ``METRICS`` of a module in `evalapp.metrics.automatic`.

    ``order``: its position in tables and files, lowest first.
    ``is_scored``: whether a scoring run computes it for every output.
    ``is_compared``: whether the candidate comparison has a column for it.
    ``is_of_corrections``: whether outputs are also scored against their corrections by people.
    """

    engine: Engine
    order: int
    is_scored: bool = True
    is_compared: bool = True
    is_of_corrections: bool = False


class EachRow(Engine):
    """Computes one metric, row by row."""

    def __init__(self, compute: Callable[[Row, Options], Measure]) -> None:
        self.compute = compute

    def begin(self, names: Sequence[str], options: Options) -> Pass:
        (name,) = names
        return _EachRowPass(name, self.compute, options)


@dataclass(frozen=True)
class _EachRowPass:
    name: str
    compute: Callable[[Row, Options], Measure]
    options: Options

    def score(self, rows: Sequence[Row]) -> list[dict[str, Measure]]:
        return [
            {self.name: or_undefined(self.name, row, lambda row: self.compute(row, self.options))}
            for row in rows
        ]

    def whole_set(self) -> dict[str, Measure]:
        return {}


def or_undefined(name: str, row: Row, compute: Callable[[Row], Measure]) -> Measure:
    """The metric of a row; undefined if the computation raises an error."""
    try:
        return compute(row)
    except Exception:  # one output that breaks a metric must not cost the others their scores
        logger.exception("%s of an output of %s characters failed", name, len(row.output))
        return Measure.undefined(NOT_COMPUTED, signature=signature(name))
