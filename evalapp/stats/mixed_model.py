"""Mixed model of scores, mean + group + item + reviewer + rest, by REML for any pattern of missing scores.

Restricted maximum likelihood (Patterson and Thompson 1971) by Fisher scoring within the bounds, with
Satterthwaite's degrees of freedom from the expected information of all components, including those at zero
(Giesbrecht and Burns 1985): a variance estimated as zero by chance is not known to be zero. For a full table
the components equal those of the analysis of variance, unless one of these is negative.

The factor with most levels is eliminated level by level, followed by the groups of items; what is left is a
system with as many unknowns as the other factor has levels.
"""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from evalapp.stats.ratings import Codes, Ratings
from evalapp.stats.resampling import Array

MOST_STEPS = 200
#: The search ends when a step changes the log likelihood by less than this.
STILL = 1e-10
#: Smallest share of the total variance for the rest: without any rest there is no likelihood.
LEAST_REST = 1e-5
#: Most levels of the factors that are kept, whose system of equations is dense.
MOST_LEVELS = 2000
#: Matrices with at most this many entries are dense.
MOST_DENSE = 500_000


class Precision(NamedTuple):
    """Standard error of a mean and the degrees of freedom of its Student's t."""

    error: float
    degrees: float


@dataclass(frozen=True, slots=True)
class MixedModel:
    """A fitted model.

    ``variances``: by component ("group", "item", "reviewer", "rest"), in squared score units, 0 or more. A
    component that the design cannot separate from another is missing; its variance is part of the other's.
    ``mean``: µ by generalised least squares, with its ``precision``.
    """

    variances: dict[str, float]
    mean: float
    precision: Precision
    _levels: dict[str, Codes] = field(repr=False)
    _covariance: Array = field(repr=False)

    def precision_of(self, weights: Array) -> Precision:
        """Precision of another weighted mean; one weight per score, with sum 1."""
        squares = [float((np.bincount(codes, weights=weights) ** 2).sum()) for codes in self._levels.values()]
        return _precision(np.array([*squares, float((weights**2).sum())]), self.variances, self._covariance)

    def part_of(self, name: str, weights: Array) -> tuple[float, float]:
        """Contribution of a component to the variance of a weighted mean, and the variance of that estimate;
        0 for a missing component.
        """
        if name not in self._levels:
            return 0.0, 0.0
        square = float((np.bincount(self._levels[name], weights=weights) ** 2).sum())
        position = list(self.variances).index(name)
        return square * self.variances[name], square**2 * float(self._covariance[position, position])


def fit_mixed_model(ratings: Ratings) -> MixedModel | str:
    """Fit the model, or say why it cannot be fitted.

    If each score has its own item and its own reviewer, only the rest is estimated.
    """
    if len(ratings) < 2:
        return "one score" if len(ratings) else "no scores"
    if ratings.is_constant:
        return "no variation"
    levels = _distinct_factors(ratings)
    if not levels:
        return _model_of_independent_scores(ratings.score)
    if len(ratings) < len(levels) + 2:
        return f"{len(ratings)} scores"
    design = _Design(ratings.score, levels)
    if design.kept_levels > MOST_LEVELS:
        return f"more than {MOST_LEVELS:,} items and more than {MOST_LEVELS:,} reviewers"
    fit = _search(design)
    covariance: Array = np.asarray(np.linalg.pinv(fit.derivatives()[1], hermitian=True), dtype=np.float64)
    variances = dict(zip([*design.names, "rest"], fit.variances.tolist(), strict=True))
    return MixedModel(
        variances=variances,
        mean=fit.mean + float(ratings.score.mean()),
        precision=_precision(fit.squares_of_mean(), variances, covariance),
        _levels={name: levels[name] for name in design.names},
        _covariance=covariance,
    )


def _model_of_independent_scores(score: Array) -> MixedModel:
    spread, n = float(score.var(ddof=1)), len(score)
    covariance = np.array([[2 * spread**2 / (n - 1)]])
    variances = {"rest": spread}
    precision = _precision(np.array([1 / n]), variances, covariance)
    return MixedModel(variances, float(score.mean()), precision, _levels={}, _covariance=covariance)


def _precision(squares: Array, variances: dict[str, float], covariance: Array) -> Precision:
    """The variance of a mean is the sum of ``variances`` times ``squares``; its own variance follows from
    their ``covariance``.
    """
    variance = float(squares @ np.fromiter(variances.values(), dtype=np.float64))
    wobble = float(squares @ covariance @ squares)
    return Precision(math.sqrt(variance), 2 * variance**2 / wobble if wobble > 0 else math.inf)


