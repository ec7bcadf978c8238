"""Bins for a histogram of row lengths. Pure functions."""

import math
from collections.abc import Sequence

from training.dry_run_report import LengthBin

MOST_BINS = 24


def length_bins(lengths: Sequence[int]) -> tuple[LengthBin, ...]:
    """Count rows by length, in bins of one round width (1, 2 or 5 times a power of ten) from zero to the
    longest.
    """
    longest = max(lengths)
    width = _round_width(longest / MOST_BINS)
    counts = [0] * (longest // width + 1)
    for length in lengths:
        counts[length // width] += 1
    return tuple(
        LengthBin(first=number * width, last=(number + 1) * width - 1, rows=rows)
        for number, rows in enumerate(counts)
    )


def _round_width(least: float) -> int:
    if least <= 1:
        return 1
    power: int = 10 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
