"""Reviewers' severity, and candidate scores as if an average reviewer had given all of them.

The many-facet ordinal model of :mod:`evalapp.stats.ordinal_model` separates the quality of an answer from the
severity of the reviewers who scored it. Results are on the rating scale: an adjusted score is the mean score
that the model expects if every reviewer of the panel scores the candidate on every item. With a full table
that is the raw mean.
"""

import math
from collections.abc import Hashable, Mapping
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.facets import FacetRatings, LinkedGroups, linked_groups
from evalapp.stats.ordinal_model import STRETCH, Fit, OrdinalModel, Progress, softmax
from evalapp.stats.ratings import why_no_scores
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import student_quantile

Scale = tuple[float, float]

NO_VARIATION = "no variation"
NOT_SETTLED = "the model did not converge: the result is approximate"


class AdjustedScore(NamedTuple):
    """``score`` with its interval over new items and new reviewers; it counts items.

    ``error``: its standard error. ``raw``: the plain mean of item means (None without a score).
    """

    score: Measure
    error: float | None
    raw: float | None


class Severity(NamedTuple):
    """Severity of one reviewer; ``n`` counts scores.

    ``points``: how many points lower than the panel's mean reviewer this one scores the same answers; below 0
    is lenient. On 1–5, whatever the criteria's scales.
    ``by_criterion``: the same in points of each criterion's own scale.
    ``error``: standard error of ``points``.
    ``infit``: mean square of the residuals over its expectation; 1 is as expected, 1.5 erratic, 0.5 too
    regular.
    """

    points: Measure
    error: float | None
    by_criterion: dict[Hashable, Measure]
    infit: float | None


class SeverityModel(NamedTuple):
    """Adjusted scores and severities from one fit.

    ``scores`` are by candidate and criterion, ``totals`` by candidate on 1–5 with the given weights.
    ``unvaried``: criteria on which every score is the same, if others vary; they are undefined and left out
    of totals.
    ``deviations``: standard deviation of each kind of effect, in units of the model: about a point of 1–5 in
    the middle of the scale.
    ``groups``: reviewers and candidates that can be compared with one another. With several groups of
    reviewers or of candidates, what would compare them is undefined.
    """

    scores: dict[tuple[Hashable, Hashable], AdjustedScore]
    totals: dict[Hashable, AdjustedScore]
    severities: dict[Hashable, Severity]
    groups: LinkedGroups
    deviations: dict[str, float]
    rounds: int
    converged: bool
    unvaried: tuple[Hashable, ...] = ()


def severity_model(
    ratings: FacetRatings,
    *,
    scales: Mapping[Hashable, Scale],
    weights: Mapping[Hashable, float] | None = None,
    level: float = 0.95,
    progress: Progress | None = None,
) -> SeverityModel:
    """Fit all criteria in ``ratings`` together; to fit one alone, pass its ratings alone.

    ``scales``: lowest and highest level by criterion. ``weights`` by criterion for the totals, equal by
    default; a criterion with weight 0 is left out. ``progress`` is called with rounds done and the largest
    number of rounds. Everything is undefined with one reviewer, and if no criterion varies; of several
    criteria, those that do not vary are undefined. Scores and severities are undefined if no chain of common
    items links the reviewers, scores alone if none links the candidates. Raises ValueError for a score
    outside its scale and a criterion without one.
    """
    require_level(level)
    bounds = [_scale(scales, criterion) for criterion in ratings.criteria]
    _require_inside(ratings, bounds)
    share = _weights(ratings, weights)
    unvaried = ratings.unvaried()
    if 0 < len(unvaried) < len(ratings.criteria):
        rest = ratings.without(unvaried)
        model = severity_model(rest, scales=scales, weights=weights, level=level, progress=progress)
        return _with_unvaried_criteria(model, ratings, unvaried, level)
    groups = linked_groups(ratings) if len(ratings) else LinkedGroups((), ())
    reason = _cannot_fit(ratings, groups)
    if reason:
        return _undefined(ratings, groups, reason, level)
    fit = OrdinalModel(ratings, bounds).fit(progress=progress)
    table = _Table(fit, bounds)
    split = "" if len(groups.candidates) == 1 else no_link("candidates", groups.candidates)
    scores, totals = _adjusted(table, share, split, level)
    return SeverityModel(
        scores=scores,
        totals=totals,
        severities=_severities(table, level),
        groups=groups,
        deviations={name: math.sqrt(variance) for name, variance in fit.variances.items()},
        rounds=fit.rounds,
        converged=fit.converged,
    )