def _distinct_factors(ratings: Ratings) -> dict[str, Codes]:
    """Level of each score by factor, without factors that divide the scores as another one does, or not at
    all.
    """
    wanted = {"item": ratings.item, "reviewer": ratings.reviewer}
    if ratings.group is not None:
        wanted["group"] = ratings.cluster
    found: dict[str, Codes] = {}
    seen = {np.arange(len(ratings)).tobytes(), np.zeros(len(ratings), dtype=np.int64).tobytes()}
    for name, codes in wanted.items():
        _, first, plain = np.unique(codes, return_index=True, return_inverse=True)
        # Numbered by first appearance, so that equal divisions have equal codes.
        numbered = np.argsort(np.argsort(first))[plain]
        if numbered.tobytes() not in seen:
            seen.add(numbered.tobytes())
            found[name] = numbered
    return found


class _Design:
    """Parts of the model that do not change while variances are tried.

    ``names``: the factor that is eliminated, its parent (the groups of items) if any, and the factors that
    are kept.
    ``sums``: for each level of the eliminated factor, the sums of the columns [kept levels, 1, score].
    ``products``: of the columns with one another.
    """

    def __init__(self, score: Array, levels: dict[str, Codes]) -> None:
        size = {name: int(codes.max()) + 1 for name, codes in levels.items()}
        # Groups alone remain if every item has one score by its own reviewer.
        crossed = levels.keys() & {"item", "reviewer"} or {"group"}
        eliminated = max(sorted(crossed), key=lambda name: size[name])
        self.has_parent = eliminated == "item" and "group" in levels
        kept = [name for name in levels if name != eliminated and not (self.has_parent and name == "group")]
        self.names = [eliminated, *(["group"] if self.has_parent else []), *kept]
        self.kept_levels = sum(size[name] for name in kept)
        self.scores = len(score)
        self.count = np.bincount(levels[eliminated]).astype(np.float64)
        #: The kept factor that each column is a level of.
        self.factor_of = np.repeat(np.arange(len(kept)), [size[name] for name in kept])
        columns = _side_by_side(
            [
                *(_indicators(levels[name], size[name]) for name in kept),
                np.column_stack([np.ones(self.scores), score - score.mean()]),
            ]
        )
        self.products = _dense(columns.T @ columns)
        self.sums = _dense_if_small(_indicators(levels[eliminated], size[eliminated]).T @ columns)
        self.spread = float(score.var(ddof=1))
        parent_of = np.zeros(size[eliminated], dtype=np.int64)
        if self.has_parent:
            parent_of[levels[eliminated]] = levels["group"]
        self.in_parent = _indicators(parent_of, int(parent_of.max()) + 1)


# Dense arrays if small: sparse matrices are only worth their overhead beyond some size.


def _indicators(codes: Codes, size: int) -> Any:
    from scipy.sparse import csr_array

    rows = np.arange(codes.size)
    if codes.size * size > MOST_DENSE:
        return csr_array((np.ones(codes.size), (rows, codes)), shape=(codes.size, size))
    indicators = np.zeros((codes.size, size))
    indicators[rows, codes] = 1.0
    return indicators


def _side_by_side(parts: list[Any]) -> Any:
    from scipy.sparse import csr_array, hstack

    if all(isinstance(part, np.ndarray) for part in parts):
        return np.hstack(parts)
    return hstack([csr_array(part) for part in parts]).tocsr()


def _dense_if_small(matrix: Any) -> Any:
    if isinstance(matrix, np.ndarray):
        return matrix
    return matrix.toarray() if math.prod(matrix.shape) <= MOST_DENSE else matrix.tocsr()


def _scaled(factors: Array, rows: Any) -> Any:
    return (
        factors[:, None] * rows if isinstance(rows, np.ndarray) else rows.multiply(factors[:, None]).tocsr()
    )


