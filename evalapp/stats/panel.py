"""Each reviewer against the panel: concentration on one answer, and distance from the others."""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from evalapp.measure import Measure, signature
from evalapp.stats.proportions import wilson, wilson_interval
from evalapp.stats.ratings import Ratings
from evalapp.stats.resampling import require_level


class Concentration(NamedTuple):
    """The most frequent ``answer``, its ``share`` with Wilson's interval, and the entropy of the answers in
    bits, 0 if all are the same.
    """

    answer: float
    share: Measure
    entropy: float


def concentration(answers: Sequence[float], *, level: float = 0.95) -> Concentration | None:
    """How much a person's answers to a criterion concentrate on one answer; None without answers."""
    if not answers:
        return None
    counts = Counter(answers)
    answer, most = min(counts.items(), key=lambda each: (-each[1], each[0]))
    shares = [count / len(answers) for count in counts.values()]
    entropy = abs(sum(share * math.log2(share) for share in shares))
    return Concentration(answer, wilson(most, len(answers), level=level, name="modal-share"), entropy)


class DistantShares(NamedTuple):
    """``own``: how often a reviewer's answer is far from a co-reviewer's on the same item. ``rest``: how
    often the others' answers are far from one another.
    """

    own: Measure
    rest: Measure


def distant_shares(
    ratings: Ratings, *, tolerance: float, level: float = 0.95
) -> dict[Hashable, DistantShares]:
    """By reviewer: shares of pairs of scores of one item that are more than ``tolerance`` apart.

    Each is a mean over items of the item's share, with Wilson's interval at the number of items, as if an
    item were one case. Undefined if no item has the two scores that it needs.
    """
    require_level(level)
    by_item: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for item, reviewer, score in zip(
        ratings.item.tolist(), ratings.reviewer.tolist(), ratings.score.tolist(), strict=True
    ):
        by_item[item].append((reviewer, score))
    total, items = 0.0, 0
    own: dict[int, list[float]] = defaultdict(list)
    # Contribution of a reviewer's items to the panel's sum, with and without the reviewer's own pairs.
    with_own: dict[int, float] = defaultdict(float)
    without_own: dict[int, float] = defaultdict(float)
    without_items: dict[int, int] = defaultdict(int)
    for given in by_item.values():
        count = len(given)
        if count < 2:
            continue
        far = [sum(abs(score - other) > tolerance for _, other in given) for _, score in given]
        pairs_far = sum(far) / 2
        share = pairs_far / math.comb(count, 2)
        total, items = total + share, items + 1
        for (reviewer, _), own_far in zip(given, far, strict=True):
            own[reviewer].append(own_far / (count - 1))
            with_own[reviewer] += share
            if count > 2:
                without_own[reviewer] += (pairs_far - own_far) / math.comb(count - 1, 2)
                without_items[reviewer] += 1
    found: dict[Hashable, DistantShares] = {}
    for code, label in enumerate(ratings.reviewers):
        shared = len(own[code])
        rest_items = items - shared + without_items[code]
        found[label] = DistantShares(
            own=_share(sum(own[code]), shared, "far-from-others", level),
            rest=_share(
                total - with_own[code] + without_own[code], rest_items, "others-far-from-each-other", level
            ),
        )
    return found


def _share(summed: float, items: int, name: str, level: float) -> Measure:
    label = signature(name, interval="wilson", level=level)
    if not items:
        return Measure.undefined("no item has two scores", signature=label)
    # Sums of shares that cancel leave a rounding error.
    summed = min(max(summed, 0.0), float(items))
    low, high = wilson_interval(summed, items, level=level)
    value = summed / items
    return Measure(value=value, n=items, low=min(low, value), high=max(high, value), signature=label)
