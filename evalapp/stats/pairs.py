"""Pairwise preferences: win rates, the effect of the side, and Bradley–Terry strengths.

A *pair preference* is one reviewer's preference between two candidates of one item. Its ``points`` are those
of the first candidate: 1 for a win, 0 for a loss, 0.5 for a tie, None if both were called bad. A tie counts
half to each; preferences of "both bad" do not say which is better, and are left out and counted.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.proportions import wilson_interval
from evalapp.stats.rank_intervals import PairTest, Rank, ranks
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import FOR_THIS_PANEL, student_quantile

# Half a win for either side of every compared pair, so that a candidate that won all has a finite strength;
# Jeffreys' prior for one share.
PRIOR = 0.5
_MOST_STEPS = 50
_LONGEST_STEP = 2.0
_CONVERGED = 1e-9

NO_PREFERENCES = "there are no preferences for one of the two"
NO_CHAIN = "no chain of comparisons links the candidates"


class PairPreference(NamedTuple):
    """``first`` and ``second`` are candidates; ``points`` are those of the first."""

    item: Hashable
    reviewer: Hashable
    first: Hashable
    second: Hashable
    points: float | None


def preference_win_rate(pairs: Sequence[PairPreference], *, level: float = 0.95) -> Measure:
    """Share of wins of the first candidate over the second; ties count half.

    All pairs must be of the same two candidates in the same order. Mean over items; ``n`` counts items. The
    interval is Wilson's at the number of independent preferences with the same standard error over items, so
    preferences of one item that agree count once. It is about new items and these reviewers.
    """
    name = signature("preference-win-rate", ties="half", interval="wilson-items", level=level)
    return _share(pairs, [pair.points for pair in pairs], name, level)


def both_bad_share(pairs: Sequence[PairPreference], *, level: float = 0.95) -> Measure:
    """Share of preferences that call both bad, with the same interval as `preference_win_rate`."""
    name = signature("both-bad-share", interval="wilson-items", level=level)
    return _share(pairs, [float(pair.points is None) for pair in pairs], name, level)


def first_side_share(pairs: Sequence[PairPreference], *, level: float = 0.95) -> Measure:
    """Among preferences for one of the two, the share for the candidate shown first on the screen.

    ``first`` of each pair is the candidate shown first. With balanced sides, 0.5 means that the position has
    no effect, whichever candidate is better. ``n`` counts items.
    """
    name = signature("first-side-share", interval="wilson-items", level=level)
    decided = [pair.points if pair.points in (0.0, 1.0) else None for pair in pairs]
    return _share(pairs, decided, name, level)


def agreeing_shares(pairs: Iterable[PairPreference]) -> dict[Hashable, float]:
    """By item: share of every two preferences on the same two candidates that say the same.

    An item with a single preference on each pair is missing.
    """
    outcomes: dict[tuple[Hashable, frozenset[Hashable]], list[Hashable]] = {}
    for pair in pairs:
        same = outcomes.setdefault((pair.item, frozenset((pair.first, pair.second))), [])
        # The winner by name, so that it does not depend on the side.
        winner = pair.first if pair.points == 1 else pair.second
        same.append(winner if pair.points in (0.0, 1.0) else pair.points)
    agreeing: dict[Hashable, list[int]] = {}
    for (item, _), preferences in outcomes.items():
        for one, other in combinations(preferences, 2):
            agreeing.setdefault(item, []).append(one == other)
    return {item: sum(same) / len(same) for item, same in agreeing.items()}


def _share(
    pairs: Sequence[PairPreference], values: Sequence[float | None], name: str, level: float
) -> Measure:
    require_level(level)
    by_item: dict[Hashable, list[float]] = {}
    for pair, value in zip(pairs, values, strict=True):
        if value is not None:
            by_item.setdefault(pair.item, []).append(value)
    if not by_item:
        return Measure.undefined(NO_PREFERENCES, signature=name)
    means = np.array([sum(own) / len(own) for own in by_item.values()])
    share = float(means.mean())
    effective = _effective_preferences(means, sum(map(len, by_item.values())), level)
    low, high = wilson_interval(share * effective, effective, level=level)
    return Measure(value=share, n=means.size, low=low, high=high, signature=name, note=FOR_THIS_PANEL)


def _effective_preferences(means: Array, preferences: int, level: float) -> float:
    """Number of independent preferences with the same standard error as these items (Korn and Graubard
    1998).
    """
    share, items = float(means.mean()), means.size
    spread = float(means.var(ddof=1)) / items if items > 1 else 0.0
    if spread == 0:
        return float(items)
    ratio = NormalDist().inv_cdf(0.5 + level / 2) / student_quantile(level, items - 1)
    return min(max(share * (1 - share) / spread * ratio**2, 1.0), float(preferences))


def bradley_terry(
    pairs: Sequence[PairPreference], candidates: Sequence[Hashable], *, level: float = 0.95
) -> dict[Hashable, Measure]:
    """Log strength of each candidate; their mean is 0, so 0 is average.

    A candidate beats another with probability 1 / (1 + exp(the other's strength − its own)). Maximum
    likelihood with half a win to either side of each compared pair. The interval is Student's over items,
    from the larger of two variances: that of the items' score contributions (White's sandwich), and that of
    as many independent preferences (the inverse information), because a candidate that wins nearly everything
    looks the same on every item. ``n`` counts items. Undefined while the comparisons do not link all
    candidates. Source: Bradley and Terry (1952); ties count half.
    """
    require_level(level)
    name = signature("bradley-terry", prior=PRIOR, interval="clustered-student", level=level)
    fitted = _fitted(pairs, candidates)
    if isinstance(fitted, str):
        return {candidate: Measure.undefined(fitted, signature=name) for candidate in candidates}
    found = {}
    if fitted.items < 2:
        reaches, note = [None] * len(candidates), "no interval: one item"
    else:
        errors = np.sqrt(np.maximum(*(np.diag(each) for each in fitted.covariances)))
        reaches, note = (student_quantile(level, fitted.items - 1) * errors).tolist(), FOR_THIS_PANEL
    for candidate, value, reach in zip(candidates, fitted.strengths.tolist(), reaches, strict=True):
        low, high = (None, None) if reach is None else (value - reach, value + reach)
        found[candidate] = Measure(value=value, n=fitted.items, low=low, high=high, note=note, signature=name)
    return found


def strength_ranks(pairs: Sequence[PairPreference], candidates: Sequence[Hashable]) -> dict[Hashable, Rank]:
    """Ranks of the candidates by strength, from tests of the differences of all pairs.

    Student's t over items, with the larger of the two variances of `bradley_terry`. Empty if that has no
    interval.
    """
    fitted = _fitted(pairs, candidates)
    if isinstance(fitted, str) or fitted.items < 2:
        return {}
    from scipy.special import stdtr

    tests = {}
    for (one, first), (other, second) in combinations(enumerate(candidates), 2):
        difference = float(fitted.strengths[one] - fitted.strengths[other])
        error = math.sqrt(
            max(own[one, one] + own[other, other] - 2 * own[one, other] for own in fitted.covariances)
        )
        p = float(2 * stdtr(fitted.items - 1, -abs(difference) / error))
        tests[first, second] = PairTest(difference, p)
    return ranks(candidates, tests)


class _Fitted(NamedTuple):
    """``covariances``: from the items' score contributions, and from as many independent preferences; empty
    with fewer than two ``items``.
    """

    strengths: Array
    covariances: tuple[Array, ...]
    items: int


def _fitted(pairs: Sequence[PairPreference], candidates: Sequence[Hashable]) -> _Fitted | str:
    """The fitted strengths, or why there are none."""
    wins = _wins_by_item(pairs, candidates)
    total = wins.sum(axis=0)
    compared = (total + total.T) > 0
    if len(candidates) < 2 or not _is_linked(compared):
        return NO_CHAIN if compared.any() else NO_PREFERENCES
    tabled = total + PRIOR * compared
    strengths, items = _strengths(tabled), wins.shape[0]
    return _Fitted(strengths, _covariances(wins, tabled, strengths) if items > 1 else (), items)


def _wins_by_item(pairs: Sequence[PairPreference], candidates: Sequence[Hashable]) -> Array:
    """Wins by item × winner × loser, ties half each; items without a decided pair have no row."""
    position = {candidate: code for code, candidate in enumerate(candidates)}
    decided = [pair for pair in pairs if pair.points is not None]
    items: dict[Hashable, int] = {}
    for pair in decided:
        items.setdefault(pair.item, len(items))
    wins = np.zeros((len(items), len(candidates), len(candidates)))
    for pair in decided:
        row, first, second = items[pair.item], position[pair.first], position[pair.second]
        wins[row, first, second] += pair.points or 0.0
        wins[row, second, first] += 1 - (pair.points or 0.0)
    return wins


def _is_linked(compared: np.ndarray) -> bool:
    """Whether a chain of compared pairs leads from the first candidate to every other."""
    reached = {0}
    waiting = [0]
    while waiting:
        for other in np.flatnonzero(compared[waiting.pop()]).tolist():
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return len(reached) == len(compared)


def _strengths(wins: Array) -> Array:
    """Maximum likelihood log strengths of a table of wins, with mean 0.

    Newton's method on the concave likelihood; steps are limited in length, so that the first ones do not
    diverge.
    """
    strengths = np.zeros(len(wins))
    # The likelihood does not depend on the mean; this fixes it at 0.
    tie = np.ones_like(wins) / len(wins)
    for _ in range(_MOST_STEPS):
        slope = (wins - (wins + wins.T) * _chances(strengths)).sum(axis=1)
        step = np.linalg.solve(_information(wins, strengths) + tie, slope)
        step = np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        strengths += step
        strengths -= strengths.mean()
        if np.abs(step).max() < _CONVERGED:
            break
    return strengths


def _chances(strengths: Array) -> Array:
    """Probability of each candidate beating each other one."""
    result: Array = 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    return result


def _information(wins: Array, strengths: Array) -> Array:
    chances = _chances(strengths)
    spread = (wins + wins.T) * chances * (1 - chances)
    result: Array = np.diag(spread.sum(axis=1)) - spread
    return result


def _covariances(wins: Array, tabled: Array, strengths: Array) -> tuple[Array, Array]:
    """Clustered and independent covariance of the strengths; ``wins`` is by item, ``tabled`` their sum with
    the prior.
    """
    # Its null direction is the mean, which is fixed at 0.
    inverse: Array = np.asarray(np.linalg.pinv(_information(tabled, strengths)), dtype=np.float64)
    slopes = (wins - (wins + wins.transpose(0, 2, 1)) * _chances(strengths)).sum(axis=2)
    centred, items = slopes - slopes.mean(axis=0), len(slopes)
    clustered: Array = inverse @ (centred.T @ centred) @ inverse * items / (items - 1)
    return clustered, inverse
