"""Lists of comparisons on which reviewers' preferences differ."""

from typing import NamedTuple

from evalapp.analysis.pairwise.pair_lists import PreferenceLine, as_lines
from evalapp.analysis.pairwise.pairs import PreferenceRow, Preferences
from evalapp.reviews.preferences.distance import DifferingPreferences


class DifferingPreferenceLines(NamedTuple):
    """Differing preferences, with the details that a list shows."""

    differing: DifferingPreferences[PreferenceRow]
    lines: list[PreferenceLine]


def with_lines(
    preferences: Preferences, chosen: list[DifferingPreferences[PreferenceRow]]
) -> list[DifferingPreferenceLines]:
    """The details, read for these preferences only."""
    lines = iter(as_lines(preferences, [row for each in chosen for row in each.rows]))
    return [DifferingPreferenceLines(each, [next(lines) for _ in each.rows]) for each in chosen]
