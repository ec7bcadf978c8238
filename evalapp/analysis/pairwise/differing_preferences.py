"""Lists of compared answers whose reviewers preferred different ones."""

from typing import NamedTuple

from evalapp.analysis.pairwise.pair_lists import PreferenceLine, as_lines
from evalapp.analysis.pairwise.pairs import PreferenceRow, Preferences
from evalapp.reviews.preferences.distance import DifferingPreferences


class DifferingPreferenceLines(NamedTuple):
    """Preferences that differ, with what a list shows of each."""

    apart: DifferingPreferences[PreferenceRow]
    lines: list[PreferenceLine]


def with_lines(
    preferences: Preferences, chosen: list[DifferingPreferences[PreferenceRow]]
) -> list[DifferingPreferenceLines]:
    """Read for these alone."""
    lines = iter(as_lines(preferences, [row for each in chosen for row in each.rows]))
    return [DifferingPreferenceLines(each, [next(lines) for _ in each.rows]) for each in chosen]
