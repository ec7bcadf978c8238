"""Least squares for the columns of interest, with random items nested in random weeks.

y = Xβ + week of origin + item + rest; the last three are random, with variances by restricted maximum
likelihood (Patterson and Thompson 1971). Scores are nested in items and items in the weeks that they come
from, so both are eliminated in closed form (Woodbury), and a likelihood costs as much for a thousand scores
as for a hundred thousand. Degrees of freedom are Satterthwaite's from the expected information of all
variances, including those at zero, as in :mod:`evalapp.stats.mixed_model`.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from evalapp.stats.ratings import Codes
from evalapp.stats.resampling import Array

#: Smallest variance of the rest, in units of the variance of the scores.
LEAST_REST = 1e-4
#: Step of numeric derivatives, as a share of the variance.
STEP = 0.02
#: Largest part of a contrast, relative to its length, outside the space that the scores determine.
OUTSIDE = 1e-6


class Contrast(NamedTuple):
    """An estimate with its standard ``error`` and the ``degrees`` of freedom of its Student's t."""

    value: float
    error: float
    degrees: float

    @property
    def p(self) -> float:
        """Two-sided, of no difference."""
        from scipy.special import stdtr

        return float(2 * stdtr(self.degrees, -abs(self.value) / self.error))

    def reach(self, level: float) -> float:
        """Half the width of the interval at ``level``."""
        from scipy.special import stdtrit

        return float(stdtrit(self.degrees, 0.5 + level / 2)) * self.error


@dataclass(frozen=True, slots=True)
class NestedModel:
    """A fitted model.

    ``variances``: of the rest, of items and of weeks of origin, in squared score units.
    ``coefficients`` and ``covariance``: of the columns, within the space that the scores determine.
    """

    variances: tuple[float, float, float]
    coefficients: Array
    covariance: Array
    _basis: Array = field(repr=False)
    _slopes: Array = field(repr=False)
    _uncertainty: Array = field(repr=False)

    def can_tell(self, weights: Array) -> bool:
        """Whether the scores determine this combination of coefficients."""
        outside = weights - self._basis @ (self._basis.T @ weights)
        return bool(np.linalg.norm(outside) <= OUTSIDE * max(float(np.linalg.norm(weights)), 1.0))

    def contrast(self, weights: Array) -> Contrast:
        """A linear combination of the coefficients. Raises ValueError if the scores do not determine it."""
        if not self.can_tell(weights):
            raise ValueError("the scores do not determine this combination of coefficients")
        variance = float(weights @ self.covariance @ weights)
        slopes = np.array([weights @ slope @ weights for slope in self._slopes])
        wobble = float(slopes @ self._uncertainty @ slopes)
        degrees = 2 * variance**2 / wobble if wobble > 0 else math.inf
        return Contrast(float(weights @ self.coefficients), math.sqrt(variance), min(max(degrees, 1.0), 1e9))


def fit_nested_model(score: Array, columns: Array, item: Codes, origin: Codes) -> NestedModel | str:
    """Fit the model, or say why it cannot be fitted.

    ``columns``: one row per score. ``item``: the code of each score's item, from 0. ``origin``: the code of
    each item's week. If columns depend on one another, some combinations are undetermined.
    """
    spread = float(score.std())
    if spread <= 1e-9:
        return "no variation"
    values, vectors = np.linalg.eigh(columns.T @ columns)
    basis: Array = vectors[:, values > 1e-9 * values[-1]]
    if len(score) < basis.shape[1] + 3:
        return f"{len(score)} scores"
    sums = _Sums((score - score.mean()) / spread, columns @ basis, item, origin)
    variances = _most_likely(sums)
    steps = STEP * (variances + sums.small(variances))
    covariance, coefficients = sums.solved(variances)
    slopes, uncertainty = _wobble(sums, variances, steps)
    # The mean was subtracted from the scores; add it back to the coefficients that make up a constant.
    level, *_ = np.linalg.lstsq(columns, np.full(len(score), score.mean()), rcond=None)
    return NestedModel(
        variances=tuple((spread**2 * variances).tolist()),
        coefficients=spread * (basis @ coefficients) + basis @ (basis.T @ level),
        covariance=spread**2 * (basis @ covariance @ basis.T),
        _basis=basis,
        _slopes=np.array([basis @ slope @ basis.T for slope in slopes]) * spread**2,
        _uncertainty=uncertainty,
    )


