"""Two candidates on the same items by the same reviewers, and corrections for many pairs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evalapp.measure import Measure, signature
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import Array, require_level
from evalapp.stats.scores import candidate_score, crossed_spread

NO_PAIRS = "no reviewer scored both candidates on the same item"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Challenger minus champion, each pair one reviewer's two scores on one item.

    ``difference``: mean of item means of the paired differences; interval over new items and
    new reviewers, so a reviewer's own liking for one candidate widens it.
    ``p_model``: two-sided, from the same model: no difference for new items and reviewers.
    ``p_permutation``: two-sided, items' signs flipped: no difference for this panel.
    ``win_rate``: of the challenger, where higher wins; ties count half.
    ``n`` of each counts items with at least one pair.
    """

    difference: Measure
    p_model: Measure
    p_permutation: Measure
    win_rate: Measure


def paired_difference(
    challenger: Ratings,
    champion: Ratings,
    *,
    seed: int,
    permutations: int = 10_000,
    level: float = 0.95,
    span: float | None = None,
) -> Difference:
    """Compare two candidates, paired by item and blocked by reviewer.

    Items and reviewers are matched by label. A reviewer's several scores for one item are
    averaged first. Everything is undefined when no reviewer scored both on one item. ``span``: the largest
    difference that the scale allows, at which the interval is cut.
    """
    require_level(level)
    if permutations < 1:
        raise ValueError(f"{permutations} permutations give no p value; ask for at least 1")
    pairs = paired_scores(challenger, champion)
    permutation_name = signature("paired-permutation", permutations=permutations, seed=seed)
    model_name = signature("paired-difference-p", model="crossed")
    if not len(pairs):
        return Difference(
            difference=Measure.undefined(NO_PAIRS, signature=signature("paired-difference", level=level)),
            p_model=Measure.undefined(NO_PAIRS, signature=model_name),
            p_permutation=Measure.undefined(NO_PAIRS, signature=permutation_name),
            win_rate=Measure.undefined(NO_PAIRS, signature=signature("win-rate", level=level)),
        )
    bounds = None if span is None else (-span, span)
    wins = pairs.with_scores((np.sign(pairs.score) + 1) / 2)
    return Difference(
        difference=_renamed(candidate_score(pairs, level=level, bounds=bounds), "paired-difference", level),
        p_model=_model_p(pairs, model_name),
        p_permutation=_permutation_p(pairs, permutations, seed, permutation_name),
        win_rate=_renamed(candidate_score(wins, level=level, bounds=(0, 1)), "win-rate", level),
    )


def paired_scores(challenger: Ratings, champion: Ratings) -> Ratings:
    """Challenger minus champion for every item and reviewer that both have."""
    first, second = _cells(challenger), _cells(champion)
    shared = [cell for cell in first if cell in second]
    return Ratings.from_columns(
        [item for item, _ in shared],
        [reviewer for _, reviewer in shared],
        [first[cell] - second[cell] for cell in shared],
    )


def _cells(ratings: Ratings) -> dict[tuple[object, object], float]:
    cell = ratings.item * max(len(ratings.reviewers), 1) + ratings.reviewer
    cells, position = np.unique(cell, return_inverse=True)
    means = np.bincount(position, weights=ratings.score) / np.maximum(np.bincount(position), 1)
    item, reviewer = np.divmod(cells, max(len(ratings.reviewers), 1))
    return {
        (ratings.items[i], ratings.reviewers[r]): mean
        for i, r, mean in zip(item.tolist(), reviewer.tolist(), means.tolist(), strict=True)
    }


def _renamed(measure: Measure, name: str, level: float) -> Measure:
    return Measure(
        value=measure.value,
        n=measure.n,
        low=measure.low,
        high=measure.high,
        note=measure.note,
        signature=signature(name, interval="crossed", level=level),
    )


def _model_p(pairs: Ratings, name: str) -> Measure:
    spread = crossed_spread(pairs)
    n = len(pairs.items)
    if isinstance(spread, str):
        return Measure.undefined(spread, n=n, signature=name)
    from scipy.special import stdtr

    t = abs(float(pairs.item_means().mean())) / spread.error
    return Measure(value=float(2 * stdtr(spread.degrees, -t)), n=n, signature=name)


def _permutation_p(pairs: Ratings, permutations: int, seed: int, name: str) -> Measure:
    means = pairs.item_means()
    if means.size < 2:
        return Measure.undefined("one item", n=int(means.size), signature=name)
    return Measure(
        value=sign_flip_p(means, permutations=permutations, seed=seed), n=int(means.size), signature=name
    )


def sign_flip_p(differences: Array, *, permutations: int, seed: int) -> float:
    """Two-sided p of the sum when each difference may as well have the other sign.

    All sign patterns are tried when there are no more than ``permutations`` of them; else that
    many are drawn and the observed one is counted in, (1 + b) / (1 + m), so p is never 0.
    """
    sizes, counts = np.unique(np.round(np.abs(differences), 12), return_counts=True)
    observed = abs(float(np.round(differences, 12).sum())) - 1e-9 * max(1.0, float(sizes.max()))
    if differences.size <= math.log2(permutations):
        patterns = np.arange(2**differences.size)[:, None] >> np.arange(differences.size) & 1
        sums = (2 * patterns - 1) @ differences
        return float((np.abs(sums) >= observed).mean())
    generator = np.random.default_rng(seed)
    as_large = 0
    rows = max(1, 1_000_000 // sizes.size)
    for start in range(0, permutations, rows):
        # Of the differences of one size the number that turns positive is binomial: equal in
        # distribution to flipping them one by one.
        size = (min(rows, permutations - start), sizes.size)
        positive = generator.binomial(counts, 0.5, size=size)
        as_large += int((np.abs((2 * positive - counts) @ sizes) >= observed).sum())
    return (1 + as_large) / (1 + permutations)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment: adjusted p per name, in the order given.

    Comparing each with the level keeps the chance of any false finding among all names at or
    under that level. Source: Holm (1979). Raises ValueError for a p outside [0, 1].
    """
    for name, p in p_values.items():
        if not 0 <= p <= 1:
            raise ValueError(f"{name}: a p value of {p} is outside 0 to 1")
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda entry: entry[1])):
        running = max(running, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = running
    return {name: adjusted[name] for name in p_values}
