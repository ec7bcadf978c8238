"""When a reviewer meets an item once more: pure arithmetic, seeded.

Far enough from the first time that it is not known again at a glance, near enough that it comes before the
person's work ends. A long campaign repeats 15 to 25 items later; a short one as late as its length allows.
"""

import math
import random

# A repeat comes so many of the person's items later, and up to as many more, where their work is long enough.
REPEAT_AFTER, REPEAT_SPREAD = 15, 10
# Never nearer than this many items.
NEAREST = 4


def repeat_position(share: int, nth: int, *, seed: str) -> int:
    """Which of a person's items, counted from 1, is the ``nth`` to be repeated (from 0): one in every stretch
    of 100/share, and not among its last ones where it is long, so that the repeat still comes in a short
    work.
    """
    stretch = 100 / share
    drawn = stretch - NEAREST if stretch > 2 * NEAREST else stretch
    within = random.Random(f"{seed}:repeat:{nth}").random()
    return math.floor(nth * stretch + within * drawn) + 1


def is_repeated(position: int, share: int, *, seed: str) -> bool:
    """Whether the person's item of that number, from 1, comes again."""
    near = int(position * share / 100)
    return any(repeat_position(share, nth, seed=seed) == position for nth in (near - 1, near) if nth >= 0)


def repeat_distance(left: int, *, draw: random.Random) -> int:
    """How many of the person's items later it comes, where about ``left`` more are expected of them."""
    farthest = max(NEAREST, min(REPEAT_AFTER + REPEAT_SPREAD - 1, left))
    nearest = max(NEAREST, min(REPEAT_AFTER, farthest - REPEAT_SPREAD + 1))
    return draw.randint(nearest, farthest)


def repeats_expected(items: int, share: int) -> int:
    """About how many repeats a person with so many items meets: those with enough items behind them."""
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
    """About how many items check reviewers who share so many assignments, all together: gold, repeats and
    calibration.

    The one number of a design, of what an opened campaign expects and of every reviewer's progress.
    ``gold_items``: how many gold items there are for everybody; None before they are chosen.
    """
    gold = round(assignments * gold_share / 100)
    if gold_items is not None:
        gold = min(gold, people * gold_items)
    repeats = people * repeats_expected(round(assignments / people), repeat_share) if people else 0
    return gold + repeats + people * calibration_items