class _Sums:
    """Sufficient sums of the scores: by number of scores of the item, and by week of origin."""

    def __init__(self, score: Array, columns: Array, item: Codes, origin: Codes) -> None:
        both = np.column_stack([columns, score])
        self.size = columns.shape[1]
        self.products = both.T @ both
        count = np.bincount(item, minlength=origin.size)
        by_item = np.column_stack(
            [np.bincount(item, weights=column, minlength=origin.size) for column in both.T]
        )
        self.counts, kind = np.unique(count, return_inverse=True)
        weeks = int(origin.max()) + 1
        self.items = np.zeros((self.counts.size, weeks))
        np.add.at(self.items, (kind, origin), 1)
        # By number of scores, each matrix flattened to a row.
        alike = [by_item[kind == number] for number in range(self.counts.size)]
        self.grams = np.array([(each.T @ each).ravel() for each in alike])
        totals = np.zeros((self.counts.size, weeks, both.shape[1]))
        np.add.at(totals, (kind, origin), by_item)
        self.totals = totals.reshape(self.counts.size, -1)

    def inner(self, variances: Array) -> tuple[Array, float]:
        """[X y]'V⁻¹[X y], and the logarithm of V's determinant."""
        rest, of_item, of_week = variances
        whole = rest + self.counts * of_item
        within = ((of_item / whole) @ self.grams).reshape(self.products.shape)
        inner: Array = (self.products - within) / rest
        weekly = ((1 / whole) @ self.totals).reshape(-1, len(inner))
        heft = (self.counts / whole) @ self.items
        inner -= (weekly.T * (of_week / (1 + of_week * heft))) @ weekly
        number = self.items.sum(axis=1)
        determinant = float(number @ ((self.counts - 1) * math.log(rest) + np.log(whole)))
        return inner, determinant + float(np.log1p(of_week * heft).sum())

    def small(self, variances: Array) -> Array:
        """By variance, an amount too small to matter, for the steps of derivatives at 0."""
        rest, of_item, _ = variances
        whole = rest + self.counts * of_item
        heft = float(((self.counts / whole) @ self.items).max())
        return np.array([0.0, rest / float(self.counts.max()), 1 / heft])

    def solved(self, variances: Array) -> tuple[Array, Array]:
        """Covariance of the coefficients, and the coefficients."""
        inner, _ = self.inner(variances)
        covariance = np.asarray(np.linalg.inv(inner[: self.size, : self.size]), dtype=np.float64)
        return covariance, covariance @ inner[: self.size, self.size]

    def shape(self, variances: Array) -> float:
        """The part of minus twice the log likelihood that does not depend on the scores."""
        inner, determinant = self.inner(variances)
        return determinant + float(np.linalg.slogdet(inner[: self.size, : self.size])[1])

    def badness(self, variances: Array) -> float:
        """Minus twice the restricted log likelihood, up to a constant."""
        inner, determinant = self.inner(variances)
        left = inner[: self.size, : self.size]
        right = inner[: self.size, self.size]
        square = float(inner[self.size, self.size] - right @ np.linalg.solve(left, right))
        return determinant + float(np.linalg.slogdet(left)[1]) + square


def _most_likely(sums: _Sums) -> Array:
    from scipy.optimize import minimize

    found = minimize(
        sums.badness,
        np.array([0.4, 0.4, 0.02]),
        method="L-BFGS-B",
        bounds=[(LEAST_REST, None), (0, None), (0, None)],
    )
    return np.asarray(found.x, dtype=np.float64)


def _wobble(sums: _Sums, variances: Array, steps: Array) -> tuple[list[Array], Array]:
    """Derivatives of the coefficients' covariance in each variance, and the covariance of the variances.

    The expected information is −½ times the second derivatives of `_Sums.shape`.
    """
    moves = np.diag(steps)
    slopes = [
        (sums.solved(variances + move)[0] - sums.solved(variances - move)[0]) / (2 * step)
        for move, step in zip(moves, steps, strict=True)
    ]
    size = len(steps)
    second = np.empty((size, size))
    for j in range(size):
        for k in range(j + 1):
            corners = [
                first * other * sums.shape(variances + first * moves[j] + other * moves[k])
                for first in (1, -1)
                for other in (1, -1)
            ]
            second[j, k] = second[k, j] = sum(corners) / (4 * steps[j] * steps[k])
    return slopes, np.asarray(np.linalg.pinv(-second / 2, hermitian=True), dtype=np.float64)
