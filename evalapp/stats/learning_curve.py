"""Learning curves: the gain from more examples, and whether it is more than chance."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

LEAST_GROWTH = 1.2
"""Sizes with a smaller ratio are not compared: they say nothing about more data."""
BEYOND_CHANCE = 2.0
"""In standard errors, about the usual 95%."""


class Observation(NamedTuple):
    """One training: its intended share of the examples, its number of examples, and its result.

    ``steps``: how many optimiser steps it took; ``is_improving``: whether its validation loss was lowest at
    the last of them.
    """

    share: float
    examples: int
    value: float
    steps: int | None = None
    is_improving: bool = False


class CurvePoint(NamedTuple):
    """All trainings of one size.

    ``low`` and ``high``: the smallest and largest value of ``runs`` trainings. ``improving``: how many of
    them were still improving at their last step. ``steps``: mean number of steps; None unless known for all.
    """

    share: float
    examples: float
    mean: float
    low: float
    high: float
    runs: int
    steps: float | None = None
    improving: int = 0


class Gain(NamedTuple):
    """Gain from ``before`` to ``after``; positive is better, whichever direction of the measure is better.

    ``standard_error`` is that of ``total``; None if no size has two trainings.
    """

    before: CurvePoint
    after: CurvePoint
    total: float
    standard_error: float | None

    @property
    def per_doubling(self) -> float:
        return self.total / math.log2(self.after.examples / self.before.examples)

    @property
    def may_be_steps(self) -> bool:
        """Whether more optimiser steps may explain the gain as well as more examples do.

        That is so if the trainings with more examples took more steps, and one with fewer examples was still
        improving at its last step.
        """
        before, after = self.before.steps, self.after.steps
        took_more = before is not None and after is not None and after > before
        return self.total > 0 and took_more and self.before.improving > 0

    @property
    def is_beyond_chance(self) -> bool | None:
        """Whether the gain exceeds chance; None if unknown."""
        if self.standard_error is None:
            return None
        return abs(self.total) > BEYOND_CHANCE * self.standard_error


def curve_points(observations: Iterable[Observation]) -> list[CurvePoint]:
    """One point per share, smallest first."""
    by_share: dict[float, list[Observation]] = defaultdict(list)
    for each in observations:
        by_share[each.share].append(each)
    return [
        CurvePoint(
            share,
            fmean(each.examples for each in found),
            fmean(each.value for each in found),
            min(each.value for each in found),
            max(each.value for each in found),
            len(found),
            _mean_steps(found),
            sum(each.is_improving for each in found),
        )
        for share, found in sorted(by_share.items())
    ]


def _mean_steps(observations: Sequence[Observation]) -> float | None:
    known = [each.steps for each in observations if each.steps is not None]
    return fmean(known) if len(known) == len(observations) else None


def gains(
    observations: Sequence[Observation], *, lower_is_better: bool, points: Sequence[CurvePoint]
) -> list[Gain]:
    """Gain from each size to the next clearly larger one, smallest first; ``points`` are those of the
    observations.

    The spread is pooled over the sizes, because each has few trainings.
    """
    pooled = pooled_deviation(observations)
    found: list[Gain] = []
    before: CurvePoint | None = None
    for point in points:
        if before is None:
            before = point
            continue
        if point.examples < LEAST_GROWTH * before.examples:
            continue
        total = before.mean - point.mean if lower_is_better else point.mean - before.mean
        error = None if pooled is None else pooled * math.sqrt(1 / before.runs + 1 / point.runs)
        found.append(Gain(before, point, total, error))
        before = point
    return found


def pooled_deviation(observations: Sequence[Observation]) -> float | None:
    """Standard deviation between trainings of one size, pooled over sizes; None if no size has two."""
    by_share: dict[float, list[float]] = defaultdict(list)
    for each in observations:
        by_share[each.share].append(each.value)
    repeated = [values for values in by_share.values() if len(values) > 1]
    if not repeated:
        return None
    squares = sum((len(values) - 1) * stdev(values) ** 2 for values in repeated)
    return math.sqrt(squares / sum(len(values) - 1 for values in repeated))
