"""How much more time a longer text takes, whatever the machine: the cost of a text is told by its growth."""

import time
from collections.abc import Callable

TIMES_LONGER = 8
LINEAR_AT_MOST = 32
"""Four times the growth of the text, for what noise adds; a quadratic cost grows by 64."""


def growth(work: Callable[[str], object], text_of: Callable[[int], str], *, characters: int) -> float:
    """The time of ``work`` on a text eight times as long, per time on one of ``characters``."""
    short, long = text_of(characters), text_of(characters * TIMES_LONGER)
    return _least_time(work, long) / _least_time(work, short)


def _least_time(work: Callable[[str], object], text: str) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        work(text)
        times.append(time.process_time() - start)
    return max(min(times), 1e-6)
