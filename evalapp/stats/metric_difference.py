"""Tests whether one metric correlates better with people than another does."""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from evalapp.stats.correlation import FEWEST_OUTPUTS
from evalapp.stats.ranks import Ranking
from evalapp.stats.ratings import group_codes
from evalapp.stats.resampling import Array

REPLICATES = 1_999


def permutation_p(
    candidates: Sequence[Hashable],
    items: Sequence[Hashable],
    human: Sequence[float | None],
    first: Sequence[float | None],
    second: Sequence[float | None],
    *,
    groups: Mapping[Hashable, Hashable] | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> float | None:
    """Two-sided p that two metrics follow people equally well, by Spearman over outputs with all three
    values.

    None for fewer than 3 such outputs, and if a metric or the human score does not vary. The metrics' ranks
    are swapped at random, together for one candidate's outputs on the items of a group (document, client;
    without groups one item): PERM-BOTH of Deutsch, Dror and Roth, *A Statistical Analysis of Summarization
    Evaluation Metrics Using Resampling Methods* (2021).
    """
    codes = group_codes(items, groups or {})
    units = list(items) if codes is None else codes.tolist()
    rows = [
        (candidate, unit, *values)
        for candidate, unit, *values in zip(candidates, units, human, first, second, strict=True)
        if None not in values
    ]
    if len(rows) < FEWEST_OUTPUTS:
        return None
    people, one, other = (
        _centred(np.array([row[column] for row in rows], dtype=np.float64)) for column in (2, 3, 4)
    )
    if not all(np.ptp(side) > 0 for side in (people, one, other)):
        return None
    cells: dict[tuple[Hashable, Hashable], int] = {}
    cell = np.array([cells.setdefault((row[0], row[1]), len(cells)) for row in rows], dtype=np.int64)
    middle, half = (one + other) / 2, (one - other) / 2

    def by_cell(values: Array) -> Array:
        return np.bincount(cell, weights=values, minlength=len(cells)).astype(np.float64)

    parts = np.column_stack([by_cell(people * half), by_cell(middle * half), by_cell(half)])
    # Whether each cell is swapped; the first row swaps nothing.
    exchanged = np.random.default_rng(seed).integers(0, 2, (1 + replicates, len(cells)), dtype=np.int8)
    exchanged[0] = 0
    swung = (1.0 - 2.0 * exchanged) @ parts
    shared, squares = float(people @ middle), float(middle @ middle + half @ half)
    difference = _correlation(shared, squares, swung, 1, len(rows)) - _correlation(
        shared, squares, swung, -1, len(rows)
    )
    # Swaps that change nothing differ by rounding only.
    beyond = int((np.abs(difference[1:]) >= abs(difference[0]) - 1e-9).sum())
    return (1 + beyond) / (1 + replicates)


def williams_p(first: float, second: float, between: float, n: int) -> float | None:
    """Two-sided p that two metrics correlate equally with people over ``n`` candidates.

    Williams' t with n − 3 degrees of freedom. ``first`` and ``second`` are the metrics' correlations with
    people, ``between`` is their correlation with each other; all are over candidates with both metrics. None
    for fewer than 4 candidates, and if a correlation of 1 or −1 leaves no variation. Source: Williams (1959);
    Graham and Baldwin, *Testing for Significance of Increased Correlation with Human Judgment* (2014).
    """
    from scipy.stats import t as student

    t = williams_t(first, second, between, n)
    return None if t is None else float(2 * student.sf(abs(t), n - 3))


def williams_t(first: float, second: float, between: float, n: int) -> float | None:
    """The t statistic of `williams_p`."""
    if n < 4:
        return None
    left = 1 - first**2 - second**2 - between**2 + 2 * first * second * between
    mean = (first + second) / 2
    square = 2 * max(left, 0.0) * (n - 1) / (n - 3) + mean**2 * (1 - between) ** 3
    if square <= 1e-12:
        return None
    return (first - second) * math.sqrt((n - 1) * (1 + between) / square)


def _centred(values: Array) -> Array:
    result: Array = Ranking(values).centred(np.ones((1, values.size)))[0]
    return result


def _correlation(shared: float, squares: float, swung: Array, side: int, n: int) -> Array:
    """Correlation with people, up to a constant, of one metric (``side`` 1) or the other (−1) after each
    swap.
    """
    cross, product, total = swung.T
    variance = squares + 2 * side * product - total**2 / n
    result: Array = (shared + side * cross) / np.sqrt(np.maximum(variance, 1e-12))
    return result