def no_link(what: str, groups: tuple[tuple[Hashable, ...], ...]) -> str:
    """Why ``what`` cannot be compared: the number of groups and their sizes."""
    sizes = ", ".join(str(len(group)) for group in groups)
    return f"the {what} fall into {len(groups)} groups that no common item links ({sizes})"


def _scale(scales: Mapping[Hashable, Scale], criterion: Hashable) -> Scale:
    if criterion not in scales:
        raise ValueError(f"the criterion {criterion} has no scale")
    lowest, highest = scales[criterion]
    if not lowest < highest:
        raise ValueError(f"the criterion {criterion} has a scale from {lowest:g} to {highest:g}")
    return lowest, highest


def _require_inside(ratings: FacetRatings, bounds: list[Scale]) -> None:
    lowest, highest = np.array(bounds).reshape(-1, 2).T
    outside = np.flatnonzero(
        (ratings.score < lowest[ratings.criterion]) | (ratings.score > highest[ratings.criterion])
    )
    if outside.size:
        row = int(outside[0])
        code = int(ratings.criterion[row])
        raise ValueError(
            f"a score of {ratings.score[row]:g} is outside the scale of {ratings.criteria[code]}, "
            f"{bounds[code][0]:g} to {bounds[code][1]:g}"
        )


def _weights(ratings: FacetRatings, weights: Mapping[Hashable, float] | None) -> Array:
    if weights is not None:
        for criterion in ratings.criteria:
            if weights.get(criterion, -1.0) < 0:
                raise ValueError(f"the criterion {criterion} needs a weight of 0 or more")
    given = [1.0 if weights is None else weights[criterion] for criterion in ratings.criteria]
    total = sum(given)
    return np.array(given) / total if total else np.zeros(len(given))


def _cannot_fit(ratings: FacetRatings, groups: LinkedGroups) -> str:
    if not len(ratings):
        return why_no_scores(ratings.not_applicable)
    if len(ratings.reviewers) < 2:
        return "one reviewer"
    if len(ratings.items) < 2:
        return "one item"
    if ratings.unvaried():
        return NO_VARIATION
    return no_link("reviewers", groups.reviewers) if len(groups.reviewers) > 1 else ""


def _undefined(ratings: FacetRatings, groups: LinkedGroups, reason: str, level: float) -> SeverityModel:
    raw = ratings.raw_means() if len(ratings) else np.empty((0, 0))
    score = Measure.undefined(reason, signature=_severity_signature("adjusted-score", level))
    severity = Measure.undefined(reason, signature=_severity_signature("severity", level))
    return SeverityModel(
        scores={
            (candidate, criterion): AdjustedScore(score, None, _finite_or_none(raw[c, q]))
            for c, candidate in enumerate(ratings.candidates)
            for q, criterion in enumerate(ratings.criteria)
        },
        totals={candidate: AdjustedScore(score, None, None) for candidate in ratings.candidates},
        severities={
            reviewer: Severity(severity, None, dict.fromkeys(ratings.criteria, severity), None)
            for reviewer in ratings.reviewers
        },
        groups=groups,
        deviations={},
        rounds=0,
        converged=False,
    )


