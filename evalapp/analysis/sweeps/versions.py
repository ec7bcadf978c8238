"""The effect of dataset versions on a sweep's trainings: more rows, better rows, or undecided."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from evalapp.analysis.sweeps.curve import NOT_YET, moved_words, steps_words
from evalapp.analysis.sweeps.measures import MeasureChoice
from evalapp.datasets.diff import TrainingChanges, training_changes
from evalapp.datasets.models import DatasetVersion
from evalapp.runs.sweeps.results import SweepTable, words_without
from evalapp.runs.training.axes import SEED, VERSION
from evalapp.stats.learning_curve import CurvePoint, Gain, Observation, curve_points, pooled_deviation

GROWN = 1.2
"""Smallest ratio of training rows that counts as more rows."""
REWORKED = 0.1
"""Share of the earlier version's training rows that must be changed or removed to count as other rows."""


class VersionPoint(NamedTuple):
    version: DatasetVersion
    point: CurvePoint


class VersionStep(NamedTuple):
    """One version and the next that trainings of the sweep used; a positive ``gain`` is better."""

    before: VersionPoint
    after: VersionPoint
    gain: Gain
    changes: TrainingChanges

    @property
    def has_more(self) -> bool:
        return self.after.point.examples >= GROWN * self.before.point.examples

    @property
    def is_reworked(self) -> bool:
        changes = self.changes
        before = changes.kept + changes.changed + changes.removed
        return changes.changed + changes.removed >= REWORKED * before > 0


class SettingsVersions(NamedTuple):
    """The steps of one combination of the other settings; ``words`` is empty if there is only one."""

    words: str
    points: list[VersionPoint]
    steps: list[VersionStep]
    answer: list[str]


def over_versions(
    table: SweepTable, measure: MeasureChoice, values: Mapping[int, float]
) -> list[SettingsVersions]:
    """The measure over dataset versions, for each combination of the other settings.

    ``values``: the measure by run. The spread over seeds is pooled over versions.
    """
    versions = {row.run.dataset_version.number: row.run.dataset_version for row in table.rows}
    by_words: dict[str, list[Observation]] = defaultdict(list)
    for row in table.rows:
        if row.examples and row.run.pk in values:
            number = row.run.dataset_version.number
            seen = Observation(number, row.examples, values[row.run.pk], row.steps, row.is_improving)
            by_words[words_without(row.combination, SEED, VERSION)].append(seen)
    return [_settings_versions(words, seen, versions, measure) for words, seen in by_words.items()] or [
        SettingsVersions("", [], [], [NOT_YET])
    ]


def _settings_versions(
    words: str,
    seen: Sequence[Observation],
    versions: Mapping[int, DatasetVersion],
    measure: MeasureChoice,
) -> SettingsVersions:
    points = [VersionPoint(versions[int(point.share)], point) for point in curve_points(seen)]
    spread = pooled_deviation(seen)
    steps = [_step(before, after, measure, spread) for before, after in pairwise(points)]
    answer = [_step_sentence(step, measure) for step in steps] or [
        f"This measure is known only for {points[0].version} so far."
    ]
    return SettingsVersions(words, points, steps, answer)


def _step(
    before: VersionPoint, after: VersionPoint, measure: MeasureChoice, spread: float | None
) -> VersionStep:
    total = after.point.mean - before.point.mean
    error = None if spread is None else spread * math.sqrt(1 / before.point.runs + 1 / after.point.runs)
    gain = Gain(before.point, after.point, -total if measure.lower_is_better else total, error)
    return VersionStep(before, after, gain, training_changes(after.version, before.version))


def _step_sentence(step: VersionStep, measure: MeasureChoice) -> str:
    changes = step.changes
    change_words = (
        f"v{step.before.version.number} to v{step.after.version.number}"
        f" ({changes.added:,} training rows added, {changes.changed:,} changed, {changes.removed:,} removed):"
        f" {moved_words(step.gain, measure)}."
    )
    parts = [change_words, _step_reason(step), steps_words(step.gain)]
    if step.gain.is_beyond_chance is None:
        parts.append("With only one seed, this difference may be chance; two more seeds would show it.")
    return " ".join(part for part in parts if part)


def _step_reason(step: VersionStep) -> str:
    if step.gain.is_beyond_chance is False:
        return "These trainings do not show whether these rows help."
    if step.gain.total <= 0:
        return "These rows did not help."
    if step.has_more and step.is_reworked:
        return (
            "The version has more rows and different rows, so it is unclear which of the two helped."
            " Dataset recipes with the same limit for both versions would show it."
        )
    if step.has_more:
        return "More rows of the same kind helped."
    return "Better rows helped; their number did not grow."
