"""Whether reviewers could identify what was hidden from them: Bang's blinding index."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.proportions import wilson_interval
from evalapp.stats.resampling import Interval, require_level
from evalapp.stats.scores import student_quantile


class Guess(NamedTuple):
    """A reviewer's belief about one output: ``belief``: tuned (True), not tuned (False), or unsure (None)."""

    reviewer: Hashable
    is_tuned: bool
    belief: bool | None

    @property
    def credit(self) -> int:
        """1 if right, -1 if wrong, 0 if unsure."""
        if self.belief is None:
            return 0
        return 1 if self.belief == self.is_tuned else -1


class BlindingIndex(NamedTuple):
    """The index of each arm, and ``overall``: the mean of the two."""

    overall: Measure
    tuned: Measure
    other: Measure


def blinding_index(guesses: Sequence[Guess], *, level: float = 0.95) -> BlindingIndex:
    """(right - wrong) / all answers, by arm: 0 for guessing, 1 if all are right, below 0 if mostly wrong.

    "Cannot tell" counts as neither. The overall index is the mean of the arms, so that believing every output
    to be tuned gives 0, whatever number of them is. ``n`` counts answers. The interval is the wider of two:
    Student's t over reviewers, by their contributions to the index (which accounts for reviewers who answered
    about one arm only, or more often about one), and Wilson's over answers (combined by MOVER for the mean of
    the arms), because a few reviewers who all answer alike prove little. Undefined for an arm without an
    answer. Sources: Bang, Ni and Davis (2004); Zou and Donner (2008).
    """
    require_level(level)
    tuned = _arm([guess for guess in guesses if guess.is_tuned], "tuned", level)
    other = _arm([guess for guess in guesses if not guess.is_tuned], "other", level)
    return BlindingIndex(_overall(guesses, tuned, other, level), tuned, other)


def _arm(guesses: Sequence[Guess], arm: str, level: float) -> Measure:
    name = signature("blinding-index", arm=arm, level=level)
    if not guesses:
        return Measure.undefined("no answer", signature=name)
    n = len(guesses)
    value = sum(guess.credit for guess in guesses) / n
    over_answers = _over_answers(value, n, level)
    over_reviewers = _over_reviewers(_shares_by_reviewer(guesses).values(), value, level)
    low, high = _wider(over_answers, over_reviewers)
    return Measure(value=value, n=n, low=low, high=high, note=over_reviewers.note, signature=name)


def _overall(guesses: Sequence[Guess], tuned: Measure, other: Measure, level: float) -> Measure:
    name = signature("blinding-index", arm="mean", level=level)
    if tuned.value is None or other.value is None:
        return Measure.undefined("answers about one kind of output only", n=len(guesses), signature=name)
    value = (tuned.value + other.value) / 2
    below, above = 0.0, 0.0
    for arm in (tuned, other):
        assert arm.value is not None
        low, high = _over_answers(arm.value, arm.n, level)
        below += (arm.value - low) ** 2
        above += (high - arm.value) ** 2
    over_answers = (value - math.sqrt(below) / 2, value + math.sqrt(above) / 2)
    halves: dict[Hashable, float] = defaultdict(float)
    for is_tuned in (True, False):
        of_arm = [guess for guess in guesses if guess.is_tuned is is_tuned]
        for reviewer, share in _shares_by_reviewer(of_arm).items():
            halves[reviewer] += share / 2
    over_reviewers = _over_reviewers(halves.values(), value, level)
    low, high = _wider(over_answers, over_reviewers)
    return Measure(value=value, n=len(guesses), low=low, high=high, note=over_reviewers.note, signature=name)


def _shares_by_reviewer(guesses: Sequence[Guess]) -> dict[Hashable, float]:
    """Each reviewer's contribution to the mean credit's deviation; the shares add up to 0."""
    mean = sum(guess.credit for guess in guesses) / len(guesses)
    shares: dict[Hashable, float] = defaultdict(float)
    for guess in guesses:
        shares[guess.reviewer] += (guess.credit - mean) / len(guesses)
    return shares


def _over_answers(value: float, n: int, level: float) -> tuple[float, float]:
    """Wilson's interval of the share of right answers, (1 + index) / 2, as an interval of the index."""
    low, high = wilson_interval((1 + value) / 2 * n, n, level=level)
    return 2 * low - 1, 2 * high - 1


def _over_reviewers(shares: Iterable[float], value: float, level: float) -> Interval:
    given = np.asarray(list(shares), dtype=np.float64)
    if given.size < 2:
        return Interval(None, None, "one reviewer: the interval is over their answers only")
    error = math.sqrt(given.size / (given.size - 1) * float(np.square(given).sum()))
    reach = student_quantile(level, given.size - 1) * error
    return Interval(value - reach, value + reach)


def _wider(first: tuple[float, float], second: Interval) -> tuple[float, float]:
    low, high = first
    if second.low is not None and second.high is not None:
        low, high = min(low, second.low), max(high, second.high)
    return max(-1.0, low), min(1.0, high)