class _Fit:
    """The likelihood at given ``variances``, in the order of the design's names with the rest last.

    V = D + the parts of the kept factors; D is that of the eliminated factor, its parent and the rest. With E
    = [kept levels, 1] the projection P = V⁻¹ − V⁻¹1(1'V⁻¹1)⁻¹1'V⁻¹ is D⁻¹ − D⁻¹ E K E' D⁻¹. Everything below
    is computed from E'D⁻¹E and from Z'D⁻¹E for the eliminated factor and its parent (Searle, Casella and
    McCulloch 1992, chapter 6).
    """

    def __init__(self, design: _Design, variances: Array) -> None:
        self.design, self.variances = design, variances
        fine, rest = float(variances[0]), float(variances[-1])
        parent = float(variances[1]) if design.has_parent else 0.0
        shrunk = 1 / (rest + design.count * fine)
        self.own = shrunk * design.count
        of_fine = _scaled(shrunk, design.sums)
        self.of_parent = design.in_parent.T @ of_fine
        self.weight = design.in_parent.T @ self.own
        self.pull = parent / (1 + parent * self.weight)
        crossed = (design.products - fine * _dense(design.sums.T @ of_fine)) / rest
        crossed -= _dense(self.of_parent.T @ _scaled(self.pull, self.of_parent))
        self.spread_parent = _scaled(self.own, design.in_parent)
        self.of_fine = of_fine - self.spread_parent @ _scaled(self.pull, self.of_parent)
        self.of_parent = _scaled(1 - self.pull * self.weight, self.of_parent)
        self._solve(crossed)
        self.log_likelihood = -0.5 * (
            (design.scores - design.count.size) * math.log(rest)
            - float(np.log(shrunk).sum())
            + float(np.log1p(parent * self.weight).sum())
            + self.log_of_system
            + self.square
        )

    def _solve(self, crossed: Array) -> None:
        from scipy.linalg import cho_factor, cho_solve

        size = crossed.shape[0] - 1
        self.inner, self.with_scores = crossed[:size, :size], crossed[:size, size]
        kept = self.variances[1 + self.design.has_parent : -1]
        scale = np.append(np.sqrt(kept)[self.design.factor_of], 1.0)
        system = scale[:, None] * self.inner * scale
        system[np.arange(size - 1), np.arange(size - 1)] += 1
        factor = cho_factor(system, lower=True)
        self.kernel = scale[:, None] * cho_solve(factor, np.diag(scale))
        self.log_of_system = 2 * float(np.log(np.diag(factor[0])).sum())
        self.solution = self.kernel @ self.with_scores
        self.square = float(crossed[size, size] - self.with_scores @ self.solution)

    @property
    def mean(self) -> float:
        """Mean of the centred scores."""
        return float(self.solution[-1])

    def squares_of_mean(self) -> Array:
        """Factor of each variance in the variance of `mean`: the sum of squared weights by level."""
        variance = float(self.kernel[-1, -1])
        # The weights of the scores are D⁻¹ E times this column.
        direction = self.kernel[:, -1]
        squares = [
            float(((part[:, :-1] @ direction) ** 2).sum())
            for part in ([self.of_fine, self.of_parent] if self.design.has_parent else [self.of_fine])
        ]
        kept = self.inner @ direction
        squares += [
            float((kept[:-1][self.design.factor_of == number] ** 2).sum())
            for number in range(len(self.design.names) - len(squares))
        ]
        rest = (variance - float(np.dot(squares, self.variances[:-1]))) / float(self.variances[-1])
        return np.array([*squares, rest])

    def derivatives(self) -> tuple[Array, Array]:
        """Gradient of the log likelihood in the variances, and the expected information.

        ½(y'P V_j P y − tr(P V_j)) and ½ tr(P V_j P V_k), where V_j = Z_j Z_j'. Those of the rest follow from
        P V P = P, without a pass over single scores.
        """
        traces, squares, pairs = self._traces()
        variances, rest = self.variances[:-1], float(self.variances[-1])
        with_rest = (traces - pairs @ variances) / rest
        trace_of_rest = (self.design.scores - 1 - float(variances @ traces)) / rest
        square_of_rest = (self.square - float(variances @ squares)) / rest
        information = np.empty((traces.size + 1, traces.size + 1))
        information[:-1, :-1] = pairs
        information[:-1, -1] = information[-1, :-1] = with_rest
        information[-1, -1] = (trace_of_rest - float(variances @ with_rest)) / rest
        gradient = np.append(squares, square_of_rest) - np.append(traces, trace_of_rest)
        return gradient / 2, information / 2

    def _traces(self) -> tuple[Array, Array, Array]:
        """tr(P V_j), y'P V_j P y and tr(P V_j P V_k) for every component but the rest.

        Z_j'P Z_k is Z_j'D⁻¹Z_k − B_j K B_k' with B_j = Z_j'D⁻¹E; the first term is never formed.
        """
        size, kernel = self.inner.shape[0], self.kernel
        parts = [self.of_fine, self.of_parent][: 1 + self.design.has_parent]
        grams = [_dense(part[:, :size].T @ part[:, :size]) for part in parts]
        own_traces, own_squares, crossed = self._without_kept([part[:, :size] for part in parts])
        left = np.eye(size) - kernel @ self.inner
        middle = self.inner @ left
        factor_of, eliminated = self.design.factor_of, len(parts)
        number = len(self.design.names)
        traces, squares, pairs = np.zeros(number), np.zeros(number), np.zeros((number, number))
        for j, (part, gram) in enumerate(zip(parts, grams, strict=True)):
            traces[j] = own_traces[j] - float((kernel * gram).sum())
            squares[j] = float(((part @ np.append(-self.solution, 1.0)) ** 2).sum())
            for k in range(j + 1):
                product = (kernel @ gram) * (kernel @ grams[k]).T
                pairs[j, k] = own_squares[j, k] - 2 * float((kernel * crossed[j, k].T).sum())
                pairs[j, k] += float(product.sum())
            by_level = ((gram @ left) * left).sum(axis=0)[:-1]
            pairs[eliminated:, j] = _sums_by_level(factor_of, by_level, number - eliminated)
        fitted = (self.with_scores - self.inner @ self.solution)[:-1]
        traces[eliminated:] = _sums_by_level(factor_of, np.diag(middle)[:-1], number - eliminated)
        squares[eliminated:] = _sums_by_level(factor_of, fitted**2, number - eliminated)
        for j in range(number - eliminated):
            by_level = (middle[:-1, :-1][factor_of == j] ** 2).sum(axis=0)
            pairs[eliminated + j, eliminated:] = _sums_by_level(factor_of, by_level, number - eliminated)
        lower = np.tril(pairs)
        return traces, squares, lower + np.tril(pairs, -1).T

    def _without_kept(self, parts: list[Any]) -> tuple[Array, Array, dict[tuple[int, int], Array]]:
        """For A_jk = Z_j'D⁻¹Z_k: the traces, the sums of squares, and B_j'A_jk B_k."""
        own, pull, weight, into = self.own, self.pull, self.weight, self.spread_parent
        shares = 1 - pull * weight
        second = self.design.in_parent.T @ own**2
        third = self.design.in_parent.T @ own**3
        traces = np.array([own.sum() - pull @ second, (weight * shares).sum()])
        squares = np.zeros((2, 2))
        squares[0, 0] = (own**2).sum() - 2 * (pull @ third) + ((pull * second) ** 2).sum()
        squares[1, 0] = (shares**2) @ second
        squares[1, 1] = ((weight * shares) ** 2).sum()
        fine = parts[0]
        gathered = into.T @ fine
        crossed = {(0, 0): _dense(fine.T @ _scaled(own, fine)) - _dense(gathered.T @ _scaled(pull, gathered))}
        if len(parts) > 1:
            crossed[1, 0] = _dense(parts[1].T @ _scaled(shares, gathered))
            crossed[1, 1] = _dense(parts[1].T @ _scaled(weight * shares, parts[1]))
        return traces, squares, crossed