def _with_unvaried_criteria(
    model: SeverityModel, ratings: FacetRatings, unvaried: tuple[Hashable, ...], level: float
) -> SeverityModel:
    """The model of the other criteria, plus these as undefined, and anyone who was scored on these alone."""
    bare = _undefined(ratings, model.groups, NO_VARIATION, level)
    severities = {
        reviewer: Severity(
            severity.points, severity.error, {**blank.by_criterion, **severity.by_criterion}, severity.infit
        )
        for reviewer, blank in bare.severities.items()
        for severity in [model.severities.get(reviewer, blank)]
    }
    return model._replace(
        scores={**bare.scores, **model.scores},
        totals={**bare.totals, **model.totals},
        severities=severities,
        unvaried=unvaried,
    )


def _severity_signature(what: str, level: float) -> str:
    return signature(what, model="many-facet-ordinal", level=level)


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


class _Table:
    """What the fitted model expects of every reviewer on every item, averaged over items.

    ``expected`` and ``slope`` (its derivative in η) are candidates × criteria × reviewers, on the model's
    scale (0–4); ``step_slope`` is the derivative in each level's κ, averaged over reviewers.
    """

    def __init__(self, fit: Fit, bounds: list[Scale]) -> None:
        self.fit, self.ratings, self.model = fit, fit.model.ratings, fit.model
        self.covariance = fit.covariance()
        self.unit = np.array([(high - low) / STRETCH for low, high in bounds])
        self.lowest = np.array([low for low, _ in bounds])
        ratings = self.ratings
        shape = (len(ratings.candidates), len(ratings.criteria))
        self.expected = np.zeros((*shape, len(ratings.reviewers)))
        self.slope = np.zeros_like(self.expected)
        self.step_slope = np.zeros((*shape, self.model.levels.value.shape[1]))
        self.items = np.zeros(shape, dtype=np.int64)
        for candidate in range(shape[0]):
            for criterion in range(shape[1]):
                self._fill(candidate, criterion)

    def errors(self, gradients: Array) -> Array:
        """Standard error of linear combinations of the effects from the border on, one per row."""
        squares = np.einsum("kn,nm,km->k", gradients, self.covariance, gradients, optimize=True)
        result: Array = np.sqrt(np.maximum(squares, 0.0))
        return result

    def _fill(self, candidate: int, criterion: int) -> None:
        ratings, model = self.ratings, self.model
        cell = candidate * len(ratings.criteria) + criterion
        chosen = ratings.cell == cell
        self.items[candidate, criterion] = np.unique(ratings.item[chosen]).size
        quality = self._item_effects(candidate, criterion) + self.fit.effects[model.random + cell]
        kappa = model.step_values(self.fit.effects)[criterion]
        value = model.levels.value[criterion]
        for reviewer in range(len(ratings.reviewers)):
            eta = quality - self._reviewer_effect(reviewer, criterion)
            chance = softmax(eta[:, None] * value + kappa)
            mean = chance @ value
            centred = chance * (value - mean[:, None])
            self.expected[candidate, criterion, reviewer] = mean.mean()
            self.slope[candidate, criterion, reviewer] = (centred @ value).mean()
            self.step_slope[candidate, criterion] += centred.mean(axis=0) / len(ratings.reviewers)

    def _item_effects(self, candidate: int, criterion: int) -> Array:
        """Sum of item, output and answer effects for every item; those of outputs without a score are 0."""
        ratings = self.ratings
        total = np.zeros(len(ratings.items))
        of_candidate = ratings.candidate == candidate
        for name, chosen in (
            ("item", np.ones(len(ratings), dtype=bool)),
            ("output", of_candidate),
            ("answer", of_candidate & (ratings.criterion == criterion)),
        ):
            term = self.model.term(name)
            if term is not None:
                effect = np.zeros(len(ratings.items))
                effect[ratings.item[chosen]] = self.fit.effects[term.start + term.code[chosen]]
                total += effect
        return total

    def _reviewer_effect(self, reviewer: int, criterion: int) -> float:
        columns = self.reviewer_columns(reviewer, criterion)
        return float(self.fit.effects[columns].sum())

    def reviewer_columns(self, reviewer: int, criterion: int) -> list[int]:
        """Indices of the reviewer's effects on a criterion."""
        ratings, found = self.ratings, []
        mine = ratings.reviewer == reviewer
        for name, chosen in (
            ("reviewer", mine),
            ("reviewer on criterion", mine & (ratings.criterion == criterion)),
        ):
            term = self.model.term(name)
            rows = np.flatnonzero(chosen)
            if term is not None and rows.size:
                found.append(int(term.start + term.code[rows[0]]))
        return found


