"""Agreement of reviewers on preferences, independent of the order in which candidates are listed.

"The first is better" means nothing across different pairs of candidates: which one is first is an accident of
a list. So every preference counts in both orientations, as "this one is better" and as "the other is worse".
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.agreement import NO_OVERLAP, NO_VARIATION, ONE_REVIEWER
from evalapp.stats.pairs import NO_PREFERENCES, PairPreference, agreeing_shares
from evalapp.stats.resampling import (
    DEFAULT_REPLICATES,
    Array,
    WeightedStatistic,
    bootstrap,
    pattern_weights,
    require_level,
    too_few_items,
)
from evalapp.stats.scores import FOR_THIS_PANEL

TIE, BOTH_BAD = "tie", "both bad"


def preference_alpha(
    pairs: Sequence[PairPreference],
    *,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Krippendorff's alpha of preferences on pairs, each preference counted in both orientations.

    Two preferences on the same two candidates of an item agree if they prefer the same one, or are both a
    tie, or both "both bad". By chance two preferences for one candidate agree in half of the cases, however
    often each candidate wins; ties and "both bad" agree as often as they are given. Without those, and with
    every reviewer on every pair, alpha is Kendall's coefficient of agreement u; for rankings, the mean of
    Kendall's tau over every two reviewers. ``n`` counts items with two preferences on the same two
    candidates. The interval resamples whole items, with all their pairs: for this panel. Sources:
    Krippendorff (2011); Kendall and Babington Smith (1940); Ehrenberg (1952).
    """
    require_level(level)
    name = signature("preference-alpha", orientations=2, bootstrap=replicates, seed=seed, level=level)
    if reason := _cannot_agree(pairs):
        return Measure.undefined(reason, signature=name)
    return _over_items(_agreement_counts(pairs), _alpha, name, seed=seed, replicates=replicates, level=level)


def same_preference_share(
    pairs: Sequence[PairPreference],
    *,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Measure:
    """Share of every two preferences on the same two candidates that say the same; a mean over items.

    Not corrected for chance. ``n`` and the interval are as in `preference_alpha`.
    """
    require_level(level)
    name = signature("same-preference-share", bootstrap=replicates, seed=seed, level=level)
    if reason := _cannot_agree(pairs):
        return Measure.undefined(reason, signature=name)
    shares = np.array(list(agreeing_shares(pairs).values()))
    rows = np.column_stack([shares, np.ones_like(shares)])
    return _over_items(rows, _mean, name, seed=seed, replicates=replicates, level=level)


def _cannot_agree(pairs: Sequence[PairPreference]) -> str:
    if not pairs:
        return NO_PREFERENCES
    given = Counter((pair.item, pair.reviewer, frozenset((pair.first, pair.second))) for pair in pairs)
    if max(given.values()) > 1:
        raise ValueError(
            "a reviewer gave two preferences on the same two answers: agreement between reviewers takes one"
            " each; hidden repeats belong to the intra-rater measure"
        )
    if len({pair.reviewer for pair in pairs}) < 2:
        return ONE_REVIEWER
    return "" if any(len(answers) > 1 for answers in _by_pair(pairs).values()) else NO_OVERLAP


def _by_pair(pairs: Iterable[PairPreference]) -> dict[tuple[Hashable, frozenset[Hashable]], list[Hashable]]:
    """By item and pair of candidates: each preference as the better candidate, a tie, or both bad."""
    found: dict[tuple[Hashable, frozenset[Hashable]], list[Hashable]] = defaultdict(list)
    for pair in pairs:
        if pair.points in (0.0, 1.0):
            preference: Hashable = ("better", pair.first if pair.points else pair.second)
        else:
            preference = BOTH_BAD if pair.points is None else TIE
        found[pair.item, frozenset((pair.first, pair.second))].append(preference)
    return found


def _agreement_counts(pairs: Iterable[PairPreference]) -> Array:
    """One row per item with two preferences on one pair, with five sums.

    The columns are its disagreement, its preferences, and how many of these prefer one, are a tie, or call
    both bad. No column depends on which candidate is listed first.
    """
    rows: dict[Hashable, Array] = {}
    for (item, _), answers in _by_pair(pairs).items():
        if len(answers) < 2:
            continue
        counts = Counter(answers)
        equal = sum(times * (times - 1) for times in counts.values())
        unequal = (len(answers) * (len(answers) - 1) - equal) / (len(answers) - 1)
        ties, bad = counts[TIE], counts[BOTH_BAD]
        own = np.array([unequal, len(answers), len(answers) - ties - bad, ties, bad], dtype=np.float64)
        rows[item] = rows[item] + own if item in rows else own
    return np.stack(list(rows.values()))


def _alpha(sums: Array) -> Array:
    unequal, given, one_better, ties, bad = sums.T
    # Two preferences for one candidate, on different pairs, agree in one of the two orientations, so half of
    # them count as agreeing.
    alike = one_better * (one_better - 1) / 2 + ties * (ties - 1) + bad * (bad - 1)
    expected = given * (given - 1) - alike
    expected[expected <= 0] = np.nan
    result: Array = 1 - (given - 1) * unequal / expected
    return result


def _mean(sums: Array) -> Array:
    result: Array = sums[:, 0] / sums[:, 1]
    return result


def _over_items(
    rows: Array, statistic: WeightedStatistic, name: str, *, seed: int, replicates: int, level: float
) -> Measure:
    """``statistic`` of the sums of ``rows`` (items × columns), with its interval."""
    n = len(rows)
    kinds, times = np.unique(rows, axis=0, return_counts=True)

    def of(weights: Array) -> Array:
        return statistic(weights @ kinds)

    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(of(times[None, :].astype(np.float64))[0])
    if not np.isfinite(value):
        return Measure.undefined(NO_VARIATION, n=n, signature=name)
    if few := too_few_items(n):
        return Measure(value=value, n=n, note=few, signature=name)
    weights = pattern_weights(times.astype(np.float64), replicates=replicates, seed=seed)
    low, high, note = bootstrap(of, weights, level=level)
    return Measure(
        value=value, n=n, low=low, high=high, note=note or f"over items, {FOR_THIS_PANEL}", signature=name
    )
