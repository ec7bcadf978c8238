"""What a metric is: how it is called and read, and how it is computed."""

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
    """One metric: how it is called, read and documented.

    ``better``: which way is better, or "none" where neither is (a length).
    ``smallest`` and ``largest``: the ends of its scale, None where it has none.
    ``anchor``: heading in docs/measures.md. ``is_count``: an output's value is a whole number.
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
        """What its top quarter is called: the best, or where neither way is better the highest."""
        return "highest" if self.better == "none" else "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a pass computes. ``stemmer`` (Porter) and ``tokenizer`` concern ROUGE,
    ``remove_articles`` answers.
    """

    stemmer: bool = True
    tokenizer: Tokenizer = "english"
    remove_articles: bool = True


class Pass(Protocol):
    """One pass of an engine over rows."""

    def score(self, rows: Sequence[Row]) -> list[dict[str, Measure]]:
        """For each row its metrics by name."""

    def whole_set(self) -> dict[str, Measure]:
        """By name, the score of all rows so far, of metrics for which it is not the mean of the outputs'."""


class Engine(ABC):
    """Computes one metric, or several together where that is quicker."""

    has_whole_set: ClassVar[bool] = False
    """Whether a whole set has a score of its own, which is not the mean of the outputs'."""

    @abstractmethod
    def begin(self, names: Sequence[str], options: Options) -> Pass:
        """A pass that computes the metrics of these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(MetricDescription):
    """An automatic metric. Declare it in a module of `evalapp.metrics.automatic`, in a list called
    ``METRICS``.

    ``order``: where it stands among the others in tables and files, lowest first.
    ``is_scored``: whether a scoring run computes it for every output.
    ``is_compared``: whether it is a column of the candidate comparison.
    ``is_of_corrections``: whether it also compares outputs with people's corrections.
    """

    engine: Engine
    order: int
    is_scored: bool = True
    is_compared: bool = True
    is_of_corrections: bool = False


class EachRow(Engine):
    """Computes one metric of one row after the other."""

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
    """The measure of a row, undefined where computing it fails."""
    try:
        return compute(row)
    except Exception:  # the edge to a text nobody has seen: it must not cost the other outputs their scores
        logger.exception("%s of an output of %s characters failed", name, len(row.output))
        return Measure.undefined(NOT_COMPUTED, signature=signature(name))
