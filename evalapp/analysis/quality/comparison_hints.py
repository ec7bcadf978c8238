"""Hints about reviewers who compare answers: always the same side or preference, or preferences unlike the
others'.

Counterparts of the hints about ratings, which also provide the shared ones (speed, progress, gold, repeats).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from evalapp.analysis.pairwise.pairs import PreferenceRow, pair_preferences
from evalapp.analysis.quality.hints import (
    LEAST_FOR_SAMENESS,
    LEAST_SHARED,
    LEVEL,
    NOTABLE_DISTANT_SHARE,
    SAME_SHARE,
    Hint,
    HintFunction,
    Quality,
    behind_hints,
    gold_drift_hints,
    gold_hints,
    repeat_hints,
    repeat_side_hints,
    too_fast_hints,
)
from evalapp.measure import Measure
from evalapp.reviews.preferences.models import Choice
from evalapp.stats.pairs import first_side_share
from evalapp.stats.panel import DistantShares, distant_shares
from evalapp.stats.proportions import wilson
from evalapp.stats.ratings import Ratings

# Sides are balanced, so half of the preferences are for the answer shown first, however the candidates
# differ.
EVEN = 0.5
NOTABLE_SIDE = 0.15
UNDECIDED = {Choice.TIE: "equally good", Choice.BOTH_BAD: "both bad"}


class ReviewerPreferences(NamedTuple):
    """One reviewer's preferences. ``first_side``: the share for the answer shown first, with an interval over
    items. ``seconds``: median active seconds of the latest timed ones, None without any. ``ties`` and
    ``both_bad`` are 0 in rankings.
    """

    reviewer_id: int
    number: int
    preferences: int
    ties: int
    both_bad: int
    first_side: Measure
    seconds: float | None


def preferences_by_reviewer(quality: Quality) -> list[ReviewerPreferences]:
    """All reviewers with a comparison, in order of number."""
    found = []
    for reviewer_id, rows in _by_reviewer(quality).items():
        choices = Counter(row.choice for row in rows)
        reading = quality.reading.get(reviewer_id)
        found.append(
            ReviewerPreferences(
                reviewer_id,
                quality.number(reviewer_id),
                len(rows),
                choices[Choice.TIE],
                choices[Choice.BOTH_BAD],
                first_side_share(pair_preferences(rows)),
                reading.seconds if reading else None,
            )
        )
    return sorted(found, key=lambda each: each.number)


def _by_reviewer(quality: Quality) -> dict[int, list[PreferenceRow]]:
    found: dict[int, list[PreferenceRow]] = defaultdict(list)
    for row in quality.preferences.rows if quality.preferences else ():
        found[row.reviewer_id].append(row)
    return found


def side_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers whose preferences go to one side significantly more often than balanced sides explain."""
    for reviewer_id, rows in _by_reviewer(quality).items():
        preferring = [row for row in rows if row.choice not in UNDECIDED]
        share = first_side_share(pair_preferences(preferring), level=LEVEL)
        if (
            len(preferring) < LEAST_FOR_SAMENESS
            or share.value is None
            or share.low is None
            or share.high is None
        ):
            continue
        if abs(share.value - EVEN) < NOTABLE_SIDE or share.low <= EVEN <= share.high:
            continue
        is_first = share.value > EVEN
        is_always = abs(share.value - EVEN) >= SAME_SHARE - EVEN
        yield Hint(
            "one_side",
            "Always the same side" if is_always else "Prefers one side",
            reviewer_id,
            _side_words(share, preferring, is_first=is_first),
            {"reviewer": quality.number(reviewer_id), "side": "first" if is_first else "other"},
        )


def _side_words(share: Measure, rows: Sequence[PreferenceRow], *, is_first: bool) -> str:
    value, low, high = share.value or 0.0, share.low or 0.0, share.high or 0.0
    if not is_first:
        value, low, high = 1 - value, 1 - high, 1 - low
    which = "shown first" if is_first else "shown later"
    if rows[0].ranks is not None:
        what = f"the answer {which} put above the other in {value:.0%} of the pairs of {len(rows)} rankings"
    else:
        letter = "A" if is_first else "B"
        times = sum(row.choice == (Choice.A if is_first else Choice.B) for row in rows)
        what = f"“{letter} is better” in {times} of {len(rows)} preferences"
    return (
        f"{what[0].upper()}{what[1:]} ({low:.0%}–{high:.0%} over items, 99%); sides are balanced, so 50% is"
        " expected whichever candidate is better."
    )


def same_preference_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers who call nearly all answers equally good, or both bad, where others prefer one."""
    given = _by_reviewer(quality)
    for reviewer_id, own in given.items():
        if len(own) < LEAST_FOR_SAMENESS:
            continue
        choice, times = Counter(row.choice for row in own).most_common(1)[0]
        shared = {row.comparison_id for row in own}
        others = [
            row.choice
            for other, rows in given.items()
            if other != reviewer_id
            for row in rows
            if row.comparison_id in shared
        ]
        if choice not in UNDECIDED or times < SAME_SHARE * len(own) or len(others) < LEAST_SHARED:
            continue
        mine = wilson(times, len(own), level=LEVEL)
        theirs = wilson(others.count(choice), len(others), level=LEVEL)
        if mine.low is not None and theirs.high is not None and mine.low > theirs.high:
            yield Hint(
                "same_answer",
                "Always the same answer",
                reviewer_id,
                f"“{Choice(choice).label}” in {times} of {len(own)} comparisons; others said so in "
                f"{others.count(choice)} of {len(others)} about the same answers.",
                {"reviewer": quality.number(reviewer_id)},
            )


def disagreeing_preference_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers whose preferences differ from their co-reviewers' more often than those differ among
    themselves.
    """
    rows = quality.preferences.rows if quality.preferences else []
    if not rows:
        return
    ratings = Ratings.from_columns(
        [row.comparison_id for row in rows],
        [row.reviewer_id for row in rows],
        [_as_code(row) for row in rows],
    )
    words = "another answer first than" if rows[0].ranks is not None else "another preference than"
    panel = cast(dict[int, DistantShares], distant_shares(ratings, tolerance=0.0, level=LEVEL))
    for reviewer_id, (own, rest) in panel.items():
        if own.value is None or rest.value is None or own.low is None:
            continue
        is_notable = own.value - rest.value >= NOTABLE_DISTANT_SHARE and own.low > rest.value
        if own.n < LEAST_SHARED or rest.n < LEAST_SHARED or not is_notable:
            continue
        yield Hint(
            "disagreement",
            "Disagrees",
            reviewer_id,
            f"{words[0].upper()}{words[1:]} a co-reviewer's {own.value:.0%} of the time on {own.n} shared"
            f" comparisons ({own.low:.0%}–{own.high:.0%}, 99%); the others among themselves {rest.value:.0%}"
            f" on {rest.n}.",
            {"reviewer": quality.number(reviewer_id)},
        )


def _as_code(row: PreferenceRow) -> float:
    """A preference as a number, whatever the sides: the candidate put first, or below 0 for none."""
    if row.best is not None:
        return float(row.best)
    return -1.0 if row.choice == Choice.TIE else -2.0


HINTS_OF_COMPARISONS: list[HintFunction] = [
    behind_hints,
    too_fast_hints,
    side_hints,
    same_preference_hints,
    disagreeing_preference_hints,
    gold_hints,
    gold_drift_hints,
    repeat_hints,
    repeat_side_hints,
]
"""The hints of campaigns that compare answers, in the order of the page."""