def _adjusted(
    table: _Table, share: Array, split: str, level: float
) -> tuple[dict[tuple[Hashable, Hashable], AdjustedScore], dict[Hashable, AdjustedScore]]:
    ratings, criteria = table.ratings, len(table.ratings.criteria)
    gradients = _score_gradients(table)
    raw = ratings.raw_means()
    errors = table.errors(gradients).reshape(-1, criteria)
    per_candidate = gradients.reshape(-1, criteria, gradients.shape[1])
    total_errors = table.errors(np.einsum("q,cqn->cn", share, per_candidate))
    scores: dict[tuple[Hashable, Hashable], AdjustedScore] = {}
    totals: dict[Hashable, AdjustedScore] = {}
    for code, label in enumerate(ratings.candidates):
        expected = table.expected[code].mean(axis=1)
        seen = table.items[code] > 0
        for q, criterion in enumerate(ratings.criteria):
            scores[label, criterion] = _score(
                table, code, share=np.eye(criteria)[q], error=float(errors[code, q]),
                expected=float(expected[q]), lowest=float(table.lowest[q]), unit=float(table.unit[q]),
                raw=float(raw[code, q]), reason=split if seen[q] else "no scores", level=level,
            )  # fmt: skip
        stretched_raw = 1 + (raw[code] - table.lowest) / table.unit
        weighed = bool(share.any())
        missing = "" if seen[share > 0].all() else "not scored on every criterion"
        totals[label] = _score(
            table, code, share=share, error=float(total_errors[code]), expected=float(expected @ share),
            lowest=1.0, unit=1.0,
            raw=float(np.where(share > 0, stretched_raw, 0.0) @ share) if weighed else math.nan,
            reason=(missing or split) if weighed else "no criterion has a weight", level=level,
        )  # fmt: skip
    return scores, totals


def _score_gradients(table: _Table) -> Array:
    """Derivative of each candidate's score on each criterion in the effects from the border on."""
    model, criteria = table.model, len(table.ratings.criteria)
    border = table.fit.border
    gradients = np.zeros((model.cells, model.size - border))
    for cell in range(model.cells):
        candidate, criterion = divmod(cell, criteria)
        gradients[cell, model.random - border + cell] = table.slope[candidate, criterion].mean()
        steps = model.levels.columns[criterion]
        start = model.step_offset - border
        gradients[cell, start + steps.start : start + steps.stop] = (
            table.step_slope[candidate, criterion] @ model.levels.basis[criterion]
        )
    return gradients


def _score(
    table: _Table,
    candidate: int,
    *,
    share: Array,
    expected: float,
    error: float,
    lowest: float,
    unit: float,
    raw: float,
    reason: str,
    level: float,
) -> AdjustedScore:
    """Adjusted score from ``expected`` and ``error`` on the model's scale; its interval is cut at the ends of
    the scale.
    """
    name = _severity_signature("adjusted-score", level)
    items = int(table.items[candidate][share > 0].max(initial=0))
    if reason:
        return AdjustedScore(Measure.undefined(reason, n=items, signature=name), None, _finite_or_none(raw))
    value = lowest + expected * unit
    reach = student_quantile(level, _degrees(table, candidate, share, error**2)) * error * unit
    note = "" if table.fit.converged else NOT_SETTLED
    low, high = max(value - reach, lowest), min(value + reach, lowest + STRETCH * unit)
    score = Measure(value=value, n=items, low=low, high=high, note=note, signature=name)
    return AdjustedScore(score, error * unit, _finite_or_none(raw))


