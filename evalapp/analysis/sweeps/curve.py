"""The learning curve of a sweep, and its conclusion about more examples."""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from evalapp.analysis.sweeps.measures import MeasureChoice
from evalapp.charts.chart import Chart, joined_clauses
from evalapp.charts.curves import SpreadCurve, SpreadPoint, spread_curves
from evalapp.runs.sweeps.results import SweepTable, words_without
from evalapp.runs.training.axes import SEED, SHARE
from evalapp.stats.learning_curve import CurvePoint, Gain, Observation, curve_points, gains

LITTLE = 0.01
"""A gain below this share of the measure is small, even if it is significant."""


class SettingsCurve(NamedTuple):
    """The curve of one combination of the other settings; ``words`` is empty if there is only one."""

    words: str
    points: list[CurvePoint]
    gains: list[Gain]


class LearningCurve(NamedTuple):
    """``answer``: sentences on whether more examples would help, one per curve; ``chart``: None with fewer
    than two points.
    """

    measure: MeasureChoice
    courses: list[SettingsCurve]
    answer: list[str]
    chart: Chart | None


def learning_curve(table: SweepTable, measure: MeasureChoice, values: Mapping[int, float]) -> LearningCurve:
    """The learning curves of a sweep; ``values``: the measure by run."""
    by_words: dict[str, list[Observation]] = defaultdict(list)
    for row in table.rows:
        if row.examples and row.run.pk in values:
            words = words_without(row.combination, SEED, SHARE)
            seen = Observation(row.share, row.examples, values[row.run.pk], row.steps, row.is_improving)
            by_words[words].append(seen)
    courses = []
    for words, observations in by_words.items():
        points = curve_points(observations)
        found = gains(observations, lower_is_better=measure.lower_is_better, points=points)
        courses.append(SettingsCurve(words, points, found))
    answer = [_answer(course, measure) for course in courses]
    return LearningCurve(measure, courses, answer or [NOT_YET], _chart(courses, measure))


NOT_YET = "No answer yet: no finished training of this sweep has this measure."


def _answer(course: SettingsCurve, measure: MeasureChoice) -> str:
    preference = _preference(course, measure)
    return (
        f"{course.words[:1].upper()}{course.words[1:]}: {preference[:1].lower()}{preference[1:]}"
        if course.words
        else preference
    )


def _preference(course: SettingsCurve, measure: MeasureChoice) -> str:
    if not course.gains:
        sizes = joined_clauses([f"{point.examples:,.0f}" for point in course.points])
        return (
            "No answer about more examples yet: this measure is known for only one data size"
            f" ({sizes.rstrip('.')} examples), and a curve needs two clearly different sizes."
        )
    last = course.gains[-1]
    parts = [_opening(last), _change_sentence_end(last, measure), steps_words(last)]
    if last.is_beyond_chance is None:
        parts.append("With only one seed, this difference may be chance; two more seeds would show it.")
    if len(course.gains) == 1:
        parts.append("Two sizes give a line, not a curve; a third size would show whether the gain shrinks.")
    else:
        parts.append(_trend(course.gains[-2], last))
    return " ".join(part for part in parts if part)


def _opening(last: Gain) -> str:
    is_little = abs(last.per_doubling) < LITTLE * abs(last.before.mean)
    if last.is_beyond_chance is False:
        return "These trainings do not show whether more examples help:"
    if last.total <= 0:
        return "More of the same examples do not seem to help:"
    if is_little:
        return "More of the same examples would change little:"
    if last.may_be_steps:
        return "More examples, or more steps on the same ones, may still help:"
    return (
        "More examples would probably still help:"
        if last.is_beyond_chance
        else "More examples may still help:"
    )


def _change_sentence_end(last: Gain, measure: MeasureChoice) -> str:
    before, after = last.before, last.after
    doubled = ""
    if after.mean != before.mean:
        doubled = (
            f", {_number(abs(last.per_doubling))} {'better' if last.total > 0 else 'worse'} for each doubling"
        )
    sizes = f"from {before.examples:,.0f} to {after.examples:,.0f}"
    return f"{sizes} {moved_words(last, measure, then=doubled)}."


def moved_words(gain: Gain, measure: MeasureChoice, then: str = "") -> str:
    """The change of the measure, ``then`` what follows, and whether the change is significant."""
    before, after = gain.before, gain.after
    name = measure.label_within
    if after.mean == before.mean:
        moved = f"stayed at {_number(after.mean)}"
    else:
        word = "fell" if after.mean < before.mean else "rose"
        moved = f"{word} from {_number(before.mean)} to {_number(after.mean)}"
    chance = ""
    if gain.standard_error is not None:
        word = "beyond" if gain.is_beyond_chance else "within"
        chance = f", {word} the spread between seeds (about ±{2 * gain.standard_error:.2g})"
    return f"the {name} {moved}{then}{chance}"


def steps_words(gain: Gain) -> str:
    """Other possible causes of the gain, and how to tell."""
    if not gain.may_be_steps:
        return ""
    before, after = gain.before, gain.after
    which = "all" if before.improving == before.runs else f"{before.improving} of {before.runs}"
    return (
        f"But these trainings also took more optimiser steps ({after.steps or 0:,.0f} instead of"
        f" {before.steps or 0:,.0f}), and of the earlier trainings {which} had their lowest validation loss"
        " at the last step, so more steps may be what helped. A sweep with the same number of steps (max"
        " steps) would show it."
    )


def _trend(before: Gain, last: Gain) -> str:
    """The last gain compared with the one before, and where the trend leads."""
    previous_words = f"The previous doubling gained {_number(before.per_doubling)}"
    if before.per_doubling <= 0 or last.per_doubling <= 0 or last.is_beyond_chance is False:
        return f"{previous_words}." if before.per_doubling > 0 else ""
    ratio = last.per_doubling / before.per_doubling
    if ratio >= 1:
        return f"{previous_words}: the gain does not shrink yet."
    doublings = math.log2(last.after.examples / last.before.examples)
    coming = last.per_doubling * ratio ** max(1.0, doublings)
    return (
        f"{previous_words}: the gain shrinks. If this continues, doubling to"
        f" {2 * last.after.examples:,.0f} would gain about {_number(coming)}."
    )


def _number(value: float) -> str:
    return f"{value:.3g}"


def _chart(courses: list[SettingsCurve], measure: MeasureChoice) -> Chart | None:
    curves = [
        SpreadCurve(
            course.words or measure.label,
            [
                SpreadPoint(point.examples, point.mean, point.low, point.high, point.runs)
                for point in course.points
            ],
        )
        for course in courses
        if course.points
    ]
    if sum(len(curve.points) for curve in curves) < 2:
        return None
    parts = [
        f"{curve.label[:1].upper()}{curve.label[1:]}:"
        f" {', '.join(f'{_number(point.y)} with {point.x:,.0f} examples' for point in curve.points)}"
        for curve in curves
    ]
    return spread_curves(curves, x="Examples trained on", y=measure.label, says=joined_clauses(parts))
