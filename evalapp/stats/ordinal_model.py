"""The many-facet ordinal model behind severity-adjusted scores, fitted by penalised likelihood.

A score on level l of its criterion has probability proportional to exp(v_l · η + κ_l), where v is the level
rescaled to 0–4 and κ the criterion's own steps (first and last level 0): the partial-credit model of Masters
(1982) with the facets of Linacre (1989) in

    η = candidate on the criterion + item + output + answer - reviewer - reviewer on the criterion

"output" is the candidate's answer to the item and "answer" the same on one criterion. Candidates and steps
are fixed; items, outputs, answers and reviewers are drawn from normal distributions whose variances are
estimated (Laplace approximation with the updates of Schall 1991). The error of a candidate is therefore over
new items and new reviewers, and the severity of a reviewer who gave only top scores stays finite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalapp.stats.facets import FacetRatings
from evalapp.stats.ratings import Codes
from evalapp.stats.resampling import Array

Progress = Callable[[int, int], None]

STRETCH = 4.0
MOST_ROUNDS = 150
#: The fit has converged when no effect and no logarithm of a variance moves by more.
STILL = 3e-3
#: Keeps the reviewers' variance from being estimated as zero, which happens often by chance with few
#: reviewers and would mean that their severities are known to be equal: a gamma prior of shape 1.5 and rate 0
#: on the standard deviation (Chung, Rabe-Hesketh, Dorie, Gelman and Liu 2013, whose shape is 2), which weighs
#: as much as half a reviewer in the update.
AWAY_FROM_NONE = 0.5
#: A standard deviation under 0.01 counts as 0; a quarter of the scale is 1.
LEAST_VARIANCE = 1e-4
MOST_VARIANCE = 1e3
RIDGE = 1e-4
PROBES = 16
CHUNK = 64
#: Most free steps of a criterion: a scale of 0–10 has nine.
MOST_STEPS = 9
#: With fewer scores per group, its effect cannot be told from chance.
LEAST_PER_GROUP = 1.25


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One kind of random effect: the group of each score, and the position of its effects among all."""

    name: str
    code: Codes
    groups: int
    start: int
    sign: int

    @property
    def columns(self) -> slice:
        return slice(self.start, self.start + self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The levels in use of each criterion, criteria × largest number of levels.

    ``used``: which entries are levels; ``value``: rescaled to 0–4. A criterion's κ is its ``offset`` plus its
    ``basis`` (levels × steps) times its steps, which are at ``columns`` among all steps.
    """

    value: Array
    used: np.ndarray[Any, np.dtype[np.bool_]]
    offset: Array
    basis: list[Array]
    columns: list[slice]

    @property
    def steps(self) -> int:
        return self.columns[-1].stop if self.columns else 0


class OrdinalModel:
    """Scores with their design matrices; :meth:`fit` estimates the effects."""

    def __init__(self, ratings: FacetRatings, bounds: list[tuple[float, float]]) -> None:
        """Set up the model. ``bounds``: lowest and highest level of each criterion, in the order of
        ``ratings.criteria``.
        """
        self.ratings = ratings
        self.levels, self.level = _levels(ratings, bounds)
        self.terms = _terms(ratings)
        self.random = sum(term.groups for term in self.terms)
        self.cells = len(ratings.candidates) * len(ratings.criteria)
        self.step_offset = self.random + self.cells
        self.size = self.step_offset + self.levels.steps
        self.design = self._design()
        self.value = self.levels.value[ratings.criterion]
        self.observed = self.value[np.arange(len(ratings)), self.level]
        self.rows = [np.flatnonzero(ratings.criterion == code) for code in range(len(ratings.criteria))]

    def term(self, name: str) -> Term | None:
        return next((term for term in self.terms if term.name == name), None)

    def _design(self) -> Any:
        from scipy.sparse import coo_array

        total = len(self.ratings)
        columns = [term.start + term.code for term in self.terms] + [self.random + self.ratings.cell]
        signs = [float(term.sign) for term in self.terms] + [1.0]
        return coo_array(
            (
                np.repeat(signs, total),
                (np.tile(np.arange(total), len(columns)), np.concatenate(columns)),
            ),
            shape=(total, self.step_offset),
        ).tocsr()

    def step_values(self, effects: Array) -> Array:
        """κ by criterion and level; minus infinity for entries that are no level."""
        steps = effects[self.step_offset :]
        kappa = self.levels.offset.copy()
        for code, (basis, columns) in enumerate(zip(self.levels.basis, self.levels.columns, strict=True)):
            kappa[code] += basis @ steps[columns]
        return np.where(self.levels.used, kappa, -np.inf)

    def probabilities(self, effects: Array) -> Array:
        """Probability of each level for every score."""
        eta = self.design @ effects[: self.step_offset]
        logits = self.value * eta[:, None] + self.step_values(effects)[self.ratings.criterion]
        return softmax(logits)

    def objective(self, effects: Array, precision: Array) -> float:
        """Penalised log likelihood, times −1."""
        chosen = self.probabilities(effects)[np.arange(len(self.ratings)), self.level]
        return float(0.5 * precision @ effects**2 - np.log(np.maximum(chosen, 1e-300)).sum())

    def slope(self, effects: Array, precision: Array) -> tuple[Array, Any]:
        """Gradient and Hessian of :meth:`objective`."""
        from scipy.sparse import block_array, csc_array, diags_array

        chance = self.probabilities(effects)
        mean = (chance * self.value).sum(axis=1)
        centred = self.value - mean[:, None]
        variance = (chance * centred**2).sum(axis=1)
        gradient = precision * effects
        gradient[: self.step_offset] -= self.design.T @ (self.observed - mean)
        top = self.design.T @ diags_array(variance) @ self.design
        if not self.levels.steps:
            return gradient, csc_array(top + diags_array(precision))
        cross = np.zeros((len(chance), self.levels.steps))
        corner = np.zeros((self.levels.steps, self.levels.steps))
        for rows, basis, columns in zip(self.rows, self.levels.basis, self.levels.columns, strict=True):
            own = chance[rows]
            share = own @ basis
            gradient[self.step_offset :][columns] -= (basis[self.level[rows]] - share).sum(axis=0)
            cross[rows, columns] = (own * centred[rows]) @ basis
            corner[columns, columns] = basis.T @ (own.sum(axis=0)[:, None] * basis) - share.T @ share
        side = csc_array(self.design.T @ cross)
        whole = block_array([[top, side], [side.T, csc_array(corner)]])
        return gradient, csc_array(whole + diags_array(precision))

    def fit(self, *, progress: Progress | None = None) -> "Fit":
        """Estimate effects and variances; ``progress`` is called with rounds done and the largest number of
        rounds.
        """
        effects = np.zeros(self.size)
        logs = np.log(np.full(len(self.terms), 0.25))
        changes: list[Array] = []
        converged = False
        rounds = 0
        for rounds in range(1, MOST_ROUNDS + 1):
            effects, moved, factor = self._newton(effects, self._precision(np.exp(logs)))
            found = self._variances(effects, np.exp(logs), factor)
            changes.append(np.log(found) - logs)
            logs = np.log(found)
            if progress is not None:
                progress(rounds, MOST_ROUNDS)
            if moved < STILL and float(np.abs(changes[-1]).max(initial=0.0)) < STILL:
                converged = True
                break
            if rounds % 3 == 0:
                logs = np.clip(
                    logs + _extrapolated_change(changes[-2], changes[-1]),
                    *np.log([LEAST_VARIANCE, MOST_VARIANCE]),
                )
        variances = np.exp(logs)
        precision = self._precision(variances)
        for _ in range(20):
            effects, moved, factor = self._newton(effects, precision)
            if moved < 1e-9:
                break
        if progress is not None:
            progress(MOST_ROUNDS, MOST_ROUNDS)
        names = [term.name for term in self.terms]
        found_variances = dict(zip(names, variances.tolist(), strict=True))
        return Fit(self, effects, found_variances, factor, rounds, converged)

    def _precision(self, variances: Array) -> Array:
        precision = np.full(self.size, RIDGE)
        for term, variance in zip(self.terms, variances, strict=True):
            precision[term.columns] = 1 / variance
        return precision

    def _newton(self, effects: Array, precision: Array) -> tuple[Array, float, Any]:
        """One damped Newton step: the new effects, the largest move, and the factor of the Hessian before the
        step.
        """
        from scipy.sparse.linalg import splu

        gradient, hessian = self.slope(effects, precision)
        # Items, and what is nested in them, come first and cause no fill-in, so the natural order is best.
        factor = splu(hessian, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        step = factor.solve(gradient)
        now = self.objective(effects, precision)
        share = 1.0
        while share > 1e-6 and self.objective(effects - share * step, precision) > now + 1e-9 * abs(now):
            share /= 2
        return effects - share * step, float(share * np.abs(step).max()), factor

    def _variances(self, effects: Array, variances: Array, factor: Any) -> Array:
        """Schall's update: the sum of squared effects over the number of effects that the data determine. For
        reviewers, who are few, the update of the EM algorithm with the prior of `AWAY_FROM_NONE`.
        """
        found = np.empty(len(self.terms))
        traces = _traces(factor, self.terms, self.size)
        for place, (term, trace) in enumerate(zip(self.terms, traces, strict=True)):
            squares = float((effects[term.columns] ** 2).sum())
            if term.sign < 0:
                found[place] = (squares + trace) / (term.groups - AWAY_FROM_NONE)
            else:
                found[place] = squares / max(term.groups - trace / variances[place], 1e-3)
        result: Array = np.clip(found, LEAST_VARIANCE, MOST_VARIANCE)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Effects at the maximum, variances by term, and the factor of the Hessian for the errors."""

    model: OrdinalModel
    effects: Array
    variances: dict[str, float]
    factor: Any
    rounds: int
    converged: bool

    @property
    def border(self) -> int:
        """Index of the first effect of reviewers, candidates and steps, whose number does not grow with the
        items.
        """
        return min((term.start for term in self.model.terms if term.sign < 0), default=self.model.random)

    def covariance(self) -> Array:
        """Covariance of the effects from :attr:`border` on, over new items and new reviewers."""
        first, size = self.border, self.model.size
        found = np.empty((size - first, size - first))
        for start in range(first, size, CHUNK):
            columns = np.arange(start, min(start + CHUNK, size))
            right = np.zeros((size, columns.size))
            right[columns, np.arange(columns.size)] = 1.0
            found[:, columns - first] = self.factor.solve(right)[first:]
        return found


def softmax(logits: Array) -> Array:
    """Probabilities over the last axis from logits; minus infinity has probability 0."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def _extrapolated_change(before: Array, now: Array) -> Array:
    """How much further a change would go if it shrinks by the same factor every round (Aitken)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip(np.nan_to_num(now / before), 0.0, 0.9)
    result: Array = now * share / (1 - share)
    return result


def _traces(factor: Any, terms: list[Term], size: int) -> list[float]:
    """Trace of each term's block of the inverse Hessian; estimated with seeded probes for many groups."""
    probes = [_probes(term.groups) for term in terms]
    right = np.zeros((size, sum(probe.shape[1] for probe in probes)))
    column = 0
    for term, probe in zip(terms, probes, strict=True):
        right[term.columns, column : column + probe.shape[1]] = probe
        column += probe.shape[1]
    solved = factor.solve(right)
    traces = []
    column = 0
    for term, probe in zip(terms, probes, strict=True):
        width = probe.shape[1]
        each = 1 if term.groups <= PROBES else width
        traces.append(float((probe * solved[term.columns, column : column + width]).sum()) / each)
        column += width
    return traces


def _probes(groups: int) -> Array:
    """Unit vectors, which give the trace exactly, or random signs, whose mean product estimates it."""
    if groups <= PROBES:
        return np.eye(groups)
    return np.random.default_rng(groups).choice(np.array([-1.0, 1.0]), size=(groups, PROBES))


def _levels(ratings: FacetRatings, bounds: list[tuple[float, float]]) -> tuple[Levels, Codes]:
    """The levels in use by criterion, and the index of each score among them."""
    criteria = len(ratings.criteria)
    used = [np.unique(ratings.score[ratings.criterion == code]) for code in range(criteria)]
    most = max(levels.size for levels in used)
    value, offset = np.zeros((criteria, most)), np.zeros((criteria, most))
    mask = np.zeros((criteria, most), dtype=bool)
    place = np.zeros(len(ratings), dtype=np.int64)
    bases, columns = [], []
    start = 0
    for code, (levels, (lowest, highest)) in enumerate(zip(used, bounds, strict=True)):
        value[code, : levels.size] = STRETCH * (levels - lowest) / (highest - lowest)
        mask[code, : levels.size] = True
        chosen = ratings.criterion == code
        place[chosen] = np.searchsorted(levels, ratings.score[chosen])
        own = _basis(value[code, : levels.size])
        basis = np.zeros((most, own.shape[1]))
        basis[: levels.size] = own
        bases.append(basis)
        columns.append(slice(start, start + own.shape[1]))
        start += own.shape[1]
        if levels.size > MOST_STEPS + 2:
            # On a wide scale people prefer round numbers, so the frequencies of the levels in use are the
            # offset.
            offset[code, : levels.size] = np.log(np.bincount(place[chosen], minlength=levels.size))
    return Levels(value, mask, offset, bases, columns), place


def _basis(value: Array) -> Array:
    """A step for each level between the first and the last; on a wide scale a few, with interpolation."""
    inner = value.size - 2
    if inner <= 0:
        return np.zeros((value.size, 0))
    if inner <= MOST_STEPS:
        return np.eye(value.size)[:, 1:-1]
    knots = np.linspace(value[0], value[-1], MOST_STEPS + 2)
    return np.column_stack([np.interp(value, knots, unit) for unit in np.eye(MOST_STEPS + 2)[1:-1]])


def _terms(ratings: FacetRatings) -> list[Term]:
    """The random effects that this design can separate, finest first."""
    candidates, criteria = len(ratings.candidates), len(ratings.criteria)
    output = ratings.item * candidates + ratings.candidate
    kinds = [
        ("answer", output * criteria + ratings.criterion, 1),
        ("output", output, 1),
        ("item", ratings.item, 1),
        ("reviewer on criterion", ratings.reviewer * criteria + ratings.criterion, -1),
        ("reviewer", ratings.reviewer, -1),
    ]
    counts = [np.unique(code).size for _, code, _ in kinds]
    terms: list[Term] = []
    start = 0
    for place, (name, code, sign) in enumerate(kinds):
        coarser = counts[place + 1] if name in ("answer", "output", "reviewer on criterion") else 1
        enough = len(ratings) >= LEAST_PER_GROUP * counts[place]
        if counts[place] <= coarser or not enough:
            continue
        _, packed = np.unique(code, return_inverse=True)
        terms.append(Term(name, packed.astype(np.int64), counts[place], start, sign))
        start += counts[place]
    return terms
