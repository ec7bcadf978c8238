"""How far new outputs, reviewers and the input mix moved from the baseline to a window of weeks.

The score of a new output depends on its model and on its reviewer, so a falling mean may come from either. An
*anchor* is an output of an earlier week that is reviewed again among the new ones: a change in the score of
the same text comes from the reviewers alone. The scores of both are fitted with columns for reviewers,
strata, the window's new outputs (the model's change) and each reviewer in the window (that reviewer's
change), and with random weeks and items (:mod:`evalapp.stats.nested_model`). Outputs must be assigned to
reviewers at random within strata.
"""

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evalapp.measure import Measure, signature
from evalapp.stats.nested_model import Contrast, NestedModel, fit_nested_model
from evalapp.stats.ratings import Codes
from evalapp.stats.resampling import Array
from evalapp.stats.strata import same_mix_p
from evalapp.stats.weekly_scores import WeeklyScores

#: With fewer scores of anchors in a window, the model's change is undefined.
FEWEST_ANCHORS = 5
NO_ANCHORS = f"fewer than {FEWEST_ANCHORS} scores of anchors in the window"
NOT_TOLD = "these reviewers and outputs cannot show it"
Chosen = npt.NDArray[np.bool_]


class Change(NamedTuple):
    """A measured change and its test; ``tested`` is None if it is undefined."""

    measure: Measure
    tested: Contrast | None

    def is_shown(self, alpha: float) -> bool:
        """Whether it is significant at a two-sided ``alpha``."""
        return self.p < alpha

    @property
    def value(self) -> float:
        return self.measure.value or 0.0

    @property
    def p(self) -> float:
        """Two-sided; 1 if undefined."""
        return 1.0 if self.tested is None else self.tested.p


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Changes in one window: window minus baseline, in points of score, two-sided.

    ``raw``: of the mean of new outputs. ``adjusted``: with strata and reviewers accounted for.
    ``model``: what remains of that after the reviewers' change on anchors.
    ``reviewers``: by reviewer, the change of scores of the same text; ``together``: their mean.
    ``apart``: by reviewer, the change relative to the mean of the others, which needs no anchors.
    ``mix``: the effect of changed shares of strata on the mean; ``mix_p``: of the shares alone (chi-square).
    ``anchors``: number of scores of anchors in the window.
    ``baseline_variance``: the part of the variance of a change of new outputs that comes from the baseline;
    it does not shrink in longer windows.
    """

    weeks: tuple[int, ...]
    raw: Change
    adjusted: Change
    model: Change
    together: Change
    reviewers: Mapping[Hashable, Change]
    apart: Mapping[Hashable, Change]
    mix: Change
    mix_p: float
    anchors: int
    baseline_variance: float
    fit: "WindowFit"


@dataclass(frozen=True, slots=True)
class WindowFit:
    """The fitted model of a window.

    Columns: one per reviewer (``people``), strata but the first, the window's new outputs, and the change of
    each reviewer in ``moved``, who are those that scored in both baseline and window.
    """

    model: NestedModel
    moved: tuple[Hashable, ...]
    columns: int
    people: int

    @property
    def new_outputs(self) -> int:
        """Column of the model's change."""
        return self.columns - len(self.moved) - 1

    def weights(self, *, model: float = 0.0, reviewers: Array | None = None) -> Array:
        """Weights of the coefficients for a combination of the model's change and those of the reviewers."""
        found = np.zeros(self.columns)
        found[self.new_outputs] = model
        if reviewers is not None:
            found[self.new_outputs + 1 :] = reviewers
        return found

    def contrast_if_estimable(self, weights: Array) -> Contrast | None:
        return self.model.contrast(weights) if self.model.can_tell(weights) else None

    def others(self, reviewer: Hashable) -> Array:
        """Weights of the mean over the other reviewers."""
        is_other = np.array([each != reviewer for each in self.moved])
        return is_other / max(int(is_other.sum()), 1)

    def misfit_of_one(self, *, has_anchors: bool) -> dict[Hashable, float]:
        """By reviewer, the chi-square of all reviewers' changes that is left if only that reviewer
        changed.
        """
        size = len(self.moved)
        telling = np.eye(size) if has_anchors else np.eye(size)[1:] - 1 / size
        of_columns = np.array([self.weights(reviewers=row) for row in telling])
        found = of_columns @ self.model.coefficients
        precision = np.linalg.pinv(of_columns @ self.model.covariance @ of_columns.T, hermitian=True)
        whole = float(found @ precision @ found)
        return {
            reviewer: whole - float(one @ precision @ found) ** 2 / float(one @ precision @ one)
            for reviewer, one in zip(self.moved, telling.T, strict=True)
        }