def _degrees(table: _Table, candidate: int, share: Array, variance: float) -> float:
    """Satterthwaite's degrees of freedom, by how much of the variance comes from few items and few
    reviewers.
    """
    ratings = table.ratings
    slope = float((table.slope[candidate].mean(axis=1) * share).sum())
    chosen = (ratings.candidate == candidate) & (share[ratings.criterion] > 0)
    variances = table.fit.variances
    on_criterion = variances.get("reviewer on criterion", 0.0) * float((share**2).sum())
    wobble, left = 0.0, variance
    for of, spread in (
        (ratings.item, variances.get("item", 0.0)),
        (ratings.reviewer, variances.get("reviewer", 0.0) + on_criterion),
    ):
        part = np.bincount(of[chosen]) / max(int(chosen.sum()), 1)
        squares = float((part**2).sum())
        carried = slope**2 * spread * squares
        wobble += carried**2 / max(1 / squares - 1, 0.1)
        left -= carried
    wobble += max(left, 0.0) ** 2 / max(int(chosen.sum()) - 1, 1)
    return float(np.clip(variance**2 / wobble, 1.0, 1e6)) if wobble > 0 else 1e6


def _severities(table: _Table, level: float) -> dict[Hashable, Severity]:
    ratings, model = table.ratings, table.model
    reviewers, criteria = len(ratings.reviewers), len(ratings.criteria)
    scored = table.items > 0
    counts = np.maximum(scored.sum(axis=0), 1)[:, None]
    expected = np.where(scored[:, :, None], table.expected, 0.0).sum(axis=0) / counts
    slope = np.where(scored[:, :, None], table.slope, 0.0).sum(axis=0) / counts
    points = expected.mean(axis=1, keepdims=True) - expected
    border = table.fit.border
    gradients = np.zeros((reviewers, criteria, model.size - border))
    for reviewer in range(reviewers):
        for criterion in range(criteria):
            for column in table.reviewer_columns(reviewer, criterion):
                gradients[reviewer, criterion, column - border] += slope[criterion, reviewer]
    gradients -= gradients.mean(axis=0, keepdims=True)
    errors = table.errors(gradients.reshape(reviewers * criteria, -1)).reshape(reviewers, criteria)
    overall = table.errors(gradients.mean(axis=1))
    infits = _infits(table.fit)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    name = _severity_signature("severity", level)
    found: dict[Hashable, Severity] = {}
    for code, label in enumerate(ratings.reviewers):
        mine = ratings.reviewer == code
        by_criterion = {
            criterion: _severity(
                float(points[q, code] * table.unit[q]),
                z * float(errors[code, q] * table.unit[q]),
                int((mine & (ratings.criterion == q)).sum()),
                name,
            )
            for q, criterion in enumerate(ratings.criteria)
        }
        mean = float(points[:, code].mean())
        measure = _severity(mean, z * float(overall[code]), int(mine.sum()), name)
        found[label] = Severity(measure, float(overall[code]), by_criterion, float(infits[code]))
    return found


def _severity(value: float, reach: float, n: int, name: str) -> Measure:
    if not n:
        return Measure.undefined("no scores", signature=name)
    return Measure(value=value, n=n, low=value - reach, high=value + reach, signature=name)


def _infits(fit: Fit) -> Array:
    ratings, model = fit.model.ratings, fit.model
    chance = model.probabilities(fit.effects)
    mean = (chance * model.value).sum(axis=1)
    variance = (chance * (model.value - mean[:, None]) ** 2).sum(axis=1)
    squares = np.bincount(ratings.reviewer, weights=(model.observed - mean) ** 2)
    expected = np.bincount(ratings.reviewer, weights=variance)
    result: Array = squares / np.maximum(expected, 1e-12)
    return result