def _dense(matrix: Any) -> Array:
    found: Array = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return found


def _sums_by_level(factor_of: Codes, values: Array, factors: int) -> Array:
    return np.bincount(factor_of, weights=values, minlength=factors).astype(np.float64)


def _search(design: _Design) -> _Fit:
    """The most likely variances, each 0 or more, that of the rest above 0."""
    least = np.zeros(len(design.names) + 1)
    least[-1] = LEAST_REST * design.spread
    fit = _Fit(design, np.full(least.size, design.spread / least.size))
    for _ in range(MOST_STEPS):
        gradient, information = fit.derivatives()
        # A component at its bound stays there while the likelihood would rise only beyond it.
        free = (fit.variances > least) | (gradient > 0)
        step = np.zeros(least.size)
        step[free] = np.linalg.lstsq(information[np.ix_(free, free)], gradient[free], rcond=None)[0]
        better = _longest_step(fit, step, least)
        if better is None:
            break
        gain, fit = better.log_likelihood - fit.log_likelihood, better
        if gain < STILL:
            break
    return fit


def _longest_step(fit: _Fit, step: Array, least: Array) -> _Fit | None:
    for halvings in range(40):
        tried = np.maximum(fit.variances + step / 2**halvings, least)
        if np.array_equal(tried, fit.variances):
            return None
        found = _Fit(fit.design, tried)
        if found.log_likelihood > fit.log_likelihood:
            return found
    return None