def evidence_of(
    scores: WeeklyScores, *, baseline: Collection[int], window: Collection[int], level: float
) -> Evidence | str:
    """Compare the ``window`` with the ``baseline``, or say why that is impossible.

    Intervals are at ``level``. Scores of other weeks, and of outputs from other weeks, are ignored: their
    changes are not in question.
    """
    rows = _Rows.of(scores, baseline=baseline, window=window)
    if not (rows.is_new & rows.in_window).any() or not (rows.is_new & ~rows.in_window).any():
        return "no new outputs were scored in the window, or in the baseline"
    fit = _fit_window(rows)
    if isinstance(fit, str):
        return fit
    namer = _ChangeNamer(level, int(rows.is_new.sum()))
    size, anchors = len(fit.moved), int(rows.is_anchor.sum())
    enough = anchors >= FEWEST_ANCHORS
    no_anchors = "" if enough else NO_ANCHORS
    mean, one = np.full(size, 1 / max(size, 1)), np.eye(size)

    def of(name: str, weights: Array, reason: str = "") -> Change:
        contrast = None if reason else fit.contrast_if_estimable(weights)
        return namer.change(name, contrast, reason or NOT_TOLD)

    return Evidence(
        weeks=tuple(sorted(window)),
        raw=_raw_change(rows, fit, namer),
        adjusted=of("adjusted-change", fit.weights(model=1.0, reviewers=mean)),
        model=of("model-change", fit.weights(model=1.0), no_anchors),
        together=of(
            "reviewers-change", fit.weights(reviewers=mean), no_anchors or ("" if size else NOT_TOLD)
        ),
        reviewers={
            each: of("reviewer-change", fit.weights(reviewers=one[place]), no_anchors)
            for place, each in enumerate(fit.moved)
        },
        apart={
            each: of("reviewer-apart", fit.weights(reviewers=one[place] - fit.others(each)))
            for place, each in enumerate(fit.moved)
            if size > 1
        },
        mix=_mix_change(rows, fit, namer),
        mix_p=same_mix_p([rows.counts(in_window=each) for each in (False, True)], range(len(scores.strata))),
        anchors=anchors,
        baseline_variance=_baseline_variance(rows, fit),
        fit=fit,
    )


class _ChangeNamer(NamedTuple):
    level: float
    n: int

    def change(self, name: str, tested: Contrast | None, reason: str = "") -> Change:
        label = signature(name, level=self.level)
        if tested is None:
            return Change(Measure.undefined(reason, n=self.n, signature=label), None)
        reach, value = tested.reach(self.level), tested.value
        measure = Measure(value=value, n=self.n, low=value - reach, high=value + reach, signature=label)
        return Change(measure, tested)


