"""Compared answers of which the preferences differ, those farthest apart first, as lists show them."""

from typing import NamedTuple

from evalapp.analysis.pairwise.pair_lists import PreferenceLine, as_lines
from evalapp.analysis.pairwise.pairs import PreferenceRow, Preferences
from evalapp.reviews.preferences.distance import Apart, told_apart


class ApartLines(NamedTuple):
    """Preferences that differ, with what a list shows of each."""

    apart: Apart[PreferenceRow]
    lines: list[PreferenceLine]


def differing_preferences(preferences: Preferences) -> list[Apart[PreferenceRow]]:
    """`told_apart` of a campaign's preferences as they are analysed."""
    return told_apart(preferences.rows)


def with_lines(preferences: Preferences, chosen: list[Apart[PreferenceRow]]) -> list[ApartLines]:
    """Read for these alone."""
    lines = iter(as_lines(preferences, [row for each in chosen for row in each.rows]))
    return [ApartLines(each, [next(lines) for _ in each.rows]) for each in chosen]
