"""When a reviewer sees an item again: pure arithmetic, seeded.

Far enough from the first time not to be recognised at a glance, near enough to come before the person's work
ends. In a long campaign, repeats follow 15 to 25 items later; in a short one as late as its length allows.
"""

import math
import random

# A repeat comes REPEAT_AFTER items later, plus up to REPEAT_SPREAD, if the person's work is long enough.
REPEAT_AFTER, REPEAT_SPREAD = 15, 10
# The minimum distance in items.
NEAREST = 4


def repeat_position(share: int, nth: int, *, seed: str) -> int:
    """The number, from 1, of a person's item that is the ``nth`` to be repeated (from 0): one in every
    100/share items. It is not among the last of a long stretch, so that the repeat still comes in a short
    campaign.
    """
    stretch = 100 / share
    drawn = stretch - NEAREST if stretch > 2 * NEAREST else stretch
    within = random.Random(f"{seed}:repeat:{nth}").random()
    return math.floor(nth * stretch + within * drawn) + 1


def is_repeated(position: int, share: int, *, seed: str) -> bool:
    """Whether the person's item of that number, from 1, is repeated."""
    near = int(position * share / 100)
    return any(repeat_position(share, nth, seed=seed) == position for nth in (near - 1, near) if nth >= 0)


def repeat_distance(left: int, *, draw: random.Random) -> int:
    """The distance of the repeat in the person's items, if about ``left`` more are expected."""
    farthest = max(NEAREST, min(REPEAT_AFTER + REPEAT_SPREAD - 1, left))
    nearest = max(NEAREST, min(REPEAT_AFTER, farthest - REPEAT_SPREAD + 1))
    return draw.randint(nearest, farthest)


def repeats_expected(items: int, share: int) -> int:
    """The approximate number of repeats for a person with that many items: only of those with enough items
    after them.
    """
    if not share:
        return 0
    stretch = 100 / share
    middle = (stretch - NEAREST if stretch > 2 * NEAREST else stretch) / 2
    return max(0, math.floor((items - NEAREST - middle) / stretch) + 1)


def checks_expected(
    assignments: int,
    people: int,
    *,
    gold_share: int,
    repeat_share: int,
    calibration_items: int,
    gold_items: int | None = None,
) -> int:
    """The approximate number of check items for all reviewers who share these assignments: gold, repeats and
    calibration.

    Used for a design, an opened campaign and every reviewer's progress alike. ``gold_items``: gold items for
    each person; None before they are chosen.
    """
    gold = round(assignments * gold_share / 100)
    if gold_items is not None:
        gold = min(gold, people * gold_items)
    repeats = people * repeats_expected(round(assignments / people), repeat_share) if people else 0
    return gold + repeats + people * calibration_items