class _Rows(NamedTuple):
    """Scores of baseline and window, with the week each item comes from.

    ``is_anchor``: an output of the baseline that was scored in the window.
    """

    scores: WeeklyScores
    origin: Codes
    in_window: Chosen
    is_new: Chosen
    is_anchor: Chosen

    @classmethod
    def of(cls, scores: WeeklyScores, *, baseline: Collection[int], window: Collection[int]) -> "_Rows":
        weeks, own = np.array(sorted({*baseline, *window})), np.array(sorted(window))
        origin = scores.origins()
        keep = np.isin(scores.week, weeks) & np.isin(origin, weeks) & (origin <= scores.week)
        part, origin = scores.only(keep), origin[keep]
        in_window = np.isin(part.week, own)
        return cls(part, origin, in_window, origin == part.week, in_window & ~np.isin(origin, own))

    def counts(self, *, in_window: bool) -> dict[int, int]:
        """Number of new outputs by stratum; an output with several reviewers counts once."""
        rows = self.is_new & (self.in_window == in_window)
        first = np.unique(self.scores.item[rows], return_index=True)[1]
        return dict(enumerate(np.bincount(self.scores.stratum[rows][first]).tolist()))


def _fit_window(rows: _Rows) -> WindowFit | str:
    part, in_window = rows.scores, rows.in_window
    people, reviewer = np.unique(part.reviewer, return_inverse=True)
    kinds, stratum = np.unique(part.stratum, return_inverse=True)
    by_person = np.eye(people.size)[reviewer]
    in_both = (by_person[in_window].sum(axis=0) > 0) & (by_person[~in_window].sum(axis=0) > 0)
    columns = np.column_stack(
        [
            by_person,
            np.eye(kinds.size)[stratum][:, 1:],
            (in_window & ~rows.is_anchor).astype(np.float64),
            (by_person * in_window[:, None])[:, in_both],
        ]
    )
    first = np.unique(part.item, return_index=True)[1]
    weeks = np.unique(rows.origin[first], return_inverse=True)[1]
    model = fit_nested_model(part.score, columns, part.item, weeks)
    if isinstance(model, str):
        return model
    moved = tuple(part.reviewers[code] for code in people[in_both].tolist())
    return WindowFit(model=model, moved=moved, columns=columns.shape[1], people=people.size)


def _raw_change(rows: _Rows, fit: WindowFit, namer: _ChangeNamer) -> Change:
    """The variance between weeks is taken from the fit, that between outputs from the scores."""
    part = rows.scores
    sides = [rows.is_new & (rows.in_window == side) for side in (True, False)]
    centred = part.score.copy()
    for side in sides:
        centred[side] -= part.score[side].mean()
    every = sides[0] | sides[1]
    single = float((centred[every] ** 2).sum()) / max(int(every.sum()) - 2, 1)
    weeks = [np.unique(part.week[side]).size for side in sides]
    variance = sum(
        single / int(side.sum()) + fit.model.variances[2] / number
        for side, number in zip(sides, weeks, strict=True)
    )
    value = float(part.score[sides[0]].mean() - part.score[sides[1]].mean())
    return namer.change("raw-change", Contrast(value, math.sqrt(variance), max(sum(weeks) - 2, 1)))


def _baseline_variance(rows: _Rows, fit: WindowFit) -> float:
    """Variance of the mean of the baseline's new outputs."""
    rest, of_item, of_week = fit.model.variances
    side = rows.is_new & ~rows.in_window
    return (rest + of_item) / int(side.sum()) + of_week / np.unique(rows.scores.week[side]).size


def _mix_change(rows: _Rows, fit: WindowFit, namer: _ChangeNamer) -> Change:
    """Change of the mean through the shares of strata: every new output is scored as its stratum's level."""
    kinds, stratum = np.unique(rows.scores.stratum, return_inverse=True)
    levels = np.append(0.0, fit.model.coefficients[fit.people : fit.people + kinds.size - 1])[stratum]
    sides = [levels[rows.is_new & (rows.in_window == side)] for side in (True, False)]
    variance = sum(float(side.var()) / side.size for side in sides)
    if variance <= 1e-12:
        return namer.change("mix-change", None, "one stratum")
    value = float(sides[0].mean() - sides[1].mean())
    degrees = sum(side.size for side in sides) - 2
    return namer.change("mix-change", Contrast(value, math.sqrt(variance), degrees))
